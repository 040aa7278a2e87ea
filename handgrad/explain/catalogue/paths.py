"""A path too few or too many: what the gradient lacks is exactly the upstream gradient, or a multiple of its input.

y = f(x) + a x              so      dx = (what flows through f) + a dy
E = loss(W) + l/2 |W|^2     so      dW = (that of the loss) + l W dE
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from handgrad.explain.catalogue.mistake import Fitted, Mistake, Undo
from handgrad.explain.catalogue.typed_number import typed_multiple
from handgrad.explain.recognise.equal import close
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float


class Path(NamedTuple):
    """What flows along it, and where such a path comes from."""

    name: str
    term: Float
    comes_from: str


def list_paths(trial: FailedTrial, k: str) -> Iterator[Path]:
    """The paths that end in this gradient without passing through anything."""
    if trial.dy.shape == trial.right[k].shape and trial.dy.size > 1:
        yield Path("dy", trial.dy, "the input itself is added to the result, as in a residual connection")
    own = trial.inputs.get(k[1:])
    if own is not None and trial.dy.ndim == 0 and own.size > 1:
        yield Path(
            f"{k[1:]} dy", own * trial.dy, f"a sum of squares of {k[1:]} is added to the result, as a penalty is"
        )


def paths(trial: FailedTrial) -> Iterator[Mistake]:
    """right + c path, for a number c read off the given result."""
    for k in trial.same_shape:
        for path in list_paths(trial, k) if k != "y" else ():
            e, term = trial.evidence[k], path.term
            c = typed_multiple(e, term)
            if c is None or c == 0 or is_multiple(e.reference, term):
                continue
            size = "" if abs(c) == 1 else f"{abs(c):.6g} "
            name = f"{k} lacks {size}{path.name}" if c < 0 else f"{k} has {size}{path.name} too much"
            undo = Undo("adding it" if c < 0 else "taking it off", {k: e.hand - c * term})
            why = f"Such a term belongs there where {path.comes_from}."
            yield Mistake(name, why, {k: e.reference + c * term}, undo, Fitted(numbers=1, vague=True))


def is_multiple(S: Float, term: Float) -> bool:
    """Whether the right gradient is that path alone, times a number: then nothing tells a lost path from a factor."""
    at = np.unravel_index(int(np.argmax(np.abs(term))), term.shape)
    return bool(term[at]) and close(S, term * (S[at] / term[at]))


PATHS = (paths,)
