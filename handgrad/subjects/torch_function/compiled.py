"""The same code as torch.compile traces it: what it does outside of tensors is lost there, or raises."""

from collections.abc import Callable
from typing import Any

import torch

from handgrad.judge.bound import bound
from handgrad.judge.contracts import outside
from handgrad.judge.isolation import attempt
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.trial import Trial
from handgrad.subjects.torch_function.call import TorchCall, draw_like
from handgrad.subjects.torch_function.stages import as_stage, once

BACKEND = "aot_eager"  # traces both passes as every backend does, and needs no compiler


def compile_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as torch.compile traces it. Raises where torch has no compiler for this Python."""
    compiled: Callable[..., Any] = torch.compile(lambda *args, **named: function(*args, **named), backend=BACKEND)
    return compiled


def same_when_compiled(
    call: TorchCall, make_compiled: Callable[[], TorchCall], reference: TorchCall, trial: Trial
) -> Contract:
    """What the traced code gives is inside the bound as well. Code that torch.compile refuses is a note."""
    dy = draw_like(call.vector(call.leaves()), seed=3)
    found = attempt(lambda: once(make_compiled(), dy))
    if found.value is None:
        first = str(found.error).strip().partition("\n")[0]
        detail = f"torch.compile raises {type(found.error).__name__}: {first}"
        return Contract(Promise.COMPILED, None, detail, note=f"{Promise.COMPILED}: not known, {detail}")
    judged = bound(Trial(as_stage("compiled", call, reference, once), dict(call.tensors), dy, trial.slack, trial.seed))
    wrong = [n for n, e in judged.evidence.items() if outside(found.value[n], e)]
    return Contract(Promise.COMPILED, not wrong, f"compiled it gives another {', '.join(wrong)}" if wrong else "")
