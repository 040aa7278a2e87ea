"""A change in words: what is wrong with what stands there, told by comparing the two trees."""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

from handgrad.mend.change import Edits, narrow, unparse, unparse_index
from handgrad.mend.expression_words import RULES
from handgrad.mend.slip import Slip, same
from handgrad.source.program import Part
from handgrad.source.tree import parents_of

Trees = Mapping[str, ast.AST]


def describe_change(edits: Edits, parts: Sequence[Part]) -> str:
    """What is wrong where these edits of trees make it right. parts: of the whole program."""
    slips = list[Slip]()
    for part, own in edits.items():
        parents = parents_of(part.source.tree)
        slips += [Slip(*narrow(old, new), parents) for old, new in own.items()]
    return describe(slips, {part.source.name: part.source.tree for part in parts if part not in edits})


def describe(slips: Sequence[Slip], elsewhere: Trees) -> str:
    """One sentence on all slips of a change. elsewhere: the functions that are not changed, by their names."""
    left, told = list(slips), list[str]()
    for first, second in permutations(slips, 2):
        words = two_places(first, second) if first in left and second in left else None
        if words is not None:
            told.append(words)
            left = [s for s in left if s is not first and s is not second]
    counted = Counter([*told, *(describe_one(slip, elsewhere) for slip in left)])
    return "; ".join(words if count == 1 else f"{words} (at {count} places)" for words, count in counted.items())


def describe_one(slip: Slip, elsewhere: Trees) -> str:
    """The first rule that fits; else the one where the other belongs."""
    if not isinstance(slip.old, ast.expr):
        return statement(slip)
    words = (rule(slip) for rule in RULES)
    return next((w for w in words if w is not None), None) or number(slip, elsewhere) or slip.shown


def two_places(first: Slip, second: Slip) -> str | None:
    """Two things exchanged, or one statement moved past another."""
    if isinstance(first.old, ast.stmt) and first.parent is second.parent:
        if first.new == () and second.new == (second.old, first.old):
            return f"{line(first.old)} belongs after {line(second.old)}"
        if first.new == () and second.new == (first.old, second.old):
            return f"{line(first.old)} belongs before {line(second.old)}"
    if not (same(first.new, second.old) and same(second.new, first.old)):
        return None
    if isinstance(first.old, ast.stmt):
        return f"{line(first.old)} belongs after {line(second.old)}"
    what = "the results " if isinstance(first.parents.get(first.parent or first.old), ast.Return) else ""
    return f"{what}`{unparse(first.old)}` and `{unparse(second.old)}` are exchanged"


def line(node: Any) -> str:
    """A statement by its first line."""
    return f"`{unparse(node).splitlines()[0]}`"


def statement(slip: Slip) -> str:
    """A statement left out, or assigned where it has to be added."""
    old, new = slip.old, slip.new
    if new == ():
        return f"{line(old)} does not belong there"
    if isinstance(new, tuple) and new[0] is old:
        return f"{' and '.join(map(line, new[1:]))} is missing after {line(old)}"
    if isinstance(new, tuple):
        return f"{line(old)} where {' and '.join(map(line, new))} belong"
    if isinstance(old, ast.Assign) and isinstance(new, ast.AugAssign):
        word = {ast.Add: "added to", ast.Mult: "multiplied"}.get(type(new.op), "subtracted from")
        return f"`{unparse(old.targets[0])}` is assigned where it has to be {word}: what was in it is lost"
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.Assign):
        return f"`{unparse(old.target)}` is added to, or changed, where it has to be assigned"
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.Expr):
        index = unparse_index(old.target.slice) if isinstance(old.target, ast.Subscript) else ""
        return (
            f"where `{index}` holds an index several times, {line(old)} adds the last term alone; all have to be added"
        )
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.AugAssign) and is_sign(old.op, new.op):
        return f"the sign is wrong: {line(old)} where {line(new)} belongs"
    return f"{line(old)} where {line(new)} belongs"


def is_sign(a: ast.operator, b: ast.operator) -> bool:
    return {type(a), type(b)} == {ast.Add, ast.Sub}


def number(slip: Slip, elsewhere: Trees) -> str | None:
    """Another constant, with the function that has the right one, if it is no everyday number."""
    old, new = slip.old, slip.new
    if not (isinstance(old, ast.Constant) and isinstance(new, ast.Constant)):
        return None
    everyday = new.value in (0, 1, 2, 3, 4, 0.5)
    has = (name for name, tree in elsewhere.items() if any(same(n, new) for n in ast.walk(tree)))
    where = None if everyday else next(has, None)
    return f"{unparse(old)} where `{where}` has {unparse(new)}" if where else slip.shown
