"""The ledger of a backward pass: each of its values, line by line, with what it is and whether it is right.

The forward pass is run by autograd with all its values noted, so the gradient of each is known. The backward pass is
run with the value of every variable noted. What equals a gradient, a value or a derivative of the forward pass is that.
What does not, but makes wrong gradients right where it is replaced by one, should have been that: it is wrong.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from handgrad.arrays.imitated_jax import is_jax
from handgrad.judge.isolation import attempt
from handgrad.mend.change import describe_place
from handgrad.report.ledger import Ledger, LedgerRow, LineVerdict
from handgrad.source.program import read_program
from handgrad.source.safely import only_computes, safely
from handgrad.source.steps import MOST_NOTED, Entry, Step, Steps
from handgrad.source.taps import Tapped
from handgrad.subjects.function.adjoints import differentiable_forward
from handgrad.subjects.function.bookkeeping import Bookkeeping, start
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Tried
from handgrad.subjects.function.ledger_draw import LedgerDraw, choose_draw
from handgrad.subjects.function.own_forward import OwnForward
from handgrad.subjects.function.tries import first_wrong

INSIDE = (
    "the backward pass stands inside forward, where its values are not seen; give the torch.autograd.Function itself"
)


def keep_ledger(code: Code, tried: Sequence[Tried], seed: int, deadline: float = math.inf) -> Ledger:
    """The ledger on the first case that is not certified, else on the first case.

    deadline: by `clock`, after which it is no longer asked what a wrong value should be.
    """
    wrong = first_wrong(tried)
    return write_ledger(code, (wrong or tried[0]).case, seed, certified=wrong is None, deadline=deadline)


def write_ledger(code: Code, case: Case, seed: int, *, certified: bool, deadline: float = math.inf) -> Ledger:
    """The ledger of one case; empty, with the reason, where there can be none."""
    program = read_program(code.graph or code.forward, None if code.graph else code.backward)
    forward = differentiable_forward(code.graph or code.forward)
    if is_jax(next(iter(case.inputs.values()))):
        return Ledger(problem="JAX compiles the code, so the values inside it are not seen")
    if code.graph is not None and forward is code.graph:
        return Ledger(problem=INSIDE)
    if program is None or program.is_ours:
        return Ledger(problem="the source of the backward pass cannot be read")
    if not only_computes(program):
        return Ledger(problem="the code does more than compute (it opens files, or runs others), so it is not traced")
    results = code.results if code.graph is None else 0
    own = OwnForward(
        forward, code.names, code.constants, code.form, code.detached, results=results, draws=code.draws, kept=code.kept
    )
    with safely():
        draw = attempt(choose_draw, code, own, Tapped(program), case, seed, certified=certified)
        found = attempt(trace, draw.value, Steps(program), case.name, deadline) if draw.value is not None else None
    if found is None or found.value is None:
        return Ledger(problem=f"the values of forward are not known: {(found or draw).error}")
    return found.value


def trace(draw: LedgerDraw, steps: Steps, case: str, deadline: float) -> Ledger:
    """The ledger of one draw."""
    book = start(draw, steps, deadline)
    if not book.runs.first.outputs:
        return Ledger(problem="the backward pass raises an exception")
    if sum(value.size for value in book.runs.first.values.values()) > MOST_NOTED:
        return Ledger(problem="its loops make more values than can be followed")
    book.explain()
    number = book.suspect()
    suspect = None if number is None else describe_place(steps.steps[number].part, steps.steps[number].line)
    return Ledger(tuple(make_rows(book)), "", case, suspect)


def make_rows(book: Bookkeeping) -> Iterator[LedgerRow]:
    """One row for every step, in the order in which they were first taken."""
    groups: dict[int, list[Entry]] = {}
    for entry in book.runs.first.values:
        groups.setdefault(entry[0], []).append(entry)
    told: dict[tuple[object, str], LedgerRow] = {}
    for number, entries in groups.items():
        step = book.runs.steps.steps[number]
        bad = (LineVerdict.WRONG, LineVerdict.DOUBTED, LineVerdict.INHERITED)
        shown = next((e for v in bad for e in entries if book.found[e].verdict is v), entries[-1])
        row = make_row(book, step, shown, len(entries))
        before = told.get((step.part, step.variable))
        told[step.part, step.variable] = row
        if not (step.returned and before is not None and is_same(before, row)):  # a variable returned as it is
            yield row


def is_same(one: LedgerRow, other: LedgerRow) -> bool:
    """Whether two rows are about the same value as the same thing."""
    return (one.what, one.shape, one.hand) == (other.what, other.shape, other.hand)


def make_row(book: Bookkeeping, step: Step, entry: Entry, times: int) -> LedgerRow:
    """The row of one value, at the entry where it is furthest from the true one, else at its largest."""
    value, found, nan = book.runs.first.values[entry], book.found[entry], float("nan")
    true = found.true if found.true is not None and found.true.shape == value.shape else None
    with np.errstate(all="ignore"):
        apart = np.nan_to_num(np.abs(value if true is None else value - true), nan=np.inf)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), value.shape)) if value.size else ()
    source = step.part.source
    because = found.because if found.verdict is LineVerdict.INHERITED else None
    return LedgerRow(
        file=source.file,
        line=step.line,
        code=source.text.splitlines()[step.line - 1].strip(),
        variable=step.variable,
        times=times,
        what=found.meaning.what if found.meaning else "",
        shape=value.shape,
        index=index,
        hand=float(value[index]) if value.size else nan,
        autograd=nan if true is None or not value.size else float(true[index]),
        difference=nan if true is None or not value.size else float(apart[index]),
        bound=nan if found.true is None else book.draw.bound(found.true),
        verdict=found.verdict,
        because=None if because is None else book.runs.steps.steps[because].line,
        true=found.true,
        value=value,
    )
