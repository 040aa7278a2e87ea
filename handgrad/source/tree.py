"""Trees edited without touching the original: only what lies between the root and the change is made anew."""

import ast
import copy
from collections.abc import Iterator, Mapping
from typing import TypeVar

Tree = TypeVar("Tree", bound=ast.AST)
Changes = Mapping[ast.AST, ast.AST | tuple[ast.AST, ...]]  # a node, and what stands in its place; () for nothing


def changed(root: Tree, changes: Changes, parents: Mapping[ast.AST, ast.AST]) -> Tree:
    """The tree with other nodes in the place of some; a statement may give way to several, or to none."""
    touched = set()
    for node in changes:
        while node is not root and node in parents:
            node = parents[node]
            touched.add(node)

    def build(node: ast.AST) -> ast.AST:
        if node not in touched:
            return node
        new = copy.copy(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.AST):
                setattr(new, name, place(value)[0])
            elif isinstance(value, list):
                setattr(new, name, [made for item in value for made in place(item)])
        return new

    def place(item: ast.AST) -> tuple[ast.AST, ...]:
        if not isinstance(item, ast.AST):
            return (item,)
        if item in changes:
            new = changes[item]
            return new if isinstance(new, tuple) else (new,)
        return (build(item),)

    (result,) = place(root)
    return result  # type: ignore[return-value]


def parents_of(root: ast.AST) -> dict[ast.AST, ast.AST]:
    """The parent of every node below the root."""
    return {child: node for node in ast.walk(root) for child in ast.iter_child_nodes(node)}


def blocks(root: ast.AST) -> Iterator[list[ast.stmt]]:
    """Every list of statements that follow one another."""
    for node in ast.walk(root):
        for name in ("body", "orelse"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def statement_at(root: ast.AST, line: int) -> ast.stmt | None:
    """The smallest statement below the root that has the line; None for a lambda, which has none."""
    found = [n for n in ast.walk(root) if isinstance(n, ast.stmt) and n is not root]
    around = [n for n in found if n.lineno <= line <= (n.end_lineno or n.lineno)]
    return min(around, key=lambda n: (n.end_lineno or n.lineno) - n.lineno, default=None)


def expression(text: str) -> ast.expr:
    """The tree of one expression."""
    return ast.parse(text, mode="eval").body


def located(tree: Tree) -> Tree:
    """The same tree, in which what was made anew has a place as well: Python compiles nothing that has none."""
    left: list[ast.AST] = [tree]
    while left:
        node = left.pop()
        if "lineno" in node._attributes and not hasattr(node, "lineno"):
            node.lineno, node.col_offset = 1, 0  # type: ignore[attr-defined]
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, ast.AST):
                left.append(value)
            elif isinstance(value, list):
                left.extend(item for item in value if isinstance(item, ast.AST))
    return tree
