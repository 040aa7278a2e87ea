"""One place where code is wrong, as a tree: what stands there, and what should."""

import ast
from collections.abc import Mapping
from typing import Any, NamedTuple

from handgrad.mend.change import unparse
from handgrad.source.tree import changed

LONGEST = 60  # characters of an example


class Slip(NamedTuple):
    """What stands in a tree and what should (a tuple of statements, empty for nothing); parents: of the whole tree."""

    old: Any
    new: Any
    parents: Mapping[ast.AST, ast.AST]

    @property
    def parent(self) -> ast.AST | None:
        return self.parents.get(self.old)

    @property
    def wider(self) -> "Slip | None":
        """The same with the expression around it."""
        node = self.parent.value if isinstance(self.parent, ast.keyword) else self.old
        around = self.parents.get(self.parent) if isinstance(self.parent, ast.keyword) else self.parent
        if node is not self.old or not isinstance(around, ast.expr):
            return None
        return Slip(around, changed(around, {self.old: self.new}, self.parents), self.parents)

    @property
    def both(self) -> str:
        return f"`{unparse(self.old)}` where `{unparse(self.new)}` belongs"

    @property
    def shown(self) -> str:
        """Both with the operation around them, which says more than one name alone."""
        around = self.wider
        return (around if around is not None and isinstance(around.old, ast.BinOp) else self).both

    @property
    def example(self) -> str:
        """What is shown, behind a colon; empty where it is long, for it stands above."""
        return f": {self.shown}" if len(self.shown) <= LONGEST else ""


def same(a: Any, b: Any) -> bool:
    return isinstance(a, ast.AST) and isinstance(b, ast.AST) and ast.dump(a) == ast.dump(b)
