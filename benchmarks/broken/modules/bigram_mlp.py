"""Next-name model: embedding, linear, batch norm, tanh, linear, cross entropy. Backprop through every line."""

import numpy as np

EPS = 1e-2


def forward(C, W1, bngain, bnbias, W2, b2, Xb, Yb):
    n = len(Xb)
    emb = C[Xb]
    embcat = emb.reshape(n, -1)
    hprebn = embcat @ W1
    bnmeani = hprebn.mean(0, keepdims=True)
    bndiff = hprebn - bnmeani
    bnvar = (bndiff**2).sum(0, keepdims=True) / (n - 1)  # Bessel's correction
    bnvar_inv = (bnvar + EPS) ** -0.5
    bnraw = bndiff * bnvar_inv
    hpreact = bngain * bnraw + bnbias
    h = np.tanh(hpreact)
    logits = h @ W2 + b2
    norm_logits = logits - logits.max(1, keepdims=True)
    logprobs = norm_logits - np.log(np.exp(norm_logits).sum(1, keepdims=True))
    probs = np.exp(logprobs)
    loss = -logprobs[range(n), Yb].mean()
    saved = (C, W1, bngain, W2, Xb, Yb, emb, embcat, bndiff, bnvar, bnvar_inv, bnraw, h, probs)
    return loss, saved


def backward(saved):
    C, W1, bngain, W2, Xb, Yb, emb, embcat, bndiff, bnvar, bnvar_inv, bnraw, h, probs = saved
    n = len(Xb)
    dlogits = probs.copy()
    dlogits[range(n), Yb] -= 1
    dlogits /= n
    # 2nd linear layer
    dh = dlogits @ W2.T
    dW2 = h.T @ dlogits
    db2 = dlogits.sum(0)
    # tanh
    dhpreact = (1.0 - h**2) * dh
    # batch norm
    dbngain = (bnraw * dhpreact).sum(0, keepdims=True)
    dbnbias = dhpreact.sum(0, keepdims=True)
    dbnraw = bngain * dhpreact
    dbndiff = bnvar_inv * dbnraw
    dbnvar_inv = (bndiff * dbnraw).sum(0, keepdims=True)
    dbnvar = (-0.5 * (bnvar + EPS) ** -1.5) * dbnvar_inv
    dbndiff2 = (1.0 / (n - 1)) * np.ones_like(bndiff) * dbnvar
    dbndiff += (2 * bndiff) * dbndiff2
    dhprebn = dbndiff.copy()
    dbnmeani = (-dbndiff).sum(0, keepdims=True)
    dhprebn += 1.0 / n * (np.ones_like(hprebn_like(embcat, W1)) * dbnmeani)
    # 1st layer
    dembcat = dhprebn @ W1.T
    dW1 = embcat.T @ dhprebn
    # embedding
    demb = dembcat.reshape(emb.shape)
    dC = np.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            ix = Xb[k, j]
            dC[ix] += demb[k, j]
    return dC, dW1, dbngain, dbnbias, dW2, db2, None, None


def hprebn_like(embcat, W1):
    return np.empty((embcat.shape[0], W1.shape[1]))
