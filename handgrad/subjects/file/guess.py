"""What --inputs may ask for, guessed from how a forward pass uses its arguments: advice, by which nothing is judged."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from handgrad.judge.isolation import attempt
from handgrad.source.tree import parents_of
from handgrad.subjects.file.guess_shapes import guess_shapes

SCALAR = re.compile(
    r"reg|lam|lambda_?|eps|lr|alpha|momentum|rate|p|keep(_prob)?|temperature|margin|delta|slope|tau|sigma"
)
VECTOR = re.compile(r"b\d*|b_\w+|bias\w*|gamma|beta")
REDUCED = ("sum", "mean", "norm", "prod")
LABELS, MASK, NUMBER, SCALE = "4:int<3", ":bool", "=2", "0.1"


def guess_inputs(function: Any, names: Sequence[str]) -> dict[str, str]:
    """Each argument as --inputs takes it: y=4:int<3 for class labels, reg=0.1, W1=3x5 as far as products tell."""
    tree = attempt(lambda: ast.parse(textwrap.dedent(inspect.getsource(function)))).value
    if tree is None:
        return dict.fromkeys(names, "4x3")
    kinds = {name: guess_kind(tree, name) for name in names}
    arrays = [name for name, kind in kinds.items() if kind in ("", MASK)]
    shapes = guess_shapes(tree, arrays, [name for name in arrays if VECTOR.fullmatch(name)])
    return {name: shapes.get(name, "") + kind for name, kind in kinds.items()}


def guess_kind(tree: ast.AST, name: str) -> str:
    """What an argument is, told by its first use that tells; empty for an array of numbers."""
    parents = parents_of(tree)
    told = (kind for node in uses(tree, name) if (kind := told_by(node, parents)))
    return next(told, SCALE if SCALAR.fullmatch(name) else MASK if name.startswith("mask") else "")


def told_by(node: ast.Name, parents: Any) -> str:
    """What one use tells of an argument."""
    around = parents.get(node)
    if isinstance(around, ast.UnaryOp) and isinstance(around.op, ast.Invert):
        return MASK
    if is_index(node, parents):
        return MASK if node.id.startswith("mask") else LABELS
    whole = around if isinstance(around, ast.Subscript) and around.value is node else node  # y[:, None] == np.arange(k)
    compared = parents.get(whole)
    if isinstance(compared, ast.Compare) and isinstance(compared.ops[0], ast.Eq | ast.NotEq):
        return told_by_comparison(compared, whole)
    if isinstance(around, ast.Slice) or is_called(around, "range"):
        return NUMBER
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.FloorDiv | ast.Mod):
        return NUMBER
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.Mult | ast.Div):
        other = around.left if around.right is node else around.right
        return SCALE if any(is_called(other, word) for word in REDUCED) else ""
    return ""


def told_by_comparison(compared: ast.Compare, side: ast.AST) -> str:
    """Of what is compared with a word that word; with whole numbers: class labels."""
    other = next(s for s in (compared.left, *compared.comparators) if s is not side)
    if isinstance(other, ast.Constant) and isinstance(other.value, str):
        return other.value
    whole = isinstance(other, ast.Constant) and type(other.value) is int
    return LABELS if whole or is_called(other, "arange") else ""


def is_index(node: ast.AST, parents: Any) -> bool:
    """Whether it stands between brackets, alone or beside others."""
    around = parents.get(node)
    if isinstance(around, ast.Tuple):
        node, around = around, parents.get(around)
    return isinstance(around, ast.Subscript) and around.slice is node


def is_called(node: ast.AST | None, word: str) -> bool:
    """Whether it is a call of that function, or of a method or a function of a module of that name."""
    if not isinstance(node, ast.Call) or any(k.arg == "axis" for k in node.keywords):
        return False
    return getattr(node.func, "attr", getattr(node.func, "id", "")) == word


def uses(tree: ast.AST, name: str) -> Iterator[ast.Name]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name)


def keys_of(function: Any, name: str) -> list[str]:
    """The words by which an argument is subscripted, as they come: parameters["W1"]; empty for what is no dict."""
    tree = attempt(lambda: ast.parse(textwrap.dedent(inspect.getsource(function)))).value
    found = [node for node in (ast.walk(tree) if tree is not None else ()) if isinstance(node, ast.Subscript)]
    own = [node for node in found if isinstance(node.value, ast.Name) and node.value.id == name]
    own.sort(key=lambda node: (node.lineno, node.col_offset))
    keys = (node.slice.value for node in own if isinstance(node.slice, ast.Constant))
    return list(dict.fromkeys(key for key in keys if isinstance(key, str)))
