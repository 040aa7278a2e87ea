"""From a program and what it should give to the change, in words; or to the one line that is wrong."""

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from handgrad.explain.line import describe_value
from handgrad.judge.isolation import attempt
from handgrad.mend.change import Change, Place, describe_edits, describe_place
from handgrad.mend.constants import JUDGE_SECONDS, LINE_SECONDS, LINE_SHARE
from handgrad.mend.draw import Draw
from handgrad.mend.needed import find_values, value_name
from handgrad.mend.search import Objection, find_edits
from handgrad.mend.words import describe_change
from handgrad.source.clock import clock
from handgrad.source.limit import TookTooLong, within
from handgrad.source.program import Part, Passes, Program
from handgrad.source.safely import only_computes
from handgrad.source.taps import parts_that_run

ALL_TRIED = "small changes were tried, and none makes every gradient right"
BESIDES = "with this change what was wrong is right; something else is wrong besides: {}"
TOO_SLOW = Objection("the judge did not come to an end in time")
LONGER = 6  # times as long is advised


class Searched(NamedTuple):
    """The change, else the line that is wrong, if only one can be; note: how the search ended without a change."""

    found: Change | Place | None = None
    note: str = ""


def search_change(
    program: Program, draws: Sequence[Draw], judge: Callable[[Passes], Objection | None], seconds: float
) -> Searched:
    """The smallest change with which the judge certifies the passes; else the line that is wrong, if only one can be.

    judge: what is found wrong with other passes, None where they are certified. seconds: for all of it. A part is kept
    for the line, where no change is found: for its value here, for the ledger where the search knows no line.
    Where a change is refused at special inputs alone, its line, with the change in words and what is wrong there.
    Nothing where nothing is wrong on the draws, or where the code does more than compute.
    """
    deadline, kept = clock() + seconds, min(LINE_SECONDS, seconds * LINE_SHARE)
    if not draws or not only_computes(program):
        return Searched()
    running = parts_that_run(program, draws[0].run)

    def ask(trees: Mapping[Part, ast.AST]) -> Objection | None:
        made = attempt(running.made, trees)
        try:
            return Objection(repr(made.error)) if made.value is None else within(JUDGE_SECONDS, judge, made.value)
        except TookTooLong:
            return TOO_SLOW

    edits, suspect, refused = find_edits(running, draws, ask, deadline - kept)
    if edits is not None and (change := describe_edits(edits)) is not None:
        return Searched(replace(change, words=in_words(describe_change, edits, running.parts)))
    note = out_of_time(seconds) if clock() > deadline - kept else ALL_TRIED
    if suspect is None:
        return Searched(None, note)
    if refused and refused.objection.special and (change := describe_edits(refused.edits)) is not None:
        words = in_words(describe_change, refused.edits, running.parts)
        return Searched(replace(change.place, words=words, breaks=BESIDES.format(refused.objection.words)))
    part, statement = suspect
    values = find_values(running, draws, statement, max(deadline, clock() + kept))  # the judge may have taken longer
    words = in_words(describe_value, *zip(*values, strict=True)) if values else ""
    words = f"{value_name(statement)}: {words}" if words else ""
    place = describe_place(part, statement.lineno)  # type: ignore[attr-defined]
    return Searched(replace(place, words=words), note)


def out_of_time(seconds: float) -> str:
    """
    >>> out_of_time(9.7)
    'the time ran out before every small change was tried: mend=60 (--mend 60) looks longer'
    """
    more = 10 * math.ceil(LONGER * seconds / 10)
    return f"the time ran out before every small change was tried: mend={more} (--mend {more}) looks longer"


def in_words(describe: Callable[..., str], *args: Any) -> str:
    """What `describe` says. A fault of ours costs no change, and is not hidden: it is told in place of the words."""
    said = attempt(describe, *args)
    return f"no words: a fault of handgrad, {said.error!r}" if said.error is not None else said.value or ""
