"""Mistakes in layer and batch normalisation, ours or somebody else's."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

import manual
from handgrad.explain.failed_trial import EPS, Case, Mistake
from handgrad.judge.compare import Float

USUAL_EPS = (1e-5, 1e-6, 1e-8, 1e-12, 1e-3, 0.0)


class Norm(NamedTuple):
    """y = gamma o xhat + beta, xhat = (x - mean) / s, the statistics over `axis`."""

    axis: int
    xc: Float
    s: Float
    gamma: Float
    gamma_name: str | None
    beta_name: str | None

    @property
    def xhat(self) -> Float:
        return self.xc / self.s


def norm_stage(case: Case) -> Norm | None:
    """The stage as a normalisation, if its values say that it is one."""
    x, y = case.x, case.y
    if x.ndim != 2 or x.shape != y.shape or isinstance(case.stage.constants, manual.Running):
        return None
    given = [k for k, v in case.inputs.items() if k != case.x_name and v.shape == x.shape[1:]]
    if len(given) != len(case.inputs) - 1 or len(given) > 2:
        return None
    g, b = (*given, None, None)[:2]
    gamma = case.inputs[g] if g else np.ones(x.shape[1])
    beta = case.inputs[b] if b else np.zeros(x.shape[1])
    eps = getattr(case.stage.subject, "eps", None)
    for axis in (1, 0):
        xc = x - x.mean(axis=axis, keepdims=True)
        for e in USUAL_EPS if eps is None else (eps,):
            s = np.sqrt((xc * xc).mean(axis=axis, keepdims=True) + e)
            # the mean is off by a few roundings of the largest entry, which centring may lay bare
            slop = 64 * EPS * np.abs(x).max(axis=axis, keepdims=True) / s
            if np.all(
                np.abs(y - (gamma * (xc / s) + beta)) <= np.abs(gamma) * slop + 64 * EPS * (np.abs(y) + np.abs(beta))
            ):
                return Norm(axis, xc, s, gamma, g, b)
    return None


def norm(case: Case) -> Iterator[Mistake]:
    """dx = (dxhat - mean dxhat - xhat mean(dxhat xhat)) / s, dgamma = sum dy xhat, dbeta = sum dy."""
    n = norm_stage(case)
    if n is None:
        return
    axis, dy, k, xhat, s = n.axis, case.dy, f"d{case.x_name}", n.xhat, n.s
    size = dy.shape[axis]

    def mean(a: Float) -> Float:
        return np.asarray(a.mean(axis=axis, keepdims=True))

    d = dy * n.gamma
    m, mx = mean(d), xhat * mean(d * xhat)
    wrongs = [
        ("mean and variance are treated as constants", "dx = dxhat / s, but both depend on x.", d / s),
        ("the path through the mean is missing", "The term mean(dxhat) is not subtracted.", (d - mx) / s),
        ("the path through the variance is missing", "The term xhat mean(dxhat xhat) is not subtracted.", (d - m) / s),
        ("gamma is forgotten in dx", "dxhat = dy where dy gamma belongs.",
         (dy - mean(dy) - xhat * mean(dy * xhat)) / s),
        ("the division by s is missing", "dx is not divided by the standard deviation.", d - m - mx),
        ("divided by the variance", "dx is divided by s^2 where s belongs.", (d - m - mx) / (s * s)),
        ("xhat is missing before mean(dxhat xhat)", "The term is mean(dxhat xhat) alone.",
         (d - m - mean(d * xhat)) / s),
        ("x stands where xhat belongs", "The term is xc mean(dxhat xc), not divided by the variance.",
         (d - m - n.xc * mean(d * n.xc)) / s),
        ("a sign in dx is turned", "mean(dxhat) is added where it is subtracted.", (d + m - mx) / s),
        ("a sign in dx is turned", "xhat mean(dxhat xhat) is added where it is subtracted.", (d - m + mx) / s),
        ("the sum was taken for the means", "sum dxhat and sum dxhat xhat are not divided by their number.",
         (d - size * m - size * mx) / s),
        ("the upstream gradient passes through unchanged", "dx = dy.", dy),
    ]  # fmt: skip
    if size > 1:
        f = size / (size - 1)
        wrongs += [
            ("the variance's divisor is n - 1", "mean(dxhat xhat) is divided by n - 1, not by n.",
             (d - m - f * mx) / s),
            ("the divisor is n - 1", "Both means are divided by n - 1, not by n.",
             (d - f * m - f * mx) / s),
        ]  # fmt: skip
    for name, why, wrong in wrongs:
        yield Mistake(name, why, {k: wrong})
    if n.gamma_name:
        g = f"d{n.gamma_name}"
        yield Mistake("xhat is missing in dgamma", "dgamma = sum dy where sum dy xhat belongs.", {g: dy.sum(axis=0)})
        why = "dgamma = sum dy {} where sum dy xhat belongs."
        yield Mistake("x stands where xhat belongs in dgamma", why.format("x"), {g: (dy * case.x).sum(axis=0)})
        yield Mistake("dgamma is not divided by s", why.format("(x - mean)"), {g: (dy * n.xc).sum(axis=0)})
        yield Mistake("y stands where xhat belongs in dgamma", why.format("y"), {g: (dy * case.y).sum(axis=0)})
        yield Mistake("gamma is multiplied into dgamma", why.format("gamma xhat"), {g: (d * xhat).sum(axis=0)})
    if n.beta_name:
        b = f"d{n.beta_name}"
        yield Mistake(
            "gamma is multiplied into dbeta", "dbeta = sum dy gamma where sum dy belongs.", {b: d.sum(axis=0)}
        )
        why = "dbeta = sum dy xhat where sum dy belongs."
        yield Mistake("xhat is multiplied into dbeta", why, {b: (dy * xhat).sum(axis=0)})


def frozen_norm(case: Case) -> Iterator[Mistake]:
    """Batch normalisation in evaluation: dx = dy gamma / s, with the running statistics as constants."""
    running = case.stage.constants
    if not isinstance(case.stage.subject, manual.BatchNorm1d) or not isinstance(running, manual.Running):
        return
    mean, var = (np.asarray(v, dtype=np.float64) for v in running)
    k, gamma, dy = f"d{case.x_name}", case.inputs["gamma"], case.dy
    s = np.sqrt(var + case.stage.subject.eps)
    xhat, d = (case.x - mean) / s, dy * gamma
    why = "The batch's means are subtracted as in training; in evaluation mean and variance are constants."
    trained = (d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0)) / s
    yield Mistake("training's backward pass is used in evaluation", why, {k: trained})
    yield Mistake("gamma is forgotten in dx", "dx = dy / s where dy gamma / s belongs.", {k: dy / s})
    yield Mistake("the division by s is missing", "dx = dy gamma where dy gamma / s belongs.", {k: d})
    yield Mistake("divided by the variance", "dx = dy gamma / s^2 where dy gamma / s belongs.", {k: d / (s * s)})
    yield Mistake("xhat is missing in dgamma", "dgamma = sum dy where sum dy xhat belongs.", {"dgamma": dy.sum(axis=0)})
    why = "dgamma = sum dy x where sum dy xhat belongs."
    yield Mistake("x stands where xhat belongs in dgamma", why, {"dgamma": (dy * case.x).sum(axis=0)})


NORMS = (norm, frozen_norm)
