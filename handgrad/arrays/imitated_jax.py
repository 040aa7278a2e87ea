"""JAX code in which every operation rounds at random, as another correct evaluation might round: in NumPy."""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.imitated_torch import few_digits
from handgrad.arrays.jax_in_numpy import LOOPS, in_numpy, operate

# Selections, copies and comparisons: nothing is rounded.
EXACT = {
    "abs", "argmax", "argmin", "broadcast_in_dim", "ceil", "clamp", "concatenate", "convert_element_type", "copy",
    "copy_p", "cummax", "cummin", "device_put", "dynamic_slice", "dynamic_update_slice", "expand_dims", "floor",
    "gather", "iota", "max", "min", "neg", "pad", "reduce_max", "reduce_min", "reduce_precision", "reshape", "rev",
    "round", "scatter", "select_n", "sign", "slice", "sort", "split", "squeeze", "top_k", "transpose",
}  # fmt: skip
# Those that sum inside; of a loop, what goes in and what comes out is off. Every other rounds each entry once.
SUMS = ("dot_general", "reduce_sum", "cumsum", "conv_general_dilated", "reduce_window_sum", "reduce_prod")
ADDED_TO = ("scatter-add", "scatter_add")
# The same operation in NumPy, whose long double tells where a result is exact.
SAME: dict[str, Callable[..., Any]] = {
    "add": np.add, "add_any": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide,
    "sqrt": np.sqrt, "square": np.square,
}  # fmt: skip
Rounds = Callable[[Any], Arithmetic]  # of an array: the rounding of an operation that gives it


class Rounding:
    """Operations that round as `rounds` says of what they give; rolled: how many have."""

    def __init__(self, rng: np.random.Generator, rounds: Rounds) -> None:
        self.rng, self.rounds, self.rolled = rng, rounds, 0

    def __call__(self, function: Callable[..., Any], *args: Any) -> Any:
        """function(*args), of JAX arrays alone. Raises TypeError where it asks for a value that it computed."""
        return in_numpy(function, *args, operate=self.operate)

    def operate(self, line: Any, given: Sequence[Any]) -> list[Any]:
        """What one operation of a jaxpr gives, with its rounding."""
        name, results = line.primitive.name, operate(line, given)
        if name in EXACT or not any(map(is_float, results)):
            return results
        self.rolled += 1
        if name in (*SUMS, *ADDED_TO, *LOOPS):
            times = terms([a.size for a in given if is_float(a)], results[0].size) ** 0.5
            results = operate(line, [self.move(a, times) if is_float(a) else a for a in given])
        exact = exactly(name, given, results[0], self.rounds(results[0]))
        return [self.move(a, where=~exact) if is_float(a) else a for a in results]

    def move(self, a: Any, times: float = 1.0, where: Any = True) -> Any:
        """The array off by a normal deviate times its unit, in every entry where that holds, or by underflow."""
        rounding, value = self.rounds(a), np.asarray(a, np.float64)
        spread = np.where(where, self.rng.standard_normal(value.shape), 0.0)
        with np.errstate(all="ignore"):
            moved = value * (1 + times * rounding.u * spread) + rounding.tiny * spread * (value != 0)
        return moved.astype(a.dtype)


def terms(given: Sequence[int], entries: int) -> float:
    """How many terms are summed per entry, from the sizes alone: K for an (M, K) by (K, N) product."""
    product = len(given) == 2
    return max(1.0, (prod(given) / max(entries, 1)) ** 0.5 if product else max(given, default=1) / max(entries, 1))


def is_float(value: Any) -> bool:
    return "float" in str(getattr(value, "dtype", ""))


def is_jax(value: Any) -> bool:
    """Whether it is an array of JAX."""
    return type(value).__module__.partition(".")[0] in ("jax", "jaxlib")


def exactly(name: str, given: Sequence[Any], result: Any, rounding: Arithmetic) -> Any:
    """Where the result needs no more digits than its precision has, so that nothing was rounded."""
    if name not in SAME:
        return np.zeros(np.shape(result), bool)
    wide = [np.asarray(a, np.float64).astype(np.longdouble) for a in given]
    with np.errstate(all="ignore"):
        return few_digits(SAME[name](*wide), rounding)
