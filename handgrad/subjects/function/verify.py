"""Judge anyone's backward pass: two functions of NumPy, array API or torch, a torch.autograd.Function, a module.

The forward passes are compared first, since gradients of two different functions cannot be compared. Then every
gradient goes through the judge like that of any other stage.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, to64
from handgrad.judge.isolation import duplicate, quiet
from handgrad.judge.planted_error import plant_error
from handgrad.judge.settings import check_slack, choose_seed
from handgrad.judge.verdict import Verdict
from handgrad.report.report import Report, StageContracts
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.function.calling import Code, Way, find_way, input_names, signature
from handgrad.subjects.function.case import Case, Kind, Tried, try_case
from handgrad.subjects.function.inputs import cases, is_float_array, is_shape
from handgrad.subjects.function.prepare import model_of, plain_forward, prepare
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.side_effects import KEEPS_STATE, check_side_effects

DTYPES = ("float64", "float32", "bfloat16", "float16")


def verify_function(
    forward: Any,
    backward: Callable[..., Any] | None = None,
    reference: Callable[..., Any] | None = None,
    inputs: Sequence[Any] | Mapping[str, Any] = (),
    *,
    seed: int | None = None,
    slack: float = 1.0,
    name: str = "",
) -> Report:
    """Certify a hand-written backward pass against a torch function, whatever it is written with.

        y, cache = forward(*inputs)    grads = backward(dy, cache)
        y        = forward(*inputs)    grads = backward(dy, *inputs), or backward(dy) of an object that keeps its state

    grads: one array, a tuple in the order of the inputs, or a dict by name ("dW" or "W"); None where the gradient is
    zero, and for an input that is meant to have none if the reference detaches it. A backward pass that takes no dy
    (the gradient of a loss, the derivative of an activation) is multiplied by dy here, and the report says so. Without
    `backward`, forward is torch code that brings its own: a torch.autograd.Function or its apply, any function that
    uses one, or an nn.Module (whose parameters are judged as well; reference is then a module with the same parameter
    names, or a function of the inputs and the parameters).

    reference: any callable of float64 torch tensors in the order of the inputs, returning y.
    inputs: arrays, or shapes (tuples of sizes; () is a scalar) from which ordinary and special inputs (tiny, large,
    zeros, ties, kinks, saturated, one-hot, sparse) are drawn, at several sizes; a list, or a dict by the argument names
    of forward. Integer and boolean arrays, and whatever is no array, are passed on as constants. For shapes, NumPy
    float64 arrays are drawn, or torch tensors where there is no backward or forward asks for them.

    Raises TypeError or ValueError for arguments that cannot be judged. What the code itself raises is reported.

    >>> import torch
    >>> def forward(x):
    ...     h = np.tanh(x)
    ...     return h, h
    >>> verify_function(forward, lambda dh, h: dh * (1 - h**2), torch.tanh, [(3, 4)]).verdict
    <Verdict.CERTIFIED: 'CERTIFIED'>
    >>> verify_function(forward, lambda dh, h: dh * (1 - h), torch.tanh, [(3, 4)]).verdict
    <Verdict.REFUTED: 'REFUTED'>
    """
    given = check_arguments(forward, backward, reference, inputs, slack)
    seed = choose_seed(seed)
    rng = np.random.default_rng(seed)
    code, oracle, given = prepare(forward, backward, reference, given)
    model = model_of(code, given, oracle, rng)
    tried, side = try_cases(code, oracle, cases(given, code.constants, model, oracle, rng), rng, slack)
    judged = [t for t in tried if t.judgement is not None]
    return Report(
        name=name or title(forward),
        dtype=dtype_name(model),
        library=type(model).__module__.partition(".")[0],
        device=str(getattr(model, "device", "cpu")),
        seed=seed,
        slack=slack,
        stages=tuple(list_rows(tried)),
        control=plant_error([t.judgement for t in judged[:1] if t.judgement], [{}], rng),
        contracts=side,
        notes=tuple(dict.fromkeys(list_notes(tried))),
        chain=False,
    )


def try_cases(
    code: Code, reference: Reference, todo: Iterator[Case], rng: np.random.Generator, slack: float
) -> tuple[list[Tried], tuple[StageContracts, ...]]:
    """Every case in turn. Stops after the first row if it is not certified or kept what would spoil the next case.

    The contracts are checked on the first case that has a row.
    """
    tried: list[Tried] = []
    side: tuple[StageContracts, ...] = ()
    for case in todo:
        found = try_case(code, reference, case, rng, slack)
        first = all(t.row is None for t in tried)
        tried.append(found)
        if found.row is None or not first:
            continue
        if found.judgement is not None:
            kept = check_side_effects(code, reference, case, found.judgement, rng)
            side = (StageContracts(case.name, kept.contracts),)
            tried[-1] = replace(found, notes=(*found.notes, *admit(code, found), *kept.notes))
        if found.row.isolated.verdict is not Verdict.CERTIFIED or keeps_state(side):
            break
    return tried, side


def keeps_state(side: Sequence[StageContracts]) -> bool:
    """Whether something is kept from one case that would be found wrong in the next."""
    return any(c.held is False and c.name in KEEPS_STATE for stage in side for c in stage.contracts)


def admit(code: Code, tried: Tried) -> list[str]:
    """What a report must not hide: inputs without a gradient, and a backward pass that was multiplied by dy here."""
    assert tried.judgement is not None
    missing = [n for n in code.variables if f"d{n}" not in tried.judgement.evidence]
    found = [f"backward gives no gradient for {', '.join(missing)}, where the reference's is zero"] if missing else []
    with quiet():
        _y, cache = code.run_forward(code.arguments(duplicate(tried.case.inputs)))
    way = find_way(code, cached=bool(cache))
    if way is Way.NO_UPSTREAM:
        found.append("backward takes no upstream gradient: what it gives, times a random dy, was judged")
    if way is Way.STATE:
        found.append("backward(dy) was called right after its forward: it keeps its state and cannot go back twice")
    return found


def list_rows(tried: Sequence[Tried]) -> Iterator[StageRow]:
    """The rows. If the mistake at the kinks has a name, other rows do not repeat it.

    Example: a ReLU whose derivative at 0 is 1 is wrong at the kinks and at the zeros. At the zeros several names fit,
    at the kinks only the right one, so the diagnosis is given there alone.
    """
    at_kinks = [t.row.diagnosis for t in tried if t.row and t.row.diagnosis and t.case.kind is Kind.KINKS]
    name = next((d.name for d in at_kinks if d.known), None)
    for t in tried:
        if t.row is None:
            continue
        again = name is not None and t.case.kind is not Kind.KINKS and t.row.diagnosis and name in t.row.diagnosis.name
        yield replace(t.row, diagnosis=None) if again else t.row


def list_notes(tried: Sequence[Tried]) -> Iterator[str]:
    """The notes of every case, and how each was judged."""
    for t in tried:
        yield from t.notes
    wrong = [t for t in tried if t.row and t.row.isolated.verdict is Verdict.REFUTED]
    if wrong and all(t.case.kind is Kind.SIZES for t in wrong):
        yield f"right at the sizes given only: wrong at {', '.join(t.case.name for t in wrong)}"
    ways: dict[str, list[str]] = {}
    for t in tried:
        if t.row and t.judgement and t.judgement.way:
            ways.setdefault(t.judgement.way.value, []).append(t.case.name)
    yield from (f"judged {way}" + (f": {', '.join(names)}" if len(ways) > 1 else "") for way, names in ways.items())


def check_arguments(forward: Any, backward: Any, reference: Any, inputs: Any, slack: float) -> dict[str, Any]:
    """The inputs by name. Raises TypeError or ValueError for arguments that cannot be judged."""
    for label, value in {"forward": forward, "reference": reference}.items():
        if not callable(value):
            raise TypeError(f"{label}: got {type(value).__name__}, expected a callable")
    if backward is not None and not callable(backward):
        raise TypeError(f"backward: got {type(backward).__name__}, expected a callable, or None for torch code")
    check_slack(slack)
    if isinstance(inputs, Mapping):
        given = dict(inputs)
    elif isinstance(inputs, list | tuple) and not (is_shape(inputs) and inputs):
        given = dict(zip(input_names(plain_forward(forward), len(inputs)), inputs, strict=True))
    else:
        raise TypeError(
            f"inputs: got {inputs if isinstance(inputs, tuple) else type(inputs).__name__}, expected a list of arrays "
            "or shapes, one per argument of forward; wrap a single one in a list"
        )
    floats = {n: dtype_name(v) for n, v in given.items() if is_float_array(v)}
    for n, dtype in floats.items():
        if dtype not in DTYPES:
            raise TypeError(f"inputs: {n} is {dtype}, expected one of {', '.join(DTYPES)}")
    if len(set(floats.values())) > 1:
        raise TypeError(
            f"inputs: different precisions ({', '.join(f'{n} {d}' for n, d in floats.items())}), expected one"
        )
    for n in floats:
        lost = int((~np.isfinite(to64(given[n]))).sum())
        if lost:
            raise ValueError(f"inputs: {n} has {lost} values that are not finite, expected finite ones")
    own = isinstance(forward, torch.nn.Module) and any(p.is_floating_point() for p in forward.parameters())
    if not own and not floats and not any(is_shape(v) for v in given.values()):
        raise ValueError("inputs: no floating-point array or shape among them, so there is no gradient to judge")
    check_counts(forward, reference, given)
    return given


def check_counts(forward: Any, reference: Any, given: Mapping[str, Any]) -> None:
    """Raise TypeError where forward or the reference does not take as many arguments as there are inputs."""
    parameters = sum(1 for _ in forward.parameters()) if isinstance(forward, torch.nn.Module) else 0
    more = 0 if isinstance(reference, torch.nn.Module) else parameters
    for label, called, extra in (("forward", forward, 0), ("reference", reference, more)):
        try:
            takes = signature(plain_forward(called))
        except (TypeError, ValueError):  # some builtins have none
            continue
        try:
            takes.bind(*given, *range(extra))
        except TypeError as error:
            and_more = f" and {extra} parameters of forward" if extra else ""
            raise TypeError(
                f"inputs: got {len(given)} ({', '.join(given)}){and_more}, but {label} takes "
                f"{takes}: {error}; give one input per argument"
            ) from error


def title(forward: Any) -> str:
    """A name for the report."""
    return str(getattr(forward, "__qualname__", type(forward).__name__)).replace("<locals>.", "")
