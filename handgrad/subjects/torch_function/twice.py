"""Second derivatives: a backward pass that autograd can follow must itself be right when it is differentiated.

What forward made without autograd, a detached value, NumPy inside: none of them has a second derivative, and nothing
raises. `@torch.autograd.function.once_differentiable` says that there is none.
"""

import numpy as np

from handgrad.judge.compare import index_words
from handgrad.judge.constants import CLEAR
from handgrad.judge.isolation import attempt
from handgrad.judge.judge import judge
from handgrad.judge.note import Grave
from handgrad.judge.promises import Contract, Promise
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.subjects.torch_function.call import TorchCall, draw_like, is_written_by_hand, list_nodes
from handgrad.subjects.torch_function.stages import UPSTREAM, as_stage, gradient_vector, twice

REFUSES = "Error"  # the node that once_differentiable puts behind its gradients
TINY = float(np.finfo(float).tiny)
SILENT = (
    "differentiating twice is silently wrong: {}; backward computes with values that autograd does not see (made in "
    "forward, detached, in NumPy); @once_differentiable above it would raise there instead"
)


def right_twice(call: TorchCall, reference: TorchCall, trial: Trial, usual: float) -> Contract:
    """The judge's verdict on the Hessian times a random vector.

    The promise is broken only where the second derivative was written by hand, by a backward pass that calls another
    torch.autograd.Function. Most are meant to be used once: then a wrong one is a note. usual: the bound of the first
    derivatives, as a share of their largest; what is off by less is not judged again.
    """
    found = attempt(gradient_vector, call)
    if found.value is None:
        return Contract(Promise.TWICE, None, f"refused: {type(found.error).__name__}")
    y, g, _ = found.value
    first, nodes = list_nodes(y), list_nodes(g)
    if any(REFUSES in node.name() for node in nodes):
        return Contract(Promise.TWICE, None, "refused: once_differentiable")
    by_hand = any(is_written_by_hand(node) and all(node is not other for other in first) for node in nodes)
    stage = as_stage("second derivative", call, reference, twice)
    v = draw_like(g.detach(), seed=1)
    there = Trial(stage, dict(call.tensors), v, trial.slack, trial.seed, drawn=True)
    if not all(np.isfinite(S).all() for S in there.reference.values()):
        return Contract(Promise.TWICE, None, "the reference's own second derivative is not finite")
    off = how_far(there)
    if off <= usual:
        return Contract(Promise.TWICE, True)
    if (off <= CLEAR or by_hand) and judge(there).verdict is not Verdict.REFUTED:
        return Contract(Promise.TWICE, True)
    words = describe(there)
    if by_hand:
        return Contract(Promise.TWICE, False, words)
    return Contract(Promise.TWICE, None, words, note=Grave(SILENT.format(words)))


def how_far(trial: Trial) -> float:
    """The largest difference to the reference, as a share of its tensor's largest entry."""
    pairs = [(trial.results[n], S) for n, S in trial.reference.items()]
    return max(float(np.max(np.abs(s - S), initial=0.0) / max(np.max(np.abs(S), initial=0.0), TINY)) for s, S in pairs)


def describe(trial: Trial) -> str:
    """In words: where the second derivative is most off."""
    gaps = {n: np.abs(trial.results[n] - S) for n, S in trial.reference.items() if n != "y"}
    name = max(gaps, key=lambda n: float(np.max(gaps[n], initial=0.0)))
    at = np.unravel_index(int(np.argmax(gaps[name])), gaps[name].shape)
    by = "its upstream gradient" if name == f"d{UPSTREAM}" else name[1:]
    place = f"{by}{index_words([int(i) for i in at])}"
    given, right = trial.results[name][at], trial.reference[name][at]
    return f"the derivative of the gradients by {place} is {given:.9g}, expected {right:.9g}"
