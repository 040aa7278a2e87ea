"""The same code under torch.autocast: what runs in bfloat16 there must be right within bfloat16's rounding.

A gradient comes in the precision of its input, whatever was computed in between: autograd's engine sees to that.
"""

from typing import Any

import torch

from handgrad.judge.compare import index_words
from handgrad.judge.isolation import attempt, contents
from handgrad.judge.judge import judge
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.torch_function.call import Tensors, TorchCall, draw_like
from handgrad.subjects.torch_function.stages import as_stage, once

LOW = torch.bfloat16


def right_under_autocast(call: TorchCall, reference: TorchCall) -> Contract:
    """Float32 inputs that bfloat16 holds as well; forward under autocast, backward outside of it, as torch advises.

    Nothing follows where the code takes no float32. What raises under autocast alone is a note: nobody is misled.
    """
    inputs = {n: t.detach().to(LOW) for n, t in call.tensors.items()}
    plain, there = (in_float32(call, inputs, enabled=enabled) for enabled in (False, True))
    y = attempt(lambda: plain.vector(plain.leaves())).value
    if y is None:
        return Contract(Promise.AUTOCAST, None, "forward takes no float32")
    dy = draw_like(y, seed=2).to(LOW)
    usual, found = attempt(once, plain, dy), attempt(once, there, dy)
    if usual.value is None:
        return Contract(Promise.AUTOCAST, None, "no gradient in float32")
    if found.value is None:
        detail = f"it raises {type(found.error).__name__}: {found.error} (torch.amp.custom_fwd and custom_bwd)"
        return Contract(Promise.AUTOCAST, None, detail, note=f"{Promise.AUTOCAST}: no, {detail}")
    if all(contents(found.value[n]) == contents(usual.value[n]) for n in usual.value):
        return Contract(Promise.AUTOCAST, True)
    judged = judge(Trial(as_stage("under autocast", there, reference, once), inputs, dy, drawn=True))
    if judged.verdict is not Verdict.REFUTED:
        return Contract(Promise.AUTOCAST, True)
    t = judged.report.worst
    at = f"{t.name}{index_words(t.index)}"
    detail = f"{at} is {t.hand:.6g}, expected {t.reference:.6g}; bfloat16 rounding explains {t.bound:.2g}"
    return Contract(Promise.AUTOCAST, False, detail)


def in_float32(call: TorchCall, inputs: Tensors, *, enabled: bool) -> TorchCall:
    """The code on the same numbers in float32, under autocast if that is enabled."""

    def run(leaves: Tensors) -> Any:
        device = next(iter(leaves.values())).device.type
        with torch.autocast(device, LOW, enabled=enabled):
            return call.run({n: t.float() for n, t in leaves.items()})

    return TorchCall(run, inputs)
