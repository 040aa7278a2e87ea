"""Parameters that an object keeps itself: self.W, whose gradient backward leaves in self.dW.

They are inputs like any other: put into the object before its forward pass, their gradients read after its backward.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from handgrad.judge.isolation import contents, duplicate
from handgrad.source.libraries import is_users
from handgrad.subjects.function.nests import is_float_array

DICTS = ("grads", "gradients", "grad", "gradient", "dparams")  # attributes that hold gradients by name


class Slot(NamedTuple):
    """self.W, or self.params["W"]: an attribute, and a key in it."""

    attribute: str
    key: str | None = None

    def get(self, owner: Any) -> Any:
        """What is there; None if nothing is."""
        value = getattr(owner, self.attribute, None)
        if self.key is None:
            return value
        return value.get(self.key) if isinstance(value, Mapping) else None

    def put(self, owner: Any, value: Any) -> None:
        """Put something there."""
        if self.key is None:
            object.__setattr__(owner, self.attribute, value)  # a frozen dataclass refuses its own
        else:
            getattr(owner, self.attribute)[self.key] = value


@dataclass(frozen=True, eq=False)
class Kept:
    """Where a parameter is, where its gradient comes, and what was there before any run: gradients may be added up."""

    parameter: Slot
    gradient: Slot
    before: Any

    def put(self, owner: Any, value: Any) -> None:
        """Before a forward pass."""
        self.parameter.put(owner, value)
        if self.before is not None:
            self.gradient.put(owner, duplicate(self.before))


def owner_of(called: Any) -> Any:
    """The object that a method belongs to; None for what is no method."""
    while isinstance(called, functools.partial):
        called = called.func
    return getattr(called, "__self__", None)


def list_parameters(owner: Any) -> Iterator[tuple[str, Slot]]:
    """Every floating-point array in its attributes, and in dicts there; not those that are called gradients."""
    for attribute, value in vars(owner).items() if is_users(type(owner)) and hasattr(owner, "__dict__") else ():
        if is_float_array(value):
            yield attribute, Slot(attribute)
        elif isinstance(value, dict) and attribute not in DICTS:
            yield from (
                (key, Slot(attribute, key)) for key, v in value.items() if type(key) is str and is_float_array(v)
            )


def find_kept(before: Any, after: Any) -> dict[str, Kept]:
    """The parameters whose gradients are where people leave them, by name.

    before, after: an object, and a copy of it that has gone forward and back. What it wrote into is no parameter.
    """
    found: dict[str, Kept] = {}
    for name, slot in list_parameters(before):
        old, new = slot.get(before), slot.get(after)
        if new is None or contents(old) != contents(new) or name in found:
            continue
        for place in places_of_gradient(name):
            gradient = place.get(after)
            if is_float_array(gradient) and np.shape(gradient) == np.shape(old):
                found[name] = Kept(slot, place, place.get(before))
                break
    return found


def places_of_gradient(name: str) -> Iterator[Slot]:
    """Where people leave the gradient of W, the likeliest first."""
    for word in (f"d{name}", f"d_{name}", f"grad_{name}", f"{name}_grad", f"{name}grad"):
        yield Slot(word)
    for attribute in DICTS:
        yield from (Slot(attribute, name), Slot(attribute, f"d{name}"))
