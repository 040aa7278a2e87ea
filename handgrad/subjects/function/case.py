"""One set of inputs: the code runs on it beside its reference, and the judge gets both as a trial."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic, coarsest
from handgrad.arrays.base import CannotEnter
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.explain.notes import Explanation, explain
from handgrad.judge.constants import CLOSE
from handgrad.judge.isolation import attempt, contents, duplicate
from handgrad.judge.judge import judge
from handgrad.judge.judgement import Judgement, Way
from handgrad.judge.note import Grave
from handgrad.judge.repeats import difference_words, random_words
from handgrad.judge.stage import Arrays, Halves, Stage
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.report.entries import list_entries
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.function.beside_kinks import KINK, at_kink, move_aside
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.each_result import each_result
from handgrad.subjects.function.eager import overflows_as_torch
from handgrad.subjects.function.failures import raised_words, row_without_numbers, stopped_row
from handgrad.subjects.function.fillers import NO_MASK, NOT_JUDGED, reached_filler
from handgrad.subjects.function.outputs import Output, Outputs
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.reference_values import LeftOut, TooSmall, reference_gradients, reference_value
from handgrad.subjects.function.returned import WrongReturn
from handgrad.subjects.function.sizes import follows

Float = NDArray[np.float64]


class Kind(Enum):
    """Where the inputs of a case come from."""

    GIVEN = auto()
    ORDINARY = auto()
    KINKS = auto()
    SPECIAL = auto()
    SIZES = auto()
    BLOCK_EDGES = auto()
    MAGNITUDES = auto()


@dataclass(frozen=True, eq=False)
class Case:
    """Inputs in the library and precision judged.

    y_shape  at other sizes: the shape that y must then have (None for a size that is not known)
    probe    to be compared at first, and judged only if it is more off than others
    equal    every row of dy is the same as well
    only     of several results: the one that alone gets an upstream gradient
    called   what the inputs are called in a sentence, if not by the name
    """

    name: str
    inputs: Arrays
    kind: Kind
    y_shape: tuple[int | None, ...] | None = None
    probe: bool = False
    equal: bool = False
    only: Output | None = None
    called: str = ""

    @property
    def optional(self) -> bool:
        """Whether it may be left out: if the reference is not finite there, or rounding leaves nothing to judge."""
        return self.kind not in (Kind.GIVEN, Kind.ORDINARY)


@dataclass(frozen=True, eq=False)
class Tried:
    """A case with its row (None if it was left out), its notes, and its judgement if there is one.

    unseen: of torch code that balls did not enter, the trial that tells whether it is opaque
    right_if_wider: it is wrong, and right in float64
    """

    case: Case
    row: StageRow | None
    notes: tuple[str, ...] = ()
    judgement: Judgement | None = None
    error: Exception | None = None
    unseen: Trial | None = None
    outputs: Outputs | None = None
    right_if_wider: bool = False

    @property
    def opaque(self) -> bool:
        """Whether something computes that torch does not see: a kernel, which trusts what it is given.

        The code is run again to tell, so this is asked only where something hangs on it.
        """
        return self.unseen is not None and self.unseen.opaque


def try_case(
    code: Code, reference: Reference, case: Case, rng: np.random.Generator, slack: float, dy: Any = None,
    *, name_it: bool = True, aside: bool = False,
) -> Tried:  # fmt: skip
    """The code against the reference on one case. dy: drawn if None. name_it: whether a mistake gets its words.

    aside: the inputs lie beside a kink already. Without a reference nobody knows which side of one is meant.
    Raises ValueError where the reference cannot take the inputs of a case that is not optional, or is random.
    """
    model = next(iter(case.inputs.values()))
    exact = {name: to64(value) for name, value in case.inputs.items()}
    try:
        y = reference_value(reference, exact, Arithmetic.of(coarsest(map(dtype_name, case.inputs.values()))).huge)
        if dy is None:
            drawn = draw_upstream(rng, y.shape)
            drawn = repeat_first(drawn) if case.equal else drawn if case.only is None else alone(drawn, case.only)
            dy = like(drawn, model)
        right = reference_gradients(reference, exact, to64(dy), y)
    except LeftOut as reason:
        if reference.own and (stopped := stops_alone(code, case)):
            return stopped
        if case.optional:
            return Tried(case, None, (f"{case.name}: not judged, {reason}",))
        advice = "" if isinstance(reason, TooSmall) else f"; {reference.advice}"
        raise ValueError(f"inputs: {reason}{advice}") from reason.__cause__
    hand, error, outputs = run(code, case.inputs, dy)
    if "y" not in hand or outputs is None:
        return without_y(case, error)
    if contents(taken := outputs.take(dy, hand["y"], mixed=is_mixed(case.inputs))) != contents(dy):
        return try_case(code, reference, case, rng, slack, taken, name_it=name_it, aside=aside)
    if case.y_shape is not None and (strange := strange_shape(case.y_shape, y.shape, np.shape(hand["y"]))):
        return Tried(case, None, (f"{case.name}: not judged, y has shape {strange}, which does not follow the sizes",))
    if reference.own and not aside and differs(hand, right) and at_kink(reference, exact, to64(dy)):
        beside = replace(case, name=f"{case.name}, beside kinks", inputs=move_aside(case.inputs, rng))
        there = try_case(code, reference, beside, rng, slack, dy, name_it=name_it, aside=True)
        return replace(there, notes=(f"{case.name}: {KINK}", *there.notes))
    again = run(code, case.inputs, dy).hand
    stage = function_stage(case.name, code, reference, isolated=True)
    if contents(tuple(hand.values())) != contents(tuple(again.values())):
        stage = replace(stage, hand=refuse_to_run)
    if error is not None:
        stage = forward_only(stage)
    trial = Trial(
        stage,
        case.inputs,
        dy,
        slack,
        int(rng.integers(2**63)),
        given=hand,
        given_again=again,
        right=right if error is None else {"y": right["y"]},
        drawn=True,
        optional=case.optional,
        precision=code.precision,
        units=list_units(case.inputs, outputs, hand["y"]) if is_mixed(case.inputs) else {},
    )
    found = judge(trial)
    if case.optional and overflows_as_torch(found, reference):
        where = "in torch's own code too, in forward, or nearly in the result"
        return Tried(case, None, (f"{case.name}: not judged, {trial.dtype} overflows there, {where}",))
    forward_is_wrong = found.evidence["y"].outside.any()
    if error is not None and not forward_is_wrong:
        surely = not case.optional and code.graph is None
        return Tried(case, stopped_row(case.name, "backward", error, surely=surely), error=error)
    words = explain(found) if name_it else Explanation(found, found.report, found.notes)
    report = each_result(words.report, found.evidence["y"], outputs) if name_it and outputs.several else words.report
    notes, row = words.notes, None
    if words.report.tensors:
        row = StageRow(case.name, report, (), words.diagnosis, list_entries(found.evidence, {}))
        if row.isolated.verdict is Verdict.REFUTED and (filler := reached_filler(code, reference, case.inputs)):
            if case.optional:
                return Tried(case, None, (Grave(NOT_JUDGED.format(*filler.words)),))
            notes = (*notes, NO_MASK.format(*filler.words))
    unseen = trial if code.graph is not None and found.way is Way.NOISE else None
    sound = None if forward_is_wrong else found
    return Tried(case, row, notes, sound, None, unseen, outputs, words.right_if_wider)


def differs(hand: Arrays, right: Arrays) -> bool:
    """Whether numbers that came are other numbers than the right ones."""
    both = [(to64(hand[n]), right[n]) for n in right if n in hand and np.shape(hand[n]) == right[n].shape]
    return all(np.isfinite(a).all() for a, _ in both) and any(
        (np.abs(a - b) > CLOSE * np.abs(b)).any() for a, b in both
    )


def stops_alone(code: Code, case: Case) -> Tried | None:
    """A forward pass that raises, or does not repeat itself: then it cannot be its own reference."""
    runs = [attempt(lambda: code.run_forward(code.arguments(duplicate(case.inputs))).y) for _ in range(2)]
    for ran in runs:
        if ran.error is not None:
            return without_y(case, ran.error)
    if found := difference_words(*(ran.value for ran in runs)):
        return Tried(case, row_without_numbers(case.name, "y", Verdict.UNRESOLVED, random_words(found)))
    return None


def without_y(case: Case, error: Exception | None) -> Tried:
    """A case in which forward gave nothing."""
    if case.optional and not isinstance(error, WrongReturn):
        return Tried(case, None, (f"{case.name}: not judged, forward {raised_words(error)}",))
    return Tried(case, stopped_row(case.name, "y", error), error=error)


def strange_shape(expected: tuple[int | None, ...], *shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The first of the shapes of y, by the reference and by the code, that does not follow the sizes of the inputs."""
    return next((shape for shape in shapes if not follows(shape, expected)), None)


def draw_upstream(rng: np.random.Generator, shape: tuple[int, ...]) -> Float:
    """Random, never ones: what a softmax's rows sum to must not hide a mistake."""
    return np.asarray(rng.choice((-1, 1), size=shape) * rng.uniform(0.25, 2, size=shape))


def repeat_first(rows: Float) -> Float:
    """The first row in place of all others."""
    return np.array(np.broadcast_to(rows[:1], rows.shape))


def alone(dy: Float, output: Output) -> Float:
    """dy for this result, zeros for the others."""
    return np.where(np.isin(np.arange(dy.size), np.arange(dy.size)[output.part]), dy, 0.0)


def is_mixed(inputs: Arrays) -> bool:
    """Whether they have several precisions."""
    return len({dtype_name(value) for value in inputs.values()}) > 1


def list_units(inputs: Arrays, outputs: Outputs, y: Any) -> dict[str, Any]:
    """The unit roundoff of every result: a gradient has the precision of its input, y the one it comes in."""
    units: dict[str, Any] = {f"d{n}": Arithmetic.of(dtype_name(value)).u for n, value in inputs.items()}
    parts = outputs.split(y) if outputs.several else {"y": y}
    each = {n: Arithmetic.of(dtype_name(part)).u for n, part in parts.items()}
    whole = [np.full(int(np.prod(p.shape)), each[p.name]) for p in outputs.parts] if outputs.several else []
    return units | {"y": np.concatenate(whole) if whole else each["y"]}


class Run(NamedTuple):
    """{"y": ..., "dx": ...} as far as it came, the exception that stopped it, and what y is made of."""

    hand: dict[str, Any]
    error: Exception | None
    outputs: Outputs | None


def run(code: Code, inputs: Arrays, dy: Any) -> Run:
    """The code on copies of the inputs."""
    args = [duplicate(arg) for arg in code.arguments(inputs)]
    found: dict[str, Any] = {}
    outputs: list[Outputs] = []

    def run_both() -> None:
        ran = code.run_forward(args)
        check_real("forward", ran.y)
        outputs.append(ran.outputs)
        found["y"] = duplicate(ran.y)
        grads = code.run_backward(args, ran.outputs, ran.cache, duplicate(dy))
        for name, g in grads.items():
            check_real(f"backward, for {name},", g)
        found.update(duplicate(grads))

    return Run(found, attempt(run_both).error, outputs[0] if outputs else None)


def refuse_to_run(inputs: Arrays, dy: Any) -> dict[str, Any]:
    """Stands in for code whose results vary: only its first run is judged, and no second run may excuse it."""
    raise CannotEnter("its results vary from run to run")


def check_real(which: str, array: Any) -> None:
    """Raise WrongReturn where somebody's result is no array of real numbers."""
    if "complex" in dtype_name(array):
        raise WrongReturn(f"{which} returned {dtype_name(array)} numbers, expected real ones: take the real part")
    to64(array)


@dataclass(frozen=True, eq=False)
class Call:
    """What a backward pass is called with besides its cache; no part of what its author cached."""

    code: Code
    args: list[Any]
    outputs: Outputs


def function_stage(name: str, code: Code, reference: Reference, *, isolated: bool) -> Stage:
    """The code as a stage. It is given the inputs as they are, uncopied.

    isolated: every run on a copy of the object the code belongs to, so that no array of the judge's stays in it.
    """

    def forward(inputs: Arrays) -> tuple[Any, Any]:
        own = code.copy_object() if isolated else code
        args = own.arguments(inputs)
        ran = own.run_forward(args)
        return ran.y, (Call(own, args, ran.outputs), ran.cache)

    def backward(cache: Any, inputs: Arrays, dy: Any) -> dict[str, Any]:
        call, own_cache = cache
        grads: dict[str, Any] = call.code.run_backward(call.args, call.outputs, own_cache, dy)
        return grads

    def hand(inputs: Arrays, dy: Any) -> dict[str, Any]:
        y, cache = forward(inputs)
        return {"y": y, **backward(cache, inputs, dy)}

    constants = dict(code.constants) or None
    return Stage(name, hand, reference.gradients, None, constants, Halves(forward, backward), own=reference.own)


def forward_only(stage: Stage) -> Stage:
    """The stage without its backward pass, which raised: the forward passes are still compared."""
    assert stage.halves is not None
    forward = stage.halves.forward
    return replace(
        stage,
        hand=lambda inputs, dy: {"y": forward(inputs)[0]},
        reference=lambda inputs, dy: {"y": stage.reference(inputs, dy)["y"]},
    )
