"""Masks: where the backward pass takes another one than the forward pass's choice asks for.

y = min(a, b) has the gradient of a where a <= b, and y = clip(x, low, high) that of x between its bounds. A mask has no
gradient and so no value that is needed: each one is tried by running.
"""

import ast
from collections.abc import Iterator, Sequence

from handgrad.mend.indices import names_of
from handgrad.mend.statements import Rewrite
from handgrad.source.program import Part
from handgrad.source.tree import expression, parents_of

OTHER_MASK = 2.0  # what it costs
TESTS = (ast.If, ast.While, ast.IfExp, ast.Assert)
SIDES = {"minimum": "{a} <= {b}", "maximum": "{a} >= {b}", "fmin": "{a} <= {b}", "fmax": "{a} >= {b}"}


def rewrite_masks(part: Part, parts: Sequence[Part]) -> Iterator[Rewrite]:
    """Another mask of the passes, or one that a minimum, maximum or bound of them asks for, where this part has one."""
    parents = parents_of(part.source.tree)
    names = {*part.source.function.__code__.co_varnames, *part.source.function.__globals__}
    known = {ast.unparse(mask): mask for p in parts for mask in list_masks(p.source.tree) if names_of(mask) <= names}
    for node in ast.walk(part.source.tree):
        if isinstance(node, ast.Compare) and not isinstance(parents.get(node), TESTS):
            own = ast.unparse(node)
            yield from (Rewrite({node: mask}, OTHER_MASK) for text, mask in known.items() if text != own)


def list_masks(tree: ast.AST) -> Iterator[ast.expr]:
    """What a tree compares, and what its choices of the smaller, the larger and the bounded come down to."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                yield node
            case ast.Call(func=ast.Attribute(attr=name), args=[a, b]) if name in SIDES:
                texts = {"a": f"({ast.unparse(a)})", "b": f"({ast.unparse(b)})"}
                yield expression(SIDES[name].format(**texts))
                yield expression(SIDES[name].format(a=texts["b"], b=texts["a"]))
            case ast.Call(func=ast.Attribute(attr="clip"), args=[x, low, high]):
                x, low, high = (f"({ast.unparse(each)})" for each in (x, low, high))  # type: ignore[assignment]
                yield expression(f"({x} >= {low}) & ({x} <= {high})")
