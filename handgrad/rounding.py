"""What rounding does to a ball, operation by operation: the rules behind ``ball.py``.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., sections 2.2, 3.1 and 3.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from handgrad.arithmetic import EPS
from handgrad.arrays import Array, Rule

if TYPE_CHECKING:
    from handgrad.ball import Ball


# -- arithmetic


def _rounded(like: Ball, mid: Array, *spread: Any, k: float = 1) -> Ball:
    """The result of an operation that is right to k u: the spread of its inputs, its rounding, its underflow."""
    a = like.arithmetic
    rad = a.join(*spread, k * a.unit(a.u) * np.abs(mid), a.tiny / 2 if a.rms else a.tiny)
    return like._with(mid, rad * (1 + 2 * k * a.u + 64 * EPS))  # the rounding is of the spread value; rad rounds too


def add(x: Ball, y: Ball, sign: float = 1) -> Ball:
    a, mid = x.arithmetic, x.mid + sign * y.mid
    if a.terms > 1 and not a.rms:
        rounding = a.gamma(a.terms, a.u) * (np.abs(x.mid) + np.abs(y.mid))
    else:
        rounding = a.unit(a.u) * np.abs(mid)  # a sum that underflows is exact
    return x._with(mid, a.join(x.rad, y.rad, rounding) * (1 + 2 * a.terms * a.u + 64 * EPS))


def multiply(x: Ball, y: Ball) -> Ball:
    return _rounded(x, x.mid * y.mid, np.abs(x.mid) * y.rad, x.rad * np.abs(y.mid), x.rad * y.rad)


def divide(x: Ball, y: Ball) -> Ball:
    r = 0.0 if x.arithmetic.rms else 1.0  # a standard deviation is taken at the midpoint
    low = np.abs(y.mid) - r * y.rad
    quotient = (np.abs(x.mid) + r * x.rad) / low
    spread = [np.where(low > 0, part / low, np.inf) for part in (x.rad, quotient * y.rad)]
    return _rounded(x, x.mid / y.mid, *spread)


def matmul(x: Ball, y: Ball) -> Ball:
    a, n, mid = x.arithmetic, x.shape[-1], x.mid @ y.mid
    ax, ay, final = np.abs(x.mid), np.abs(y.mid), 0.0 if a.u_sum == a.u else a.unit(a.u) * np.abs(mid)
    if a.rms:
        squares = ax**2 @ ay**2
        own = n * a.unit(a.u_sum) ** 2 * (squares / 2 + mid**2 / 3)
        parts = (ax**2 @ y.rad**2, x.rad**2 @ ay**2, x.rad**2 @ y.rad**2, own)
        return x._with(mid, a.join(np.sqrt(sum(parts)), final, a.tiny / 2))
    g = a.gamma(n + (a.terms > 1), a.u_sum)  # one more term: an addend the reference may take into its sum
    # g |A||B| + (1 + g)(|A| rB + rA (|B| + rB)), with no product for a radius that is zero throughout
    if not x.rad.any():
        rad = ax @ (g * ay + (1 + g) * y.rad)
    elif not y.rad.any():
        rad = (g * ax + (1 + g) * x.rad) @ ay
    else:
        rad = ax @ (g * ay + (1 + g) * y.rad) + (1 + g) * (x.rad @ (ay + y.rad))
    return x._with(mid, (rad + final + a.tiny + n * a.tiny_sum) * (1 + 2 * a.u + 4 * (n + 16) * EPS))


# -- reductions


def total(x: Ball, axis: Any = None, keepdims: bool = False) -> Ball:
    a, over, mid = x.arithmetic, {"axis": axis, "keepdims": keepdims}, np.sum(x.mid, axis=axis, keepdims=keepdims)
    n = max(x.size // max(mid.size, 1), 1)
    final = 0.0 if a.u_sum == a.u else a.unit(a.u) * np.abs(mid)
    if a.rms:
        own = (n - 1) * a.unit(a.u_sum) ** 2 * (np.sum(x.mid**2, **over) / 2 + mid**2 / 3)
        return x._with(mid, a.join(np.sqrt(np.sum(x.rad**2, **over) + own), final))
    g = a.gamma(n - 1 + (a.terms > 1), a.u_sum)
    rad = np.sum((1 + g) * x.rad + g * np.abs(x.mid), **over) + final
    return x._with(mid, rad * (1 + 2 * a.u + 4 * (n + 16) * EPS))


def extreme(f: Rule) -> Rule:
    def rule(x: Ball, axis: Any = None, keepdims: bool = False) -> Ball:
        over = {"axis": axis, "keepdims": keepdims}
        return x._with(f(x.mid, **over), np.max(x.rad, **over))  # |max(a) - max(b)| <= max |a - b|

    return rule


def select(f: Rule) -> Rule:
    """maximum or minimum: the chosen ball where the two are apart; elsewhere no change exceeds the larger radius."""

    def rule(x: Ball, y: Ball) -> Ball:
        mid = f(x.mid, y.mid)
        chosen = np.where(mid == x.mid, x.rad, y.rad)
        return x._with(mid, np.where(apart(x, y), chosen, np.maximum(x.rad, y.rad)))

    return rule


def apart(x: Ball, y: Ball) -> Any:
    """Where every number of one ball is on the same side of every number of the other, or both are exact."""
    reach = (x.rad + y.rad) * (1 + 8 * EPS)
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
        a = x.arithmetic
        steepest = slope(x.mid, x.rad) * (1 + 2.0**-40)  # the slope rounds too
        spread = np.where(x.rad == 0, 0.0, steepest * x.rad)
        return _rounded(x, f(x.mid), spread, k=a.library if k is None else k)

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
    return x._with(np.sign(x.mid), np.where(sure, 0.0, 1 + np.abs(np.sign(x.mid))))


def power(p: float) -> Rule:
    """x**p for a real exponent; |p| |x|^(p-1) is steepest at one end of the ball."""
    at = _near if p < 1 else lambda m, r: np.abs(m) + r
    return function(lambda m: m**p, lambda m, r: abs(p) * at(m, r) ** (p - 1.0))
