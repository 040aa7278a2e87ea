"""Plain functions on torch tensors with a backward pass by hand: layers, attention, windows, time."""

import math

import torch
import torch.nn.functional as F

from .case import case, labels


@case(
    "torch",
    [(4, 3), (2, 3), (2,)],
    [(1, 2), (3, 2), (3,)],
    slips=[
        ("bias mean", "dy.sum(0)", "dy.mean(0)"),
        ("bias of the first sample", "dy.sum(0)", "dy[0]"),
        ("dW of a mirrored x", "dy.T @ x", "dy.T @ x.flip(1)"),
        ("sample dropped", "dy.T @ x", "dy[1:].T @ x[1:]"),
        ("sign of dx", "dy @ W", "-dy @ W"),
    ],
)
def linear_torch():
    def forward(x, W, b):
        return x @ W.T + b

    def backward(dy, x, W, b):
        return dy @ W, dy.T @ x, dy.sum(0)

    return forward, backward, F.linear


@case(
    "torch",
    [(3, 4), (4, 5), (5, 2)],
    [(1, 2), (2, 3), (3, 2)],
    slips=[
        ("mask forgotten", "dh = (dy @ W2.T) * (h > 0)", "dh = dy @ W2.T"),
        ("the mask of dy", "* (h > 0)", "* (dy @ W2.T > 0)"),
        ("dW2 from x", "h.T @ dy", "(h + 1).T @ dy"),
        ("dW1 before the mask", "x.T @ dh", "x.T @ (dy @ W2.T)"),
        ("leaks below", "* (h > 0)", "* (0.01 + 0.99 * (h > 0)).to(h.dtype)"),
    ],
)
def two_layers_torch():
    def forward(x, W1, W2):
        h = torch.relu(x @ W1)
        return h @ W2, (x, W1, W2, h)

    def backward(dy, cache):
        x, W1, W2, h = cache
        dW2 = h.T @ dy
        dh = (dy @ W2.T) * (h > 0)
        return {"x": dh @ W1.T, "W1": x.T @ dh, "W2": dW2}

    return forward, backward, lambda x, W1, W2: torch.relu(x @ W1) @ W2


@case(
    "torch",
    [(2, 4, 3), (2, 4, 3), (2, 4, 3)],
    [(1, 2, 2), (1, 2, 2), (1, 2, 2)],
    slips=[
        ("scale on one side", "dS @ K * s", "dS @ K"),
        ("softmax's sum", "dP - (dP * P).sum(-1, keepdim=True)", "dP"),
        ("K's gradient not transposed", "dS.mT @ Q * s", "dS @ Q * s"),
        ("P not transposed", "P.mT @ dO", "P @ dO"),
        ("sum over queries", "(dP * P).sum(-1, keepdim=True)", "(dP * P).sum(-2, keepdim=True)"),
        ("the mask looks back", "dS = P * (", "dS = P.tril(-1) * ("),
    ],
)
def causal_attention_torch():
    def forward(Q, K, V):
        s = 1 / math.sqrt(Q.shape[-1])
        S = Q @ K.mT * s
        S = S.masked_fill(torch.ones_like(S).triu(1).bool(), float("-inf"))
        P = torch.softmax(S, -1)
        return P @ V, (Q, K, V, P, s)

    def backward(dO, cache):
        Q, K, V, P, s = cache
        dP = dO @ V.mT
        dS = P * (dP - (dP * P).sum(-1, keepdim=True))
        return dS @ K * s, dS.mT @ Q * s, P.mT @ dO

    return forward, backward, lambda Q, K, V: F.scaled_dot_product_attention(Q, K, V, is_causal=True)


@case(
    "torch",
    [(4, 6)],
    [(3, 2)],
    slips=[
        ("dy's halves exchanged", "x1, x2 = dy.chunk(2, -1)", "x2, x1 = dy.chunk(2, -1)"),
        ("sine's sign", "[x1 * c + x2 * s", "[x1 * c - x2 * s"),
        ("the other half's sign", "x2 * c - x1 * s", "x2 * c + x1 * s"),
        ("cosine alone", "x1 * c + x2 * s", "x1 * c"),
        ("halves exchanged", "[x1 * c + x2 * s, x2 * c - x1 * s]", "[x2 * c - x1 * s, x1 * c + x2 * s]"),
    ],
)
def rotary_halves_torch():
    def angles(x):
        n, d = x.shape
        a = torch.arange(n, dtype=torch.float64)[:, None] / 100 ** (torch.arange(d // 2, dtype=torch.float64) * 2 / d)
        return a.cos().to(x.dtype), a.sin().to(x.dtype)

    def forward(x):
        c, s = angles(x)
        a, b = x.chunk(2, -1)
        return torch.cat([a * c - b * s, b * c + a * s], -1), (c, s)

    def backward(dy, cache):
        c, s = cache
        x1, x2 = dy.chunk(2, -1)
        return torch.cat([x1 * c + x2 * s, x2 * c - x1 * s], -1)

    def reference(x):
        c, s = angles(x)
        a, b = x.chunk(2, -1)
        return torch.cat([a * c - b * s, b * c + a * s], -1)

    return forward, backward, reference


@case(
    "torch",
    [(5, 3), labels(7, 5)],
    [(2, 2), labels(5, 2)],
    slips=[
        ("repeats not added", "dE.index_add_(0, t, dy)", "dE[t] = dy"),
        ("repeats added once", "dE.index_add_(0, t, dy)", "dE[t] += dy"),
        ("scale forgotten", "dE * s", "dE"),
        ("last token", "dE.index_add_(0, t, dy)", "dE.index_add_(0, t[:-1], dy[:-1])"),
        ("scale inverted", "dE * s", "dE / s"),
    ],
)
def embedding_scaled_torch():
    s = 3.0

    def forward(E, t):
        return E[t] * s, (E, t)

    def backward(dy, cache):
        E, t = cache
        dE = torch.zeros_like(E)
        dE.index_add_(0, t, dy)
        return dE * s, None

    return forward, backward, lambda E, t: F.embedding(t, E) * s


@case(
    "torch",
    [(2, 2, 6), (3, 2, 3), (3,)],
    [(1, 1, 3), (1, 1, 2), (1,)],
    slips=[
        ("kernel turned around", "F.conv_transpose1d(dy, w)", "F.conv_transpose1d(dy, w.flip(-1))"),
        ("bias not over positions", "dy.sum((0, 2))", "dy.sum(0)[:, 0]"),
        (
            "dw of one sample",
            'torch.einsum("nol,nclk->ock", dy, windows)',
            'torch.einsum("nol,nclk->ock", dy[:1], windows[:1])',
        ),
        ("dw turned around", "dy, windows)", "dy, windows.flip(-1))"),
        ("mean over the batch", "dy.sum((0, 2))", "dy.mean(0).sum(1)"),
    ],
)
def conv1d_unfold_torch():
    def forward(x, w, b):
        windows = x.unfold(-1, w.shape[-1], 1)
        return torch.einsum("nclk,ock->nol", windows, w) + b[:, None], (windows, w)

    def backward(dy, cache):
        windows, w = cache
        dw = torch.einsum("nol,nclk->ock", dy, windows)
        return F.conv_transpose1d(dy, w), dw, dy.sum((0, 2))

    return forward, backward, F.conv1d


@case(
    "torch",
    [(5, 3), (3, 3)],
    [(2, 2), (2, 2)],
    dtypes=("float64", "float32"),
    slips=[
        ("state's gradient not carried", "dh = dz @ U.T", "dh = 0 * dz @ U.T"),
        ("U not transposed", "dh = dz @ U.T", "dh = dz @ U"),
        ("= for +=", "dU += torch.outer", "dU = torch.outer"),
        ("state of this step", "torch.outer(hs[t], dz)", "torch.outer(hs[t + 1], dz)"),
        ("stops one early", "range(len(x) - 1, -1, -1)", "range(len(x) - 1, 0, -1)"),
    ],
)
def rnn_torch():
    def forward(x, U):
        hs = [torch.zeros_like(x[0])]
        for t in range(len(x)):
            hs.append(torch.tanh(x[t] + hs[t] @ U))
        return torch.stack(hs[1:]), (x, U, hs)

    def backward(dy, cache):
        x, U, hs = cache
        dx, dU, dh = torch.zeros_like(x), torch.zeros_like(U), 0
        for t in range(len(x) - 1, -1, -1):
            dz = (dy[t] + dh) * (1 - hs[t + 1] ** 2)
            dx[t] = dz
            dU += torch.outer(hs[t], dz)
            dh = dz @ U.T
        return dx, dU

    def reference(x, U):
        h, hs = torch.zeros_like(x[0]), []
        for row in x:
            h = torch.tanh(row + h @ U)
            hs.append(h)
        return torch.stack(hs)

    return forward, backward, reference


@case(
    "torch",
    [(3, 5)],
    [(1, 2)],
    slips=[
        ("not turned around", "dy.flip(1).cumsum(1).flip(1)", "dy.cumsum(1)"),
        ("turned once", "dy.flip(1).cumsum(1).flip(1)", "dy.flip(1).cumsum(1)"),
        ("wrong axis", "dy.flip(1).cumsum(1).flip(1)", "dy.flip(0).cumsum(0).flip(0)"),
        ("own entry missing", "dy.flip(1).cumsum(1).flip(1)", "dy.flip(1).cumsum(1).flip(1) - dy"),
        ("factor of the row", "x.exp() * dy", "dy"),
    ],
)
def cumsum_of_exp_torch():
    def forward(x):
        return x.exp().cumsum(1), x

    def backward(dy, x):
        return x.exp() * dy.flip(1).cumsum(1).flip(1)

    return forward, backward, lambda x: x.exp().cumsum(1)


@case(
    "torch",
    [(4, 3), (4, 3), (4, 3)],
    [(1, 2), (1, 2), (1, 2)],
    variants=[{"margin": 0.2}],
    slips=[
        ("anchor's sign", "da = on * (n - p)", "da = on * (p - n)"),
        ("mean forgotten", "dy / len(gap)", "dy"),
        ("no mask", "(gap > 0)[:, None]", "(gap > -999)[:, None]"),
        ("negative forgotten", "return da, -on * a, on * a", "return da, -on * a, 0 * a"),
        ("positive and negative exchanged", "return da, -on * a, on * a", "return da, on * a, -on * a"),
    ],
)
def triplet_of_products_torch(margin=1.0):
    def forward(a, p, n):
        gap = (a * (n - p)).sum(1) + margin
        return torch.relu(gap).mean(), (a, p, n, gap)

    def backward(dy, cache):
        a, p, n, gap = cache
        on = (gap > 0)[:, None] * dy / len(gap)
        da = on * (n - p)
        return da, -on * a, on * a

    return forward, backward, lambda a, p, n: torch.relu((a * (n - p)).sum(1) + margin).mean()
