"""The whole pass beside the reference's: Test B, stage by stage, and Test C along random directions."""

from collections.abc import Sequence

import numpy as np

from handgrad.arrays.arithmetic import EPS
from handgrad.arrays.precision import to64
from handgrad.judge.compare import StageReport
from handgrad.judge.constants import DRIFT_SIGMAS
from handgrad.judge.isolation import attempt
from handgrad.judge.verdict import Verdict
from handgrad.report.report import DirectionsReport
from handgrad.report.stage_rows import Chained, Status
from handgrad.subjects.network.chain import ChainValues, directions, noise
from handgrad.subjects.network.network_run import Point, Run, run_by_hand


def compare_with_chain(
    i: int, run: Run, reference: ChainValues, sigma: ChainValues, reports: Sequence[StageReport], slack: float
) -> tuple[Chained, ...]:
    """Stage i of the whole pass against the reference's whole pass, in standard deviations of its rounding (Test B)."""
    refuted = [{t.name for t in report.tensors if t.verdict is Verdict.REFUTED} for report in reports]
    forward = any("y" in names for names in refuted[:i])
    found = []
    for name, own in run.outputs(i).items():
        s, S = to64(own), reference.stages[i].get(name)
        if S is None or s.shape != S.shape:
            found.append(Chained(name, Status.WRONG, float("nan"), float("inf")))
            continue
        before = forward if name == "y" else forward or any(refuted[i:])
        with np.errstate(all="ignore"):
            difference = np.abs(s - S)
            z = np.where(difference == 0, 0, difference / (slack * (sigma.stages[i][name] + EPS * np.abs(S))))
        worst = float(np.max(np.nan_to_num(z, nan=np.inf, posinf=np.inf), initial=0))
        beyond = Status.WRONG if name in refuted[i] else Status.INHERITED if before else Status.DRIFT
        status = Status.OK if worst <= DRIFT_SIGMAS else beyond
        found.append(Chained(name, status, float(np.max(difference, initial=0)), worst))
    return tuple(found)


def check_directions(
    point: Point, dtype: str, rng: np.random.Generator, slack: float
) -> tuple[DirectionsReport | None, str]:
    """Test C on a run of its own; None, and why, where nothing follows from it.

    Rounding only: a jump at a kink would make room for a wrong gradient in every other entry. Where the two sides of a
    kink are all that is between the gradient and the directions, the directions say nothing.
    """

    def judge(both: bool) -> DirectionsReport:
        run = run_by_hand(point)
        grads = [{k: to64(v) for k, v in run.outputs(i).items()} for i in range(len(point.params))]
        return directions(point, grads, noise(point, dtype, both=both).stages[:-1], rng, slack)

    def judge_twice() -> DirectionsReport | None:
        found = judge(both=False)
        wrong = Verdict.REFUTED
        return None if found.verdict is wrong and judge(both=True).verdict is not wrong else found

    found = attempt(judge_twice)
    if found.error is not None:
        first, _, _advice = str(found.error).partition(". ")
        return None, f"the code does not run on the judge's arrays ({type(found.error).__name__}: {first})"
    return found.value, "" if found.value else "rounding decides on which side of a kink some units lie"
