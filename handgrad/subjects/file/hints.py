"""Shapes in type hints: Float[Array, "n d"] as jaxtyping has them, or a string alone, "n d", "(n, d)" or "n:int<3".

Hints are read as text, so that it does not matter whether jaxtyping is installed, or whether they stand in quotes.
"""

import ast
import builtins
import re
from collections.abc import Mapping
from typing import Any

from handgrad.subjects.file.read_shape import AXIS, read_axis, read_shape
from handgrad.subjects.file.shapes import Drawn, Kind

FLOATS = re.compile(r"B?Float(\d*)|Num|Real|Inexact|Shaped|Annotated")
INTS = re.compile(r"U?Int\d*|Integer")


def read_hint(hint: Any, scope: Mapping[str, Any]) -> Drawn | None:
    """What a hint says of a shape; None if nothing. Raises ValueError for a shape that is not understood.

    "" is one number, as in jaxtyping's Float[Array, ""].

    scope: the variables of the file, in which a name may stand for a hint.
    """
    text = hint if isinstance(hint, str) else hint.__name__ if isinstance(hint, type) else repr(hint)
    if hint == "":
        return Drawn(())
    meant = scope.get(text.strip(), getattr(builtins, text.strip(), None)) if text.isidentifier() else None
    if isinstance(hint, str) and (isinstance(meant, type) or hasattr(meant, "__args__")):
        return read_hint(meant, scope)
    if isinstance(hint, str) and (drawn := read_shape(text)) is not None:
        return drawn
    try:
        tree: ast.expr = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        return None
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):  # in quotes once more
        return read_hint(tree.value, scope)
    if isinstance(tree, ast.Tuple):  # "(n, 4 * k)"
        return read_shape(" ".join(ast.unparse(axis).replace(" ", "") for axis in tree.elts))
    for part in ast.walk(tree):
        if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Tuple) and len(part.slice.elts) == 2:
            array, axes = part.slice.elts
            if isinstance(axes, ast.Constant) and isinstance(axes.value, str):
                return read_jaxtyping(axes.value, ast.unparse(part.value).rpartition(".")[2], ast.unparse(array))
    return None


def read_jaxtyping(text: str, name: str, array: str) -> Drawn:
    """Axes in words, what stands in the array by jaxtyping's name for it, and the array's own type."""
    words = text.replace(",", " ").split()
    if strange := [word for word in words if not AXIS.fullmatch(word)]:
        raise ValueError(f"the size {strange[0]!r} of its type hint is not understood")
    axes = tuple(read_axis(word) for word in words)
    in_torch = array.rpartition(".")[2] in ("Tensor", "Parameter")
    if INTS.fullmatch(name):
        return Drawn(axes, Kind.INT, in_torch=in_torch)
    if name == "Bool":
        return Drawn(axes, Kind.BOOL, in_torch=in_torch)
    found = FLOATS.fullmatch(name)
    if not found:
        raise ValueError(f"its type hint asks for {name}, expected real numbers (Float), integers or booleans")
    bits = found[1]
    precision = f"{'b' if name.startswith('B') else ''}float{bits}" if bits else None
    return Drawn(axes, precision=precision, in_torch=in_torch)
