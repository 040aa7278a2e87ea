"""The smallest change of one statement with which a quantity is right, found without running a submission here.

Candidates are edits of its syntax tree, cheapest first. Each is run where the submission runs, in its own process, and
is right where its numbers are, as for the grade.
"""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from handgrad.grading.child.isolate import Target, targets
from handgrad.grading.exercise import base
from handgrad.mend.change import unparse
from handgrad.mend.edit import Edit
from handgrad.mend.expressions import Writing, around, count_idle, edits_inside, filled, templates
from handgrad.mend.local_edits import local_edits
from handgrad.mend.lookup import writing_of
from handgrad.mend.statements import of_assignment
from handgrad.mend.templates import TOGETHER
from handgrad.source.clock import clock
from handgrad.source.tree import changed, located, parents_of


class Candidate(NamedTuple):
    """A node of the submission's tree, what may stand in its place, and what that costs."""

    old: ast.AST
    new: ast.AST
    cost: float


def find_change(
    source: str, function: str, name: str, others: Collection[str], is_right: Callable[[str], bool], seconds: float
) -> str:
    """The line, what stands there and what should, in words; nothing where no change is found in time.

    others: the other quantities, each judged by itself, so that the slip is in no statement that sets one. is_right:
    whether the quantity is right in a source.
    """
    tree = ast.parse(source)
    own = find_function(tree, function)
    if own is None:
        return ""
    parents, deadline = parents_of(tree), clock() + seconds
    for tier in tiers(own, name, others, writing_of({"np": None}, tree)):
        for candidate in sorted(tier, key=lambda c: c.cost):
            if clock() > deadline:
                return ""
            new = changed(tree, {candidate.old: candidate.new}, parents)
            if count_idle(candidate.new) <= count_idle(candidate.old) and is_right(ast.unparse(located(new))):
                return describe(candidate, parents)
    return ""


def find_function(tree: ast.Module, name: str) -> ast.FunctionDef | None:
    """The function of that name; None where there is none."""
    return next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)


def tiers(
    function: ast.FunctionDef, name: str, others: Collection[str], writing: Writing
) -> Iterator[Iterable[Candidate]]:
    """Candidates in the order in which they are tried: small edits before large ones.

    First of the statements that set the quantity, then of those that set something else that it may need.
    """
    statements = {s: [*targets(s)] for s in ast.walk(function) if isinstance(s, ast.stmt)}
    own = [s for s, found in statements.items() if any(sets(target, name) for target in found)]
    helpers = [
        s
        for s, found in statements.items()
        if found and s not in own and not any(sets(target, other) for target in found for other in others)
    ]
    names = names_of(function)
    yield from (chain.from_iterable(small_edits(s, names) for s in each) for each in (own, helpers))
    yield from (chain.from_iterable(put_around(s, writing) for s in each) for each in (own, helpers))
    yield chain.from_iterable(joined(s, names, writing) for s in own)


def sets(target: Target, name: str) -> bool:
    """Whether it is the quantity, the list that this is in, or the entry of a dict that has its name."""
    return target.name in (name, base(name)) or (isinstance(target.key, ast.Constant) and target.key.value == name)


def names_of(function: ast.FunctionDef) -> list[str]:
    """The arguments of a function, and the names that it sets."""
    stored = [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    return list(dict.fromkeys([*(arg.arg for arg in function.args.args), *stored]))


def small_edits(statement: ast.stmt, names: Sequence[str]) -> Iterator[Candidate]:
    """Another way to assign; another operator, name, number, function, axis, index in its expression."""
    for changes, cost in of_assignment(statement):
        yield from (Candidate(old, new, cost) for old, new in changes.items() if isinstance(new, ast.AST))
    yield from in_expression(statement, lambda part: local_edits(part, names, ()))


def put_around(statement: ast.stmt, writing: Writing) -> Iterator[Candidate]:
    """Something put around its expression, or around a part of that."""
    yield from in_expression(statement, lambda part: around(part, writing))


def joined(statement: ast.stmt, names: Sequence[str], writing: Writing) -> Iterator[Candidate]:
    """Its expression, or a part of that, put together with each of the names."""

    def together(part: ast.expr) -> Iterator[Edit]:
        for text, cost in templates(TOGETHER):
            for name in names:
                yield Edit(filled(text, writing, e=part, m=ast.Name(name, ast.Load())), cost)

    yield from in_expression(statement, together)


def in_expression(statement: ast.stmt, edits: Callable[[ast.expr], Iterator[Edit]]) -> Iterator[Candidate]:
    """Edits of the expression of an assignment and of each of its parts; none if it has no expression."""
    value = getattr(statement, "value", None)
    if isinstance(value, ast.expr):
        yield from (Candidate(value, new, cost) for new, cost in edits_inside(value, edits, lambda _: False))


def describe(candidate: Candidate, parents: Mapping[ast.AST, ast.AST]) -> str:
    """Line 16: `dz1 = dh1 * (1 - h1)` should be `dz1 = dh1 * (1 - h1 ** 2)`."""
    statement = candidate.old
    while not isinstance(statement, ast.stmt):
        statement = parents[statement]
    new = changed(statement, {candidate.old: candidate.new}, parents)
    return f"Line {statement.lineno}: `{unparse(statement)}` should be `{unparse(located(new))}`."
