"""The terms of a sum and the factors of a product, and which of them one has and another has not."""

import ast
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from handgrad.mend.slip import Slip


class Member(NamedTuple):
    """What stands in a sum or a product. turned: subtracted, or divided by."""

    turned: bool
    node: ast.expr

    @property
    def key(self) -> tuple[bool, str]:
        return self.turned, ast.dump(self.node)


def members(node: ast.expr, kinds: tuple[type, type], turned: bool = False) -> list[Member]:
    """The terms of a sum, or the factors of a product; kinds: the operator, and the one that turns its right side."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, kinds):
        right = turned != isinstance(node.op, kinds[1])
        return members(node.left, kinds, turned) + members(node.right, kinds, right)
    return [Member(turned, node)]


def differences(slip: Slip, kinds: tuple[type, type]) -> tuple[list[Member], list[Member]]:
    """The members that only what stands there has, and those that only what should stand there has."""
    old, new = members(slip.old, kinds), members(slip.new, kinds)
    return ([], []) if len(old) == len(new) == 1 else (without(old, new), without(new, old))


def without(side: Sequence[Member], other: Sequence[Member]) -> list[Member]:
    """The members of one side that the other lacks."""
    left, found = Counter(m.key for m in other), list[Member]()
    for member in side:
        if left[member.key]:
            left[member.key] -= 1
        else:
            found.append(member)
    return found
