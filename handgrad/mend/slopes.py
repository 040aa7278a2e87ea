"""How the results move with every value that the code computes: autograd through the code itself, for all at once.

A zero that requires a gradient is added to each value. What autograd does not see of a backward pass is not known
here, and those values are moved one by one (required.py).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.on_torch.array import OnTorch
from handgrad.judge.isolation import attempt
from handgrad.mend.constants import FOLLOWED, MOST_CHECKS, MOST_ROWS, ROUNDED, STEP
from handgrad.mend.draw import Draw, vector
from handgrad.source.taps import Tapped, Taps, flat

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Slopes:
    """rows: of the results, one after the other; of: each place's slope, (rows, numbers), over all times it is run.

    adjoints: of each place, the gradient of sum(dy * y) by its value, each time.
    """

    rows: NDArray[np.intp]
    of: Mapping[int, Float]
    adjoints: Mapping[int, Sequence[Float]]


@dataclass(eq=False)
class Leaves:
    """A listener that adds a zero of its own to every value that is not written into later."""

    written: frozenset[int]
    found: dict[int, list[torch.Tensor]] = field(default_factory=dict)

    def tap(self, number: int, value: Any) -> Any:
        tensor = value.tensor if isinstance(value, OnTorch) else value
        if number in self.written or not torch.is_grad_enabled():
            return value
        if not isinstance(tensor, torch.Tensor) or tensor.dtype != torch.float64:
            return value
        zero = torch.zeros(tensor.shape, dtype=torch.float64, requires_grad=True)
        self.found.setdefault(number, []).append(zero)
        return value.like_this(tensor + zero) if isinstance(value, OnTorch) else tensor + zero

    def note(self, number: int, names: Mapping[str, Any]) -> None:
        """Names are noted elsewhere."""


def find_slopes(tapped: Tapped, draw: Draw, noted: Taps, outputs: Mapping[str, Float]) -> Slopes | None:
    """The slopes at a noted run that gave these outputs; None where autograd sees nothing of what the code does."""
    leaves = Leaves(noted.written)
    with torch.enable_grad():
        results = attempt(lambda: draw.follow(tapped.passes(leaves))).value
        names = sorted(draw.right)
        if results is None or any(tuple(results[n].shape) != outputs[n].shape for n in names if n in results):
            return None
        flat_results = torch.cat([results[n].reshape(-1) for n in names if n in results])
        if set(results) != set(names) or not flat_results.requires_grad:
            return None
        chosen = choose_rows(len(flat_results))
        own = {p: z for p, z in leaves.found.items() if same_shapes(z, noted.values.get(p, []))}
        if not (zeros := [zero for several in own.values() for zero in several]):
            return None
        grads = jacobian(flat_results[torch.as_tensor(chosen)], zeros)
        adjoint = gradient(torch.sum(results["y"] * torch.as_tensor(draw.upstream)), zeros)
    found, adjoints, at = dict[int, Float](), dict[int, Sequence[Float]](), 0
    for place, several in own.items():
        end = at + len(several)
        slope = np.concatenate(grads[at:end], axis=1)
        if np.isfinite(slope).all():
            found[place], adjoints[place] = slope, adjoint[at:end]
        at = end
    slopes = true_ones(
        Slopes(chosen, found, adjoints),
        lambda some, zeros: is_true(some, tapped, draw, noted, outputs, zeros),
    )
    return slopes if slopes.of else None


def choose_rows(count: int) -> NDArray[np.intp]:
    """All results, or as many at random as are enough to tell a wrong value."""
    every = np.arange(count)
    return every if count <= MOST_ROWS else np.sort(np.random.default_rng(count).choice(every, MOST_ROWS, False))


def same_shapes(zeros: Sequence[torch.Tensor], values: Sequence[Any]) -> bool:
    """Whether a place was computed as often, and in the same shapes, as in the noted run."""
    return [tuple(z.shape) for z in zeros] == [tuple(np.shape(v)) for v in values]


def jacobian(results: torch.Tensor, leaves: Sequence[torch.Tensor]) -> list[Float]:
    """The slope of every result by every number of each leaf, (results, numbers): all results at once if that goes."""
    units = torch.eye(len(results), dtype=torch.float64)
    grad = partial(torch.autograd.grad, results, leaves, retain_graph=True, allow_unused=True)
    batched: Any = attempt(lambda: grad(units, is_grads_batched=True)).value
    if batched is None:
        single = [grad(unit) for unit in units]
        batched = tuple(None if g[0] is None else torch.stack(g) for g in zip(*single, strict=True))
    return [
        np.zeros((len(results), leaf.numel())) if g is None else g.reshape(len(results), -1).numpy()
        for g, leaf in zip(batched, leaves, strict=True)
    ]


def gradient(result: torch.Tensor, leaves: Sequence[torch.Tensor]) -> list[Float]:
    """The gradient of a number by each leaf; zeros where it does not depend on one."""
    if not result.requires_grad:
        return [np.zeros(tuple(leaf.shape)) for leaf in leaves]
    grads = torch.autograd.grad(result, leaves, retain_graph=True, allow_unused=True)
    return [np.zeros(tuple(z.shape)) if g is None else g.detach().numpy() for g, z in zip(grads, leaves, strict=True)]


def true_ones(slopes: Slopes, follows: Callable[[Slopes, bool], bool]) -> Slopes:
    """The slopes that the code as it runs follows: all of them at once, or in halves until the others are found.

    An exact zero is at a kink (what relu cut off, the largest of equal numbers): where a step over it tells another
    slope than autograd does, those that are zero stay.
    """
    kept, waiting = dict[int, Float](), [list(slopes.of)]  # slopes; groups of places that are still to be checked
    for _ in range(MOST_CHECKS):
        if not waiting:
            break
        places = waiting.pop()
        some = replace(slopes, of={p: slopes.of[p] for p in places})
        if follows(some, True) or follows(some, False):
            kept |= some.of
        elif len(places) > 1:
            waiting += [places[len(places) // 2 :], places[: len(places) // 2]]
    return replace(slopes, of=kept, adjoints={p: slopes.adjoints[p] for p in kept})


def is_true(slopes: Slopes, tapped: Tapped, draw: Draw, noted: Taps, outputs: Mapping[str, Float], zeros: bool) -> bool:
    """Whether the code as it runs follows the slopes where every value is moved a little at once; zeros: those too."""
    rng, names = np.random.default_rng(0), sorted(draw.right)
    moves, expected = dict[int, list[Float]](), np.zeros(len(slopes.rows))
    for place, slope in slopes.of.items():
        numbers = flat(noted.values[place])
        step = STEP * size_of(numbers) * (zeros | (numbers != 0))
        move = step * rng.choice((-1.0, 1.0), len(numbers)) * rng.uniform(0.5, 1, len(numbers))
        expected = expected + slope @ move
        moves[place] = split(move, noted.values[place])
    there = draw.outputs(tapped.passes(Taps(tapped.places, keep=False, moves=moves)))
    if there is None or any(n not in there or there[n].shape != outputs[n].shape for n in names):
        return False
    before = vector(outputs, names)[slopes.rows]
    found = vector(there, names)[slopes.rows] - before
    room = FOLLOWED * np.max(np.abs(expected), initial=0.0) + ROUNDED * np.max(np.abs(before), initial=0.0)
    return bool(np.all(np.abs(found - expected) <= room))


def size_of(numbers: Float) -> float:
    """How large they are, root mean square; 1 where all are zero or none is finite."""
    finite = numbers[np.isfinite(numbers)]
    return float(np.sqrt(np.mean(finite**2))) or 1.0 if len(finite) else 1.0


def split(numbers: Float, values: Sequence[Any]) -> list[Float]:
    """Numbers one after the other as parts in the shapes of these values."""
    ends = np.cumsum([int(np.prod(np.shape(v))) for v in values])
    return [part.reshape(np.shape(v)) for v, part in zip(values, np.split(numbers, ends[:-1]), strict=True)]
