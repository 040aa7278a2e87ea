"""One set of inputs judged: the code run once, its forward values first, then every gradient."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.base import CannotEnter
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.explain.diagnosis import Diagnosis, diagnose
from handgrad.explain.hints import explain
from handgrad.explain.mistake import ABSENT
from handgrad.judge.ball_bound import Evidence, StageReport, TensorReport, certify, compare, unmeasured
from handgrad.judge.contracts import contents
from handgrad.judge.difference_quotient import adjudicate
from handgrad.judge.isolation import duplicate, quiet
from handgrad.judge.noise_bound import ROUNDINGS, SIGMAS, certify_opaque
from handgrad.judge.reference_noise import noise
from handgrad.judge.stage import Arrays, Stage
from handgrad.judge.uninformative import without_blind
from handgrad.judge.verdict import Verdict
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.function.calling import Code, WrongReturn
from handgrad.subjects.function.failures import failed, forward_differs, raised, stopped
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.reference_values import REPEATABLE, LeftOut, expected, expected_gradients, unlike

BALLS = "by rounding bounds that ran through the code itself"
NOISE = (
    "by the noise of the reference (the code writes into buffers, or is opaque, or has no finite rounding bound, "
    "or rounding decides which branch it takes)"
)
Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Case:
    """Inputs in the library and precision judged. optional: left out where the reference has no finite answer."""

    name: str
    inputs: Arrays
    optional: bool = False


@dataclass(frozen=True, eq=False)
class Judged:
    """The row of a case, None where it was left out; what else must be said; how it was judged, and with which dy.

    again: what a second run gave, before the judge's own arrays have been where the code may keep something.
    """

    row: StageRow | None
    notes: tuple[str, ...] = ()
    way: str = ""
    dy: Any = None
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    again: Mapping[str, Any] = field(default_factory=dict)


def judge(code: Code, reference: Reference, case: Case, rng: np.random.Generator, slack: float) -> Judged:
    """The code against the reference on one case.

    Raises ValueError where the reference cannot take the inputs of a case that is not optional, or is random.
    """
    model = next(iter(case.inputs.values()))
    exact = {name: to64(value) for name, value in case.inputs.items()}
    try:
        y = expected(reference, exact, Arithmetic.of(dtype_name(model)).huge)
        dy = like(upstream(rng, y.shape), model)
        right = expected_gradients(reference, exact, to64(dy), y)
    except LeftOut as reason:
        if case.optional:
            return Judged(None, (f"{case.name}: not judged, {reason}",))
        raise ValueError(f"inputs: {reason}; give inputs that the reference accepts") from reason.__cause__
    hand, error = run(code, case.inputs, dy)
    if "y" not in hand:
        if case.optional and not isinstance(error, WrongReturn):
            return Judged(None, (f"{case.name}: not judged, forward {raised(error)}",))
        return Judged(stopped(case.name, "y", y, error))
    again, _ = run(code, case.inputs, dy)
    stage = as_stage(case.name, code, reference, tuple(hand), apart=True)
    if contents(hand) != contents(again):
        stage = replace(stage, hand=no_further_run)
    report, evidence, way = certificate(stage, case.inputs, dy, hand, rng, slack)
    first = report.tensors[0]
    if first.verdict is Verdict.REFUTED:
        if "y" in again and (two := unlike(to64(hand["y"]), to64(again["y"]))):
            why = f"forward is random, or keeps state: two runs on the same inputs give y{two}; {REPEATABLE}"
            return Judged(failed(case.name, "y", Verdict.UNRESOLVED, why, y.shape))
        first = forward_differs(first, evidence["y"])
        told = forward_mistake(stage, case.inputs, dy, evidence) if telling(exact) else None
        return Judged(StageRow(case.name, StageReport(case.name, (first,)), (), told))
    if error is not None:
        return Judged(stopped(case.name, "backward", y, error))
    notes: tuple[str, ...] = ()
    if report.verdict is Verdict.REFUTED:
        report, evidence, notes = adjudicate(code, case.inputs, dy, report, evidence)
    diagnosis = None
    if report.verdict is Verdict.REFUTED:
        report, words = explain(stage, case.inputs, dy, hand, report, evidence, rng, slack)
        notes += words
        diagnosis = diagnose(stage, case.inputs, dy, evidence) if telling(exact) else None
    absent = not_given(code, reference, exact, to64(dy), hand, right, Arithmetic.of(dtype_name(model)), rng)
    if absent:
        report = replace(report, tensors=(*report.tensors, *absent))
        unknown = {t.name: Evidence(*(np.full(t.shape, v) for v in (np.nan, 0, np.inf))) for t in absent}
        unknown = {n: replace(e, reference=right[n]) for n, e in unknown.items()}
        whole = as_stage(case.name, code, reference, (*hand, *unknown), apart=True)
        diagnosis = diagnose(whole, case.inputs, dy, evidence | unknown)
    report, left_out = without_blind(report, evidence, reference, exact, to64(dy), rng, case.optional)
    row = StageRow(case.name, report, (), diagnosis) if report.tensors else None
    return Judged(row, notes + left_out, way, dy, evidence, again)


def not_given(
    code: Code, reference: Reference, exact: Mapping[str, Float], dy: Float,
    hand: Mapping[str, Any], right: Mapping[str, Float], arithmetic: Arithmetic, rng: np.random.Generator,
) -> list[TensorReport]:  # fmt: skip
    """Every gradient that was not given (None) although it is not zero but for rounding."""
    names = [f"d{n}" for n in code.variables if f"d{n}" not in hand and right[f"d{n}"].any()]
    if not names:
        return []
    sigma = noise(reference.gradients, exact, dy, arithmetic, rng)
    return [
        unmeasured(name, right[name].shape, Verdict.REFUTED, right[name].size, f"{ABSENT} (None), and it is not zero")
        for name in names
        if (np.abs(right[name]) > SIGMAS * sigma[name]).any()
    ]


def forward_mistake(stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence]) -> Diagnosis | None:
    """What makes of the right value the given one, if it has a name; the gradients take no part."""
    found = diagnose(
        stage, inputs, dy, {n: e if n == "y" else replace(e, hand=e.reference) for n, e in evidence.items()}
    )
    return found if found is not None and found.known else None


def telling(exact: Mapping[str, Float]) -> bool:
    """Whether the inputs can tell mistakes apart: where all entries are equal, or the only one is 0, too many fit."""
    return any(np.ptp(value) > 0 for value in exact.values()) or all(v.size == 1 and v.any() for v in exact.values())


def upstream(rng: np.random.Generator, shape: tuple[int, ...]) -> Float:
    """Random, never ones: what a softmax's rows sum to must not hide a mistake."""
    return np.asarray(rng.choice((-1, 1), size=shape) * rng.uniform(0.25, 2, size=shape))


def run(code: Code, inputs: Arrays, dy: Any) -> tuple[dict[str, Any], Exception | None]:
    """{"y": ..., "dx": ...} on copies of the inputs, as far as it came, and the exception that stopped it."""
    found: dict[str, Any] = {}
    try:
        with quiet():
            args = [duplicate(arg) for arg in code.arguments(inputs)]
            y, cache = code.run_forward(args)
            real("forward", y)
            found["y"] = duplicate(y)
            grads = code.run_backward(args, y, cache, duplicate(dy))
            for name, g in grads.items():
                real(f"backward, for {name},", g)
            return found | duplicate(grads), None
    except Exception as error:
        return found, error


def no_further_run(inputs: Arrays, dy: Any) -> dict[str, Any]:
    """In place of code that gives something else every time: its first run alone is judged, and excused by no other."""
    raise CannotEnter("its results vary from run to run")


def real(which: str, array: Any) -> None:
    """Raise WrongReturn where somebody's result is no array of real numbers."""
    if "complex" in dtype_name(array):
        raise WrongReturn(f"{which} returned {dtype_name(array)} numbers, expected real ones: take the real part")
    to64(array)


def as_stage(name: str, code: Code, reference: Reference, wanted: tuple[str, ...], *, apart: bool = False) -> Stage:
    """The code as a stage whose results are those named in `wanted`. It is given the inputs as they are, uncopied.

    apart: every run on a copy of the object the code belongs to, so that no array of the judge's stays in it.
    """

    def hand(inputs: Arrays, dy: Any) -> dict[str, Any]:
        own = code.apart() if apart else code
        args = own.arguments(inputs)
        y, cache = own.run_forward(args)
        return {"y": y, **(own.run_backward(args, y, cache, dy) if len(wanted) > 1 else {})}

    def expected(inputs: Arrays, dy: Any) -> dict[str, Any]:
        found = reference.gradients(inputs, dy)
        return {name: found[name] for name in wanted}

    return Stage(name, hand, expected, None, dict(code.constants) or None)


def certificate(
    stage: Stage, inputs: Arrays, dy: Any, hand: Mapping[str, Any], rng: np.random.Generator, slack: float
) -> tuple[StageReport, dict[str, Evidence], str]:
    """By balls where they enter, else by the noise of the reference; and which of the two it was."""
    try:
        with quiet():
            report, evidence = certify(stage, inputs, dy, hand=hand, slack=slack)
    except Exception:  # CannotEnter, or whatever else this code does with an array it does not expect
        report, evidence = certify_opaque(stage, inputs, dy, hand, rng, slack)
        return report, evidence, NOISE
    # A ball of another shape bounds nothing.
    reshaped = any(e.hand.shape != e.reference.shape for e in evidence.values())
    if report.verdict is Verdict.REFUTED and not reshaped:
        report, evidence = with_reference_noise(stage, inputs, dy, evidence, rng)
    if reshaped or report.verdict is Verdict.UNRESOLVED:
        report, evidence = certify_opaque(stage, inputs, dy, hand, rng, slack)
        return report, evidence, NOISE
    return report, evidence, BALLS


def with_reference_noise(
    stage: Stage, inputs: Arrays, dy: Any, evidence: Mapping[str, Evidence], rng: np.random.Generator
) -> tuple[StageReport, dict[str, Evidence]]:
    """The same bounds and the reference's own noise: its formula is another and may cancel where ours does not."""
    a = Arithmetic.of("float64")
    sigma = noise(stage.reference, {n: to64(v) for n, v in inputs.items()}, to64(dy), a, rng)
    wider = {
        name: replace(e, bound=e.bound + SIGMAS * sigma[name] + ROUNDINGS * a.u * np.abs(e.reference))
        for name, e in evidence.items()
    }
    tensors = tuple(compare(name, e.hand, e.reference, e.bound) for name, e in wider.items())
    return StageReport(stage.name, tensors), wider
