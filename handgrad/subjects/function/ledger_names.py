"""What a value of a backward pass is called: the gradient of a value of the forward pass, that value, a derivative."""

import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import NamedTuple

from handgrad.mend.suspect import GRADIENT_OF
from handgrad.subjects.function.adjoints import Knowns, is_variable
from handgrad.subjects.function.reference import Float


class Kind(Enum):
    """What a value is of the forward pass."""

    GRADIENT = auto()
    VALUE = auto()
    DERIVATIVE = auto()


class Meaning(NamedTuple):
    """What a value may be, in words, with its numbers then.

    of    the names of what it is, or is the gradient of
    sure  whether it is surely meant: a sum may be one along the wrong axis, an expression one in place of another
    """

    what: str
    value: Float
    of: tuple[str, ...]
    kind: Kind
    sure: bool = True


def list_meanings(knowns: Knowns) -> list[Meaning]:
    """Gradients, then values, then derivatives of one by another; variables before expressions."""
    ordered = sorted(knowns.values, key=lambda k: not is_variable(k.names[0]))
    moving = [(k.names, k.gradient) for k in ordered if k.gradient is not None and k.gradient.any()]
    gradients = [Meaning(f"gradient of {names[0]}", gradient, names, Kind.GRADIENT) for names, gradient in moving]
    values = [Meaning(f"value of {k.names[0]}", k.value, k.names, Kind.VALUE, is_variable(k.names[0])) for k in ordered]
    of = [
        Meaning(f"derivative of {h.names[0]} by {z.names[0]}", value, (), Kind.DERIVATIVE)
        for h, z, value in knowns.derivatives
    ]
    return gradients + values + of


def in_turn(meanings: Sequence[Meaning]) -> list[list[Meaning]]:
    """The gradients of values that one name stands for in turn: of h (1 of 3), h (2 of 3), h (3 of 3)."""
    found: dict[tuple[str, int], dict[int, Meaning]] = {}
    for meaning in meanings:
        for name in meaning.of if meaning.kind is Kind.GRADIENT else ():
            if place := re.fullmatch(r"(.*) \((\d+) of (\d+)\)", name):
                found.setdefault((place[1], int(place[3])), {})[int(place[2])] = meaning
    return [[turns[i] for i in sorted(turns)] for turns in found.values()]


def rearranged(meanings: Sequence[Meaning]) -> Iterator[Meaning]:
    """Gradients and values transposed, and gradients summed over one axis."""
    for meaning in meanings:
        what, value = meaning.what, meaning.value
        if meaning.kind is not Kind.DERIVATIVE and value.ndim == 2:
            yield meaning._replace(what=f"{what}, transposed", value=value.T, sure=False)
        for axis in range(value.ndim) if meaning.kind is Kind.GRADIENT else ():
            for keepdims in (False, True):
                total = value.sum(axis, keepdims=keepdims)
                yield meaning._replace(what=f"{what}, summed over axis {axis}", value=total, sure=False)


def is_called(variable: str, meaning: Meaning) -> bool:
    """Whether the name of a variable says this meaning: dz1 the gradient of z1, h the value of h.

    >>> z1 = Meaning("gradient of z1", 0.0, ("z1",), Kind.GRADIENT)
    >>> [name for name in ("dz1", "grad_z1", "z1_grad", "z1", "dz") if is_called(name, z1)]
    ['dz1', 'grad_z1', 'z1_grad']
    """
    plain = {last_word(name) for name in meaning.of if is_variable(name)}
    found = GRADIENT_OF.fullmatch(last_word(variable))
    if meaning.kind is Kind.DERIVATIVE:
        return False
    if meaning.kind is Kind.VALUE:
        return last_word(variable) in plain
    in_container = last_word(variable) in plain if variable.endswith("]") else False  # grads["W1"]
    return in_container or (found is not None and (found["after"] or found["before"]) in plain)


def last_word(variable: str) -> str:
    """
    >>> last_word("self.dW"), last_word("grads['W1']"), last_word("dz")
    ('dW', 'W1', 'dz')
    """
    words: list[str] = re.findall(r"\w+", variable.partition(" (")[0])
    return words[-1] if words else variable
