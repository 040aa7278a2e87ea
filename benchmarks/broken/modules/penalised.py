"""Linear models with penalties, minimised by plain gradient descent elsewhere."""

import numpy as np


def elastic_net_logistic(w, b, X, y, l1=0.05, l2=0.1):
    """y in {-1, 1} as whole numbers"""
    m = y * (X @ w + b)
    penalty = l1 * np.abs(w).sum() + 0.5 * l2 * w @ w
    return np.logaddexp(0, -m).mean() + penalty, (w, X, y, m, l1, l2)


def elastic_net_logistic_grad(cache):
    w, X, y, m, l1, l2 = cache
    n = len(y)
    coef = -y / (1 + np.exp(m)) / n
    gw = X.T @ coef + l1 * np.sign(w) + l2 * w
    gb = coef.sum()
    gX = np.outer(coef, w)
    return gw, gb, gX, None


def squared_hinge_svm(W, X, labels, C=1.5):
    """Crammer-Singer margins, squared; W (D, K)."""
    n = len(labels)
    scores = X @ W
    correct = scores[np.arange(n), labels][:, None]
    margins = np.maximum(0, scores - correct + 1)
    margins[np.arange(n), labels] = 0
    return C * np.sum(margins**2) / n + 0.5 * np.sum(W * W), (W, X, labels, margins, C)


def squared_hinge_svm_grad(cache):
    W, X, labels, margins, C = cache
    n = len(labels)
    dscores = 2 * margins
    dscores[np.arange(n), labels] = -dscores.sum(axis=1)
    dscores *= C / n
    dW = X.T @ dscores + W
    dX = dscores @ W.T
    return {"W": dW, "X": dX}


def huber_ridge(w, X, y, delta=1.0, lam=0.3):
    r = X @ w - y
    small = np.abs(r) <= delta
    per = np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta))
    return per.mean() + lam * np.sum(w**2), (w, X, r, delta, lam)


def huber_ridge_grad(cache):
    w, X, r, delta, lam = cache
    dr = np.clip(r, -delta, delta) / len(r)
    return {"dw": X.T @ dr + 2 * lam * w, "dX": np.outer(dr, w), "dy": -dr}
