"""In which order, and with how many roundings, a sum of products was added up: found by adding it up again."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any, NamedTuple

import numpy as np


class Dot(NamedTuple):
    """sum_k a_k b_k + start, of floats of one dtype. start: a bias or None."""

    a: Any  # (n,)
    b: Any  # (n,)
    start: Any = None


def find_order(dots: Sequence[Dot], values: Sequence[float]) -> str:
    """The order of summation that gives every value to the last bit, of those tried; "" where none does.

    One sum alone may come out right by chance; several show the order.

    >>> dots = [Dot(np.full(3, tenth), np.ones(3)) for tenth in (0.1, 0.7)]
    >>> find_order(dots, [0.1 + 0.1 + 0.1, 0.7 + 0.7 + 0.7])
    'left to right'
    """
    dtype = np.asarray(dots[0].a).dtype.type
    n, bias = len(dots[0].a), dots[0].start is not None
    for once, lanes, first in product((False, True), (1, 2, 4, 8, 16, 32), (False, True)):
        if (lanes > 1 and lanes >= n) or (first and not bias):
            continue
        if all(float(_add_up(dot, dtype, once, lanes, first)) == v for dot, v in zip(dots, values, strict=True)):
            words = ["left to right" if lanes == 1 else f"in {lanes} lanes"]  # every lanes-th product, then the lanes
            words += ["fused"] if once else []  # a b + c rounded once
            words += [f"bias {'first' if first else 'last'}"] if bias else []
            return ", ".join(words)
    return ""


def _add_up(dot: Dot, dtype: Any, once: bool, lanes: int, first: bool) -> Any:
    """The sum in `lanes` interleaved partial sums, which are then added pairwise."""
    sums = [dtype(0)] * lanes
    if first:
        sums[0] = dtype(dot.start)
    for k, (a, b) in enumerate(zip(dot.a, dot.b, strict=True)):
        s = sums[k % lanes]
        sums[k % lanes] = multiply_add(a, b, s) if once else dtype(a * b) + s
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [u + v for u, v in zip(sums[:half], sums[half:], strict=True)]
    return sums[0] if first or dot.start is None else sums[0] + dtype(dot.start)


def multiply_add(a: Any, b: Any, c: Any) -> Any:
    """a b + c, rounded once to the precision of the three.

    >>> multiply_add(np.float32(0.1), np.float32(10), np.float32(-1))
    np.float32(1.4901161e-08)
    """
    dtype = type(c)
    exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    near = dtype(float(exact))
    if dtype is np.float64:
        return near  # Fraction rounds to float64 correctly
    around = (np.nextafter(near, dtype(-np.inf)), near, np.nextafter(near, dtype(np.inf)))
    return min(around, key=lambda f: (abs(Fraction(float(f)) - exact), int(f.view(np.uint32)) & 1))
