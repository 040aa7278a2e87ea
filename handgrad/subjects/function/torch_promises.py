"""What torch code with a backward pass of its own is asked for besides, at the inputs of its first judgement."""

from collections.abc import Callable, Iterator
from typing import Any

from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Judgement
from handgrad.judge.promises import Contract
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.form import Form
from handgrad.subjects.function.frozen import right_when_frozen
from handgrad.subjects.function.probes import usual_error
from handgrad.subjects.function.reference import Reference, as_tensor
from handgrad.subjects.torch_function.call import Tensors, TorchCall
from handgrad.subjects.torch_function.compiled import compile_function, same_when_compiled
from handgrad.subjects.torch_function.in_place import marks_what_it_writes, on_copies
from handgrad.subjects.torch_function.kept_alive import keeps_nothing
from handgrad.subjects.torch_function.not_differentiable import marks_what_has_no_gradient
from handgrad.subjects.torch_function.registration import is_operator, is_registered
from handgrad.subjects.torch_function.second_backward import right_at_a_second_backward
from handgrad.subjects.torch_function.twice import right_twice
from handgrad.subjects.torch_function.under_autocast import right_under_autocast

Around = Callable[[Callable[..., Any]], Callable[..., Any]]


def list_torch_checks(
    code: Code, reference: Reference, trial: Trial, found: Judgement
) -> Iterator[Callable[[], Contract]]:
    """Every promise of torch code, each to be asked for by itself."""
    graph = code.graph
    assert graph is not None
    call, right = call_of(code, graph, trial, on_copies), reference_call(code, reference, trial)
    usual = max((usual_error(e.bound, e.reference) for e in found.evidence.values()), default=0.0)
    comparable = attempt(are_comparable, call, right).value
    yield lambda: right_when_frozen(code, reference, found)
    yield lambda: marks_what_it_writes(call_of(code, graph, trial))
    yield lambda: marks_what_has_no_gradient(call, right)
    yield lambda: keeps_nothing(call)
    if "cache" not in code.may_overwrite:
        yield lambda: right_at_a_second_backward(call, usual)
    if found.verdict is not Verdict.REFUTED and comparable:  # refuted, they would say the same in words of their own
        yield lambda: right_twice(call, right, trial, usual)
        yield lambda: right_under_autocast(call, right)
    if is_operator(graph):
        yield lambda: is_registered(graph, *arguments_of(code, call), traced=code.compiled)
    if code.compiled and comparable:
        yield lambda: same_when_compiled(call, lambda: call_of(code, compile_function(graph), trial), right, trial)


def call_of(
    code: Code, function: Callable[..., Any], trial: Trial, around: Around = lambda passes: passes
) -> TorchCall:
    """The function as the code is called; the inputs that have no gradient are constants. around: of every call."""

    def run(tensors: Tensors) -> Any:
        args = code.arguments({**trial.inputs, **tensors})
        return around(lambda *own: code.call(function, own))(*args)

    return TorchCall(run, {n: trial.inputs[n] for n in code.variables})


def reference_call(code: Code, reference: Reference, trial: Trial) -> TorchCall:
    """The reference on the same inputs, in float64."""
    exact = {n: as_tensor(a, reference.device) for n, a in trial.exact.items()}

    def run(tensors: Tensors) -> Any:
        return reference.each_result({**exact, **tensors})

    return TorchCall(run, {n: exact[n] for n in code.variables})


def are_comparable(call: TorchCall, reference: TorchCall) -> bool:
    """Whether both have as many numbers with a gradient, in one precision: then they are compared as one vector."""
    ours, theirs = call.vector(call.leaves()), reference.vector(reference.leaves())
    return ours.shape == theirs.shape and len({t.dtype for t in (ours, *call.tensors.values())}) == 1


def arguments_of(code: Code, call: TorchCall) -> tuple[list[Any], dict[str, Any]]:
    """What an operator is called with, by position and by keyword."""
    given = dict(zip(code.names, code.arguments(call.leaves()), strict=True))
    return (code.form or Form(code.names)).arguments(given)
