"""Numbers that a candidate is tried on, with the right gradients for them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import attempt
from handgrad.mend.constants import RUN_SECONDS
from handgrad.source.limit import within
from handgrad.source.program import Passes

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draw:
    """run(passes) gives {"y": ..., "dx": ...} on one set of inputs; within `bound` of `right` it is worth judging.

    follow(passes) gives the same as float64 tensors that autograd has followed; raises where it cannot.
    upstream: dy. may_raise: whether the code as it is raises here alone; then right code may, for it takes other sizes.
    """

    run: Callable[[Passes], Mapping[str, Any]]
    follow: Callable[[Passes], Mapping[str, torch.Tensor]]
    upstream: Float
    right: Mapping[str, Float]
    bound: Mapping[str, Float]
    in_float64: bool
    may_raise: bool = False

    def outputs(self, passes: Passes) -> dict[str, Float] | None:
        """The results in float64; None if the code raises, or does not end."""
        return attempt(within, RUN_SECONDS, lambda: {n: to64(v) for n, v in self.run(passes).items()}).value

    def wrong(self, outputs: Mapping[str, Float] | None) -> frozenset[str]:
        """The names of what is not right."""
        return frozenset() if outputs is None and self.may_raise else wrong_names(outputs, self.right, self.bound)

    def has_shapes(self, outputs: Mapping[str, Float] | None) -> bool:
        """Whether each result that is there has its shape."""
        return all(v.shape == self.right[n].shape for n, v in (outputs or {}).items() if n in self.right)


def wrong_names(
    outputs: Mapping[str, Float] | None, right: Mapping[str, Float], bound: Mapping[str, Float]
) -> frozenset[str]:
    """Of the results that are outside their bound; of all where there are none. What is absent counts as zero."""
    if outputs is None:
        return frozenset(right)
    return frozenset(n for n, S in right.items() if not is_near(outputs.get(n), S, bound[n]))


def is_near(s: Float | None, S: Float, bound: Float) -> bool:
    if s is None:
        return not S.any()
    if s.shape != S.shape:
        return False
    with np.errstate(all="ignore"):
        return bool(np.all(np.abs(s - S) <= bound))


def vector(outputs: Mapping[str, Float], names: Sequence[str]) -> Float:
    """These results, one after the other."""
    return np.concatenate([outputs[n].reshape(-1) for n in names]) if names else np.zeros(0)
