"""Imitated: a NumPy array whose every operation rounds at random, as another correct evaluation might round.

What moves has lost digits to rounding; what stays where it is (an overflow, a branch, a wrong formula) is not excused
by rounding. Two rules keep it honest. A result that is exact is never moved: rounding did nothing to it, and at a kink
it decides which branch is right. A constant of the code that fills its significand may be off by half a unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from handgrad.arrays.arithmetic import Arithmetic, cut_short

# Compiled functions that sum inside and call no ufunc of NumPy's.
KERNELS = (np.dot, np.einsum, np.inner, np.vdot, np.convolve, np.correlate, np.interp, np.bincount)
WIDER: dict[str, Any] = {"float16": np.float64, "float32": np.float64, "float64": np.longdouble}


class Dice:
    """Where the imitated roundings come from, and how many there were.

    dtype: the precision judged. Code that computes in a coarser one inside is not excused by that one's rounding.
    """

    def __init__(self, rng: np.random.Generator, dtype: str) -> None:
        self.rng, self.judged, self.rolled = rng, Arithmetic.of(dtype), 0

    def u(self, dtype: np.dtype[Any]) -> float:
        """The unit roundoff of an operation in that precision."""
        return min(Arithmetic.of(dtype.name).u, self.judged.u)

    def move(self, values: Any, u: float, where: Any = True) -> Any:
        """The values off by a normal deviate times u, in their own precision, where `where` holds; or by underflow."""
        self.rolled += 1
        spread = np.where(where, self.rng.standard_normal(np.shape(values)), 0.0).astype(WIDER[values.dtype.name])
        tiny = min(Arithmetic.of(values.dtype.name).tiny, self.judged.tiny) * (values != 0)
        with np.errstate(all="ignore"):
            return (values * (1 + u * spread) + tiny * spread).astype(values.dtype)


class Imitated(np.ndarray[Any, Any]):
    """See the module. Made by `imitate`; results of operations are of this type as well, single entries included."""

    dice: Dice | None

    def __array_finalize__(self, other: Any) -> None:
        self.dice = getattr(other, "dice", None)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        dice = next(a.dice for a in (*inputs, *(out or ())) if isinstance(a, Imitated) and a.dice)
        given, call = [base(a) for a in inputs], getattr(ufunc, method)
        if method == "at":
            return call(*_terms_shaken(ufunc, given, dice), **kwargs)
        target = None if out is None else base(out[0])
        into = {} if target is None else {"out": target.copy()}
        result = call(*given, **into, **kwargs)
        if not isinstance(result, tuple) and rounds(result) and kwargs.get("where", True) is True:
            constants = [not isinstance(a, Imitated) for a in inputs]
            result = _rounded(call, ufunc, given, constants, np.asarray(result), kwargs, dice)
        if target is None:
            return wrap(result, dice)
        np.copyto(target, result, casting="same_kind")
        return out[0]

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        result = super().__array_function__(func, types, args, kwargs)
        if rounds(result) and self.dice and (func in KERNELS or func.__module__ == "numpy.linalg"):
            u, terms = self.dice.u(result.dtype), max(self.size // max(np.size(result), 1), 1)
            shaken = [_shaken(a, self.dice, u * terms**0.5) for a in args]
            result = self.dice.move(np.asarray(func(*shaken, **kwargs)), u)
        return wrap(result, self.dice)

    def __getitem__(self, index: Any) -> Any:
        return wrap(base(self)[_base_nest(index)], self.dice)

    def __setitem__(self, index: Any, value: Any) -> None:
        base(self)[_base_nest(index)] = base(value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def dot(self, other: Any, out: Any = None) -> Any:
        return np.dot(self, other)


def imitate(values: npt.ArrayLike, dice: Dice) -> Imitated:
    """The same numbers in an array of its own that rounds at random."""
    found = np.array(values).view(Imitated)
    found.dice = dice
    return found


def base(value: Any) -> Any:
    """The plain array of an imitated one; anything else as it is."""
    return value.view(np.ndarray) if isinstance(value, Imitated) else value


def wrap(result: Any, dice: Dice | None) -> Any:
    """Floating-point results as imitated arrays, of a tuple or list each; anything else as it is."""
    if isinstance(result, tuple | list):
        return type(result)(wrap(r, dice) for r in result) if type(result) in (tuple, list) else result
    if dice is None or not rounds(result):
        return result
    found = np.asarray(result).view(Imitated)
    found.dice = dice
    return found


def rounds(result: Any) -> bool:
    """Whether it is an array or number of a floating-point precision that is imitated."""
    return getattr(getattr(result, "dtype", None), "name", "") in WIDER


def _rounded(
    call: Callable[..., Any],
    ufunc: np.ufunc,
    given: list[Any],
    constants: list[bool],
    result: npt.NDArray[Any],
    kwargs: Any,
    dice: Dice,
) -> npt.NDArray[Any]:
    """The result with the rounding of its operation imitated: of one operation, or of every addition of a sum."""
    given = [
        off_by_half(a, result.dtype, dice) if constant else a for a, constant in zip(given, constants, strict=True)
    ]
    result = np.asarray(call(*given, **kwargs), result.dtype)
    inexact, u = ~exactly(call, given, result, kwargs), dice.u(result.dtype)
    if not inexact.any():
        return result
    if ufunc is np.matmul or call.__name__ in ("reduce", "accumulate", "reduceat"):
        first = given[0]
        terms = first.shape[-1] if ufunc is np.matmul else max(first.size // max(result.size, 1), 1)
        again = call(*(_shaken(a, dice, u * terms**0.5) for a in given), **kwargs)
        result = np.where(inexact, again, result).astype(result.dtype)
    return np.asarray(dice.move(result, u, inexact))


def _terms_shaken(ufunc: np.ufunc, given: list[Any], dice: Dice) -> list[Any]:
    """The arguments of np.add.at, what is added off by what the longest sum at one place rounds."""
    target, at, *values = given
    if ufunc not in (np.add, np.subtract) or not rounds(target) or not target.size:
        return given
    count = np.zeros(target.shape)
    np.add.at(count, at, 1.0)
    n = float(count.max())
    return [target, at, *(_shaken(v, dice, dice.u(target.dtype) * n**0.5) for v in values)] if n > 1 else given


def exactly(call: Callable[..., Any], given: list[Any], result: npt.NDArray[Any], kwargs: Any) -> npt.NDArray[np.bool_]:
    """Where a wider precision gives the very same numbers: there nothing was rounded."""
    wider = WIDER[result.dtype.name]
    try:
        with np.errstate(all="ignore"):
            kwargs = {k: v for k, v in kwargs.items() if k != "dtype"}
            wide = call(*(a.astype(wider) if rounds(a) else a for a in given), **kwargs)
    except TypeError:  # no loop for that precision
        return np.zeros(result.shape, np.bool_)
    return np.asarray((wide == result) | ~np.isfinite(result))


def off_by_half(value: Any, dtype: np.dtype[Any], dice: Dice) -> Any:
    """A constant of the code, off by half a unit where it may be cut short."""
    if not (rounds(value) or isinstance(value, float)):
        return value
    u = dice.u(dtype)
    if not (full := cut_short(value, u)).any():
        return value
    return float(dice.move(np.asarray(value), u)) if isinstance(value, float) else dice.move(np.asarray(value), u, full)


def _shaken(value: Any, dice: Dice, u: float) -> Any:
    plain = base(value)
    if isinstance(plain, np.ndarray) and plain.dtype.name in WIDER:
        return dice.move(plain, u)
    return type(plain)(_shaken(v, dice, u) for v in plain) if isinstance(plain, list | tuple) else plain


def _base_nest(value: Any) -> Any:
    return type(value)(_base_nest(v) for v in value) if isinstance(value, list | tuple) else base(value)
