import numpy as np


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def lstm_forward(x, h0, c0, Wx, Wh, b):
    """x (N, T, D) -> h (N, T, H)"""
    N, T, D = x.shape
    H = h0.shape[1]
    h = np.zeros((N, T, H))
    prev_h, prev_c = h0, c0
    steps = []
    for t in range(T):
        a = x[:, t].dot(Wx) + prev_h.dot(Wh) + b
        i = sigmoid(a[:, :H])
        f = sigmoid(a[:, H : 2 * H])
        o = sigmoid(a[:, 2 * H : 3 * H])
        g = np.tanh(a[:, 3 * H :])
        c = f * prev_c + i * g
        tc = np.tanh(c)
        steps.append((prev_h, prev_c, i, f, o, g, tc))
        prev_h, prev_c = o * tc, c
        h[:, t] = prev_h
    return h, (x, Wx, Wh, steps)


def lstm_step_backward(dnext_h, dnext_c, x_t, Wx, Wh, step):
    prev_h, prev_c, i, f, o, g, tc = step
    do = dnext_h * tc
    dc = dnext_c + dnext_h * o * (1 - tc**2)
    df = dc * prev_c
    di = dc * g
    dg = dc * i
    dprev_c = dc * f
    da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
    return da.dot(Wx.T), da.dot(Wh.T), dprev_c, x_t.T.dot(da), prev_h.T.dot(da), da.sum(axis=0)


def lstm_backward(dh, cache):
    x, Wx, Wh, steps = cache
    N, T, H = dh.shape
    dx = np.zeros_like(x)
    dWx = np.zeros_like(Wx)
    dWh = np.zeros_like(Wh)
    db = np.zeros(4 * H)
    dprev_h = np.zeros((N, H))
    dprev_c = np.zeros((N, H))
    for t in reversed(range(T)):
        out = lstm_step_backward(dh[:, t] + dprev_h, dprev_c, x[:, t], Wx, Wh, steps[t])
        dx[:, t], dprev_h, dprev_c, dWx_t, dWh_t, db_t = out
        dWx += dWx_t
        dWh += dWh_t
        db += db_t
    return dx, dprev_h, dprev_c, dWx, dWh, db
