"""The whole loss minimised by SciPy's L-BFGS-B, which takes steps of its own length along the gradients by hand."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from manual.training.hand import Hand
from manual.types import Array, Params


class Minimum(NamedTuple):
    """Where the search ended."""

    params: tuple[Params, ...]
    curve: list[float]  # the loss after every iteration
    settled: bool
    words: str


def minimise(side: Hand, x: Array, target: Array, *, max_iter: int, max_fun: int, tol: float, verbose: bool) -> Minimum:
    """The parameters of least loss that are found from those of the side, on all samples at once."""
    start, curve = side.params, list[float]()

    def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        side.params = unpack(v, start)
        E, dparams = side.gradients(x, target, None)
        return E, pack([{name: d["d" + name] for name in p} for p, d in zip(start, dparams, strict=True)])

    def note(intermediate_result: Any) -> None:
        curve.append(float(intermediate_result.fun))
        if verbose:
            print(f"Iteration {len(curve)}, loss = {curve[-1]:.8f}")

    limits = {"maxiter": max_iter, "maxfun": max_fun, "gtol": tol}
    found = minimize(loss, pack(start), method="L-BFGS-B", jac=True, callback=note, options=limits)
    return Minimum(unpack(found.x, start), curve or [float(found.fun)], bool(found.success), str(found.message))


def pack(layers: Sequence[Params]) -> NDArray[np.float64]:
    """All arrays in one row of numbers, layer after layer.

    >>> pack([{"W": np.eye(2)}, {}, {"b": np.ones(1)}]).tolist()
    [1.0, 0.0, 0.0, 1.0, 1.0]
    """
    return np.concatenate([np.ravel(array) for layer in layers for array in layer.values()]).astype(np.float64)


def unpack(v: NDArray[np.float64], like: Sequence[Params]) -> tuple[Params, ...]:
    """The arrays of `pack`, shaped and typed like others."""
    layers, at = list[Params](), 0
    for layer in like:
        own = {}
        for name, array in layer.items():
            own[name] = v[at : at + array.size].reshape(array.shape).astype(array.dtype)
            at += array.size
        layers.append(own)
    return tuple(layers)
