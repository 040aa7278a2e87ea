"""Inputs as they are written on the command line: x=4x3, b=3, s=scalar, t=4:int<3, mask=4x3:bool, eps=1e-5, k==2.

A whole number is a shape, since a vector is what is mostly meant; `==` says that it is the number itself.
"""

import ast
import re
from collections.abc import Mapping, Sequence

from handgrad.subjects.file.shapes import Asked, Constant, Drawn, Kind

GRAMMAR = (
    "x=4x3 (a shape), s=scalar, t=4:int<3 (4 class labels), m=4x3:bool, eps=1e-5, mode='mean', or k==2 (a constant)"
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
    shape, colon, kind = value.partition(":")
    axes = read_shape(shape)
    if axes is not None and 0 in axes:
        raise ValueError(f"{name}={value}: a size is 1 or more; the number 0 is written {name}==0")
    asked = re.fullmatch(r"(float|int|bool)(?:<(\d+))?", kind) if colon else None
    if axes is not None and not colon:
        return Drawn(axes)
    if axes is not None and asked and (asked[2] is None or (asked[1] == "int" and int(asked[2]) > 0)):
        return Drawn(axes, Kind(asked[1]), int(asked[2]) if asked[2] else None)
    if axes is not None:
        raise ValueError(f"{name}={value}: expected int, int<3, bool or float behind the colon")
    return Constant(read_literal(name, value))


def read_shape(text: str) -> tuple[int, ...] | None:
    """
    >>> [read_shape(text) for text in ("4x3", "4", "scalar", "(4, 3)", "(4,)", "()", "4.0")]
    [(4, 3), (4,), (), (4, 3), (4,), (), None]
    """
    if text in ("scalar", "()"):
        return ()
    inside = re.fullmatch(r"\(?\s*(\d+(?:\s*[x,]\s*\d+)*)\s*,?\s*\)?", text)
    return tuple(int(size) for size in re.split(r"[x,]", inside[1])) if inside else None


def read_literal(name: str, text: str) -> object:
    """A Python literal; a bare word is a string, since shells take the quotes away."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if text.replace("-", "_").isidentifier():
            return text
        raise ValueError(f"{name}={text}: neither a shape nor a constant; expected one such as {GRAMMAR}") from None


def asked_of(given: Mapping[str, Asked], names: Sequence[str]) -> dict[str, Asked]:
    """What is asked of one function: for all, and over it what is for this one, by any of its names."""
    for_all = {name: asked for name, asked in given.items() if "." not in name}
    parts = ((*name.partition("."), asked) for name, asked in given.items())
    return for_all | {argument: asked for function, dot, argument, asked in parts if dot and function in names}
