# Three layer classifier, trained with SGD. Gradients by hand.
import numpy as np

REG = 0.1


def log_softmax(scores):
    shifted = scores - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def loss(X, W1, b1, W2, b2, W3, b3, labels):
    N = X.shape[0]
    z1 = X @ W1 + b1
    h1 = np.maximum(z1, 0)
    z2 = h1 @ W2 + b2
    h2 = np.tanh(z2)
    scores = h2 @ W3 + b3
    logp = log_softmax(scores)
    probs = np.exp(logp)
    data_loss = -logp[np.arange(N), labels].mean()
    reg_loss = 0.5 * REG * (np.sum(W1**2) + np.sum(W2**2) + np.sum(W3**2))
    return data_loss + reg_loss, (X, W1, z1, h1, W2, z2, h2, W3, probs, labels)


def loss_grad(cache):
    X, W1, z1, h1, W2, z2, h2, W3, probs, labels = cache
    N = X.shape[0]
    grads = {}

    # softmax + cross entropy
    dscores = probs.copy()
    dscores[np.arange(N), labels] -= 1
    dscores /= N

    # output layer
    grads["W3"] = h2.T @ dscores
    grads["b3"] = dscores.sum(axis=0)
    dh2 = dscores @ W3.T

    # second hidden layer (tanh)
    dz2 = dh2 * (1 - h2**2)
    grads["W2"] = h1.T @ dz2
    grads["b2"] = dz2.sum(axis=0)
    dh1 = dz2 @ W2.T

    # first hidden layer (relu)
    dz1 = dh1.copy()
    dz1[z1 <= 0] = 0
    grads["W1"] = X.T @ dz1
    grads["b1"] = dz1.sum(axis=0)
    grads["X"] = dz1 @ W1.T

    # weight decay
    grads["W3"] += REG * W3
    grads["W2"] += REG * W2
    grads["W1"] += REG * W1
    return grads
