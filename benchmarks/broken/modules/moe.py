"""Dense mixture of experts: softmax gate over E experts, each a two-layer ReLU net. Auxiliary load-balancing loss."""

import numpy as np

AUX = 0.5


def moe_forward(x, Wg, W1, W2, target):
    """x (N, D), Wg (D, E), W1 (E, D, H), W2 (E, H, K), target (N, K) -> scalar"""
    N, E = len(x), Wg.shape[1]
    g = x @ Wg
    g = np.exp(g - g.max(1, keepdims=True))
    gate = g / g.sum(1, keepdims=True)
    hidden = np.stack([np.maximum(x @ W1[e], 0) for e in range(E)])
    outs = np.stack([hidden[e] @ W2[e] for e in range(E)])
    y = np.einsum("ne,enk->nk", gate, outs)
    load = gate.mean(0)
    loss = np.sum((y - target) ** 2) / N + AUX * E * np.sum(load**2)
    return loss, (x, Wg, W1, W2, target, gate, hidden, outs, y, load)


def moe_backward(cache):
    x, Wg, W1, W2, target, gate, hidden, outs, y, load = cache
    N, E = gate.shape
    dy = 2 * (y - target) / N

    # combination of the experts
    dgate = np.einsum("nk,enk->ne", dy, outs)
    douts = np.einsum("ne,nk->enk", gate, dy)

    # load balancing: every token contributes 1/N to the load
    dload = 2 * AUX * E * load
    dgate += dload / N

    dx = np.zeros_like(x)
    dW1 = np.zeros_like(W1)
    dW2 = np.zeros_like(W2)
    for e in range(E):
        dW2[e] = hidden[e].T @ douts[e]
        dh = douts[e] @ W2[e].T
        dh[hidden[e] == 0] = 0
        dW1[e] = x.T @ dh
        dx += dh @ W1[e].T

    # gate
    dlogit = gate * (dgate - np.sum(dgate * gate, axis=1, keepdims=True))
    dWg = x.T @ dlogit
    dx += dlogit @ Wg.T
    return dx, dWg, dW1, dW2, -dy
