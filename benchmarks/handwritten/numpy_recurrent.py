"""Time, state and classes in NumPy: RNN, LSTM, GRU, scans, objects that keep what they need."""

import numpy as np
import torch

from .case import case


def sigmoid(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


@case(
    "numpy",
    [(5, 3), (4, 3), (4, 4), (4,)],
    [(1, 2), (2, 2), (2, 2), (2,)],
    slips=[
        ("nothing carried back in time", "dh_next = dz @ Wh", "dh_next = 0 * dz @ Wh"),
        ("W for its transpose", "dh_next = dz @ Wh", "dh_next = Wh @ dz"),
        ("= for +=", "dWx += np", "dWx = np"),
        ("h of this step", "np.outer(dz, hs[t])", "np.outer(dz, hs[t + 1])"),
        ("derivative of the wrong step", "1 - hs[t + 1] ** 2", "1 - hs[t] ** 2"),
        ("first step dropped", "reversed(range(len(x)))", "reversed(range(1, len(x)))"),
        ("bias of the last step only", "db += dz", "db = dz"),
    ],
)
def rnn_list_of_states():
    def forward(x, Wx, Wh, b):
        hs = [np.zeros_like(b)]
        for row in x:
            hs.append(np.tanh(Wx @ row + Wh @ hs[-1] + b))
        return np.array(hs[1:]), (x, Wx, Wh, hs)

    def backward(dy, cache):
        x, Wx, Wh, hs = cache
        dx, dWx, dWh = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh)
        db, dh_next = np.zeros_like(hs[0]), np.zeros_like(hs[0])
        for t in reversed(range(len(x))):
            dz = (dy[t] + dh_next) * (1 - hs[t + 1] ** 2)
            dWx += np.outer(dz, x[t])
            dWh += np.outer(dz, hs[t])
            db += dz
            dx[t] = dz @ Wx
            dh_next = dz @ Wh
        return dx, dWx, dWh, db

    def reference(x, Wx, Wh, b):
        h, hs = torch.zeros_like(b), []
        for row in x:
            h = torch.tanh(Wx @ row + Wh @ h + b)
            hs.append(h)
        return torch.stack(hs)

    return forward, backward, reference


@case(
    "numpy",
    [(2, 3), (2, 2), (2, 2), (5, 8)],
    [(1, 1), (1, 2), (1, 2), (3, 8)],
    slips=[
        ("cell's own path forgotten", "dc = dh * o * (1 - tc**2)", "dc = dh * (1 - tc**2)"),
        ("forget gate from the new cell", "df = dc * c0", "df = dc * c1"),
        ("old cell without its gate", '"c": dc * f', '"c": dc'),
        ("candidate's derivative", "dc * i * (1 - g * g)", "dc * i * g * (1 - g)"),
        ("gates exchanged", "[di * i * (1 - i), df * f * (1 - f)", "[df * f * (1 - f), di * i * (1 - i)"),
        ("x and h in the wrong order", 'dxh[:, :m], "h": dxh[:, m:]', 'dxh[:, -m:], "h": dxh[:, :-m]'),
    ],
)
def lstm_cell():
    def forward(x, h, c, W):
        xh = np.hstack([x, h])
        z = xh @ W
        i, f, o = (sigmoid(v) for v in (z[:, :2], z[:, 2:4], z[:, 6:]))
        g = np.tanh(z[:, 4:6])
        c1 = f * c + i * g
        tc = np.tanh(c1)
        return o * tc, {"xh": xh, "W": W, "gates": (i, f, g, o), "c": (c, c1, tc), "m": x.shape[1]}

    def backward(dh, cache):
        i, f, g, o = cache["gates"]
        c0, c1, tc = cache["c"]
        m = cache["m"]
        do = dh * tc
        dc = dh * o * (1 - tc**2)
        df = dc * c0
        di = dc * g
        dg = dc * i * (1 - g * g)
        dz = np.hstack([di * i * (1 - i), df * f * (1 - f), dg, do * o * (1 - o)])
        dxh = dz @ cache["W"].T
        return {"x": dxh[:, :m], "h": dxh[:, m:], "c": dc * f, "W": cache["xh"].T @ dz}

    def reference(x, h, c, W):
        i, f, g, o = (torch.cat([x, h], 1) @ W).chunk(4, 1)
        c1 = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c1)

    return forward, backward, reference


@case(
    "numpy",
    [(2, 3), (2, 2), (3, 6), (2, 6)],
    [(1, 2), (1, 2), (2, 6), (2, 6)],
    slips=[
        ("the direct path of h", "dh = dy * u\n", "dh = 0 * dy\n"),
        ("update gate's sign", "du = dy * (h - n)", "du = dy * (n - h)"),
        ("reset gate forgotten", "dn * r]", "dn]"),
        ("reset gate's own gradient", "dr = dn * hn", "dr = dn * h"),
        ("1 - u", "dn = dy * (1 - u) *", "dn = dy * u *"),
        ("h's projection", "dh += dzh @ Wh.T", "dh = dzh @ Wh.T"),
    ],
)
def gru_cell():
    def forward(x, h, Wx, Wh):
        k = h.shape[1]
        zx, zh = x @ Wx, h @ Wh
        r = sigmoid(zx[:, :k] + zh[:, :k])
        u = sigmoid(zx[:, k : 2 * k] + zh[:, k : 2 * k])
        hn = zh[:, 2 * k :]
        n = np.tanh(zx[:, 2 * k :] + r * hn)
        return (1 - u) * n + u * h, (x, h, Wx, Wh, r, u, hn, n)

    def backward(dy, cache):
        x, h, Wx, Wh, r, u, hn, n = cache
        dh = dy * u
        du = dy * (h - n)
        dn = dy * (1 - u) * (1 - n * n)
        dr = dn * hn
        dr = dr * r * (1 - r)
        du = du * u * (1 - u)
        dzx = np.concatenate([dr, du, dn], 1)
        dzh = np.concatenate([dr, du, dn * r], 1)
        dh += dzh @ Wh.T
        return dzx @ Wx.T, dh, x.T @ dzx, h.T @ dzh

    def reference(x, h, Wx, Wh):
        a, b = (x @ Wx).chunk(3, 1), (h @ Wh).chunk(3, 1)
        r, u = torch.sigmoid(a[0] + b[0]), torch.sigmoid(a[1] + b[1])
        n = torch.tanh(a[2] + r * b[2])
        return (1 - u) * n + u * h

    return forward, backward, reference


@case(
    "numpy",
    [(6,), (6,)],
    [(1,), (1,)],
    slips=[
        ("carry forgotten", "g = dy[t] + carry", "g = dy[t]"),
        ("the factor of this step", "carry = g * a[t]", "carry = g * a[t - 1]"),
        ("s of this step", "da[t] = g * (s[t - 1] if t else 0)", "da[t] = g * s[t]"),
        ("wraps around at the start", "(s[t - 1] if t else 0)", "s[t - 1]"),
        ("forwards in time", "range(len(a) - 1, -1, -1)", "range(len(a))"),
        ("stops one early", "range(len(a) - 1, -1, -1)", "range(len(a) - 1, 0, -1)"),
    ],
)
def linear_recurrence():
    def forward(a, b):
        s = np.zeros_like(b)
        state = 0
        for t in range(len(a)):
            state = a[t] * state + b[t]
            s[t] = state
        return s, (a, s)

    def backward(dy, cache):
        a, s = cache
        da, db = np.zeros_like(a), np.zeros_like(a)
        carry = 0
        for t in range(len(a) - 1, -1, -1):
            g = dy[t] + carry
            da[t] = g * (s[t - 1] if t else 0)
            db[t] = g
            carry = g * a[t]
        return da, db

    def reference(a, b):
        state, s = 0 * b[0], []
        for t in range(len(a)):
            state = a[t] * state + b[t]
            s.append(state)
        return torch.stack(s)

    return forward, backward, reference


@case(
    "numpy",
    [(6, 2)],
    [(2, 3)],
    variants=[{"keep": 0.5}],
    slips=[
        ("1 - keep forgotten", "dx[t] = (1 - keep) * g", "dx[t] = g"),
        ("keep forgotten", "g = dy[t] + keep * g", "g = dy[t] + g"),
        ("no memory", "g = dy[t] + keep * g", "g = dy[t]"),
        ("first entry averaged too", "dx[0] = g", "pass"),
        ("exchanged", "g = dy[t] + keep * g", "g = dy[t] + (1 - keep) * g"),
    ],
)
def moving_average(keep=0.9):
    def forward(x):
        y = x.copy()
        for t in range(1, len(x)):
            y[t] = keep * y[t - 1] + (1 - keep) * x[t]
        return y

    def backward(dy, x):
        dx = np.empty_like(x)
        g = 0
        for t in range(len(x) - 1, -1, -1):
            g = dy[t] + keep * g
            dx[t] = (1 - keep) * g
        dx[0] = g
        return dx

    def reference(x):
        y = [x[0]]
        for t in range(1, len(x)):
            y.append(keep * y[-1] + (1 - keep) * x[t])
        return torch.stack(y)

    return forward, backward, reference


@case(
    "numpy",
    [(4, 3), (3, 2)],
    [(1, 2), (2, 5)],
    slips=[
        (
            "gradients kept from call to call",
            "self.dW = np.zeros_like(self.W)",
            'self.dW = getattr(self, "dW", 0 * self.W)',
            "second call",
        ),
        ("the first x is kept", "self.x = x", 'self.x = getattr(self, "x", x)', "second call"),
        ("the mask of z before the step", "self.on = z > 0", "self.on = x.sum(1, keepdims=True) > 0"),
        ("mask forgotten", "dz = dy * self.on", "dz = dy"),
        ("dW divided by the batch", "self.x.T @ dz", "self.x.T @ dz / (len(dz) + 1)"),
    ],
)
def layer_object():
    class Layer:
        def forward(self, x, W):
            self.x = x
            self.W = W
            z = x @ W
            self.on = z > 0
            return np.maximum(z, 0)

        def backward(self, dy):
            self.dW = np.zeros_like(self.W)
            dz = dy * self.on
            self.dW += self.x.T @ dz
            return dz @ self.W.T, self.dW

    layer = Layer()
    return layer.forward, layer.backward, lambda x, W: torch.relu(x @ W)
