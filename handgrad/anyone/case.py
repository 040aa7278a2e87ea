"""One set of inputs judged: the code run once, its forward values first, then every gradient."""

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.anyone.calling import Code, WrongReturn
from handgrad.anyone.opaque import ROUNDINGS, SIGMAS, certify_opaque
from handgrad.anyone.quiet import duplicate, quiet
from handgrad.anyone.reasons import explain, in_another_shape
from handgrad.anyone.reference import Reference
from handgrad.anyone.reference_noise import noise
from handgrad.anyone.third_opinion import adjudicate
from handgrad.anyone.worth import without_blind
from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.base import CannotEnter, refusal
from handgrad.certificate import Evidence, StageReport, TensorReport, certify, compare, unmeasured
from handgrad.contracts import contents
from handgrad.mistakes.case import ABSENT
from handgrad.mistakes.diagnosis import Diagnosis, diagnose
from handgrad.precision import dtype_name, like, to64
from handgrad.rows import StageRow
from handgrad.stage import Arrays, Stage
from handgrad.verdict import Verdict

BALLS = "by rounding bounds that ran through the code itself"
NOISE = (
    "by the noise of the reference (the code writes into buffers, or is opaque, or has no finite rounding bound, "
    "or rounding decides which branch it takes)"
)
CLOSE = 2.0**-30  # float32 rounding is larger, rounding in float64 far smaller
REPEATABLE = "give one that repeats itself: a module in eval(), a random mask as an input"
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


class LeftOut(Exception):
    """The reference has nothing to say at these inputs."""


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


def expected(reference: Reference, exact: Mapping[str, Float], huge: float) -> Float:
    """The reference's y, or LeftOut."""
    try:
        y = reference.value(exact)
    except Exception as error:
        called = ", ".join(f"{name} {np.shape(value)}" for name, value in exact.items())
        raise LeftOut(f"the reference raised {type(error).__name__}: {error} (called with {called})") from error
    if y.size == 0:
        raise LeftOut("the reference gives an empty result")
    if not (np.abs(y) <= huge).all():
        raise LeftOut("the reference's own result is not finite")
    return y


def expected_gradients(reference: Reference, exact: Mapping[str, Float], dy: Float, y: Float) -> dict[str, Float]:
    """The reference's gradients, or LeftOut; y is what it gave alone. Raises ValueError where it is random."""
    try:
        found, again = (reference.gradients(exact, dy) for _ in range(2))
    except Exception as error:
        raise LeftOut(f"the reference's backward pass raised {type(error).__name__}: {error}") from error
    for name, one, other in [("y", y, found["y"]), *((name, found[name], again[name]) for name in found)]:
        if words := unlike(one, other):
            raise ValueError(f"the reference is random: two runs on the same inputs give {name}{words}; {REPEATABLE}")
    if not all(np.isfinite(value).all() for value in found.values()):
        raise LeftOut("the reference's own gradient is not finite")
    return found


def unlike(one: Float, other: Float) -> str:
    """Where two runs on the same numbers differ by more than the order of a sum can do, in words; empty: nowhere."""
    if one.shape != other.shape:
        return f" of shapes {one.shape} and {other.shape}"
    with np.errstate(all="ignore"):
        gap = np.nan_to_num(np.abs(one - other), nan=0.0, posinf=0.0)  # what is not finite is judged as such
        size = np.max(np.abs(one), initial=0.0, where=np.isfinite(one))
    if not gap.any() or np.max(gap) <= CLOSE * size:
        return ""
    at = np.unravel_index(int(np.argmax(gap)), gap.shape)
    return f"{index(at)} = {one[at]:.9g} and {other[at]:.9g}"


def index(at: Sequence[Any]) -> str:
    """[0,2], or nothing for a scalar."""
    return f"[{','.join(str(int(i)) for i in at)}]" if len(at) else ""


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


def forward_differs(t: TensorReport, e: Evidence) -> TensorReport:
    """The forward value with why nothing is said about gradients.

    UNRESOLVED where float64 values are so close that no other formula was meant, but a constant cut short, or a
    reference that is itself inexact (torch's softplus is x above a threshold).
    """
    if e.hand.shape != e.reference.shape:
        return replace(t, reason=f"the forward passes differ: {in_another_shape(e) or t.reason}")
    at = index(t.index)
    if not np.isfinite(e.hand).all():
        words = f"y{at} is {t.hand:g}, the reference gives {t.reference:.9g}, {t.outside} of {t.entries} entries"
        return replace(t, reason=f"forward gives values that are not finite: {words}")
    words = f"y{at} is {t.hand:.17g}, the reference gives {t.reference:.17g}, {t.outside} of {t.entries} entries differ"
    gap, size = np.max(np.abs(e.hand - e.reference)), np.max(np.abs(e.reference))
    if gap <= CLOSE * size:
        return replace(
            t,
            verdict=Verdict.UNRESOLVED,
            reason=f"the forward passes differ by {gap / size:.1g} of their size, too much for rounding, too little "
            f"for another formula: a constant cut short, or an inexact reference; {words}",
        )
    return replace(t, reason=f"the forward passes differ: {words}; the gradients are not judged")


def stopped(case: str, tensor: str, y: Float, error: Exception | None) -> StageRow:
    """The row of code that raised: UNRESOLVED; REFUTED where what it returned is the mistake."""
    verdict = Verdict.REFUTED if isinstance(error, WrongReturn) else Verdict.UNRESOLVED
    reason = (
        str(error) if isinstance(error, WrongReturn) else f"{'forward' if tensor == 'y' else tensor} {raised(error)}"
    )
    return failed(case, tensor, verdict, reason)


def failed(case: str, tensor: str, verdict: Verdict, reason: str, shape: tuple[int, ...] = ()) -> StageRow:
    """A row about something that has no numbers to show."""
    nan = float("nan")
    t = TensorReport(tensor, shape, verdict, 0, 0, (), nan, nan, nan, nan, nan, nan, nan, reason)
    return StageRow(case, StageReport(case, (t,)))


def raised(error: Exception | None) -> str:
    """Type, message, and the line of the user's code nearest to it."""
    if refusal(error):
        return "met an array of the judge's, kept since an earlier call: it keeps state between calls"
    own = (str(Path(__file__).parent), "site-packages", "<")
    frames = traceback.extract_tb(error.__traceback__) if error else []
    user = [f for f in frames if not any(part in f.filename for part in own)]
    where = f" ({user[-1].filename}:{user[-1].lineno})" if user else ""
    return f"raised {type(error).__name__}: {error}{where}"
