"""Parameters that an object keeps itself: self.W, whose gradient backward leaves in self.dW.

They are inputs like any other: put into the object before its forward pass, their gradients read after its backward.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from handgrad.judge.isolation import attempt, contents
from handgrad.source.libraries import is_users
from handgrad.subjects.function.nests import is_float_array
from handgrad.subjects.function.reads import find_reads

PARAMETERS = ("params", "parameters", "weights")  # attributes that hold parameters by name
GRADIENTS = ("grads", "gradients", "grad", "gradient", "dparams")  # and their gradients
VALUES = ("data", "value", "val")  # of an object that is a parameter, whose gradient is beside: self.W.data
MOST_LOOKED_AT = 500  # objects and containers in which parameters are looked for


class Slot(NamedTuple):
    """self.W, self.params["W"] or self.layers[0].W: attributes, keys and indices, one after the other."""

    path: tuple[str | int, ...]

    def get(self, owner: Any) -> Any:
        """What is there; None if nothing is."""
        for step in self.path:
            owner = attempt(follow, owner, step).value
        return owner

    def put(self, owner: Any, value: Any) -> None:
        """Put something there."""
        *before, last = self.path
        for step in before:
            owner = follow(owner, step)
        if isinstance(owner, dict | list):
            owner[last] = value  # type: ignore[index]
        else:
            object.__setattr__(owner, str(last), value)  # a frozen dataclass refuses its own

    def beside(self, *path: str) -> "Slot":
        """Another one in the same object."""
        names = [i for i, step in enumerate(self.path) if step in PARAMETERS]
        at = names[-1] if names else len(self.path) - 1
        return Slot((*self.path[:at], *path))


def follow(owner: Any, step: str | int) -> Any:
    """One step further."""
    return owner[step] if isinstance(owner, dict | list | tuple) else getattr(owner, str(step))  # type: ignore[index]


@dataclass(frozen=True, eq=False)
class Kept:
    """Where a parameter is, where its gradient comes, and what was there before any run.

    Gradients may be added up there from call to call, and parameters may have other sizes.

    returned: whether backward returns the gradient instead, behind those of its arguments
    moved: whether backward moves the parameter, as a step of an optimizer does; every run begins with it as it was
    """

    parameter: Slot
    gradient: Slot
    before: Any = None
    moved: bool = False
    returned: bool = False

    def put(self, owner: Any, value: Any) -> None:
        """Before a forward pass; the gradient begins at zero."""
        self.parameter.put(owner, value)
        if is_float_array(self.before):
            self.gradient.put(owner, 0 * value)


def owner_of(called: Any) -> Any:
    """The object that a method belongs to; None for what is no method."""
    while isinstance(called, functools.partial):
        called = called.func
    return getattr(called, "__self__", None)


def list_parameters(owner: Any) -> Iterator[tuple[str, Slot]]:
    """Every floating-point array that an object keeps, in its layers as well; not those that are called gradients.

    The names: W for self.W and self.params["W"], layers[0].W for self.layers[0].W.
    """
    seen: set[int] = set()

    def walk(value: Any, path: tuple[str | int, ...], name: str) -> Iterator[tuple[str, Slot]]:
        if is_float_array(value) and path:
            yield name.removeprefix("."), Slot(path)
            return
        parts: list[tuple[str | int, Any]] = []
        if isinstance(value, dict):
            parts = [(key, part) for key, part in value.items() if type(key) is str]
        elif isinstance(value, list | tuple):
            parts = list(enumerate(value))
        elif is_users(type(value)) and hasattr(value, "__dict__"):
            parts = list(vars(value).items())
        if not parts or id(value) in seen or len(seen) > MOST_LOOKED_AT:
            return
        seen.add(id(value))
        for step, part in parts:
            if step not in GRADIENTS:
                named = step in PARAMETERS and isinstance(part, dict)
                word = "" if named else f"[{step}]" if isinstance(step, int) else f".{step}"
                yield from walk(part, (*path, step), f"{name}{word}")

    yield from walk(owner, (), "")


def find_kept(before: Any, between: Any, after: Any) -> dict[str, Kept]:
    """The parameters whose gradients are where people leave them, and those that backward moves, by name.

    before, between, after: an object, a copy of it that has gone forward, and one that has gone back as well. What
    forward wrote into is no parameter, nor is what it does not read.
    """
    found: dict[str, Kept] = {}
    for name, slot in list_read(before):
        old, new = slot.get(before), slot.get(after)
        if new is None or contents(old) != contents(slot.get(between)) or name in found:
            continue
        moved = contents(old) != contents(new)
        for place in places_of_gradient(slot):
            gradient = place.get(after)
            if is_float_array(gradient) and np.shape(gradient) == np.shape(old):
                found[name] = Kept(slot, place, place.get(before), moved)
                break
        else:
            if moved:
                found[name] = Kept(slot, next(places_of_gradient(slot)), moved=True)
    return found


def guess_returned(before: Any, between: Any) -> dict[str, Kept]:
    """All parameters that forward reads and leaves as they are, as if backward returned their gradients in order."""
    read = list_read(before)
    unchanged = [(n, slot) for n, slot in read if contents(slot.get(before)) == contents(slot.get(between))]
    return {name: Kept(slot, slot, returned=True) for name, slot in unchanged}


def list_read(owner: Any) -> Iterator[tuple[str, Slot]]:
    """Those of `list_parameters` that forward reads and does not write: no momentum, no running mean."""
    for name, slot in list_parameters(owner):
        holders = [Slot(slot.path[:i]).get(owner) for i in range(len(slot.path))]
        reads = (find_reads(type(holder)) for holder in holders)  # type: ignore[arg-type]
        if all(read is None or step in read for read, step in zip(reads, slot.path, strict=True)):
            yield name, slot


def places_of_gradient(slot: Slot) -> Iterator[Slot]:
    """Where people leave the gradient of what is there, the likeliest first."""
    name = slot.path[-1]
    if isinstance(name, int):  # self.dweights[0] of self.weights[0], self.grads[0] of self.params[0]
        *before, holder = slot.path[:-1]
        words = GRADIENTS if holder in PARAMETERS else ()
        for word in (f"d{holder}", f"d_{holder}", f"grad_{holder}", *words):
            yield Slot((*before, word, name))
        return
    if name in VALUES:
        yield from (Slot((*slot.path[:-1], word)) for word in GRADIENTS)
    for word in (f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad", f"{name}grad"):
        yield slot.beside(word)
    for attribute in GRADIENTS:
        yield from (slot.beside(attribute, str(name)), slot.beside(attribute, f"d{name}"))
