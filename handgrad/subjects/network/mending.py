"""The change that makes a refuted layer or loss right: its own source, edited, tried on a few numbers, judged anew."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from handgrad.explain.change import Searched, search_change
from handgrad.judge.constants import SAMPLES
from handgrad.judge.isolation import attempt
from handgrad.judge.stage import Stage
from handgrad.judge.verdict import Verdict
from handgrad.mend.change import Change, Place
from handgrad.mend.search import Objection
from handgrad.report.listing import Listing, list_passes
from handgrad.report.report import Report, StageContracts
from handgrad.source.program import Passes, read_program
from handgrad.subjects.network.chain import reference_chain
from handgrad.subjects.network.few_numbers import few_of, is_ours, of_kind, wrong_draws
from handgrad.subjects.network.judged_stages import check_stage_contracts, judge_stage
from handgrad.subjects.network.network_run import Point, run_by_hand
from handgrad.subjects.network.stages import list_stages
from manual import Network


def with_change(report: Report, point: Point, seconds: float) -> Report:
    """The report with the change that makes its culprit right, or with the one line of it that can be wrong."""
    i = next((i for i, row in enumerate(report.stages) if row is report.culprit), None)
    found, note = find_change(report, point, i, seconds) if seconds and i is not None else Searched()
    return replace(
        report,
        notes=(*report.notes, *filter(None, [note])),
        change=found if isinstance(found, Change) else None,
        suspect=found if isinstance(found, Place) else None,
        listings=() if i is None else list_stage(list_stages(point)[i]),
    )


def list_stage(stage: Stage) -> tuple[Listing, ...]:
    """The two passes of a layer or a loss, without what they call elsewhere."""
    found = list_passes(stage.subject.forward, stage.subject.backward)
    return tuple(one for one in found if one.name in ("forward", "backward"))


def find_change(report: Report, point: Point, i: int, seconds: float) -> Searched:
    """The smallest change of stage i with which the judge certifies it; else its line, if only one can be wrong.

    Nothing where there is no source, where it does more than compute, or where a few numbers in float64 do not show
    that it is wrong.
    """
    stage, rng = list_stages(point)[i], np.random.default_rng(report.seed)
    few = few_of(stage.subject, stage.constants, rng)
    program = read_program(few.subject.forward, few.subject.backward)
    if program is None:
        return Searched()
    if not is_ours(type(stage.subject)):  # what the reader's own class has of manual is not what is wrong
        own = tuple(part for part in program.parts if not is_ours(part.source.function))
        program = replace(program, parts=own)
    broken = broken_names(report.contracts, i)

    def judge(passes: Passes) -> Objection | None:
        there = put_in(point, i, of_kind(stage.subject, type(getattr(passes.forward, "__self__", None))))
        right = attempt(is_right, there, i, broken, report.seed + 1, report.slack).value is True
        return None if right else Objection("it is not right in the whole network")

    return search_change(program, wrong_draws(few, program.passes, rng), judge, seconds)


def put_in(point: Point, i: int, subject: Any) -> Point:
    """The point with another layer or loss as stage i."""
    layers = point.network.layers
    if i == len(layers):
        return point._replace(loss=subject)
    return point._replace(network=Network((*layers[:i], subject, *layers[i + 1 :])))


def is_right(point: Point, i: int, broken: Collection[str], seed: int, slack: float) -> bool:
    """Whether stage i is certified, and breaks no contract but these."""
    rng, run = np.random.default_rng(seed), run_by_hand(point)
    judged = judge_stage(list_stages(point)[i], point, i, run, reference_chain(point), rng, slack, name_it=False)
    if judged.report.verdict is not Verdict.CERTIFIED:
        return False
    return broken_names(check_stage_contracts(point.first(SAMPLES), rng), i) <= set(broken)


def broken_names(contracts: Sequence[StageContracts], i: int) -> set[str]:
    """The contracts that stage i breaks."""
    return {c.name for c in contracts[i].contracts if c.held is False} if contracts else set()
