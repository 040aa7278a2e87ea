"""Mistakes in layer and batch normalisation.

y = gamma xhat + beta, xhat = (x - mean) / s
so      dxhat  = dy gamma
        dx     = (dxhat - m - v) / s,  m = mean(dxhat),  v = xhat mean(dxhat xhat)
        dgamma = sum dy xhat
        dbeta  = sum dy
In evaluation mean and s of batch normalisation are constants: dx = dxhat / s.
"""

from collections.abc import Iterator

import numpy as np

from handgrad.explain.catalogue.mistake import Mistake, Row, mistakes
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.explain.recognise.norm import Norm, recognise_frozen_norm, recognise_norm

XHAT = "dgamma = sum dy {} where sum dy xhat belongs."
TABLE: tuple[Row[Norm], ...] = (
    Row("mean and variance are treated as constants", "dx = dxhat / s, but both depend on x.",
        "dx", lambda n: n.dxhat / n.s),
    Row("the path through the mean is missing", "The term mean(dxhat) is not subtracted.",
        "dx", lambda n: (n.dxhat - n.v) / n.s),
    Row("the path through the variance is missing", "The term xhat mean(dxhat xhat) is not subtracted.",
        "dx", lambda n: (n.dxhat - n.m) / n.s),
    Row("gamma is forgotten in dx", "dxhat = dy where dy gamma belongs.",
        "dx", lambda n: (n.dy - n.mean(n.dy) - n.xhat * n.mean(n.dy * n.xhat)) / n.s),
    Row("the division by s is missing", "dx is not divided by the standard deviation.",
        "dx", lambda n: n.dxhat - n.m - n.v),
    Row("divided by the variance", "dx is divided by s^2 where s belongs.",
        "dx", lambda n: (n.dxhat - n.m - n.v) / (n.s * n.s)),
    Row("xhat is missing before mean(dxhat xhat)", "The term is mean(dxhat xhat) alone.",
        "dx", lambda n: (n.dxhat - n.m - n.mean(n.dxhat * n.xhat)) / n.s),
    Row("x stands where xhat belongs", "The term is xc mean(dxhat xc), xc = x - mean: it is not divided by the "
        "variance.",
        "dx", lambda n: (n.dxhat - n.m - n.xc * n.mean(n.dxhat * n.xc)) / n.s),
    Row("a sign in dx is turned", "mean(dxhat) is added where it is subtracted.",
        "dx", lambda n: (n.dxhat + n.m - n.v) / n.s),
    Row("a sign in dx is turned", "xhat mean(dxhat xhat) is added where it is subtracted.",
        "dx", lambda n: (n.dxhat - n.m + n.v) / n.s),
    Row("the sum was taken for the means", "sum dxhat and sum dxhat xhat are not divided by their number.",
        "dx", lambda n: (n.dxhat - n.n * n.m - n.n * n.v) / n.s),
    Row("the upstream gradient passes through unchanged", "dx = dy.",
        "dx", lambda n: n.dy),
    Row("the variance's divisor is n - 1", "mean(dxhat xhat) is divided by n - 1, not by n.",
        "dx", lambda n: (n.dxhat - n.m - n.unbiased * n.v) / n.s if n.n > 1 else None),
    Row("the divisor is n - 1", "Both means are divided by n - 1, not by n.",
        "dx", lambda n: (n.dxhat - n.unbiased * n.m - n.unbiased * n.v) / n.s if n.n > 1 else None),
    Row("xhat is missing in dgamma", "dgamma = sum dy where sum dy xhat belongs.",
        "dgamma", lambda n: n.dy.sum(axis=0)),
    Row("x stands where xhat belongs in dgamma", XHAT.format("x"),
        "dgamma", lambda n: (n.dy * n.x).sum(axis=0)),
    Row("dgamma is not divided by s", XHAT.format("(x - mean)"),
        "dgamma", lambda n: (n.dy * n.xc).sum(axis=0)),
    Row("y stands where xhat belongs in dgamma", XHAT.format("y"),
        "dgamma", lambda n: (n.dy * n.y).sum(axis=0)),
    Row("gamma is multiplied into dgamma", XHAT.format("gamma xhat"),
        "dgamma", lambda n: (n.dxhat * n.xhat).sum(axis=0)),
    Row("gamma is multiplied into dbeta", "dbeta = sum dy gamma where sum dy belongs.",
        "dbeta", lambda n: n.dxhat.sum(axis=0)),
    Row("xhat is multiplied into dbeta", "dbeta = sum dy xhat where sum dy belongs.",
        "dbeta", lambda n: (n.dy * n.xhat).sum(axis=0)),
)  # fmt: skip

FROZEN_TABLE: tuple[Row[Norm], ...] = (
    Row("training's backward pass is used in evaluation",
        "The batch's means are subtracted as in training; in evaluation mean and variance are constants.",
        "dx", lambda n: (n.dxhat - n.m - n.v) / n.s),
    Row("gamma is forgotten in dx", "dx = dy / s where dy gamma / s belongs.",
        "dx", lambda n: n.dy / n.s),
    Row("the division by s is missing", "dx = dy gamma where dy gamma / s belongs.",
        "dx", lambda n: n.dxhat),
    Row("divided by the variance", "dx = dy gamma / s^2 where dy gamma / s belongs.",
        "dx", lambda n: n.dxhat / (n.s * n.s)),
    Row("xhat is missing in dgamma", "dgamma = sum dy where sum dy xhat belongs.",
        "dgamma", lambda n: n.dy.sum(axis=0)),
    Row("x stands where xhat belongs in dgamma", XHAT.format("x"),
        "dgamma", lambda n: (n.dy * n.x).sum(axis=0)),
)  # fmt: skip


EPS = (0.0, *(float(f"1e-{digits}") for digits in range(2, 13)))  # what people type


def norm(trial: FailedTrial) -> Iterator[Mistake]:
    """Layer normalisation, and batch normalisation in training."""
    if (parts := recognise_norm(trial)) is not None:
        yield from mistakes(TABLE, parts)


def frozen_norm(trial: FailedTrial) -> Iterator[Mistake]:
    """Batch normalisation in evaluation."""
    if (parts := recognise_frozen_norm(trial)) is not None:
        yield from mistakes(FROZEN_TABLE, parts)


def other_eps(trial: FailedTrial) -> Iterator[Mistake]:
    """s computed once more in the backward pass, with another eps; xhat from there too, or from the cache."""
    if (n := recognise_norm(trial)) is None:
        return
    for eps in EPS:
        s = np.sqrt(n.mean(n.xc * n.xc) + eps)
        xhat, name = n.xc / s, f"eps is {eps:g} where the forward pass has {n.eps:g}"
        if eps != n.eps and np.all(s):
            why = "s = sqrt(variance + eps) is computed again in the backward pass."
            dx = (n.dxhat - n.m - xhat * n.mean(n.dxhat * xhat)) / s
            gradients = {"dx": dx, "dgamma": (n.dy * xhat).sum(axis=0)}
            yield Mistake(name, why, {n.names[k]: v for k, v in gradients.items() if k in n.names})
            yield Mistake(name, why, {n.names["dx"]: (n.dxhat - n.m - n.v) / s})


NORMS = (norm, frozen_norm, other_eps)
