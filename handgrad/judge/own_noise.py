"""How much rounding moves the code itself: run in its own precision several times, with its roundings imitated.

NumPy code runs on arrays whose every operation rounds at random (arrays/imitated.py), torch code under the same
imitation as its reference (arrays/imitated_torch.py), JAX code as JAX writes it down (arrays/imitated_jax.py). Where
nothing rounds that can be imitated (a compiled kernel, Python floats), the upstream gradient and every cached array are
off by a unit in the last place instead.

What does not move has no excuse: an overflow, a branch or a constant of another precision is as wrong however often it
is rounded. A run in a wider precision says nothing here, since code that is right there may be wrong here.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.imitated import Dice, base, imitate, rounds
from handgrad.arrays.imitated_jax import Rounding as RoundingInJax
from handgrad.arrays.imitated_jax import is_jax
from handgrad.arrays.imitated_torch import Rounding
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.arrays.seen import Seen
from handgrad.judge.constants import OWN_RUNS
from handgrad.judge.isolation import attempt, contents, duplicate, leaves
from handgrad.judge.reference_noise import Float, spread
from handgrad.judge.stage import Arrays, Stage


class OwnNoise(NamedTuple):
    """The root mean square, entry by entry, of what rounding does to each result of the code; empty if it cannot run.

    imitated: whether every operation's rounding was, and not only that of what goes into the backward pass.
    """

    sigma: dict[str, Float]
    imitated: bool


def own_noise(stage: Stage, inputs: Arrays, dy: Any, given: Mapping[str, Float], seed: int, dtype: str) -> OwnNoise:
    """The code's own noise at these inputs; given: what it gave there, in float64; dtype: the precision judged."""
    found = list(islice(runs(stage, inputs, dy, given, seed, dtype), OWN_RUNS))
    if len(found) < OWN_RUNS:
        return OwnNoise({}, False)
    with np.errstate(all="ignore"):
        sigma = spread(given, [run.results for run in found])
    sigma = {name: np.where(np.isfinite(s) & np.isfinite(given[name]), s, 0.0) for name, s in sigma.items()}
    return OwnNoise(sigma, found[-1].imitated)


def does_not_move(
    names: Collection[str], stage: Stage, inputs: Arrays, dy: Any, given: Mapping[str, Float], seed: int, dtype: str
) -> bool:
    """Whether one of these results is left as it is by every run. Mostly the first run tells, for all of them."""
    still = set(names)
    for run in islice(runs(stage, inputs, dy, given, seed, dtype), OWN_RUNS):
        still -= {name for name in still & run.results.keys() if moves(run.results[name], given[name])}
        if not still:
            return False
    return bool(still)


def is_seen(names: Collection[str], stage: Stage, inputs: Arrays, dy: Any) -> bool:
    """Whether torch's own operations make these results, none of them zeros: a kernel may have been given those."""
    seen = Seen([*leaves(inputs), dy, *leaves(stage.constants)])

    def run() -> bool:
        with seen:
            found = stage.hand(duplicate(inputs), duplicate(dy))
        made = [found.get(name) for name in names]
        return all(isinstance(t, torch.Tensor) and bool(t.any()) and seen.has(t) for t in made)

    return bool(attempt(run).value)


def moves(found: Float, given: Float) -> bool:
    """Whether a finite entry is another."""
    finite = np.isfinite(found) & np.isfinite(given)
    return bool((found[finite] != given[finite]).any())


class Run(NamedTuple):
    """What one run gave, in float64; imitated: as in OwnNoise."""

    results: dict[str, Float]
    imitated: bool


def runs(stage: Stage, inputs: Arrays, dy: Any, given: Mapping[str, Float], seed: int, dtype: str) -> Iterator[Run]:
    """One run after the other, each with other roundings, until one cannot be made."""
    dice = Dice(np.random.default_rng(seed), dtype)
    generator = torch.Generator().manual_seed(seed % 2**63)
    imitated = True
    while True:
        found = attempt(run_rounding, stage, inputs, dy, dice, generator).value if imitated else None
        if found is None:
            found, imitated = attempt(run_moved, stage, inputs, dy, dice).value, False
        if found is None:
            return
        yield Run({n: v for n, v in found.items() if n in given and v.shape == given[n].shape}, imitated)


def run_rounding(stage: Stage, inputs: Arrays, dy: Any, dice: Dice, generator: torch.Generator) -> dict[str, Float]:
    """One run with its roundings imitated. Raises ValueError where there was none to imitate."""
    if is_jax(dy):
        return run_rounding_in_jax(stage, inputs, dy, dice)
    exact = [*leaves(inputs), dy, *leaves(stage.constants)]
    before, rounding = dice.rolled, Rounding(dice.judged, generator, exact, own=True)
    with rounding:
        found = stage.hand({n: enter(v, dice) for n, v in inputs.items()}, enter(dy, dice))
    if dice.rolled == before and rounding.rolled == 0:
        raise ValueError("nothing rounds that could be imitated")
    return as_float64(found)


def run_rounding_in_jax(stage: Stage, inputs: Arrays, dy: Any, dice: Dice) -> dict[str, Float]:
    """The same of JAX code. Raises what JAX does where the code cannot be traced, and ValueError as above."""

    def rounds(a: Any) -> Arithmetic:
        return min(Arithmetic.of(a.dtype.name), dice.judged, key=lambda arithmetic: arithmetic.u)

    def hand(given: Arrays, dy: Any) -> dict[str, Any]:
        return {name: value for name, value in stage.hand(given, dy).items() if value is not None}

    rounding = RoundingInJax(dice.rng, rounds)
    found = rounding(hand, dict(inputs), dy)
    if not rounding.rolled:
        raise ValueError("nothing rounds that could be imitated")
    return as_float64(found)


def run_moved(stage: Stage, inputs: Arrays, dy: Any, dice: Dice) -> dict[str, Float]:
    """One run with the upstream gradient, and what the code cached, off by a unit in the last place."""
    assert stage.halves is not None
    own = duplicate(inputs)
    y, cache = stage.halves.forward(own)
    fixed = [contents(v) for v in own.values()]
    moved = move_arrays(cache, dice, fixed)
    return as_float64({"y": y, **stage.halves.backward(moved, own, off_by_a_unit(duplicate(dy), dice))})


def enter(value: Any, dice: Dice) -> Any:
    """An array of the judge's around the same numbers, for NumPy; a copy for any other library."""
    if isinstance(value, np.ndarray | np.generic) and rounds(value):
        return imitate(value, dice)
    return duplicate(value)


def move_arrays(value: Any, dice: Dice, fixed: list[Any]) -> Any:
    """A nest of tuples, lists and mappings with every floating-point array moved that is not one of the inputs."""
    if isinstance(value, Mapping) and type(value) is dict:
        return {k: move_arrays(v, dice, fixed) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)(move_arrays(v, dice, fixed) for v in value)
    if hasattr(value, "dtype") and "float" in dtype_name(value) and contents(value) not in fixed:
        return off_by_a_unit(value, dice)
    return value


def off_by_a_unit(value: Any, dice: Dice) -> Any:
    return like(np.asarray(dice.move(to64(value), 2 * min(Arithmetic.of(dtype_name(value)).u, dice.judged.u))), value)


def as_float64(found: Mapping[str, Any]) -> dict[str, Float]:
    return {name: to64(base(value)) for name, value in found.items() if value is not None}
