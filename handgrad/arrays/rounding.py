"""What rounding does to a ball, operation by operation: the rules behind ``ball.py``.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 2.2, 3.1 and 3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from handgrad.arrays.arithmetic import EPS, Arithmetic, accumulate
from handgrad.arrays.base import Array, Rule

if TYPE_CHECKING:
    from handgrad.arrays.ball import Ball


# -- arithmetic


def _round(like: Ball, mid: Array, *spread: Any, k: float = 1, zeros: Sequence[Ball] = ()) -> Ball:
    """The result of an operation that is right to k u: the spread of its inputs, its rounding, its underflow.

    zeros: the inputs of which a zero without radius makes the result zero, with no rounding and no underflow.
    """
    a = like.arithmetic
    own = _scale(np.abs(mid), k * a.unit(a.u))
    underflow: Any = a.tiny / 2 if a.rms else a.tiny
    if zeros and not np.all(mid):
        nothing = reduce(np.logical_or, [(ball.mid == 0) & (ball.rad == 0) for ball in zeros])
        underflow = np.where((mid == 0) & nothing, 0.0, underflow)
    rad = a.join(own, *spread, underflow)
    # The rounding is of the spread value, and rad rounds too.
    return like._with(mid, _scale(rad, 1 + 2 * k * a.u + 64 * EPS))


def _scale(fresh: Any, factor: float) -> Any:
    """fresh * factor, in the memory of fresh."""
    fresh *= factor
    return fresh


def add(x: Ball, y: Ball, f: np.ufunc = np.add) -> Ball:
    """x + y, or x - y by np.subtract."""
    a, mid = x.arithmetic, f(x.mid, y.mid)
    if a.terms > 1 and not a.rms:
        own = _scale(np.abs(x.mid) + np.abs(y.mid), a.gamma(a.terms, a.u))
    else:
        own = _scale(np.abs(mid), a.unit(a.u))  # a sum that underflows is exact
    rad = a.join(own, *(ball.rad for ball in (x, y) if not ball.is_exact))
    return x._with(mid, _scale(rad, 1 + 2 * a.terms * a.u + 64 * EPS))


def multiply(x: Ball, y: Ball) -> Ball:
    spread = [] if y.is_exact else [np.abs(x.mid) * y.rad]
    if not x.is_exact:
        reach = np.abs(y.mid)
        spread.append(x.rad * (reach if y.is_exact else x.arithmetic.join(reach, y.rad)))
    return _round(x, x.mid * y.mid, *spread, zeros=(x, y))


def divide(x: Ball, y: Ball) -> Ball:
    r = 0.0 if x.arithmetic.rms else 1.0  # a standard deviation is taken at the midpoint
    low = np.abs(y.mid) if y.is_exact else np.abs(y.mid) - r * y.rad
    spread = [] if x.is_exact else [x.rad / low]
    if not y.is_exact:
        spread.append((np.abs(x.mid) + r * x.rad) / low * (y.rad / low))
    if not np.min(low, initial=np.inf) > 0:
        spread = [np.where(low > 0, part, np.inf) for part in spread]
    return _round(x, x.mid / y.mid, *spread, zeros=(x,))


def matmul(x: Ball, y: Ball) -> Ball:
    a, n, mid = x.arithmetic, x.shape[-1], x.mid @ y.mid
    if a.rms:  # random partial sums, every one of them rounded
        matrices = x.ndim > 1 and y.ndim > 1
        sx, sy = (_size(x, -1), _size(y, -2)) if matrices else (_size(x).max(), _size(y).max())
        own = n * a.unit(a.u_sum) ** 2
        squares = _spread(x, y, _squares(x, sx), _squares(y, sy), own / 2, 1.0)
        squares += own / 3 * (mid / sx / sy) ** 2
        final = [] if a.u_sum == a.u else [a.unit(a.u) * np.abs(mid)]
        return x._with(mid, a.join(_scale(np.sqrt(squares), sx * sy), *final, a.tiny / 2))
    g = a.gamma(n + (a.terms > 1), a.u_sum)  # one more term: an addend the reference may take into its sum
    rad = _spread(x, y, (np.abs(x.mid), x.rad), (np.abs(y.mid), y.rad), g, 1 + g)
    return x._with(mid, _sum(a, n, g, mid, rad, a.tiny + n * a.tiny_sum))


def _spread(x: Ball, y: Ball, A: Any, B: Any, g: float, f: float) -> Any:
    """g A B + f (A rB + rA (B + rB)), for A = (size, radius) of x and B of y, with no product for an exact factor."""
    (A, rA), (B, rB) = A, B
    if y.is_exact:
        return (g * A if x.is_exact else accumulate(np.add, [g * A, f * rA])) @ B
    rad = A @ accumulate(np.add, [g * B, f * rB])
    if not x.is_exact:
        rad += f * (rA @ (B + rB))
    return rad


def _sum(a: Arithmetic, n: int, g: float, mid: Any, rad: Any, underflow: float) -> Any:
    """The radius of a sum of n terms, given what its terms and additions contribute.

    It is infinite where partial sums, whose size is at most rad / g, may overflow.
    """
    if a.u_sum != a.u:
        rad = rad + a.unit(a.u) * np.abs(mid)
    elif g and not np.max(rad, initial=0) <= g * a.huge:
        rad = np.where(rad <= g * a.huge, rad, np.inf)
    return (rad + underflow) * (1 + 2 * a.u + 4 * (n + 16) * EPS)


def _squares(x: Ball, size: Any) -> tuple[Array, Array]:
    return (x.mid / size) ** 2, x.rad if x.is_exact else (x.rad / size) ** 2


def _size(x: Ball, axis: Any = None) -> Any:
    """A power of two near the largest entry along the axis: squares of entries divided by it stay in range."""
    reach = np.abs(x.mid) if x.is_exact else np.maximum(np.abs(x.mid), x.rad)
    largest = np.max(reach, axis=axis, keepdims=True, initial=0)
    return np.where((largest > 0) & (largest < np.inf), 2.0 ** (np.frexp(largest)[1] - 1), 1.0)


# -- reductions


def total(x: Ball, axis: Any = None, keepdims: bool = False) -> Ball:
    a, over, mid = x.arithmetic, {"axis": axis, "keepdims": keepdims}, np.sum(x.mid, axis=axis, keepdims=keepdims)
    n = max(x.size // max(mid.size, 1), 1)
    if a.rms:
        size = _size(x, axis)
        s = np.reshape(size, np.shape(mid))
        squares, spread = (np.sum(part, **over) for part in _squares(x, size))
        own = (n - 1) * a.unit(a.u_sum) ** 2 * (squares / 2 + (mid / s) ** 2 / 3)
        final = [] if a.u_sum == a.u else [a.unit(a.u) * np.abs(mid)]
        return x._with(mid, a.join(s * np.sqrt(spread + own), *final))
    g = a.gamma(n - 1 + (a.terms > 1), a.u_sum)
    rad = g * np.sum(np.abs(x.mid), **over)
    if not x.is_exact:
        rad = rad + (1 + g) * np.sum(x.rad, **over)
    return x._with(mid, _sum(a, n, g, mid, rad, 0.0))


def extreme(f: Rule) -> Rule:
    def rule(x: Ball, axis: Any = None, keepdims: bool = False) -> Ball:
        over = {"axis": axis, "keepdims": keepdims}
        return x._with(f(x.mid, **over), np.max(x.rad, **over))  # |max(a) - max(b)| <= max |a - b|

    return rule


def select(f: Rule) -> Rule:
    """maximum or minimum: the chosen ball where the two are apart; elsewhere no change exceeds the larger radius."""

    def rule(x: Ball, y: Ball) -> Ball:
        mid = f(x.mid, y.mid)
        if x.is_exact and y.is_exact:
            return x._with(mid, _zeros(mid))
        chosen, sure = np.where(mid == x.mid, x.rad, y.rad), never_meet(x, y)
        return x._with(mid, chosen if sure.all() else np.where(sure, chosen, np.maximum(x.rad, y.rad)))

    return rule


def _zeros(like: Any) -> Any:
    """A radius of zero throughout, in no memory."""
    return np.broadcast_to(0.0, np.shape(like))


def never_meet(x: Ball, y: Ball) -> Any:
    """Where every number of one ball is on the same side of every number of the other, or both are exact."""
    if x.is_exact and y.is_exact:
        return np.broadcast_to(True, np.broadcast_shapes(x.shape, y.shape))
    reach = _scale(x.rad + y.rad, 1 + 8 * EPS)
    return (reach == 0) | (np.abs(x.mid - y.mid) > reach)


# -- functions


def _near(m: Array, r: Array) -> Any:
    """The distance to zero of the ball's point nearest to zero."""
    return np.maximum(np.abs(m) - r, 0)


def _sqrt_slope(m: Array, r: Array) -> Any:
    low = np.maximum(m - r, 0)
    return 1 / (np.sqrt(low + r) + np.sqrt(low))  # the steepest secant of length r; finite at 0, unlike the derivative


def _expit_slope(m: Array, r: Array) -> Any:
    tail = special.expit(-_near(m, r))
    return tail * (1 - tail)


def _erf_slope(m: Array, r: Array) -> Any:
    return 2 / np.sqrt(np.pi) * np.exp(-(_near(m, r) ** 2))


# f, and an upper bound of |f'| on [m - r, m + r]
FUNCTIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "exp": (np.exp, lambda m, r: np.exp(m + r)),
    "expm1": (np.expm1, lambda m, r: np.exp(m + r)),
    "log": (np.log, lambda m, r: 1 / np.maximum(m - r, 0)),
    "log1p": (np.log1p, lambda m, r: 1 / np.maximum(1 + m - r - 4 * EPS, 0)),
    "tanh": (np.tanh, lambda m, r: np.cosh(_near(m, r)) ** -2.0),
    "sinh": (np.sinh, lambda m, r: np.cosh(np.abs(m) + r)),
    "cosh": (np.cosh, lambda m, r: np.sinh(np.abs(m) + r)),
    "sin": (np.sin, lambda m, r: np.minimum(np.abs(np.cos(m)) + r, 1)),
    "cos": (np.cos, lambda m, r: np.minimum(np.abs(np.sin(m)) + r, 1)),
    "arctan": (np.arctan, lambda m, r: 1 / (1 + _near(m, r) ** 2)),
    "sqrt": (np.sqrt, _sqrt_slope),
    "erf": (special.erf, _erf_slope),
    "erfc": (special.erfc, _erf_slope),
    "expit": (special.expit, _expit_slope),
}


def function(f: Rule, slope: Rule, k: float | None = None) -> Rule:
    """The rule of a function right to k u |f(x)|, by default that of a library function."""

    def rule(x: Ball) -> Ball:
        k_ = x.arithmetic.library if k is None else k
        if x.is_exact:
            return _round(x, f(x.mid), k=k_, zeros=(x,))
        steepest = _scale(slope(x.mid, x.rad), 1 + 2.0**-40)  # the slope rounds too
        return _round(x, f(x.mid), np.where(x.rad == 0, 0.0, steepest * x.rad), k=k_, zeros=(x,))

    return rule


sqrt = function(np.sqrt, _sqrt_slope, k=1)  # correctly rounded everywhere


def logaddexp(x: Ball, y: Ball) -> Ball:
    """Its derivatives are p and 1 - p with p = expit(x - y), steepest at one end of the reach of x - y."""
    a, mid, gap = x.arithmetic, np.logaddexp(x.mid, y.mid), x.mid - y.mid
    reach = 0.0 if a.rms else x.rad + y.rad
    spread = [a.join(special.expit(d) * x.rad, special.expit(-d) * y.rad) for d in (gap - reach, gap + reach)]
    size = np.maximum(np.abs(x.mid), np.abs(y.mid)) + np.log(2)  # it is max(x, y) + log1p(...), which may cancel
    rad = a.join(np.maximum(*spread) * (1 + 2.0**-40), a.library * a.unit(a.u) * size, a.tiny)
    return x._with(mid, rad * (1 + 2 * a.c * a.u + 64 * EPS))


def sign(x: Ball) -> Ball:
    sure = (x.rad == 0) | (np.abs(x.mid) > x.rad)
    value = np.sign(x.mid)
    return x._with(value, np.where(sure, 0.0, 1 + np.abs(value)) if x.arithmetic.both else _zeros(value))


def power(p: float, off: float = 0.0) -> Rule:
    """x**p for a real exponent; |p| |x|^(p-1) is steepest at one end of the ball. off: how far p itself may be off."""
    at = _near if p < 1 else lambda m, r: np.abs(m) + r
    exact = function(lambda m: m**p, lambda m, r: abs(p) * at(m, r) ** (p - 1.0))

    def rule(x: Ball) -> Ball:
        y: Ball = exact(x)
        return y._with(y.mid, y.rad + np.abs(y.mid) * off * np.abs(np.log(np.abs(x.mid)))) if off else y

    return rule
