"""Normalisations in NumPy: layer, RMS, batch, group, weight, by rows and by dict caches."""

import numpy as np
import torch
import torch.nn.functional as F

from .case import case


@case(
    "numpy",
    [(4, 5), (5,), (5,)],
    [(2, 3, 4), (4,), (4,)],
    slips=[
        ("the mean's term", "- g.mean(-1, keepdims=True)", ""),
        ("the variance's term", "- xhat * (g * xhat).mean(-1, keepdims=True)", ""),
        ("gamma forgotten", "g = dy * gamma", "g = dy"),
        ("dbeta over the wrong axis", "dy.reshape(-1, d).sum(0)", "dy.reshape(-1, d).sum(1)[:1] + 0 * beta"),
        ("dgamma from x", "(dy * xhat)", "(dy * x)"),
        ("eps forgotten", "xhat, rstd, gamma, beta, x)", "xhat, 1 / x.std(-1, keepdims=True), gamma, beta, x)"),
        ("divided by n - 1", "(g * xhat).mean(-1, keepdims=True)", "(g * xhat).sum(-1, keepdims=True) / (d - 1)"),
    ],
    variants=[{"eps": 1e-3}, {"eps": 1e-6}],
)
def layer_norm_numpy(eps=1e-5):
    def forward(x, gamma, beta):
        mu = x.mean(-1, keepdims=True)
        rstd = 1 / np.sqrt(((x - mu) ** 2).mean(-1, keepdims=True) + eps)
        xhat = (x - mu) * rstd
        return gamma * xhat + beta, (xhat, rstd, gamma, beta, x)

    def backward(dy, cache):
        xhat, rstd, gamma, beta, x = cache
        d = len(gamma)
        g = dy * gamma
        dx = rstd * (g - g.mean(-1, keepdims=True) - xhat * (g * xhat).mean(-1, keepdims=True))
        return dx, (dy * xhat).reshape(-1, d).sum(0), dy.reshape(-1, d).sum(0)

    return forward, backward, lambda x, w, b: F.layer_norm(x, w.shape, w, b, eps)


@case(
    "numpy",
    [(4, 5), (5,)],
    [(1, 3), (3,)],
    slips=[
        ("the second term", " - x * r**3 * dot / d", ""),
        ("r squared for cubed", "r**3", "r**2"),
        ("d forgotten", "dot / d", "dot"),
        ("w outside the dot", "dot = (dy * w * x)", "dot = (dy * x)"),
        ("last feature dropped from the dot", "dot = (dy * w * x)", "dot = (dy * w * x)[:, :-1]"),
        ("dw not normalised", "(dy * x * r).sum(0)", "(dy * x).sum(0)"),
    ],
    also=[("by the normalised", "x * r**3 * dot / d", "(x * r) * (r * (r * dot)) / d")],
)
def rms_norm_numpy():
    def forward(x, w):
        r = 1 / np.sqrt((x * x).mean(1, keepdims=True) + 1e-6)
        return x * r * w, (x, w, r)

    def backward(dy, cache):
        x, w, r = cache
        d = x.shape[1]
        dot = (dy * w * x).sum(1, keepdims=True)
        dx = dy * w * r - x * r**3 * dot / d
        return dx, (dy * x * r).sum(0)

    def reference(x, w):
        return x * torch.rsqrt((x * x).mean(1, keepdim=True) + 1e-6) * w

    return forward, backward, reference


@case(
    "numpy",
    [(6, 3), (3,), (3,)],
    [(4, 2), (2,), (2,)],
    slips=[
        ("mean through the variance forgotten", "+ dmu / n", ""),
        ("variance's term forgotten", "dvar * 2 * xc / n", "0 * xc"),
        ("power -0.5", "ivar**3", "ivar"),
        ("a half missing", "-0.5 * ivar**3", "-ivar**3"),
        ("factor 2", "dvar * 2 * xc / n", "dvar * xc / n"),
        ("dgamma from the centred only", '(dy * c["xhat"]).sum(0)', '(dy * c["xc"]).sum(0)'),
        ("mean for sum in dbeta", '"beta": dy.sum(0)', '"beta": dy.mean(0)'),
    ],
)
def batch_norm_dict():
    def forward(x, gamma, beta):
        c = {}
        c["xc"] = x - x.mean(axis=0)
        c["var"] = (c["xc"] ** 2).mean(axis=0)
        c["ivar"] = 1 / np.sqrt(c["var"] + 1e-5)
        c["xhat"] = c["xc"] * c["ivar"]
        c["gamma"] = gamma
        return c["xhat"] * gamma + beta, c

    def backward(dy, c):
        n = len(dy)
        xc, ivar = c["xc"], c["ivar"]
        dxhat = dy * c["gamma"]
        dvar = (dxhat * xc).sum(axis=0) * -0.5 * ivar**3
        dmu = -(dxhat * ivar).sum(axis=0)
        dx = dxhat * ivar + dvar * 2 * xc / n + dmu / n
        return {"x": dx, "gamma": (dy * c["xhat"]).sum(0), "beta": dy.sum(0)}

    def reference(x, gamma, beta):
        return F.batch_norm(x, None, None, gamma, beta, training=True)

    return forward, backward, reference


@case(
    "numpy",
    [(2, 4, 3), (4,)],
    [(1, 6, 2), (6,)],
    slips=[
        (
            "groups along the wrong axis",
            "g = (dy * w[:, None]).reshape(n, 2, -1)",
            "g = (dy * w[:, None]).reshape(n, -1, 2).transpose(0, 2, 1)",
        ),
        ("scale forgotten", "(dy * w[:, None]).reshape", "dy.reshape"),
        ("mean term", "g - g.mean(2, keepdims=True)", "g"),
        ("dw not over positions", "sum((0, 2))", "sum(0)[:, 0]"),
        ("only the first group", "dx = r * (", "r = r * np.array([1, 0], r.dtype)[:, None]; dx = r * ("),
        ("sign of the variance's term", "- h * (g * h)", "+ h * (g * h)"),
    ],
)
def group_norm():
    def forward(x, w):
        n = len(x)
        v = x.reshape(n, 2, -1)
        v = v - v.mean(2, keepdims=True)
        r = 1 / np.sqrt((v * v).mean(2, keepdims=True) + 1e-5)
        h = v * r
        return h.reshape(x.shape) * w[:, None], (h, r, w, n)

    def backward(dy, cache):
        h, r, w, n = cache
        g = (dy * w[:, None]).reshape(n, 2, -1)
        dw = (dy * h.reshape(dy.shape)).sum((0, 2))
        dx = r * (g - g.mean(2, keepdims=True) - h * (g * h).mean(2, keepdims=True))
        return dx.reshape(dy.shape), dw

    return forward, backward, lambda x, w: F.group_norm(x, 2, w)


@case(
    "numpy",
    [(4, 3)],
    [(2, 5)],
    slips=[
        ("projection forgotten", "dy[i] - h * (h @ dy[i])", "dy[i]"),
        ("norm forgotten", ") / n)", "))"),
        ("first norm for all", "ns[i]", "ns[0]"),
        ("last row dropped", "rows.append(", "rows.append(0 * dy[i] if i == len(dy) - 1 else "),
        ("sign", "dy[i] - h * (h @ dy[i])", "dy[i] + h * (h @ dy[i])"),
        ("unnormalised direction", "h * (h @ dy[i])", "h * n * (h @ dy[i])"),
    ],
)
def normalise_rows_in_a_loop():
    def forward(x):
        hs, ns = [], []
        for row in x:
            n = np.sqrt(row @ row + 1e-8)
            ns.append(n)
            hs.append(row / n)
        return np.stack(hs), (hs, ns)

    def backward(dy, cache):
        hs, ns = cache
        rows = []
        for i in range(len(dy)):
            h, n = hs[i], ns[i]
            rows.append((dy[i] - h * (h @ dy[i])) / n)
        return np.stack(rows)

    return forward, backward, lambda x: x / torch.sqrt((x * x).sum(1, keepdim=True) + 1e-8)


@case(
    "numpy",
    [(4, 3), (4,)],
    [(2, 2), (2,)],
    slips=[
        ("the direction's projection", "dW - u * dg[:, None]", "dW"),
        ("g forgotten", "g[:, None] / n *", "1 / n *"),
        ("norm forgotten", "g[:, None] / n *", "g[:, None] *"),
        ("dg from V itself", "dg = (dW * u).sum(1)", "dg = (dW * u * n).sum(1)"),
        ("norms over columns", "dg = (dW * u).sum(1)", "dg = (dW * u)[:, :1].sum(1)"),
    ],
)
def weight_norm():
    def forward(V, g):
        n = np.linalg.norm(V, axis=1, keepdims=True)
        return g[:, None] * V / n, (V / n, n, g)

    def backward(dW, cache):
        u, n, g = cache
        dg = (dW * u).sum(1)
        dV = g[:, None] / n * (dW - u * dg[:, None])
        return dV, dg

    return forward, backward, lambda V, g: g[:, None] * V / V.norm(dim=1, keepdim=True)
