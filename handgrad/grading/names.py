"""The names that a submission may not use, found in its syntax tree before anything of it runs."""

import ast
from collections.abc import Collection, Iterator


def find_forbidden(source: str, forbidden: Collection[str]) -> list[tuple[str, int]]:
    """Each forbidden name with the line where it stands first. Nothing for what does not parse.

    A variable of that name, which the file itself sets, is none of them: what it stands for must be imported first.
    A number such as 1j counts as the name complex: a complex step differentiates as autograd does.

    >>> find_forbidden("import torch.nn as nn", ["torch"]), find_forbidden("h = f(x + 1e-20j)", ["complex"])
    ([('torch', 1)], [('complex', 1)])
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found: dict[str, int] = {}
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(tree):
        for name in names_of(node):
            if name in forbidden and not (isinstance(node, ast.Name) and name in own):
                found[name] = min(found.get(name, node.lineno), node.lineno)  # type: ignore[attr-defined]
    return sorted(found.items(), key=lambda item: item[1])


def names_of(node: ast.AST) -> Iterator[str]:
    """The names that one node of a tree uses."""
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield from alias.name.split(".")
    elif isinstance(node, ast.ImportFrom):
        yield from (node.module or "").split(".")
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, complex):
        yield "complex"
