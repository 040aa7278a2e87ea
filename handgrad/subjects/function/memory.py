"""The line and the change that no value tells: memory written or read as it must not be, sums that are too narrow."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from handgrad.arrays.precision import dtype_name
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.promises import OVERWRITES, Promise
from handgrad.judge.trial import Trial
from handgrad.mend.change import Change, Place, describe_edits, describe_place
from handgrad.mend.constants import JUDGE_SECONDS
from handgrad.mend.memory import read_any_layout, sum_wider, write_elsewhere
from handgrad.mend.search import Objection
from handgrad.source.clock import clock
from handgrad.source.limit import TookTooLong, within
from handgrad.source.program import Part, Program
from handgrad.source.safely import only_computes, safely
from handgrad.source.tree import changed, parents_of
from handgrad.source.writes import Run, Write, any_written, list_writes
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Tried, function_stage
from handgrad.subjects.function.layouts import takes_any_layout
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.through_autograd import program_of, with_passes

Again = Callable[[Code], tuple[Objection | None, set[str]]]  # of changed code: what is wrong, and what is broken
CONTIGUOUS = {True: "{}.contiguous()", False: "np.ascontiguousarray({})"}  # of torch, of NumPy
Edits = Mapping[Part, Mapping[ast.AST, Any]]
Certifies = Callable[[Code], bool]


def mend_memory(
    code: Code, reference: Reference, tried: Tried, broken: set[str], again: Again, seconds: float
) -> Change | Place | None:
    """The change with which the judge certifies the code, and less is broken than before.

    Else the line that writes into what was passed in. broken: the names of the contracts. None where there is no
    source, where the code does more than compute, or where no change is found in time.
    """

    def certifies(changed: Code) -> bool:
        wrong, now = again(changed)
        return wrong is None and now < broken

    search = start(code, reference, tried, certifies, clock() + seconds)
    with safely():
        if search is not None and broken & set(OVERWRITES):
            return search.own_arrays()
        return search.any_layout() if search is not None and Promise.LAYOUTS in broken else None


def widen_sum(
    code: Code, reference: Reference, tried: Sequence[Tried], certifies: Certifies, deadline: float
) -> Change | None:
    """The one sum that in float32 makes everything right, where the formula is right."""
    first = next((t for t in tried if t.right_if_wider), None)
    if first is None or first.judgement is None:
        return None
    search = start(code, reference, first, certifies, deadline)
    with safely():
        return None if search is None else search.wider()


def start(code: Code, reference: Reference, tried: Tried, certifies: Certifies, deadline: float) -> "Search | None":
    """None where there is no source, or where the code does more than compute."""
    program = program_of(code)
    if program is None or not only_computes(program):
        return None
    return Search(code, reference, tried, program, certifies, deadline)


class Search:
    """One program, the case it was judged on, and until when a change is looked for."""

    def __init__(
        self, code: Code, reference: Reference, tried: Tried, program: Program, certifies: Certifies, deadline: float
    ) -> None:
        assert tried.judgement is not None
        self.code, self.reference, self.tried = code, reference, tried
        self.found, self.trial = tried.judgement, tried.judgement.trial
        self.program, self.certifies, self.deadline = program, certifies, deadline

    def own_arrays(self) -> Change | Place | None:
        """The first line that writes and mends all, or all of them; without a change, the first that writes."""
        writes = attempt(list_writes, self.program.parts, self.run).value
        if not writes:
            return None
        words = f"this line writes into {told(writes[0].name)}"
        change = self.first(each_and_all(writes), words, lambda mended: keeps(partial(self.run, code=mended)))
        return change or replace(describe_place(writes[0].part, writes[0].statement.lineno), breaks=words)

    def any_layout(self) -> Change | None:
        """The first edit with which the code reads any layout."""
        contiguous = CONTIGUOUS[isinstance(self.trial.dy, torch.Tensor)]
        words = "this reads memory as if it were contiguous; with the change it reads the array's entries"
        return self.first(self.everywhere(lambda tree: read_any_layout(tree, contiguous)), words, self.reads_right)

    def wider(self) -> Change | None:
        """The first sum that is right in float32."""
        dtype = dtype_name(self.trial.dy)
        return self.first(self.everywhere(sum_wider), f"{dtype} is too narrow for this sum", lambda _: True)

    def everywhere(self, edits: Callable[[ast.AST], Iterator[Mapping[ast.AST, Any]]]) -> Iterator[Edits]:
        """The edits of every part."""
        return ({part: own} for part in self.program.parts for own in edits(part.source.tree))

    def first(self, edits: Iterable[Edits], words: str, fits: Callable[[Code], Any]) -> Change | None:
        """The first edits that fit, and with which the judge certifies the code."""
        for own in edits:
            if clock() > self.deadline:
                return None
            mended = self.passes(own)
            if mended is not None and attempt(fits, mended).value and self.confirmed(mended):
                change = describe_edits(own)
                return None if change is None else replace(change, words=words)
        return None

    def passes(self, edits: Edits) -> Code | None:
        """The code with the edits; None where they are no Python."""
        trees = {part: changed(part.source.tree, own, parents_of(part.source.tree)) for part, own in edits.items()}
        made = attempt(self.program.made, trees).value
        return None if made is None else with_passes(self.code, made)

    def run(self, watch: Callable[[str, Any], None], code: Code | None = None) -> None:
        """Forward and backward, with everything watched that must keep its numbers."""
        code = code or self.code
        args, dy = code.arguments(duplicate(self.trial.inputs)), duplicate(self.trial.dy)
        for name, value in zip(code.names, args, strict=True):
            if name not in code.may_overwrite:
                watch(name, value)
        ran = code.run_forward(args)
        if code.graph is None and "cache" not in code.may_overwrite:
            watch("the cache", ran.cache)
        if "dy" not in code.may_overwrite:
            watch("dy", dy)
        code.run_backward(args, ran.outputs, ran.cache, dy)

    def reads_right(self, code: Code) -> bool:
        """Whether the contract is kept."""
        stage = function_stage(self.tried.case.name, code, self.reference, isolated=False)
        trial = Trial(stage, self.trial.inputs, self.trial.dy, self.trial.slack)
        return takes_any_layout(code, trial, self.found, self.reference, code.may_overwrite).held is True

    def confirmed(self, code: Code) -> bool:
        """Whether the judge certifies it."""
        try:
            return within(JUDGE_SECONDS, self.certifies, code)
        except TookTooLong:
            return False


def keeps(run: Run) -> bool:
    """Whether it runs, and writes into nothing."""
    return attempt(any_written, run).value is False


def each_and_all(writes: Sequence[Write]) -> Iterator[Edits]:
    """Every edit of each statement that writes; then the first edits of all, of one function."""
    for write in writes:
        for own in write_elsewhere(write.statement):
            yield {write.part: own}
    firsts: dict[Part, dict[ast.AST, Any]] = {}
    for write in writes:
        firsts.setdefault(write.part, {}).update(next(write_elsewhere(write.statement), {}))
    if len(writes) > 1 and any(firsts.values()):
        yield {part: own for part, own in firsts.items() if own}


def told(name: str) -> str:
    """
    >>> told("dy"), told("the cache")
    ('dy, which belongs to whoever calls', 'the cache, which a second backward pass needs')
    """
    return f"{name}, which {'a second backward pass needs' if name == 'the cache' else 'belongs to whoever calls'}"
