"""An argument that is a dict, parameters["W1"], as --inputs takes it: its entries guessed like arguments."""

import ast
from collections.abc import Mapping, Sequence

from handgrad.subjects.file.read_shape import read_shape


class Entries(ast.NodeTransformer):
    """Every entry as a variable of its own: W1 for parameters["W1"]. keys: of each dict, by its name."""

    def __init__(self, keys: Mapping[str, Sequence[str]]) -> None:
        self.keys = keys

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """The entry, or the subscript as it is."""
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and isinstance(node.slice, ast.Constant):
            key = node.slice.value
            if isinstance(key, str) and key in self.keys.get(node.value.id, ()):
                return ast.copy_location(ast.Name(key, node.ctx), node)
        return node


def keys_of(tree: ast.AST, name: str) -> list[str]:
    """The words by which an argument is subscripted, as they come: parameters["W1"]; empty for what is no dict.

    Those that need not be there, `if "seed" in parameters`, and what is written into it are left out.
    """
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Subscript) and is_name(node.value, name)]
    found = [node for node in found if isinstance(node.ctx, ast.Load)]
    found.sort(key=lambda node: (node.lineno, node.col_offset))
    keys = (node.slice.value for node in found if isinstance(node.slice, ast.Constant))
    asked = {
        node.left.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In) and is_name(node.comparators[0], name)
        if isinstance(node.left, ast.Constant)
    }
    return list(dict.fromkeys(key for key in keys if isinstance(key, str) and key not in asked))


def is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def write_dict(entries: Mapping[str, str]) -> str:
    """In quotes for a shell, without the name: behind it stands a sign of equality.

    >>> print(write_dict({"W1": "3x5", "b1": "5", "mode": "train", "reg": "0.1"}))
    "{'W1': (3, 5), 'b1': (5,), 'mode': 'train', 'reg': 0.1}"
    """
    return '"{' + ", ".join(f"{key!r}: {write_entry(word)}" for key, word in entries.items()) + '}"'


def write_entry(word: str) -> str:
    """What --inputs has for an argument, as a Python literal."""
    if word.startswith("="):
        return word[1:]
    if word.isidentifier() and word != "scalar":
        return repr(word)
    shape = read_shape(word)
    return word if shape is None else repr(shape.axes)
