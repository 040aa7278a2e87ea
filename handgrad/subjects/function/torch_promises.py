"""What torch code with a backward pass of its own is asked for besides, at the inputs of its first judgement."""

from collections.abc import Callable, Iterator
from typing import Any

from handgrad.judge.judgement import Judgement
from handgrad.judge.promises import Contract
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.frozen import right_when_frozen
from handgrad.subjects.function.probes import usual_error
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.torch_function.call import Tensors, TorchCall
from handgrad.subjects.torch_function.compiled import compile_function, same_when_compiled
from handgrad.subjects.torch_function.in_place import marks_what_it_writes, on_copies
from handgrad.subjects.torch_function.kept_alive import keeps_nothing
from handgrad.subjects.torch_function.not_differentiable import marks_what_has_no_gradient
from handgrad.subjects.torch_function.registration import is_operator, is_registered
from handgrad.subjects.torch_function.second_backward import right_at_a_second_backward
from handgrad.subjects.torch_function.twice import right_twice
from handgrad.subjects.torch_function.under_autocast import right_under_autocast


def list_torch_checks(
    code: Code, reference: Reference, trial: Trial, found: Judgement
) -> Iterator[Callable[[], Contract]]:
    """Every promise of torch code, each to be asked for by itself."""
    graph = code.graph
    assert graph is not None
    call, right = call_of(code, on_copies(graph), trial), TorchCall(reference.run, trial.inputs)
    usual = max((usual_error(e.bound, e.reference) for e in found.evidence.values()), default=0.0)
    yield lambda: right_when_frozen(code, reference, found)
    yield lambda: marks_what_it_writes(call_of(code, graph, trial))
    yield lambda: marks_what_has_no_gradient(call, right)
    yield lambda: keeps_nothing(call)
    if "cache" not in code.may_overwrite:
        yield lambda: right_at_a_second_backward(call)
    if found.verdict is not Verdict.REFUTED:  # else these would say the same once more, in words of their own
        yield lambda: right_twice(call, right, trial, usual)
        yield lambda: right_under_autocast(call, right)
    if is_operator(graph):
        yield lambda: is_registered(graph, code.arguments(call.leaves()), traced=code.compiled)
    if code.compiled:
        yield lambda: same_when_compiled(call, lambda: call_of(code, compile_function(graph), trial), right, trial)


def call_of(code: Code, function: Callable[..., Any], trial: Trial) -> TorchCall:
    """The function as the code is called."""

    def run(tensors: Tensors) -> Any:
        return function(*code.arguments(tensors))

    return TorchCall(run, trial.inputs)
