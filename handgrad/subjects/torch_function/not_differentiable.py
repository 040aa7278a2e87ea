"""Results without a gradient: torch's own word for them is ctx.mark_non_differentiable, and it must be true."""

from handgrad.judge.promises import Contract, Promise
from handgrad.subjects.torch_function.call import TorchCall, list_tensors


def marks_what_has_no_gradient(call: TorchCall, reference: TorchCall) -> Contract:
    """Of several results, those require a gradient that do in the reference: an index, a mask or a statistic does not.

    A result that forgets the mark asks backward for a gradient, which it drops: what is built on it trains in silence.
    """
    ours, theirs = (list(list_tensors(c.run(c.leaves()))) for c in (call, reference))
    if len(ours) != len(theirs) or len(ours) < 2:
        return Contract(Promise.MARKS_CONSTANT, None, "one result, or another number of them than the reference has")
    for i, (y, right) in enumerate(zip(ours, theirs, strict=True)):
        if y.requires_grad and not right.requires_grad:
            words = f"does not mark result {i}, which has no gradient"
            return Contract(Promise.MARKS_CONSTANT, False, f"forward {words} (ctx.mark_non_differentiable)", words)
        if right.requires_grad and not y.requires_grad:
            words = f"marks result {i} as non-differentiable, which has a gradient"
            return Contract(Promise.MARKS_CONSTANT, False, f"forward {words}", words)
    return Contract(Promise.MARKS_CONSTANT, True)
