"""A second backward pass of the same result: what was saved for the first one must be there as it was."""

from handgrad.judge.constants import CLOSE
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.repeats import difference_words
from handgrad.subjects.torch_function.call import TorchCall, draw_like, gradients
from handgrad.subjects.torch_function.engine_errors import refused_by_engine

WORDS = "writes into what it saved for its backward pass"


def right_at_a_second_backward(call: TorchCall, usual: float) -> Contract:
    """With retain_graph=True the second pass gives what the first one gave, but for another order of summation.

    usual: how far rounding may put a result off, relative to its largest entry. Code that frees what it saved raises
    here: that is no silent mistake.
    """
    leaves = call.leaves()
    y = call.vector(leaves)
    dy = draw_like(y)
    first = duplicate(gradients(y, leaves, dy.clone(), retain_graph=True))
    again = attempt(gradients, y, leaves, dy.clone(), retain_graph=True)
    if again.value is None:
        written = refused_by_engine(again.error, ())
        return written or Contract(Promise.CACHE_UNCHANGED, None, f"a second backward pass raises {again.error}")
    for name, value in first.items():
        if words := difference_words(value, again.value[name], close=max(CLOSE, usual)):
            return Contract(Promise.CACHE_UNCHANGED, False, f"a second backward pass differs: {name}{words}", WORDS)
    return Contract(Promise.CACHE_UNCHANGED, True)
