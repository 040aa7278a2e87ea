"""Ball: an array that carries, entry by entry, a rigorous bound on the rounding of the code it runs through.

A ball has a midpoint (float64) and a radius. Three values of every entry lie within one radius of each other: the exact
result, the result of any evaluation whose every operation rounds correctly with unit roundoff u, and the midpoint. So
|hand - exact| <= rad holds for every summation order, fused or not, with nothing chosen by anyone.
Source of the rules: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 2.2, 3.1 and 3.5.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Self

import numpy as np

from handgrad.arrays import rounding
from handgrad.arrays.arithmetic import Arithmetic, cut_short
from handgrad.arrays.base import COMPARISONS, Array, CannotEnter, JudgedArray, Namespace, Rule, lift_rule
from handgrad.arrays.operations import SHARED

__all__ = ["Arithmetic", "Ball", "Truth"]


_LEFT: ContextVar[list[int] | None] = ContextVar("single numbers left", default=None)


class TooManyNumbers(CannotEnter):
    """The code computes one number at a time: a ball for each would take seconds."""


@contextmanager
def at_most_single_numbers(most: int | None) -> Iterator[None]:
    """Inside, TooManyNumbers is raised at more balls of one number than this; None: at no number."""
    token = _LEFT.set(None if most is None else [most])
    try:
        yield
    finally:
        _LEFT.reset(token)


def count_single_number() -> None:
    """One more ball of a single number."""
    if (left := _LEFT.get()) is not None:
        left[0] -= 1
        if left[0] < 0:
            raise TooManyNumbers("the code computes one number at a time, too many for a ball each")


@dataclass(frozen=True, eq=False, repr=False)
class Ball(JudgedArray):
    """Midpoint ``mid`` and radius ``rad``, both float64 of one shape, and the arithmetic whose rounding ``rad`` bounds.

    The radius is inf where the midpoint is not finite or the working precision may overflow. ValueError where the
    shapes differ or a radius is negative.
    """

    mid: Array
    rad: Array
    arithmetic: Arithmetic
    is_exact: bool = field(init=False)  # no entry has a radius

    def __post_init__(self) -> None:
        mid, rad = np.asarray(self.mid, np.float64), np.asarray(self.rad, np.float64)
        if mid.shape != rad.shape:
            raise ValueError(f"rad has shape {rad.shape}, expected that of mid, {mid.shape}")
        if np.min(rad, initial=0) < 0:
            raise ValueError(f"rad has {(rad < 0).sum()} negative entries, expected a bound of at least 0")
        if not mid.ndim:
            count_single_number()
        widest = np.max(rad, initial=0)
        if not max(np.max(mid, initial=0), -np.min(mid, initial=0)) + widest <= self.arithmetic.huge:  # or nan
            with np.errstate(all="ignore"):
                rad = np.where(np.abs(mid) + rad <= self.arithmetic.huge, rad, np.inf)
            widest = np.float64(np.inf)
        object.__setattr__(self, "mid", mid)
        object.__setattr__(self, "rad", rad)
        object.__setattr__(self, "is_exact", bool(widest == 0))

    @classmethod
    def exact(cls, values: Any, arithmetic: Arithmetic) -> Self:
        """The machine numbers ``values`` with radius zero."""
        mid = np.asarray(values, np.float64)
        return cls(mid, np.broadcast_to(0.0, mid.shape), arithmetic)

    @classmethod
    def rounded(cls, values: Any, arithmetic: Arithmetic, inexact: Any = False) -> Self:
        """Numbers that are exact where the working precision holds them, unless `inexact`; the others rounded once."""
        mid = np.asarray(values, np.float64)
        digits = np.frexp(mid)[0] / arithmetic.u
        off = inexact | (digits != np.rint(digits)) | ((mid != 0) & (np.abs(mid) < arithmetic.tiny))
        return cls(mid, np.where(off, arithmetic.u * np.abs(mid) + arithmetic.tiny, 0.0), arithmetic)

    @property
    def parts(self) -> tuple[Array, ...]:
        return self.mid, self.rad

    dtype = property(lambda self: self.arithmetic.dtype)

    def __array_namespace__(self, *, api_version: str | None = None) -> Namespace:
        return _namespace(self.arithmetic)

    def _with(self, *parts: Array) -> Self:
        return type(self)(parts[0], parts[1], self.arithmetic)

    def _lift(self, other: Any) -> Ball:
        return _ball(other, self.arithmetic)

    def __repr__(self) -> str:
        worst = self.rad.max() if self.size else 0.0
        return f"Ball(shape={self.shape}, u={self.arithmetic.u:.3g}, largest radius={worst:.3g})"


@dataclass(frozen=True, eq=False, repr=False)
class Truth(JudgedArray):
    """A comparison of balls: ``value`` at the midpoints, ``sure`` where it holds for every number in the balls."""

    value: Array
    sure: Array
    arithmetic: Arithmetic

    @property
    def parts(self) -> tuple[Array, ...]:
        return self.value, self.sure

    def __array_namespace__(self, *, api_version: str | None = None) -> Namespace:
        return _namespace(self.arithmetic)

    @property
    def unsure_count(self) -> int:
        """How many entries rounding could decide either way."""
        return int(self.sure.size - np.count_nonzero(self.sure))

    def _with(self, *parts: Array) -> Self:
        return type(self)(parts[0], parts[1], self.arithmetic)

    def _lift(self, other: Any) -> Ball:
        return _ball(other, self.arithmetic)

    def _index(self) -> Array:
        if self.unsure_count:
            raise CannotEnter(f"a mask with {self.unsure_count} entries that rounding could flip was used to select")
        return self.value

    def __bool__(self) -> bool:
        return bool(self._index())

    def __repr__(self) -> str:
        return f"Truth(shape={self.shape}, unsure={self.unsure_count})"


def _ball(x: Any, arithmetic: Arithmetic) -> Ball:
    """Plain numbers are constants of the code: exact where their digits end, else rounded once on the way in."""
    if isinstance(x, Ball):
        if x.arithmetic != arithmetic:
            raise ValueError(f"a ball of {x.arithmetic} met one of {arithmetic}; give both the same arithmetic")
        return x
    if isinstance(x, Truth):
        return Ball(x.value.astype(np.float64), np.where(x.sure, 0.0, float(arithmetic.both)), arithmetic)
    if isinstance(x, JudgedArray) or np.asarray(x).dtype.kind not in "buif":
        raise CannotEnter(f"a {type(x).__name__} met a Ball")
    mid = np.asarray(x, np.float64)
    # A literal such as 1e-5 or sqrt(2) stands for a real number: it is exact only if short.
    digits = np.frexp(mid)[0] * 2.0**24
    literal = (digits != np.rint(digits)) if not mid.ndim else cut_short(mid, arithmetic.u)
    return Ball.rounded(mid, arithmetic, literal | cut_short(mid, arithmetic.u))


def _truth(x: Any, arithmetic: Arithmetic) -> Truth:
    if isinstance(x, Truth):
        return x
    if isinstance(x, JudgedArray) or np.asarray(x).dtype != np.bool_:
        raise CannotEnter(f"a {type(x).__name__} was used as a condition; compare it first (x != 0)")
    return Truth(np.asarray(x), np.ones(np.shape(x), np.bool_), arithmetic)


# -- comparisons and what follows from them


def _compare(f: Rule) -> Rule:
    return lambda x, y: Truth(f(x.mid, y.mid), rounding.never_meet(x, y), x.arithmetic)


def _conditions(*args: Any) -> list[Truth]:
    arithmetic = next(arg.arithmetic for arg in args if isinstance(arg, Ball | Truth))
    return [_truth(arg, arithmetic) for arg in args]


def _not(x: Any) -> Truth:
    (x,) = _conditions(x)
    return Truth(~x.value, x.sure, x.arithmetic)


def _and(x: Any, y: Any) -> Truth:
    x, y = _conditions(x, y)
    sure = (x.sure & y.sure) | (x.sure & ~x.value) | (y.sure & ~y.value)
    return Truth(x.value & y.value, sure, x.arithmetic)


def _or(x: Any, y: Any) -> Truth:
    x, y = _conditions(x, y)
    return _not(_and(_not(x), _not(y)))


def _any(x: Any, axis: Any = None, keepdims: bool = False) -> Truth:
    (x,) = _conditions(x)
    over = {"axis": axis, "keepdims": keepdims}
    sure = np.any(x.sure & x.value, **over) | np.all(x.sure, **over)
    return Truth(np.any(x.value, **over), sure, x.arithmetic)


def _all(x: Any, axis: Any = None, keepdims: bool = False) -> Truth:
    return _not(_any(_not(x), axis, keepdims))


def _power(x: Ball, p: Any) -> Any:
    if isinstance(p, JudgedArray) or np.ndim(p):
        raise CannotEnter("an array was used as an exponent, or the exponent is one per entry")
    if p == 0:
        return x._with(np.ones(x.shape), np.zeros(x.shape))
    if p == 0.5:
        return rounding.sqrt(x)
    if p == -1:
        return 1 / x
    return x * x if p == 2 else rounding.power(float(p), float(_ball(p, x.arithmetic).rad))(x)


def _where(condition: Any, x: Any, y: Any) -> Ball:
    """The midpoint's branch; under `both` the radius reaches over the other as well where rounding could take it."""
    owner = next(arg for arg in (condition, x, y) if isinstance(arg, Ball | Truth))
    chosen, x, y = _truth(condition, owner.arithmetic), owner._lift(x), owner._lift(y)
    rad = np.where(chosen.value, x.rad, y.rad)
    if not owner.arithmetic.both or chosen.sure.all():
        return Ball(np.where(chosen.value, x.mid, y.mid), rad, owner.arithmetic)
    hull = np.abs(x.mid - y.mid) + np.maximum(x.rad, y.rad)
    return Ball(np.where(chosen.value, x.mid, y.mid), np.where(chosen.sure, rad, hull), owner.arithmetic)


def _astype(x: Any, dtype: Any, copy: bool = True) -> Any:
    if np.dtype(dtype) == x.dtype:
        return x
    if isinstance(x, Truth):
        return x._lift(x)
    if np.dtype(dtype) == np.bool_:
        return x != 0
    raise CannotEnter(
        f"an array in {x.dtype} was cast to {np.dtype(dtype)}: the code computes in a precision of its own"
    )


RULES: dict[str, Rule] = {
    **SHARED,
    **{name: lift_rule(rounding.function(*pair)) for name, pair in rounding.FUNCTIONS.items()},
    **{name: lift_rule(_compare(getattr(np, name))) for name in COMPARISONS},
    "add": lift_rule(rounding.add),
    "subtract": lift_rule(lambda x, y: rounding.add(x, y, np.subtract)),
    "multiply": lift_rule(rounding.multiply),
    "divide": lift_rule(rounding.divide),
    "matmul": lift_rule(rounding.matmul),
    "negative": lift_rule(lambda x: x._with(-x.mid, x.rad)),
    "positive": lift_rule(lambda x: x),
    "abs": lift_rule(lambda x: x._with(np.abs(x.mid), x.rad)),
    "sign": lift_rule(rounding.sign),
    "sqrt": lift_rule(rounding.sqrt),
    "power": lift_rule(_power, 1),
    "logaddexp": lift_rule(rounding.logaddexp),
    "maximum": lift_rule(rounding.select(np.maximum)),
    "minimum": lift_rule(rounding.select(np.minimum)),
    "sum": lift_rule(rounding.total, 1),
    "max": lift_rule(rounding.extreme(np.max), 1),
    "min": lift_rule(rounding.extreme(np.min), 1),
    "argmax": lambda x, axis=None, keepdims=False: np.argmax(x.parts[0], axis=axis, keepdims=keepdims),
    "argmin": lambda x, axis=None, keepdims=False: np.argmin(x.parts[0], axis=axis, keepdims=keepdims),
    "isfinite": lift_rule(lambda x: Truth(np.isfinite(x.mid), np.isfinite(x.rad), x.arithmetic)),
    "isnan": lift_rule(lambda x: Truth(np.isnan(x.mid), np.isfinite(x.rad), x.arithmetic)),
    "logical_not": _not,
    "logical_and": _and,
    "logical_or": _or,
    "any": _any,
    "all": _all,
    "where": _where,
    "astype": _astype,
}
Ball.namespace = Truth.namespace = Namespace("Ball", RULES)


@cache
def _namespace(arithmetic: Arithmetic) -> Namespace:
    """The one namespace of all balls of that arithmetic."""
    return Namespace("Ball", RULES, lambda x: _ball(x, arithmetic))
