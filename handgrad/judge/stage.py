"""A stage: one thing with a forward and a backward pass, beside its reference.

The judge knows nothing else. A manual layer, a loss, two functions of the user's or a whole module become stages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

Arrays: TypeAlias = Mapping[str, Any]
Outputs: TypeAlias = Mapping[str, Any]
Run: TypeAlias = Callable[[Arrays, Any], dict[str, Any]]


class Halves(NamedTuple):
    """The two passes of a stage: forward(inputs) -> (y, cache); backward(cache, inputs, dy) -> {"dx": ...}."""

    forward: Callable[[Arrays], tuple[Any, Any]]
    backward: Callable[[Any, Arrays, Any], Outputs]


@dataclass(frozen=True, eq=False)
class Stage:
    """hand(inputs, dy) and reference(inputs, dy) give {"y": ..., "dx": ..., "dW": ..., ...}, the same names.

    `hand` runs on arrays of any library, the judge's among them; `reference` takes and gives NumPy float64. `subject`
    is the layer or loss judged, None for foreign code, whose forward pass may be another function than its reference;
    `constants` is what else it takes (target, mask). `halves` are its two passes, if each can be run by itself. own:
    whether the reference is the code's own forward pass, which cannot say which inputs are meant to have no gradient.
    """

    name: str
    hand: Run
    reference: Run
    subject: Any = None
    constants: Any = None
    halves: Halves | None = None
    own: bool = False
