"""Dual: an array that carries a directional derivative through the code it runs through (forward mode, float64).

The value at a kink is torch's: the derivative of abs and sign at 0 is 0, a maximum over an axis shares its derivative
evenly among ties, clip passes it on at its bounds (torch's does so up to 2.13, later it is 0 there). At a tie
``maximum`` and ``minimum`` take the plain argument, so that relu written maximum(z, 0) or maximum(0, z) has derivative
0 at 0; of two duals they take the mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy import special

from handgrad.arrays.base import COMPARISONS, Array, CannotEnter, JudgedArray, Namespace, Rule, lift, lift_rule
from handgrad.arrays.operations import SHARED, move


@dataclass(frozen=True, eq=False, repr=False)
class Dual(JudgedArray):
    """Value ``x`` and derivative ``dx`` along one direction, both float64 of one shape; ValueError if they differ."""

    x: Array
    dx: Array

    def __post_init__(self) -> None:
        x, dx = np.asarray(self.x, np.float64), np.asarray(self.dx, np.float64)
        if x.shape != dx.shape:
            raise ValueError(f"dx has shape {dx.shape}, expected that of x, {x.shape}")
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "dx", dx)

    @classmethod
    def of(cls, x: Any, dx: Any) -> Self:
        """The values ``x`` moving in the direction ``dx`` (broadcast to the shape of x)."""
        return cls(x, np.broadcast_to(dx, np.shape(x)))

    @property
    def parts(self) -> tuple[Array, ...]:
        return self.x, self.dx

    def _with(self, *parts: Array) -> Self:
        return type(self)(*parts)

    def _lift(self, other: Any) -> Dual:
        if isinstance(other, Dual):
            return other
        if isinstance(other, JudgedArray) or np.asarray(other).dtype.kind not in "buif":
            raise CannotEnter(f"a {type(other).__name__} met a Dual")
        return Dual.of(other, 0.0)

    def __repr__(self) -> str:
        return f"Dual(shape={self.shape})"


# f and f'
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "exp": (np.exp, np.exp),
    "expm1": (np.expm1, np.exp),
    "log": (np.log, np.reciprocal),
    "log1p": (np.log1p, lambda x: 1 / (1 + x)),
    "tanh": (np.tanh, lambda x: np.cosh(x) ** -2.0),
    "sinh": (np.sinh, np.cosh),
    "cosh": (np.cosh, np.sinh),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda x: -np.sin(x)),
    "arctan": (np.arctan, lambda x: 1 / (1 + x * x)),
    "sqrt": (np.sqrt, lambda x: 0.5 / np.sqrt(x)),
    "erf": (special.erf, lambda x: 2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "erfc": (special.erfc, lambda x: -2 / np.sqrt(np.pi) * np.exp(-x * x)),
    "expit": (special.expit, lambda x: special.expit(x) * special.expit(-x)),
    "abs": (np.abs, np.sign),
    "sign": (np.sign, np.zeros_like),
}


def _function(f: Rule, slope: Rule) -> Rule:
    return lift_rule(lambda x: Dual(f(x.x), slope(x.x) * x.dx))


def _divide(x: Dual, y: Dual) -> Dual:
    quotient = x.x / y.x
    return Dual(quotient, (x.dx - quotient * y.dx) / y.x)


def _power(x: Dual, p: Any) -> Dual:
    if isinstance(p, JudgedArray) or np.ndim(p):
        raise CannotEnter("an array was used as an exponent, or the exponent is one per entry")
    slope = p * x.x ** (p - 1.0) if p else np.zeros(x.shape)
    return Dual(x.x ** float(p), slope * x.dx)


def _logaddexp(x: Dual, y: Dual) -> Dual:
    weight = special.expit(x.x - y.x)
    return Dual(np.logaddexp(x.x, y.x), weight * x.dx + special.expit(y.x - x.x) * y.dx)


def _select(better: Rule) -> Rule:
    def rule(x: Any, y: Any) -> Dual:
        tie = [0.5, 0.5] if isinstance(x, Dual) and isinstance(y, Dual) else [not isinstance(v, Dual) for v in (x, y)]
        x, y = lift(x, y)
        wx = np.where(x.x == y.x, tie[0], better(x.x, y.x))
        wy = np.where(x.x == y.x, tie[1], better(y.x, x.x))
        value = np.where(better(x.x, y.x) | np.isnan(x.x), x.x, y.x)
        return Dual(value, np.where(wx, wx * x.dx, 0.0) + np.where(wy, wy * y.dx, 0.0))

    return rule


def _extreme(f: Rule) -> Rule:
    def rule(x: Dual, axis: Any = None, keepdims: bool = False) -> Dual:
        ties = x.x == f(x.x, axis=axis, keepdims=True)
        dx = np.sum(np.where(ties, x.dx, 0.0), axis=axis, keepdims=keepdims)
        return Dual(f(x.x, axis=axis, keepdims=keepdims), dx / np.sum(ties, axis=axis, keepdims=keepdims))

    return rule


def _clip(x: Any, min: Any = None, max: Any = None) -> Any:
    x = x if min is None else _where(x < min, min, x)
    return x if max is None else _where(x > max, max, x)


def _where(condition: Any, x: Any, y: Any) -> Any:
    if isinstance(condition, JudgedArray):
        raise CannotEnter("a Dual was used as a condition; compare it first (x != 0)")
    if not isinstance(x, JudgedArray) and not isinstance(y, JudgedArray):
        return np.where(condition, x, y)
    x, y = lift(x, y)
    return Dual(np.where(condition, x.x, y.x), np.where(condition, x.dx, y.dx))


def _astype(x: Dual, dtype: Any, copy: bool = True) -> Any:
    if np.dtype(dtype) == np.bool_:
        return x != 0
    if np.dtype(dtype) != np.float64:
        raise CannotEnter(f"a Dual, which is float64, was cast to {np.dtype(dtype)}")
    return x


def _of_value(f: Rule) -> Rule:
    """An answer that follows from the values alone and is plain: a comparison, an index."""
    return lambda *args, **kwargs: f(*(arg.x if isinstance(arg, Dual) else arg for arg in args), **kwargs)


RULES: dict[str, Rule] = {
    **SHARED,
    **{name: _function(*pair) for name, pair in FUNCTIONS.items()},
    **{name: _of_value(getattr(np, name)) for name in (*COMPARISONS, "isfinite", "isnan", "argmax", "argmin")},
    "add": lift_rule(lambda x, y: Dual(x.x + y.x, x.dx + y.dx)),
    "subtract": lift_rule(lambda x, y: Dual(x.x - y.x, x.dx - y.dx)),
    "multiply": lift_rule(lambda x, y: Dual(x.x * y.x, x.dx * y.x + x.x * y.dx)),
    "divide": lift_rule(_divide),
    "matmul": lift_rule(lambda x, y: Dual(x.x @ y.x, x.dx @ y.x + x.x @ y.dx)),
    "negative": lambda x: Dual(-x.x, -x.dx),
    "positive": lambda x: x,
    "power": lift_rule(_power, 1),
    "logaddexp": lift_rule(_logaddexp),
    "maximum": _select(np.greater),
    "minimum": _select(np.less),
    "clip": _clip,
    "sum": move(np.sum),
    "max": lift_rule(_extreme(np.max), 1),
    "min": lift_rule(_extreme(np.min), 1),
    "where": _where,
    "astype": _astype,
}
Dual.namespace = Namespace("Dual", RULES)
