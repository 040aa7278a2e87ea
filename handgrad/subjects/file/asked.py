"""Inputs as they are written on the command line: x=4x3, b=3, s=scalar, t=4:int<3, mask=4x3:bool, eps=1e-5, k==2.

A shape is what a type hint has as one (read_shape.py), but for a single name: that is a word (mode=mean). A whole
number is a shape, since a vector is what is mostly meant; `==` says that it is the number itself.
"""

import ast
import re
from collections.abc import Mapping, Sequence

from handgrad.judge.isolation import attempt
from handgrad.subjects.file.read_shape import read_shape
from handgrad.subjects.file.shapes import Asked, Constant, Drawn, Kind

GRAMMAR = (
    'x=4x3 (a shape), x=n,d (named sizes), s=scalar, t="4:int<3" (4 class labels), m=4x3:bool, c=4x3:data (numbers '
    "without a gradient), eps=1e-5, mode='mean', or k==2 (a constant)"
)


def read_inputs(words: Sequence[str]) -> dict[str, Asked]:
    """By the name of an argument, or function.argument. Raises ValueError for what is none of the ways to write one.

    >>> read_inputs(["x=4x3", "f.t=4:int<3", "k==2"])["x"].axes
    (4, 3)
    """
    found: dict[str, Asked] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not re.fullmatch(r"(\w+\.)?[^\W\d]\w*", name):
            raise ValueError(f"got {word!r}, expected NAME=SHAPE such as {GRAMMAR}")
        if name in found:
            raise ValueError(f"{name} is given twice")
        found[name] = read_value(name, value)
    return found


def read_value(name: str, value: str) -> Asked:
    """The part behind the first sign of equality."""
    if value.startswith("="):
        return Constant(read_literal(name, value[1:]))
    literal = attempt(ast.literal_eval, value).value
    if is_word(value) or isinstance(literal, float | str | bool | list | dict):
        return Constant(read_literal(name, value))
    try:
        drawn = read_shape(value)
    except ValueError as error:
        number = f"; the number 0 is written {name}==0" if literal == 0 else ""
        raise ValueError(f"{name}={error}{number}") from None
    return drawn or Constant(read_literal(name, value))


def read_literal(name: str, text: str) -> object:
    """A Python literal; a bare word is a string, since shells take the quotes away."""
    if is_word(text) and text not in ("True", "False", "None"):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        raise ValueError(f"{name}={text}: neither a shape nor a constant; expected one such as {GRAMMAR}") from None


def is_word(text: str) -> bool:
    """Whether it is a name, with hyphens perhaps, and no shape."""
    return text != "scalar" and text[:1] != "-" and text.replace("-", "_").isidentifier()


def asked_of(given: Mapping[str, Asked], names: Sequence[str]) -> dict[str, Asked]:
    """What is asked of one function: for all, and over it what is for this one, by any of its names."""
    for_all = {name: asked for name, asked in given.items() if "." not in name}
    parts = ((*name.partition("."), asked) for name, asked in given.items())
    return for_all | {argument: asked for function, dot, argument, asked in parts if dot and function in names}


def take_number(asked: Asked, usual: object = 0) -> Asked:
    """k=2 as the number 2, where that is meant and no vector of two entries: a float or bool where `usual` is one.

    >>> take_number(Drawn((2,))), take_number(Drawn((2,)), 0.5), take_number(Drawn((2, 3))).axes
    (Constant(value=2), Constant(value=2.0), (2, 3))
    """
    match asked:
        case Drawn(axes=(int(size),), kind=Kind.FLOAT):
            return Constant(type(usual)(size) if isinstance(usual, float | bool) else size)
    return asked
