"""Flows, rendering, fields, filters and integrators: long ones in NumPy."""

import torch

from ..draws import between, labels
from ..table import enter


def realnvp(x, S1, T1, S2, T2):
    a, b = x.chunk(2, 1)
    s1 = torch.tanh(a @ S1)
    b = b * s1.exp() + a @ T1
    s2 = torch.tanh(b @ S2)
    a = a * s2.exp() + b @ T2
    return ((a**2).sum() / 2 + (b**2).sum() / 2 - s1.sum() - s2.sum()) / len(x)


enter(
    "NumPy",
    "realnvp.flow_nll",
    "flow_nll_backward",
    realnvp,
    [(4, 6), (3, 3), (3, 3), (3, 3), (3, 3)],
    [(3, 4), (2, 2), (2, 2), (2, 2), (2, 2)],
    [
        (
            "missing path",
            "the log determinant of layer 1 forgotten",
            "d_yb * xb * np.exp(s1) - 1 / N",
            "d_yb * xb * np.exp(s1)",
        ),
        (
            "sign",
            "the log determinant of layer 2 with a plus",
            "d_ya * xa * np.exp(s2) - 1 / N",
            "d_ya * xa * np.exp(s2) + 1 / N",
        ),
        ("= for +=", "yb's own density overwritten", "d_yb = d_yb + d_ya @ T2.T", "d_yb = d_ya @ T2.T"),
        ("transpose", "the square S2 not transposed", "d_pre2 @ S2.T", "d_pre2 @ S2"),
        ("missing path", "xa through the scale of layer 1 forgotten", "    d_xa = d_xa + d_pre1 @ S1.T\n", ""),
        ("copy-paste", "tanh's derivative of the other layer", "d_s1 * (1 - s1**2)", "d_s1 * (1 - s2**2)"),
        ("missing factor", "exp forgotten in xb", "d_xb = d_yb * np.exp(s1)", "d_xb = d_yb * s1"),
        ("results' order", "halves concatenated the other way round", "[d_xa, d_xb], axis=1", "[d_xb, d_xa], axis=1"),
        (
            "order",
            "layer 1 starts before S2's path is added",
            "    d_yb = d_yb + d_pre2 @ S2.T\n\n    # layer 1: yb = xb * exp(s1) + xa @ T1\n"
            "    d_xb = d_yb * np.exp(s1)\n",
            "\n    # layer 1: yb = xb * exp(s1) + xa @ T1\n    d_xb = d_yb * np.exp(s1)\n"
            "    d_yb = d_yb + d_pre2 @ S2.T\n",
        ),
    ],
)


def splat(centers, conics, opacity, color, pixels):
    d = pixels[None] - centers[:, None]
    a, b, c = conics.T[:, :, None]
    w = torch.exp(-(a * d[..., 0] ** 2 + c * d[..., 1] ** 2) / 2 - b * d[..., 0] * d[..., 1])
    alpha = opacity[:, None] * w
    seen = torch.cat([torch.ones_like(alpha[:1]), torch.cumprod(1 - alpha, 0)[:-1]])
    return torch.einsum("gp,gc->pc", seen * alpha, color)


enter(
    "NumPy",
    "splat.render",
    "render_backward",
    splat,
    [(3, 2), between(0.5, 1, 3, 3), between(0.2, 0.8, 3), (3, 3), (4, 2)],
    [(2, 2), between(0.5, 1, 2, 3), between(0.2, 0.8, 2), (2, 3), (5, 2)],
    [
        (
            "missing factor",
            "the off-diagonal term halved as the others",
            "np.sum(-d[:, 0] * d[:, 1] * dpower)",
            "np.sum(-0.5 * d[:, 0] * d[:, 1] * dpower)",
        ),
        ("missing path", "no occlusion: those behind are not shaded", "dalpha = T * dot - T * dT", "dalpha = T * dot"),
        (
            "stale variable",
            "transmittance's gradient updated too early",
            "        dalpha = T * dot - T * dT\n        dT = alpha * dot + (1 - alpha) * dT\n",
            "        dT = alpha * dot + (1 - alpha) * dT\n        dalpha = T * dot - T * dT\n",
        ),
        ("sign", "centres move the other way", "dcenters[g, 0] = -np.sum(ddx)", "dcenters[g, 0] = np.sum(ddx)"),
        ("copy-paste", "a for c in the y direction", "ddy = -(c * d[:, 1] +", "ddy = -(a * d[:, 1] +"),
        ("missing factor", "opacity missing in the power", "dalpha * opacity[g] * w", "dalpha * w"),
        ("iteration order", "front to back", "for g in reversed(range(len(centers)))", "for g in range(len(centers))"),
        ("= for +=", "only the first gaussian moves the pixel", "dpixels[:, 0] += ddx", "dpixels[:, 0] = ddx"),
        (
            "missing factor",
            "colour without the transmittance",
            "dcolor[g] = (T * alpha) @ dout",
            "dcolor[g] = alpha @ dout",
        ),
    ],
)


def crf(emit, trans, start, tags):
    a, score = start + emit[0], start[tags[0]] + emit[0, tags[0]]
    for t in range(1, len(emit)):
        a = torch.logsumexp(a[:, None] + trans, 0) + emit[t]
        score = score + emit[t, tags[t]] + trans[tags[t - 1], tags[t]]
    return torch.logsumexp(a, 0) - score


enter(
    "NumPy",
    "crf.crf_nll",
    "crf_nll_grad",
    crf,
    [(4, 3), (3, 3), (3,), labels(3, 4)],
    [(3, 2), (2, 2), (2,), labels(2, 3)],
    [
        (
            "off by one",
            "the emission of the same step in beta",
            "trans + emit[t + 1] + beta[t + 1], axis=1",
            "trans + emit[t] + beta[t + 1], axis=1",
        ),
        ("axis", "beta summed over the states before", "beta[t + 1], axis=1)", "beta[t + 1], axis=0)"),
        (
            "missing path",
            "the emission missing in the pair counts",
            "(emit[t + 1] + beta[t + 1])[None, :]",
            "beta[t + 1][None, :]",
        ),
        (
            "off by one",
            "the last observed pair forgotten",
            "for t in range(1, T):\n        dtrans[",
            "for t in range(1, T - 1):\n        dtrans[",
        ),
        ("line forgotten", "the first tag's own count", "    dstart[tags[0]] -= 1\n", ""),
        ("off by one", "the last pair forgotten", "for t in range(T - 1):", "for t in range(T - 2):"),
        ("line forgotten", "log Z not subtracted in gamma", "np.exp(alpha + beta - log_z)", "np.exp(alpha + beta)"),
    ],
)


def kalman(obs, params):
    a, q, r, m = params
    P, nll = 1.0, 0.0
    for y in obs:
        m, P = a * m, a * a * P + q.exp()
        S = P + r.exp()
        nll = nll + (torch.log(2 * torch.pi * S) + (y - m) ** 2 / S) / 2
        m, P = m + P / S * (y - m), P * (1 - P / S)
    return nll


enter(
    "NumPy",
    "kalman.kalman_nll",
    "kalman_nll_grad",
    kalman,
    [(4,), between(-1, 1, 4)],
    [(6,), between(-1, 1, 4)],
    [
        ("missing path", "the gain does not depend on S", "        dS -= dK * Pp / (S * S)\n", ""),
        ("missing path", "P through the gain forgotten", "dK = dm * e - dP * Pp", "dK = dm * e"),
        ("= for +=", "the error's path to the state overwritten", "de += e / S", "de = e / S"),
        ("missing square", "S not squared in the likelihood", "e * e / (S * S))", "e * e / S)"),
        ("missing factor", "the two of a squared", "da += 2 * a * P * dPp", "da += a * P * dPp"),
        ("missing factor", "log noise taken for noise", "dQ * Q, dR * R, dm]", "dQ, dR, dm]"),
        ("sign", "the innovation's sign", "dmp -= de", "dmp += de"),
        ("missing square", "a for a squared on the way back", "dP = a * a * dPp", "dP = a * dPp"),
        (
            "order",
            "dm replaced before a's gradient uses it",
            "        da += 2 * a * P * dPp + m * dmp\n        dQ += dPp\n        dP = a * a * dPp\n",
            "        dQ += dPp\n        dP = a * a * dPp\n        dPp = dP\n        da += 2 * a * P * dPp + m * dmp\n",
        ),
    ],
)


def ode(y, A, B):
    def f(y):
        return torch.tanh(y @ A) @ B

    for _ in range(2):
        k1 = f(y)
        k2 = f(y + 0.15 * k1)
        k3 = f(y + 0.15 * k2)
        k4 = f(y + 0.3 * k3)
        y = y + 0.05 * (k1 + 2 * k2 + 2 * k3 + k4)
    return y


enter(
    "NumPy",
    "neural_ode.integrate",
    "integrate_vjp",
    ode,
    [(2, 3), (3, 4), (4, 3)],
    [(3, 2), (2, 5), (5, 2)],
    [
        ("constant", "all four stages weigh the same", "dk2 = STEP / 3 * dy", "dk2 = STEP / 6 * dy"),
        ("missing factor", "the half step", "dk2 = dk2 + 0.5 * STEP * d3", "dk2 = dk2 + STEP * d3"),
        ("missing path", "y's own path forgotten", "dyy = dy.copy()", "dyy = np.zeros_like(dy)"),
        ("missing path", "the third stage not added to y", "        dyy += d3\n", ""),
        (
            "iteration order",
            "steps from the first to the last",
            "for y, y2, y3, y4 in reversed(tape)",
            "for y, y2, y3, y4 in tape",
        ),
        ("copy-paste", "the fourth stage differentiated at y3", "field_vjp(dk4, y4, A", "field_vjp(dk4, y3, A"),
        ("missing square", "tanh's square", "(1 - h**2)\n    dA", "(1 - h)\n    dA"),
        ("stale variable", "dy not handed to the step before", "        dy = dyy\n", ""),
    ],
)
