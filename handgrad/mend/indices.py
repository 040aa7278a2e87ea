"""Edits of indices, slices, bounds of loops and what counts them: they have no value, and are tried by running.

What stands in one of them often belongs in another as well: 2 * j of x[2 * j + k] is what dx[j + k] lacks.
"""

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import combinations
from typing import TypeGuard

from handgrad.mend.constants import LONGEST_INDEX
from handgrad.mend.index_edits import along_other_axes
from handgrad.mend.statements import DEFINITIONS, Rewrite
from handgrad.source.tree import blocks

PLAIN = (ast.BinOp, ast.Name, ast.Constant, ast.Subscript, ast.Attribute)
OTHER, ONE_MORE, EXCHANGED, STEPPED, PER_NODE, EACH = 1.4, 1.5, 1.8, 2.0, 0.05, 0.3  # what they cost


def list_indices(trees: Sequence[ast.AST]) -> list[ast.expr]:
    """Every different index, slice bound, loop bound and count of these trees, and what they are made of."""
    statements = (s for tree in trees for block in blocks(tree) for s in block if not isinstance(s, DEFINITIONS))
    found = {ast.unparse(node): node for statement in statements for node in indices_of(statement)}
    return [node for node in found.values() if size(node) <= LONGEST_INDEX and not isinstance(node, ast.Constant)]


def rewrite_indices(tree: ast.AST, known: Sequence[ast.expr], names: Collection[str]) -> Iterator[Rewrite]:
    """Another of the known indices, one more or less, also for all of a statement that are alike; two exchanged."""
    writable = [(new, ast.unparse(new)) for new in known if names_of(new) <= set(names)]
    for block in blocks(tree):
        for statement in block:
            if isinstance(statement, DEFINITIONS):
                continue
            own = list(indices_of(statement))
            for nodes, more in [*(([node], 0.0) for node in own), *((nodes, EACH) for nodes in repeated(own))]:
                text = ast.unparse(nodes[0])
                for new, written in writable:
                    if written != text:
                        yield Rewrite(dict.fromkeys(nodes, new), OTHER + PER_NODE * size(new) + more)
                if not isinstance(nodes[0], ast.Constant):
                    for op in (ast.Add(), ast.Sub()):
                        yield Rewrite({n: ast.BinOp(n, op, ast.Constant(1)) for n in nodes}, ONE_MORE + more)
            for a, b in combinations(own, 2):
                if ast.unparse(a) != ast.unparse(b) and not (contains(a, b) or contains(b, a)):
                    yield Rewrite({a: b, b: a}, EXCHANGED)


def repeated(nodes: Sequence[ast.expr]) -> list[list[ast.expr]]:
    """Those that are written alike: `xs[t], vs[t]` are both the state of one step."""
    alike: dict[str, list[ast.expr]] = {}
    for node in nodes:
        alike.setdefault(ast.unparse(node), []).append(node)
    return [group for group in alike.values() if len(group) > 1]


def list_slices(trees: Iterable[ast.AST]) -> list[ast.expr]:
    """Every different index of these trees that has a slice with a bound in it, as it stands between its brackets."""
    found = {ast.unparse(node.slice): node.slice for tree in trees for node in ast.walk(tree) if has_slice(node)}
    return [index for index in found.values() if any(any(bounds_of(item)) for item in items_of(index))]


def has_slice(node: ast.AST) -> TypeGuard[ast.Subscript]:
    """Whether a slice stands between its brackets."""
    return isinstance(node, ast.Subscript) and any(isinstance(item, ast.Slice) for item in items_of(node.slice))


def items_of(index: ast.expr) -> list[ast.expr]:
    """What stands between the brackets, with commas between."""
    return index.elts if isinstance(index, ast.Tuple) else [index]


def bounds_of(item: ast.expr) -> list[ast.expr | None]:
    """Of a slice, with None for those that it has not."""
    return [item.lower, item.upper, item.step] if isinstance(item, ast.Slice) else []


def scale_slices(tree: ast.AST, names: Collection[str]) -> Iterator[Rewrite]:
    """All loop variables of an index with a slice in it times a name: i:i + k as i * s:i * s + k.

    What is moved in one of its bounds is moved in all of them, so that no single edit of rewrite_indices does it.
    """
    loops = {n for loop in ast.walk(tree) if isinstance(loop, ast.For) for n in names_of(loop.target)}
    for index in list_slices([tree]):
        variables = [n for n in ast.walk(index) if isinstance(n, ast.Name) and n.id in loops]
        for step in sorted(set(names) - loops) if variables else ():
            by = ast.Name(step, ast.Load())
            yield Rewrite({n: ast.BinOp(n, ast.Mult(), by) for n in variables}, STEPPED)


def turn_targets(tree: ast.AST) -> Iterator[Rewrite]:
    """What is written into an array along another axis: dx[i] += as dx[:, i] +=."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            yield from (Rewrite({node.slice: index}, OTHER) for index in along_other_axes(node.slice))


def exchange_slices(tree: ast.AST) -> Iterator[Rewrite]:
    """Two of one block exchanged, of one statement or of one array: a[k:] += b[:-k] as a[:-k] += b[k:]."""
    for block in blocks(tree):
        simple = [s for s in block if isinstance(s, ast.Assign | ast.AugAssign)]
        own = [(s, node) for s in simple for node in ast.walk(s) if has_slice(node)]
        for (s, a), (t, b) in combinations(own, 2):
            beside = s is t or ast.unparse(a.value) == ast.unparse(b.value)
            if beside and ast.unparse(a.slice) != ast.unparse(b.slice) and not contains(a, b):
                yield Rewrite({a.slice: b.slice, b.slice: a.slice}, EXCHANGED)


def indices_of(statement: ast.stmt) -> Iterator[ast.expr]:
    """The indices of a statement itself, and the count that it computes: Ho = (H - k) // stride + 1."""
    for part in heads(statement):
        yield from indices_in(part)
    if isinstance(statement, ast.Assign):
        values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
        for value in values:
            if counts(value):
                yield from parts_of(value)


def counts(node: ast.expr) -> bool:
    """Whether whole numbers alone can be meant: computed from names and whole numbers, with // or a small number.

    >>> [counts(ast.parse(text, mode="eval").body) for text in ("(H - k) // s + 1", "n - 1", "2 * j + k", "dh * h")]
    [True, True, True, False]
    """
    if not isinstance(node, ast.BinOp):
        return False
    inside = [n for n in ast.walk(node) if isinstance(n, ast.expr)]
    plain = all(isinstance(n, PLAIN) or is_len(n) for n in inside)
    divides = any(isinstance(n, ast.Div | ast.Pow | ast.MatMult) for n in ast.walk(node))
    whole = any(isinstance(n, ast.Constant) and isinstance(n.value, int) for n in inside)
    return plain and not divides and (whole or any(isinstance(n, ast.FloorDiv) for n in ast.walk(node)))


def is_len(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "len"


def heads(statement: ast.stmt) -> Iterator[ast.AST]:
    """The expressions of a statement, without the statements in it."""
    return (child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr))


def indices_in(root: ast.AST) -> Iterator[ast.expr]:
    """What stands between brackets behind an array, and in range(...): as a whole, and its parts."""
    for node in ast.walk(root):
        if isinstance(node, ast.Subscript):
            yield from parts_of(node.slice)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "range":
            for arg in node.args:
                yield from parts_of(arg)


def parts_of(index: ast.expr) -> Iterator[ast.expr]:
    """An index that is no tuple and no slice, and what it is computed from; of those, each of theirs."""
    if isinstance(index, ast.Tuple):
        for part in index.elts:
            yield from parts_of(part)
    elif isinstance(index, ast.Slice):
        for bound in (index.lower, index.upper):
            yield from parts_of(bound) if bound is not None else ()
    elif isinstance(index, ast.BinOp):
        yield index
        yield from parts_of(index.left)
        yield from parts_of(index.right)
    elif isinstance(index, ast.Name | ast.Subscript) or (
        isinstance(index, ast.Constant) and isinstance(index.value, int) and not isinstance(index.value, bool)
    ):
        yield index


def names_of(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def size(node: ast.AST) -> int:
    """How many expressions it is."""
    return sum(isinstance(n, ast.expr) for n in ast.walk(node))


def contains(node: ast.AST, other: ast.AST) -> bool:
    return any(n is other for n in ast.walk(node))
