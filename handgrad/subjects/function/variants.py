"""Inputs that a change was not found on: at other sizes, no two of them equal, at a size of one, with other constants.

Which axes belong together nobody says: it is tried what forward and its reference take, and agree on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.precision import like, to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.own_forward import OwnForward
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.signatures import signature

Float = NDArray[np.float64]
Axis = tuple[str, int]  # of which array, and which
Sizes = Mapping[Axis, int]
AGREES = 1e-8  # of y's largest entry: far more than float64 rounds, far less than another function is off
MOST_ALIKE = 5  # axes of one size that are told apart: every subset of them is tried, each with two runs
FURTHER = (1, 2, 3, 4)  # by so much a size grows: by the first that makes it no other axis's size, and that fits


class Group(NamedTuple):
    """Axes whose sizes are one size, times so much each."""

    size: int
    axes: Mapping[Axis, int]

    def at(self, size: int) -> dict[Axis, int]:
        """The sizes of its axes."""
        return {axis: size * times for axis, times in self.axes.items()}

    def others(self) -> list[int]:
        """Sizes it may have instead."""
        return [*(self.size + n for n in FURTHER), 2 * self.size, *([self.size - 1] if self.size > 2 else [])]


@dataclass(frozen=True, eq=False)
class Variant:
    """Code and reference with other constants, other inputs in float64, and other defaults of forward."""

    code: Code
    reference: Reference
    inputs: Mapping[str, Float]
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def with_defaults(self, code: Code) -> Code:
        """The code called with these defaults."""
        return replace(code, forward=partial(code.forward, **self.defaults)) if self.defaults else code

    def agrees(self, code: Code, model: Any) -> bool:
        """Whether forward and its reference take these inputs, and give the same finite numbers."""
        args = [duplicate(a) for a in self.code.arguments({n: like(a, model) for n, a in self.inputs.items()})]
        found = attempt(lambda: to64(self.with_defaults(code).run_forward(args)[0])).value
        if found is None or not np.isfinite(found).all():
            return False
        y = attempt(self.reference.value, self.inputs).value
        if y is None or found.shape != y.shape:
            return False
        with np.errstate(all="ignore"):
            return bool(np.all(np.abs(found - y) <= AGREES * np.max(np.abs(y), initial=0.0)))


def other_sizes(
    first: Variant, fresh: Callable[[], Code], model: Any, moving: Collection[str], rng: np.random.Generator
) -> Iterator[Variant]:
    """Every size another one, no two of them equal, twice; then each alone at one.

    fresh: makes the code anew; moving: inputs that have a gradient, whose numbers are drawn anew.
    """

    def at(sizes: Sizes) -> Variant | None:
        found = resized(first, sizes, moving, rng)
        return found if found.agrees(fresh(), model) else None

    groups = find_groups(axes_of(first), lambda sizes: at(sizes) is not None)
    for own in (groups, groups[::-1]):
        chosen: dict[Axis, int] = {}
        best = None
        for group in own:
            known = {size for axis, size in axes_of(first).items() if axis not in chosen} | set(chosen.values())
            for size in group.others():
                if not known & set(group.at(size).values()) and (found := at({**chosen, **group.at(size)})):
                    chosen |= group.at(size)
                    best = found
                    break
        if best is not None:
            yield best
    for group in groups:
        if (found := at(group.at(1))) is not None:
            yield found


def axes_of(variant: Variant) -> dict[Axis, int]:
    """The size of every axis longer than one, of inputs and of constants."""
    arrays = {**variant.inputs, **{n: v for n, v in variant.code.constants.items() if hasattr(v, "shape")}}
    return {(n, i): size for n, a in arrays.items() for i, size in enumerate(np.shape(a)) if size > 1}


def find_groups(axes: Sizes, fits: Callable[[Sizes], bool]) -> list[Group]:
    """The axes that can have another size together, and no fewer of them."""
    groups, left = list[Group](), dict[int, list[Axis]]()
    for size in dict.fromkeys(axes.values()):
        alike = [axis for axis, n in axes.items() if n == size]
        counts = range(1, len(alike)) if len(alike) <= MOST_ALIKE else []
        for count in [*counts, len(alike)]:
            for some in combinations(alike, count):
                group = Group(size, dict.fromkeys(some, 1))
                if set(some) <= set(alike) and any(fits(group.at(n)) for n in (group.size + 1, 2 * group.size)):
                    groups.append(group)
                    alike = [axis for axis in alike if axis not in some]
        if alike:
            left[size] = alike
    for part, whole in combinations(sorted(left), 2):  # the gates of a unit, the heads of a row
        if whole % part == 0:
            group = Group(part, dict.fromkeys(left[part], 1) | dict.fromkeys(left[whole], whole // part))
            if any(fits(group.at(n)) for n in (group.size + 1, 2 * group.size)):
                groups.append(group)
    return groups


def resized(first: Variant, sizes: Sizes, moving: Collection[str], rng: np.random.Generator) -> Variant:
    """The same with arrays of other sizes: entries left out or taken again; the numbers of some drawn anew."""

    def resize(name: str, array: Any) -> Any:
        for (owner, axis), size in sizes.items():
            if owner == name:
                array = np.take(array, indices(np.shape(array)[axis], size, rng), axis)
        return array * rng.uniform(0.5, 1.2, np.shape(array)) if name in moving else array

    constants = {n: resize_constant(n, v, resize) for n, v in first.code.constants.items()}
    inputs = {n: np.asarray(resize(n, a)) for n, a in first.inputs.items()}
    code = replace(first.code, constants=constants)
    return replace(first, code=code, reference=replace(first.reference, constants=constants), inputs=inputs)


def resize_constant(name: str, value: Any, resize: Callable[[str, Any], Any]) -> Any:
    """An array of the same kind."""
    if isinstance(value, torch.Tensor):
        return torch.as_tensor(np.ascontiguousarray(resize(name, value.detach().cpu().numpy())))
    return resize(name, value) if hasattr(value, "shape") else value


def indices(length: int, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Which entries: some left out, or some twice."""
    if size <= length:
        return np.sort(rng.choice(length, size, replace=False))
    return np.concatenate([np.arange(length), rng.integers(length, size=size - length)])


def other_constants(
    first: Variant, fresh: Callable[[], Code], model: Any, literals: Collection[float]
) -> Iterator[Variant]:
    """Each number that forward takes beside its inputs, given or by default, as another one.

    literals: what stands in the backward pass as a number: if the constant is among them, nothing is known.
    """
    given = {n: v for n, v in first.code.constants.items() if is_plain_number(v)}
    for name, value in given.items():
        for constant in others_of(value):
            constants = {**first.code.constants, name: constant}
            code, reference = replace(first.code, constants=constants), replace(first.reference, constants=constants)
            if (found := replace(first, code=code, reference=reference)).agrees(fresh(), model):
                yield found
                break
    own = first.code.forward
    for name, value in defaults_of(first.code).items() if first.code.graph is None else ():
        for constant in others_of(value) if value not in literals else ():
            reference = OwnForward(partial(own, **{name: constant}), first.code.names, first.code.constants, model)
            found = replace(first, reference=reference, defaults={name: constant})
            if found.agrees(fresh(), model):
                yield found
                break


def is_plain_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def others_of(value: float) -> list[float]:
    """Numbers near it."""
    return [value + 1, value - 1, 2 * value] if isinstance(value, int) else [1.3 * value, 0.7 * value]


def defaults_of(code: Code) -> dict[str, float]:
    """The numbers among forward's defaults."""
    found = attempt(signature, code.forward).value
    parameters = found.parameters.items() if found else ()
    return {n: p.default for n, p in parameters if n not in code.names and is_plain_number(p.default)}
