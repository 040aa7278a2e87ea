"""Minimal character-level vanilla RNN, batch of one."""

import numpy as np


def loss_fun(Wxh, Whh, Why, bh, by, inputs, targets):
    xs, hs, ps = {}, {}, {}
    hs[-1] = np.zeros(Whh.shape[0])
    loss = 0
    for t in range(len(inputs)):
        xs[t] = np.zeros(Wxh.shape[1])
        xs[t][inputs[t]] = 1
        hs[t] = np.tanh(Wxh @ xs[t] + Whh @ hs[t - 1] + bh)
        ys = Why @ hs[t] + by
        logps = ys - np.max(ys)
        logps = logps - np.log(np.sum(np.exp(logps)))
        ps[t] = np.exp(logps)
        loss += -logps[targets[t]]
    return loss, (xs, hs, ps, Wxh, Whh, Why, targets)


def loss_fun_backward(cache):
    xs, hs, ps, Wxh, Whh, Why, targets = cache
    # backward pass: compute gradients going backwards
    dWxh, dWhh, dWhy = np.zeros_like(Wxh), np.zeros_like(Whh), np.zeros_like(Why)
    dbh, dby = np.zeros(Whh.shape[0]), np.zeros(Why.shape[0])
    dhnext = np.zeros_like(hs[0])
    for t in reversed(range(len(xs))):
        dy = np.copy(ps[t])
        dy[targets[t]] -= 1  # backprop into y
        dWhy += np.outer(dy, hs[t])
        dby += dy
        dh = Why.T @ dy + dhnext  # backprop into h
        dhraw = (1 - hs[t] * hs[t]) * dh  # through tanh
        dbh += dhraw
        dWxh += np.outer(dhraw, xs[t])
        dWhh += np.outer(dhraw, hs[t - 1])
        dhnext = Whh.T @ dhraw
    return {"Wxh": dWxh, "Whh": dWhh, "Why": dWhy, "bh": dbh, "by": dby}
