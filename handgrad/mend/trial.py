"""What the passes give with some edits made."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from handgrad.judge.constants import BEYOND
from handgrad.judge.isolation import attempt
from handgrad.mend.axes import moves_of_axes, signs_of_axes
from handgrad.mend.candidates import Candidate
from handgrad.mend.draw import Draw
from handgrad.mend.edit import is_number
from handgrad.mend.expressions import Writing
from handgrad.mend.lookup import writing_of
from handgrad.source.program import Part, Program
from handgrad.source.tree import changed, parents_of


@dataclass(eq=False)
class Trial:
    """draws: numbers to try on; deadline: when the search ends; made: the edits of the steps so far."""

    program: Program
    draws: Sequence[Draw]
    deadline: float
    made: dict[Part, dict[ast.AST, Any]] = field(default_factory=dict)

    def run(self, draw: Draw, trees: Mapping[Part, ast.AST]) -> Any:
        """The results on a draw; None where the trees are no Python, or raise."""
        made = attempt(self.program.made, trees).value
        return None if made is None else draw.outputs(made)

    def trees(self, candidate: Candidate | None = None) -> dict[Part, ast.AST]:
        """The trees of the parts that are changed, by the steps so far or by the candidate."""
        edits = dict(self.made)
        if candidate is not None:
            edits[candidate.part] = {**edits.get(candidate.part, {}), **candidate.edits}
        return {p: changed(p.source.tree, e, self.parents[p]) for p, e in edits.items()}

    def statement_of(self, part: Part, node: ast.AST) -> ast.AST:
        """The statement that it is or stands in."""
        while not isinstance(node, ast.stmt) and node in self.parents[part]:
            node = self.parents[part][node]
        return node

    def writing(self, part: Part) -> Writing:
        """How a part writes its arrays."""
        return writing_of(part.source.function.__globals__, part.source.tree, self.moves)

    @cached_property
    def parents(self) -> dict[Part, Mapping[ast.AST, ast.AST]]:
        """What every node of a part stands in."""
        return {part: parents_of(part.source.tree) for part in self.program.parts}

    @cached_property
    def moves(self) -> tuple[str, ...]:
        """How both passes move axes."""
        return moves_of_axes(p.source.tree for p in self.program.parts)

    @cached_property
    def signs(self) -> frozenset[bool]:
        """How axes are counted in the passes: in the forward pass, if any are named there."""
        forward, backward = (
            signs_of_axes(p.source.tree for p in self.program.parts if p.backward is own) for own in (False, True)
        )
        return forward or backward

    @property
    def numbers(self) -> tuple[float, ...]:
        """The constants that stand in the passes, without fillers: an array of 1e9 entries takes seconds to make."""
        trees = [part.source.tree for part in self.program.parts]
        found = (
            n.value for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Constant) and is_number(n.value)
        )
        return tuple(dict.fromkeys(n for n in found if abs(n) < BEYOND))
