"""Where another window of an array is tried by running the code (windows.py), for no value tells which it should be.

Something is written into it, or its value is not known: the code raises, a result has another shape, it is too large.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from handgrad.mend.candidates import Candidate
from handgrad.mend.edit import Edit
from handgrad.mend.indices import has_slice
from handgrad.mend.material import AtHand, is_value
from handgrad.mend.required import Needs, known_well
from handgrad.mend.trial import Trial
from handgrad.mend.windows import edit_window
from handgrad.source.program import Part
from handgrad.source.taps import Tapped

HandAt = Callable[[Part, ast.AST, int], AtHand | None]


def of_windows(trial: Trial, tapped: Tapped, known: Needs, hand_at: HandAt) -> Iterator[Candidate]:
    """Other windows, from the last line on; of what is handed over whole as well, where a result has another shape."""
    draw = trial.draws[0]
    has_shapes = draw.has_shapes(trial.run(draw, trial.trees()))
    shapes = {np.shape(value) for value in draw.right.values()}
    for part in (p for p in trial.program.parts if p.backward):
        for node in reversed(list(ast.walk(part.source.tree))):
            statement = trial.statement_of(part, node)
            hand = hand_at(part, statement, 0) if has_slice(node) or isinstance(node, ast.Name) else None
            if hand is None:
                continue
            if has_slice(node) and not (was_asked(node, tapped, known) if is_read(node) else not has_shapes):
                here = known.noted.here[tapped.statement_number[statement]]
                scopes = [hand.scope, *({**hand.scope, **names} for names in here[1:][-1:])]
                yield from together(part, node.slice, edit_window(node, hand, scopes, trial.numbers))
            elif isinstance(node, ast.Name) and not has_shapes and is_handed_over(node, statement):
                yield from together(part, node, cut_whole(node, hand, shapes, trial.numbers))


def together(part: Part, node: ast.expr, edits: Iterator[list[Edit]]) -> Iterator[Candidate]:
    """Candidates, each with those that do the same."""
    for first, *alike in edits:
        yield Candidate(part, {node: first.node}, first.cost, [Candidate(part, {node: e.node}, e.cost) for e in alike])


def cut_whole(
    node: ast.Name, hand: AtHand, shapes: set[tuple[int, ...]], constants: Sequence[float]
) -> Iterator[list[Edit]]:
    """Windows of a whole array that have the shape of a result: dxp as dxp[:, pad:-pad]."""
    array: Any = hand.scope.get(node.id)
    axes: list[ast.expr] = [ast.Slice() for _ in range(np.ndim(array))] if is_value(array) else []
    whole = ast.Subscript(node, ast.Tuple(axes, ast.Load()), ast.Load())
    for alike in edit_window(whole, hand, [hand.scope], constants) if axes else ():
        edits = [Edit(ast.Subscript(node, index, ast.Load()), cost) for index, cost in alike]
        if np.shape(hand.value(edits[0].node)) in shapes:
            yield edits


def is_handed_over(node: ast.Name, statement: ast.AST) -> bool:
    """Whether a statement returns an array, alone or among others, or gives it another name."""
    value = statement.value if isinstance(statement, ast.Return | ast.Assign) else None
    return node is value or (isinstance(value, ast.Tuple) and any(node is item for item in value.elts))


def is_read(node: ast.Subscript) -> bool:
    return isinstance(node.ctx, ast.Load)


def was_asked(node: ast.expr, tapped: Tapped, known: Needs) -> bool:
    """Whether it is known which value it should have, if another one helps at all."""
    place = tapped.number.get(node)
    return place is not None and place in known.noted.values and known.complete and known_well(known.noted, place)
