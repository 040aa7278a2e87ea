"""Inputs that a change was not found on: at other sizes, no two of them equal, and at a size of one.

Which axes belong together nobody says: it is tried what forward and its reference take, and agree on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.precision import like, to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.mend.constants import MOST_NUMBERS
from handgrad.mend.edit import is_number
from handgrad.source.libraries import is_users
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.labels import other_labels
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.remainders import new_remainder
from handgrad.subjects.function.signatures import axes_named, signature

Float = NDArray[np.float64]
Axis = tuple[str, int]  # of which array, and which
Sizes = Mapping[Axis, int]
AGREES = 1e-8  # of y's largest entry: far more than float64 rounds, far less than another function is off
MOST_ALIKE = 5  # axes of one size that are told apart: every subset of them is tried, each with two runs
SMALLEST = (2, 3)  # that an axis is made where there are too many numbers
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
    """Code and reference with other constants, and other inputs in float64.

    defaults: other ones of forward, and of backward where it has the same; attributes: of the object they belong to
    """

    code: Code
    reference: Reference
    inputs: Mapping[str, Float]
    defaults: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, float] = field(default_factory=dict)

    def with_numbers(self, code: Code) -> Code:
        """The code called with these defaults, on a copy of its object that has these attributes."""
        copied = code.copy_object() if self.attributes else code
        for name, value in self.attributes.items() if copied is not code else ():
            object.__setattr__(owner_of(copied), name, value)  # a frozen dataclass refuses its own
        if not self.defaults:
            return copied
        both = {n: v for n, v in self.defaults.items() if n in shared_defaults(code)}
        backward = copied.backward and partial(copied.backward, **both)
        return replace(copied, forward=partial(copied.forward, **self.defaults), backward=backward)

    def agrees(self, code: Code, model: Any) -> bool:
        """Whether forward and its reference take these inputs, and give the same finite numbers."""
        args = [duplicate(a) for a in self.code.arguments({n: like(a, model) for n, a in self.inputs.items()})]
        found = attempt(lambda: to64(self.with_numbers(code).run_forward(args)[0])).value
        if found is None or not np.isfinite(found).all():
            return False
        y = attempt(self.reference.value, self.inputs).value
        if y is None or found.shape != y.shape:
            return False
        with np.errstate(all="ignore"):
            return bool(np.all(np.abs(found - y) <= AGREES * np.max(np.abs(y), initial=0.0)))


def owner_of(code: Code) -> Any:
    """The object of somebody's own class that has forward as a method, or is called as forward; None without one."""
    owner = getattr(code.forward, "__self__", code.forward)
    return owner if is_users(type(owner)) else None


def defaults_of(passes: Callable[..., Any] | None) -> dict[str, float]:
    """The numbers among a function's defaults."""
    found = attempt(signature, passes).value if passes is not None else None
    parameters = found.parameters.items() if found else ()
    return {n: p.default for n, p in parameters if is_number(p.default)}


def shared_defaults(code: Code) -> dict[str, float]:
    """Those that forward and backward both have."""
    return dict(defaults_of(code.forward).items() & defaults_of(code.backward).items())


def other_sizes(
    first: Variant, fresh: Callable[[], Code], model: Any, moving: Collection[str], rng: np.random.Generator
) -> Iterator[Variant]:
    """Every size another one, no two of them equal, twice; then each alone at one.

    fresh: makes the code anew; moving: inputs that have a gradient, whose numbers are drawn anew.
    """

    def at(sizes: Sizes) -> Variant | None:
        found = resized(first, sizes, moving, rng)
        return found if found.agrees(fresh(), model) else None

    groups = find_groups(axes_of(first), lambda sizes: at(sizes) is not None, hinted(first))
    for own in (groups, groups[::-1]):
        chosen: dict[Axis, int] = {}
        best = None
        for group in own:
            known = {size for axis, size in axes_of(first).items() if axis not in chosen} | set(chosen.values())
            for size in group.others():
                free = not known & set(group.at(size).values())
                found = at({**chosen, **group.at(size)}) if free else None
                if found and not new_remainder(first.code, first.inputs, found.inputs):
                    chosen |= group.at(size)
                    best = found
                    break
        if best is not None:
            yield best
    for group in groups:
        found = at(group.at(1))
        if found is not None and not new_remainder(first.code, first.inputs, found.inputs):
            yield found


def smaller(first: Variant, fresh: Callable[[], Code], model: Any, shows: Callable[[Variant], bool]) -> Variant | None:
    """The same entries, fewer of them: no input with more than MOST_NUMBERS, as far as forward takes fewer.

    A search by value takes the cube of them. shows: whether everything that is wrong still is. None where none has
    so many, or nothing smaller shows it.
    """
    chosen, best = dict[Axis, int](), None
    if not exceeds(first):
        return None

    def at(sizes: Sizes) -> Variant | None:
        found = resized(first, sizes, (), np.random.default_rng(0))
        return found if found.agrees(fresh(), model) else None

    for group in find_groups(axes_of(first), lambda sizes: at(sizes) is not None, hinted(first)):
        for size in SMALLEST if exceeds(best or first) else ():
            found = at({**chosen, **group.at(size)}) if size < group.size else None
            if found is not None and shows(found):
                chosen, best = {**chosen, **group.at(size)}, found
                break
    return best


def exceeds(variant: Variant) -> bool:
    """Whether an input has more numbers than least squares take."""
    return max(np.size(a) for a in variant.inputs.values()) > MOST_NUMBERS


def axes_of(variant: Variant) -> dict[Axis, int]:
    """The size of every axis longer than one, of inputs and of constants."""
    arrays = {**variant.inputs, **{n: v for n, v in variant.code.constants.items() if hasattr(v, "shape")}}
    return {(n, i): size for n, a in arrays.items() for i, size in enumerate(np.shape(a)) if size > 1}


def hinted(variant: Variant) -> list[list[Axis]]:
    """The axes to which the type hints of forward give one name: x: "n d", W: "d h"."""
    found = attempt(signature, variant.code.forward).value
    named: dict[str, list[Axis]] = {}
    arrays = {**variant.inputs, **variant.code.constants}
    for name, parameter in found.parameters.items() if found else ():
        if name not in arrays:
            continue
        words = axes_named(parameter)
        for i, word in enumerate(words if len(words) == np.ndim(arrays[name]) else ()):
            named.setdefault(word, []).append((name, i))
    return list(named.values())


def find_groups(axes: Sizes, fits: Callable[[Sizes], bool], hints: Sequence[Sequence[Axis]] = ()) -> list[Group]:
    """The axes that can have another size together, and no fewer of them; those of one hint stay together."""
    groups, left = list[Group](), dict[int, list[Axis]]()
    for size in dict.fromkeys(axes.values()):
        alike = [axis for axis, n in axes.items() if n == size]
        for hint in hints:
            group = Group(size, dict.fromkeys(hint, 1))
            if len(hint) > 1 and set(hint) <= set(alike) and any(map(fits, (group.at(size + 1), group.at(2 * size)))):
                groups.append(group)
                alike = [axis for axis in alike if axis not in hint]
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
    """The same with arrays of other sizes: entries left out or taken again; the numbers of some drawn anew.

    Labels stay labels: a single one in every row (labels.py).
    """
    still = {*first.code.constants, *first.code.detached}

    def resize(name: str, array: Any) -> Any:
        given = np.asarray(array)
        for (owner, axis), size in sizes.items():
            if owner == name:
                array = np.take(array, indices(np.shape(array)[axis], size, rng), axis)
        if name in still and (labels := other_labels(given, np.shape(array), rng)) is not None:
            return labels
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
