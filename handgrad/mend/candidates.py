"""Edits that are the same whatever is to be put right: of statements, axes, indices, of one expression everywhere."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from handgrad.mend.axes import other_axes, same_axis_everywhere
from handgrad.mend.edit import Edit
from handgrad.mend.expressions import own_edits
from handgrad.mend.indices import exchange_slices, list_indices, rewrite_indices, scale_slices, turn_targets
from handgrad.mend.local_edits import edit_axes, edit_axis, is_axes
from handgrad.mend.masks import rewrite_masks
from handgrad.mend.statements import further_rewrites, rewrites
from handgrad.source.program import Part
from handgrad.source.taps import Tapped

Edits = Mapping[Any, Any]  # what stands in the place of a node
Numbers = Sequence[float]
HasNumbers = Callable[[ast.AST], bool]  # whether a value of that node is known, by which it is edited


@dataclass(frozen=True, eq=False)
class Candidate:
    """Edits of one part, and what they cost. alike: others that do the same at these sizes, tried where it fits."""

    part: Part
    edits: Edits
    cost: float
    alike: "Sequence[Candidate]" = ()


def in_part(part: Part, node: ast.expr, edits: Iterator[Edit]) -> Iterator[Candidate]:
    """The edits of an expression as candidates."""
    return (Candidate(part, {node: new}, cost) for new, cost in edits)


def of_statements(parts: Sequence[Part]) -> Iterator[Candidate]:
    """Statements left out, exchanged, added for assigned."""
    for part in parts:
        for edits, cost in rewrites(part.source.tree, names_of(part)):
            yield Candidate(part, edits, cost)


def of_axes(tapped: Tapped, parts: Sequence[Part]) -> Iterator[Candidate]:
    """Other axes, wherever one is named: the value that belongs there has another shape, and no value tells it."""
    for part, node, _ in tapped.places:
        if isinstance(node, ast.Call):
            yield from in_part(part, node, edit_axis(node))
    known = [node for part in parts for node in ast.walk(part.source.tree) if is_axes(node)]
    trees = [part.source.tree for part in parts]
    for part in parts:
        for edits in same_axis_everywhere(part.source.tree, trees) if part.backward else ():
            yield Candidate(part, edits, 1.7)
        for call, other in other_axes(part.source.tree) if part.backward else ():
            yield Candidate(part, {call: other}, 1.3)
        for line in ast.walk(part.source.tree):
            if part.backward and isinstance(line, ast.Assign) and is_axes(line.value):
                yield from in_part(part, line.value, edit_axes(line.value, known))


def of_parts(parts: Sequence[Part], numbers: Numbers, has_numbers: HasNumbers) -> Iterator[Candidate]:
    """Conditions, masks, indices, ranges, which stand in no expression that gives numbers; statements further off."""
    for part in parts:
        for edits, cost in rewrite_masks(part, parts) if part.backward else ():
            yield Candidate(part, edits, cost)
        for edits, cost in further_rewrites(part.source.tree, names_of(part), numbers, has_numbers):
            yield Candidate(part, edits, cost)


def of_slices(parts: Sequence[Part]) -> Iterator[Candidate]:
    """Slices whose bounds are moved together, and targets along another axis, in the backward pass."""
    for part in (p for p in parts if p.backward):
        tree = part.source.tree
        for edits, cost in chain(turn_targets(tree), exchange_slices(tree), scale_slices(tree, names_of(part))):
            yield Candidate(part, edits, cost)


def of_indices(parts: Sequence[Part]) -> Iterator[Candidate]:
    """Other indices and other bounds of loops, in the backward pass."""
    trees = [part.source.tree for part in parts]
    known = list_indices(trees)
    for part in parts:
        if part.backward:
            for edits, cost in rewrite_indices(part.source.tree, known, names_of(part)):
                yield Candidate(part, edits, cost)


def of_several(parts: Sequence[Part], tapped: Tapped, numbers: Numbers) -> Iterator[Candidate]:
    """The same edit wherever the same expression stands."""
    for part in parts:
        groups: dict[str, list[ast.expr]] = {}
        for place in tapped.places:
            if place.part is part:
                groups.setdefault(ast.dump(place.node), []).append(place.node)
        for nodes in groups.values():
            if len(nodes) > 1:
                each = [own_edits(n, names_of(part), numbers, tapped.number.__contains__) for n in nodes]
                for edits in zip(*each, strict=True):
                    changes = {n: e.node for n, e in zip(nodes, edits, strict=True)}
                    yield Candidate(part, changes, edits[0].cost + 0.5)


def names_of(part: Part) -> tuple[str, ...]:
    """Its variables."""
    return part.source.function.__code__.co_varnames
