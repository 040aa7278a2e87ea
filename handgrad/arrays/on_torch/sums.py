"""Sums, products, extremes, and what else makes fewer numbers from many."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import torch

from handgrad.arrays.on_torch.elementwise import as_float, broadcast, logsumexp, select, unspoilt
from handgrad.arrays.on_torch.parts import to_numpy
from handgrad.arrays.on_torch.torch_numpy import find

Tensor = torch.Tensor
Rule = Callable[..., Any]


def reduction(name: str, ignored: float | None, skip_nan: bool = False) -> Rule:
    """A reduction of torch._numpy's; entries outside `where`, or nan, become what does not count."""
    function = find(name)

    def rule(
        x: Any, axis: Any = None, keepdims: bool = False, where: Any = None, initial: Any = None, **more: Any
    ) -> Any:
        assert function is not None
        x = as_float(x)
        counts = (
            ~torch.isnan(x) if skip_nan else None if where is None else torch.as_tensor(where).broadcast_to(x.shape)
        )
        if counts is not None and ignored is not None:
            x = torch.where(counts, x, ignored)
        result = function(x, axis=axis, keepdims=keepdims, **more)
        if initial is not None:
            result = function(torch.stack(broadcast(as_float(initial), result)), axis=0)
        return result

    return rule


def mean(x: Any, axis: Any = None, keepdims: bool = False, where: Any = None) -> Tensor:
    x = as_float(x)
    counts = torch.ones_like(x) if where is None else torch.as_tensor(where).broadcast_to(x.shape).double()
    axes = axis_tuple(x, axis)
    return total(torch.where(counts > 0, x, 0.0), axes, keepdims) / total(counts, axes, keepdims)


def total(x: Tensor, axes: tuple[int, ...], keepdims: bool) -> Tensor:
    return torch.sum(x, axes, keepdim=keepdims) if axes else x.clone()


def nanmean(x: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    return mean(x, axis, keepdims, ~torch.isnan(x))


def var(x: Any, axis: Any = None, ddof: float = 0, keepdims: bool = False, correction: Any = None, mean: Any = None,
        where: Any = None) -> Tensor:  # fmt: skip
    x, axes = as_float(x), axis_tuple(x, axis)
    counts = torch.ones_like(x) if where is None else torch.as_tensor(where).broadcast_to(x.shape).double()
    n = total(counts, axes, True)
    middle = total(torch.where(counts > 0, x, 0.0), axes, True) / n if mean is None else mean
    squares = torch.where(counts > 0, (x - middle) ** 2, 0.0)
    n = n if keepdims else n.reshape(total(counts, axes, False).shape)
    return total(squares, axes, keepdims) / (n - (ddof if correction is None else correction))


def axis_tuple(x: Any, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(axis) if isinstance(axis, list | tuple) else (int(axis),)


def quantile(x: Any, q: Any, axis: Any = None, keepdims: bool = False, method: str = "linear", **more: Any) -> Tensor:
    x = as_float(x)
    if axis is None:
        result = torch.quantile(x.reshape(-1), as_float(q), interpolation=method)
        return result.reshape(*result.shape, *[1] * x.ndim) if keepdims else result
    return torch.quantile(x, as_float(q), axis, keepdim=keepdims, interpolation=method)


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    return quantile(x, 0.5, axis, keepdims)


def product(x: Any, y: Any) -> Any:
    """x @ y."""
    return as_float(x) @ as_float(y)


def dot(x: Any, y: Any) -> Any:
    """np.dot, of numbers and of many axes too."""
    x, y = as_float(x), as_float(y)
    if not (x.ndim and y.ndim):
        return x * y
    return x @ y if y.ndim < 3 else torch.tensordot(x, y, ([-1], [-2]))


def running(better: Rule) -> Rule:
    """maximum.accumulate and minimum.accumulate."""
    return lambda x, axis=0: better(x, axis)[0]


def reduceat(x: Tensor, starts: Any, axis: int = 0) -> Tensor:
    """np.add.reduceat."""
    ends = [*starts[1:], x.shape[axis]]
    parts = [x.narrow(axis, int(i), max(int(j) - int(i), 1)) for i, j in zip(starts, ends, strict=True)]
    return torch.stack([part.sum(axis) for part in parts], axis)


def outer(function: Rule) -> Rule:
    """ufunc.outer."""
    return lambda x, y: function(as_float(x).reshape(*as_float(x).shape, *[1] * as_float(y).ndim), as_float(y))


def trapezoid(y: Tensor, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    return torch.trapezoid(y, dim=axis, dx=dx) if x is None else torch.trapezoid(y, as_float(x), dim=axis)


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Tensor:
    if period is not None:
        raise NotImplementedError("period")
    x, xp, fp = map(as_float, (x, xp, fp))
    i = torch.clip(torch.searchsorted(xp.detach(), x.detach(), right=True) - 1, 0, len(xp) - 2)
    inside = fp[i] + (x - xp[i]) / (xp[i + 1] - xp[i]) * (fp[i + 1] - fp[i])
    inside = torch.where(x > xp[-1], as_float(fp[-1] if right is None else right), inside)
    return torch.where(x < xp[0], as_float(fp[0] if left is None else left), inside)


def polyval(p: Any, x: Any) -> Any:
    return reduce(lambda y, c: y * x + c, [p[i] for i in range(len(p))], torch.zeros_like(as_float(x)))


def histogram(x: Tensor, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """np.histogram: counts, which have no gradient, and edges, which lie between the smallest and the largest entry."""
    if density or weights is not None:
        raise NotImplementedError("density, weights")
    counts, edges = np.histogram(to_numpy(x), to_numpy(bins), range)
    if range is not None or not isinstance(bins, int):
        return [torch.as_tensor(counts), as_float(bins if isinstance(bins, Tensor) else torch.as_tensor(edges))]
    low, high = x.min(), x.max()
    return [torch.as_tensor(counts), low + (high - low) * torch.linspace(0, 1, bins + 1, dtype=x.dtype)]


def bincount(x: Tensor, weights: Any = None, minlength: int = 0) -> Tensor:
    """np.bincount: how often each whole number is there, or the sum of its weights."""
    if weights is None:
        return torch.bincount(x, minlength=minlength)
    length = max(minlength, int(x.max()) + 1 if len(x) else 0)
    return torch.zeros(length, dtype=torch.float64).index_add(0, x, as_float(weights))


def covariance(x: Tensor, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None) -> Tensor:
    """np.cov; torch._numpy's overlooks rowvar."""
    if y is not None:
        raise NotImplementedError("a second array")
    rows = x if rowvar or x.ndim < 2 else x.T
    return torch.cov(rows, correction=(0 if bias else 1) if ddof is None else ddof)


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None) -> Any:
    if a.shape[-1] != 3 or b.shape[-1] != 3 or (axisa, axisb, axisc, axis) != (-1, -1, -1, None):
        raise NotImplementedError("other vectors than rows of three")
    return torch.linalg.cross(*broadcast(as_float(a), as_float(b)))


SUMS: dict[str, Rule] = {
    "sum": reduction("sum", 0.0),
    "prod": reduction("prod", 1.0),
    "max": reduction("amax", -torch.inf),
    "min": reduction("amin", torch.inf),
    "nansum": reduction("sum", 0.0, skip_nan=True),
    "nanprod": reduction("prod", 1.0, skip_nan=True),
    "nanmax": reduction("amax", -torch.inf, skip_nan=True),
    "nanmin": reduction("amin", torch.inf, skip_nan=True),
    "mean": mean,
    "nanmean": nanmean,
    "var": var,
    "std": lambda *args, **kwargs: unspoilt(torch.sqrt, var(*args, **kwargs)),
    "nanvar": lambda x, axis=None, ddof=0, keepdims=False: var(x, axis, ddof, keepdims, where=~torch.isnan(x)),
    "nanstd": lambda x, axis=None, ddof=0, keepdims=False: torch.sqrt(
        var(x, axis, ddof, keepdims, where=~torch.isnan(x))
    ),
    "ptp": lambda x, axis=None, **k: SUMS["max"](x, axis, **k) - SUMS["min"](x, axis, **k),
    "cummax": running(torch.cummax),
    "cummin": running(torch.cummin),
    "add.reduceat": reduceat,
    "multiply.reduce": reduction("prod", 1.0),
    "logaddexp.reduce": lambda x, axis=0, keepdims=False: logsumexp(x, axis, keepdims=keepdims),
    "quantile": quantile,
    "percentile": lambda x, q, *args, **kwargs: quantile(x, as_float(q) / 100, *args, **kwargs),
    "median": median,
    "cross": cross,
    "ediff1d": lambda x: torch.diff(x.reshape(-1)),
    "trapezoid": trapezoid,
    "interp": interp,
    "histogram": histogram,
    "bincount": bincount,
    "cov": covariance,
    "logaddexp.accumulate": torch.logcumsumexp,
    "polyval": polyval,
    "matmul": product,
    "dot": dot,
    "vecdot": lambda x, y, axis=-1: (as_float(x) * as_float(y)).sum(axis),
    "matvec": lambda x, y: (as_float(x) @ as_float(y)[..., None])[..., 0],
    "vecmat": lambda x, y: (as_float(x)[..., None, :] @ as_float(y))[..., 0, :],
    "linalg.vector_norm": lambda x, axis=None, keepdims=False, ord=2: torch.linalg.vector_norm(x, ord, axis, keepdims),
    "linalg.matrix_norm": lambda x, keepdims=False, ord="fro": torch.linalg.matrix_norm(x, ord, keepdim=keepdims),
    "linalg.svdvals": torch.linalg.svdvals,
    "add.outer": outer(torch.add),
    "subtract.outer": outer(torch.sub),
    "multiply.outer": outer(torch.mul),
    "divide.outer": outer(torch.div),
    "maximum.outer": outer(select(torch.maximum)),
    "minimum.outer": outer(select(torch.minimum)),
}
