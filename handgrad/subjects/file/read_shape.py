"""A shape in words, the same in type hints and on the command line: "4x3", "n d", "(n, d)", "n,d", "n:int<c", "scalar".

A size is a number, a name that stands for the same size everywhere, or computed from names: 4*k.
"""

import re

from handgrad.subjects.file.shapes import Drawn, Kind

AXIS = re.compile(r"\.\.\.|\d+|[#*?]*[^\W\d]\w*(?:=\d+)?|\w+(?:(?:[-+*]|//)\w+)+")
KIND = re.compile(r"(float|bool|int|data)|int<(\w+)")


def read_shape(text: str) -> Drawn | None:
    """None for what is no shape. Raises ValueError for a size of 0, and for what is no kind of numbers.

    >>> read_shape("n:int<c")
    Drawn(axes=('n',), kind=<Kind.INT: 'int'>, below='c', precision=None, in_torch=False)
    """
    sizes, colon, kind = text.partition(":")
    axes = read_axes(sizes)
    if axes is None:
        return None
    asked = KIND.fullmatch(kind.strip()) if colon else None
    below = read_axis(asked[2]) if asked and asked[2] else None
    if (colon and asked is None) or below == 0:
        raise ValueError(f"{text}: expected int, int<3, bool, data or float behind the colon")
    if 0 in axes:
        raise ValueError(f"{text}: a size is 1 or more")
    return Drawn(axes, Kind(asked[1] or "int") if asked else Kind.FLOAT, below)


def read_axes(text: str) -> tuple[int | str, ...] | None:
    """
    >>> [read_axes(text) for text in ("4x3", "n d", "(n, d)", "(4,)", "scalar", "4*k", "4.0")]
    [(4, 3), ('n', 'd'), ('n', 'd'), (4,), (), ('4*k',), None]
    """
    inside = re.fullmatch(r"\((.*)\)|(.*)", text.strip())
    words = re.sub(r"(?<=\d)x(?=\d)", " ", (inside[1] or inside[2] or "") if inside else "").replace(",", " ").split()
    if text.strip() in ("scalar", "()"):
        return ()
    return tuple(map(read_axis, words)) if words and all(map(AXIS.fullmatch, words)) else None


def read_axis(word: str) -> int | str:
    """A size, or its name without the signs that jaxtyping puts before it; *batch and ... are one axis.

    >>> [read_axis(word) for word in ("4", "n", "#n", "*batch", "...", "rows=4", "4*n")]
    [4, 'n', 'n', '*batch', '...', 4, '4*n']
    """
    name, _, size = word.lstrip("#?").partition("=")
    return int(size or name) if (size or name).isdigit() else name
