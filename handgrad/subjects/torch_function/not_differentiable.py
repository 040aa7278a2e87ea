"""Results without a gradient: torch's own word for them is ctx.mark_non_differentiable, and it must be true."""

from handgrad.judge.promises import Contract, Promise
from handgrad.subjects.torch_function.call import TorchCall, list_tensors


def marks_what_has_no_gradient(call: TorchCall, reference: TorchCall) -> Contract:
    """Of several results, none requires a gradient that has none in the reference: an index, a mask, a statistic.

    A result that forgets the mark takes an upstream gradient, which backward drops: what is built on it trains in
    silence. A marked one that has a gradient in the reference is left open: the reference may have forgotten to detach.
    """
    ours, theirs = (list(list_tensors(c.run(c.leaves()))) for c in (call, reference))
    if len(ours) != len(theirs) or len(ours) < 2:
        return Contract(Promise.MARKS_CONSTANT, None, "one result, or another number of them than the reference has")
    for i, (y, right) in enumerate(zip(ours, theirs, strict=True)):
        if y.requires_grad and not right.requires_grad:
            words = f"does not mark result {i}, which has no gradient"
            return Contract(Promise.MARKS_CONSTANT, False, f"forward {words} (ctx.mark_non_differentiable)", words)
    return Contract(Promise.MARKS_CONSTANT, True)
