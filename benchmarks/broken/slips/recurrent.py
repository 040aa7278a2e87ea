"""Recurrent networks in NumPy."""

import torch
import torch.nn.functional as F

from ..draws import different, labels
from ..table import enter


def lstm(x, h, c, Wx, Wh, b):
    out = []
    for t in range(x.shape[1]):
        i, f, o, g = (x[:, t] @ Wx + h @ Wh + b).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        out.append(h)
    return torch.stack(out, 1)


enter(
    "NumPy",
    "lstm.lstm_forward",
    "lstm_backward",
    lstm,
    [(2, 3, 4), (2, 3), (2, 3), (4, 12), (3, 12), (12,)],
    [(3, 4, 2), (3, 2), (3, 2), (2, 8), (2, 8), (8,)],
    [
        (
            "missing path",
            "the cell's gradient from the next step forgotten",
            "dc = dnext_c + dnext_h * o",
            "dc = dnext_h * o",
        ),
        (
            "missing path",
            "the hidden state's gradient from the next step forgotten",
            "(dh[:, t] + dprev_h, dprev_c,",
            "(dh[:, t], dprev_c,",
        ),
        (
            "missing factor",
            "the output gate missing on the way to the cell",
            "dnext_h * o * (1 - tc**2)",
            "dnext_h * (1 - tc**2)",
        ),
        ("missing square", "tanh of the cell without the square", "(1 - tc**2)", "(1 - tc)"),
        ("copy-paste", "tanh's derivative as that of a sigmoid", "dg * (1 - g**2)", "dg * g * (1 - g)"),
        ("stale variable", "f's gradient from the candidate", "df = dc * prev_c", "df = dc * g"),
        (
            "operand order",
            "the gates stacked as i, o, f, g",
            "df * f * (1 - f), do * o * (1 - o)",
            "do * o * (1 - o), df * f * (1 - f)",
        ),
        ("= for +=", "only the first step's gradient of Wh stays", "dWh += dWh_t", "dWh = dWh_t"),
        (
            "iteration order",
            "the steps taken from the first to the last",
            "for t in reversed(range(T))",
            "for t in range(T)",
        ),
        (
            "operand order",
            "input gate's and candidate's gradients exchanged",
            "    di = dc * g\n    dg = dc * i\n",
            "    di = dc * i\n    dg = dc * g\n",
        ),
    ],
)


def gru(xs, Wz, Uz, Wr, Ur, Wn, Un):
    h = torch.zeros(Uz.shape[0], dtype=xs.dtype)
    for x in xs:
        z, r = (x @ Wz + h @ Uz).sigmoid(), (x @ Wr + h @ Ur).sigmoid()
        h = (1 - z) * (x @ Wn + (r * h) @ Un).tanh() + z * h
    return h


enter(
    "NumPy",
    "gru.gru_run",
    "gru_run_grad",
    gru,
    [(3, 2), (2, 4), (4, 4), (2, 4), (4, 4), (2, 4), (4, 4)],
    [(4, 3), (3, 3), (3, 3), (3, 3), (3, 3), (3, 3), (3, 3)],
    [
        ("sign", "the update gate's gradient with the other sign", "dz = dh * (h - n)", "dz = dh * (n - h)"),
        ("missing path", "the way through the candidate's r * h forgotten", "        dh_prev += drh * r\n", ""),
        ("= for +=", "the direct path overwritten", "dh_prev += Uz @ az + Ur @ ar", "dh_prev = Uz @ az + Ur @ ar"),
        (
            "missing factor",
            "the reset gate missing in Un's gradient",
            "dUn += np.outer(r * h, an)",
            "dUn += np.outer(h, an)",
        ),
        ("transpose", "the square Un transposed", "drh = Un @ an", "drh = Un.T @ an"),
        ("copy-paste", "Ur's place taken by Uz", "dh_prev += Uz @ az + Ur @ ar", "dh_prev += Uz @ az + Uz @ ar"),
        (
            "operand order",
            "outer product the other way round in Uz",
            "dUz += np.outer(h, az)",
            "dUz += np.outer(az, h)",
        ),
        ("wrong cached array", "reset gate's gradient times r for h", "dr = drh * h", "dr = drh * n"),
        ("missing path", "dx without the reset gate", "Wz @ az + Wr @ ar + Wn @ an", "Wz @ az + Wn @ an"),
        ("off by one", "the first step is not visited", "range(len(tape) - 1, -1, -1)", "range(len(tape) - 1, 0, -1)"),
    ],
)


def char_rnn(Wxh, Whh, Why, bh, by, inputs, targets):
    h, loss = torch.zeros(len(Whh), dtype=Whh.dtype), 0
    for i, t in zip(inputs, targets, strict=True):
        h = torch.tanh(Wxh[:, i] + Whh @ h + bh)
        loss = loss + F.cross_entropy(Why @ h + by, t)
    return loss


enter(
    "NumPy",
    "char_rnn.loss_fun",
    "loss_fun_backward",
    char_rnn,
    [(4, 5), (4, 4), (5, 4), (4,), (5,), labels(5, 3), different(5, 3)],
    [(3, 2), (3, 3), (2, 3), (3,), (2,), labels(2, 5), labels(2, 5)],
    [
        ("missing path", "no gradient through time", "dh = Why.T @ dy + dhnext", "dh = Why.T @ dy"),
        (
            "stale variable",
            "the state that goes back is taken before tanh",
            "dhnext = Whh.T @ dhraw",
            "dhnext = Whh.T @ dh",
        ),
        ("transpose", "the square Whh not transposed", "dhnext = Whh.T @ dhraw", "dhnext = Whh @ dhraw"),
        (
            "off by one",
            "the state of the same step in Whh's gradient",
            "np.outer(dhraw, hs[t - 1])",
            "np.outer(dhraw, hs[t])",
        ),
        ("wrong index", "always the first target", "dy[targets[t]] -= 1", "dy[targets[0]] -= 1"),
        ("line forgotten", "the target's one not subtracted", "        dy[targets[t]] -= 1  # backprop into y\n", ""),
        ("= for +=", "only the first step's bias gradient", "dbh += dhraw", "dbh = dhraw"),
        ("missing square", "tanh's square missing", "(1 - hs[t] * hs[t])", "(1 - hs[t])"),
    ],
)


def birnn(x, Wf, Uf, bf, Wb, Ub, bb, V, c):
    def run(order, W, U, b):
        h, out = torch.zeros(len(U), dtype=x.dtype), {}
        for t in order:
            h = out[t] = torch.tanh(x[t] @ W + h @ U + b)
        return torch.stack([out[t] for t in range(len(x))])

    T = len(x)
    return torch.cat([run(range(T), Wf, Uf, bf), run(reversed(range(T)), Wb, Ub, bb)], 1) @ V + c


enter(
    "NumPy",
    "bidirectional_rnn.birnn",
    "birnn_backward",
    birnn,
    [(3, 2), (2, 4), (4, 4), (4,), (2, 4), (4, 4), (4,), (8, 3), (3,)],
    [(4, 3), (3, 2), (2, 2), (2,), (3, 2), (2, 2), (2,), (4, 5), (5,)],
    [
        (
            "iteration order",
            "the second direction unrolled like the first",
            "    carry = np.zeros(H)\n    for t in range(T):\n",
            "    carry = np.zeros(H)\n    for t in reversed(range(T)):\n",
        ),
        (
            "off by one",
            "the second direction's state of the step before",
            "np.outer(hb[t + 1], da)",
            "np.outer(hb[t - 1], da)",
        ),
        ("copy-paste", "carry through the other direction's matrix", "carry = Ub @ da", "carry = Uf @ da"),
        ("copy-paste", "tanh's derivative at the other direction's state", "(1 - hb[t] ** 2)", "(1 - hf[t] ** 2)"),
        ("= for +=", "dx of the first direction overwritten", "dx[t] += Wb @ da", "dx[t] = Wb @ da"),
        (
            "line forgotten",
            "the carry not set to zero between the directions",
            "np.zeros_like(Ub), np.zeros(H)\n    carry = np.zeros(H)\n",
            "np.zeros_like(Ub), np.zeros(H)\n",
        ),
        (
            "operand order",
            "the halves of dh exchanged",
            "dhf, dhb = dh[:, :H], dh[:, H:]",
            "dhb, dhf = dh[:, :H], dh[:, H:]",
        ),
        ("transpose", "the square Uf transposed", "carry = Uf @ da", "carry = Uf.T @ da"),
    ],
)
