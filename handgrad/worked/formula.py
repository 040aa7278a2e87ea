"""A formula as a tree. It is written in symbols or with numbers put in, and computed to as many digits as asked for.

The names in it are those of numbers: "z1_2" is unit 2 of z1, "dW1_21" the gradient of the weight to unit 2 from unit 1.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import TypeAlias


@dataclass(frozen=True)
class Name:
    """A number that has a name."""

    name: str


@dataclass(frozen=True)
class Whole:
    """A whole number of the formula itself, such as the 1 in 1 - h."""

    value: int


@dataclass(frozen=True)
class Sum:
    """Terms added."""

    terms: tuple["Formula", ...]


@dataclass(frozen=True)
class Difference:
    """left - right."""

    left: "Formula"
    right: "Formula"


@dataclass(frozen=True)
class Minus:
    """-inside."""

    inside: "Formula"


@dataclass(frozen=True)
class Product:
    """Factors multiplied."""

    factors: tuple["Formula", ...]


@dataclass(frozen=True)
class Quotient:
    """above / below."""

    above: "Formula"
    below: "Formula"


@dataclass(frozen=True)
class Square:
    """base^2."""

    base: "Formula"


@dataclass(frozen=True)
class Call:
    """One of FUNCTIONS of a formula."""

    function: str
    inside: "Formula"


Formula: TypeAlias = Name | Whole | Sum | Difference | Minus | Product | Quotient | Square | Call


def add(*terms: Formula) -> Formula:
    """The sum of the terms; of one term, that term."""
    return terms[0] if len(terms) == 1 else Sum(terms)


def multiply(*factors: Formula) -> Formula:
    """The product of the factors."""
    return Product(factors)


def divide(above: Formula, below: int) -> Formula:
    """above / below; above itself where below is 1."""
    return above if below == 1 else Quotient(above, Whole(below))


def parts(formula: Formula) -> tuple[Formula, ...]:
    """The formulas that stand directly in this one."""
    match formula:
        case Sum(inside) | Product(inside):
            return inside
        case Difference(left, right) | Quotient(left, right):
            return left, right
        case Minus(inside) | Square(inside) | Call(_, inside):
            return (inside,)
    return ()


def names(formula: Formula) -> Iterator[str]:
    """The names in a formula, from left to right, each as often as it stands there."""
    if isinstance(formula, Name):
        yield formula.name
    for part in parts(formula):
        yield from names(part)


def sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


def tanh(z: Decimal) -> Decimal:
    return 2 * sigmoid(2 * z) - 1


FUNCTIONS: dict[str, Callable[[Decimal], Decimal]] = {
    "sigmoid": sigmoid,
    "tanh": tanh,
    "exp": Decimal.exp,
    "log": Decimal.ln,
    "relu": lambda z: max(z, Decimal(0)),
    "positive": lambda z: Decimal(int(z > 0)),  # the slope of relu
}


def compute(formula: Formula, numbers: Mapping[str, Decimal]) -> Decimal:
    """What the formula gives with these numbers put in, in the current decimal context.

    >>> compute(Product((Name("a"), Difference(Whole(1), Name("a")))), {"a": Decimal("0.2")})
    Decimal('0.16')
    """
    if isinstance(formula, Name):
        return numbers[formula.name]
    return apply(formula, [compute(part, numbers) for part in parts(formula)])


def apply(formula: Formula, inside: Sequence[Decimal]) -> Decimal:
    """What the outermost operation of a formula makes of the values of its parts."""
    match formula, inside:
        case Whole(value), _:
            return Decimal(value)
        case Difference(), (left, right):
            return left - right
        case Quotient(), (above, below):
            return above / below
        case Minus(), (value,):
            return -value
        case Square(), (base,):
            return base * base
        case Call(function, _), (value,):
            return FUNCTIONS[function](value)
    first, *rest = inside
    return reduce(operator.mul if isinstance(formula, Product) else operator.add, rest, first)
