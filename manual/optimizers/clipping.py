"""The gradient as one vector: its norm, and a scaled copy that is no longer than asked."""

from collections.abc import Sequence
from math import sqrt

from manual.namespace import array_namespace
from manual.types import Array, Grads


def gradient_norm(dparams: Sequence[Grads]) -> float:
    """sqrt(sum of the squares of every entry of every gradient).

    >>> import numpy as np
    >>> gradient_norm(({"dW": np.array([3.0])}, {}, {"db": np.array([4.0])}))
    5.0
    """
    return sqrt(squared_norm(dparams))


def squared_norm(dparams: Sequence[Grads]) -> Array:
    """The sum of the squares of every entry of every gradient."""
    return sum(_squares(d) for layer in dparams for d in layer.values())


def clip(dparams: Sequence[Grads], norm: float, most: float | None) -> Sequence[Grads]:
    """dparams min(1, most / norm): the same direction, no longer than `most`. norm is gradient_norm(dparams).

    Source: Pascanu, Mikolov, Bengio 2013.
    """
    if most is None or norm <= most:
        return dparams
    return scaled(dparams, most / norm)


def clip_by(dparams: Sequence[Grads], norm: Array, most: float | None) -> Sequence[Grads]:
    """The same of a norm that is an array, inside a program that may not ask which is larger."""
    if most is None:
        return dparams
    xp = array_namespace(norm)
    return scaled(dparams, xp.where(norm > most, most / norm, xp.ones_like(norm)))


def scaled(dparams: Sequence[Grads], scale: Array) -> tuple[Grads, ...]:
    return tuple({name: scale * d for name, d in layer.items()} for layer in dparams)


def _squares(d: Array) -> Array:
    xp = array_namespace(d)
    if xp.finfo(d.dtype).bits < 32:  # squares of 16 bits overflow at 256
        d = xp.astype(d, xp.float32)
    return xp.sum(d * d)
