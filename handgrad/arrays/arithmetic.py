"""The rounding of a working precision: what one operation, one product, one sum of n terms may be off by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

EPS = 2.0**-53  # the midpoint and the radius of a ball are float64 and round as well


@dataclass(frozen=True)
class Arithmetic:
    """The rounding of one working precision.

    u        unit roundoff of an operation
    tiny     absolute error of an operation that underflows
    huge     largest finite number; what may exceed it has an infinite radius
    u_sum    unit roundoff inside products and sums (float16 and bfloat16 accumulate in float32 and round once)
    tiny_sum absolute error of an underflow inside products
    c        a library function is right to c u |f(x)|
    terms    above 1: bound any order of evaluation that may move an addend into a sum of that many terms
    rms      radii are standard deviations: independent roundings add as squares (``terms`` has no effect then)
    both     where rounding could take the other branch, the radius reaches over both; else it is the midpoint branch's
    """

    u: float
    tiny: float
    huge: float
    u_sum: float
    tiny_sum: float
    c: float = 8
    terms: int = 1
    rms: bool = False
    both: bool = True

    @classmethod
    def of(cls, dtype: str, terms: int = 1, rms: bool = False, both: bool = True) -> Self:
        """The arithmetic of "float64", "float32", "bfloat16" or "float16"; ValueError for any other name.

        Units in float32 and bfloat16 may flush what is subnormal to zero; none does so in float16.
        """
        if dtype not in PRECISIONS:
            raise ValueError(f"dtype is {dtype!r}; expected one of {', '.join(PRECISIONS)}")
        return cls(*PRECISIONS[dtype], terms=terms, rms=rms, both=both)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy type an array in this precision reports (NumPy has no bfloat16, and float16 sums differently)."""
        return np.dtype(np.float32 if self.u == 2.0**-24 else np.float64)

    @property
    def coarse(self) -> bool:
        """Whether code in this precision commonly computes in float32 inside: bfloat16 and float16."""
        return self.u_sum < self.u

    def join(self, *parts: Any) -> Any:
        """The radius of a sum of independent errors: their sum, or under rms the root of the sum of squares.

        The first two have the shape of the result between them.
        """
        if len(parts) == 1:
            return parts[0]
        if not self.rms:
            return accumulate(np.add, parts)
        root = np.sqrt(accumulate(np.add, [part * part for part in parts]))
        return accumulate(np.maximum, [root, *parts])  # squares underflow; no part exceeds the root

    @property
    def library(self) -> float:
        """The error of a library function in units of :meth:`unit`."""
        return 2 if self.rms else self.c

    def unit(self, u: float) -> float:
        """What one rounding of the code and one of the midpoint add, relative to the value."""
        return float(self.join(u, EPS)) / (2 if self.rms else 1)

    def gamma(self, n: int, u: float) -> float:
        """n u / (1 - n u): the error of n roundings in any order; inf where n u >= 1."""
        nu = n * (u + EPS)
        return nu / (1 - nu) if nu < 1 else np.inf


def coarsest(dtypes: Iterable[str]) -> str:
    """The precision with the largest roundings.

    >>> coarsest(["float32", "bfloat16", "float32"])
    'bfloat16'
    """
    return max((name for name in dtypes if name in PRECISIONS), key=lambda name: PRECISIONS[name][0])


def cut_short(values: Any, u: float) -> Any:
    """Where a constant of the code may be off by half a unit: its digits fill more than half of those there are.

    0.1 may be, 0.5, 3 and 700 are not. In float64 the reference has the same constants, so there none is.
    """
    values, bits = np.asarray(values, np.float64), -int(np.log2(u))
    with np.errstate(all="ignore"):
        digits = np.frexp(values)[0] * 2.0 ** (bits // 2)
        return (digits != np.rint(digits)) & (values != np.rint(values)) & (u > EPS)


def accumulate(f: np.ufunc, parts: Sequence[Any]) -> Any:
    """f over all parts, in place after the first two: a fresh array costs more than the arithmetic in it."""
    total = f(parts[0], parts[1])
    for part in parts[2:]:
        total = f(total, part, out=total) if isinstance(total, np.ndarray) else f(total, part)
    return total


PRECISIONS = {
    "float64": (2.0**-53, 2.0**-1022, np.finfo(np.float64).max, 2.0**-53, 2.0**-1022),
    "float32": (2.0**-24, 2.0**-126, float(np.finfo(np.float32).max), 2.0**-24, 2.0**-126),
    "bfloat16": (2.0**-8, 2.0**-126, (2 - 2.0**-7) * 2.0**127, 2.0**-24, 2.0**-126),
    "float16": (2.0**-11, 2.0**-24, 65504.0, 2.0**-24, 2.0**-126),
}
