"""Convolutions and correlations of NumPy and of scipy.signal, and scipy.linalg's matrix exponential."""

from collections.abc import Callable
from typing import Any

import torch

from handgrad.arrays.on_torch.elementwise import as_float

Tensor = torch.Tensor
Rule = Callable[..., Any]


def convolve(x: Any, y: Any, mode: str = "full", *options: Any, **more: Any) -> Tensor:
    """sum_j y[j] x[i - j] over every axis; "same" has the shape of x, "valid" no entry that reaches beyond x."""
    if any(option not in ("fill", 0, "auto", "direct", "fft") for option in (*options, *more.values())):
        raise NotImplementedError("another boundary than zeros, or some axes alone")
    x, y = map(as_float, (x, y))
    if mode == "valid" and any(k > n for n, k in zip(x.shape, y.shape, strict=True)):
        x, y = y, x
    windows = torch.nn.functional.pad(x, [k - 1 for k in reversed(y.shape) for _ in range(2)])
    for axis, k in enumerate(y.shape):
        windows = windows.unfold(axis, k, 1)
    axes = tuple(range(x.ndim))
    full: Tensor = (windows * y.flip(axes)).sum(tuple(axis + x.ndim for axis in axes))
    for axis, (n, k) in enumerate(zip(x.shape, y.shape, strict=True)):
        start, length = {"full": (0, n + k - 1), "same": ((k - 1) // 2, n), "valid": (k - 1, n - k + 1)}[mode]
        full = full.narrow(axis, start, length)
    return full


def correlate(x: Any, y: Any, mode: str = "full", *options: Any, **more: Any) -> Tensor:
    """sum_j y[j] x[i + j] over every axis."""
    y = as_float(y)
    return convolve(x, y.flip(tuple(range(y.ndim))), mode, *options, **more)


def correlate2d(x: Any, y: Any, mode: str = "full", *options: Any, **more: Any) -> Tensor:
    """The same; the middle of an even length is one further in scipy.signal.correlate2d."""
    if mode != "same":
        return correlate(x, y, mode, *options, **more)
    full = correlate(x, y, "full", *options, **more)
    return full[tuple(slice(k // 2, k // 2 + n) for n, k in zip(x.shape, y.shape, strict=True))]


def convolve_numpy(x: Any, y: Any, mode: str = "full") -> Tensor:
    """np.convolve, where "same" has the length of the longer."""
    return convolve(y, x, mode) if len(y) > len(x) else convolve(x, y, mode)


def correlate_numpy(x: Any, y: Any, mode: str = "valid") -> Tensor:
    """np.correlate, the same."""
    return correlate(y, x, mode).flip(0) if mode == "same" and len(y) > len(x) else correlate(x, y, mode)


FILTERS: dict[str, Rule] = {
    "convolve": convolve_numpy,
    "correlate": correlate_numpy,
    **dict.fromkeys(("signal.convolve", "signal.convolve2d", "signal.fftconvolve"), convolve),
    "signal.correlate": correlate,
    "signal.correlate2d": correlate2d,
    "linalg.expm": torch.linalg.matrix_exp,
}
