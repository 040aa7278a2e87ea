"""A trial: one stage at one set of numbers, with all that a judgement of it needs, each computed once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic, coarsest
from handgrad.arrays.precision import dtype_name, to64
from handgrad.judge.compare import Float
from handgrad.judge.isolation import contents, duplicate, leaves, quiet
from handgrad.judge.own_noise import OwnNoise, does_not_move, is_seen, own_noise
from handgrad.judge.reference_noise import noise
from handgrad.judge.stage import Arrays, Outputs, Stage


@dataclass(frozen=True, eq=False)
class Trial:
    """What a stage gives at these inputs for this upstream gradient, beside what is right there.

    inputs, dy   arrays of any library, in the precision that is judged
    slack        multiplies every bound
    seed         of the imitated roundings
    given        what the run under judgement gave; None: the stage is run here, on copies
    given_again  what a second run gave
    right        what the reference gives; None: it is run here
    drawn        dy was drawn at random, so that a bound as large as the gradient itself says that nothing was tested;
                 in a network dy is what the run has, and may be zero
    optional     a special case: what cannot be judged in it is left out
    precision    the lowest step of the precision ladder that is allowed, by its words; None: any
    units        the unit roundoff of a result, or of each of its entries, that has another precision than the judged
    """

    stage: Stage
    inputs: Arrays
    dy: Any
    slack: float = 1.0
    seed: int = 0
    given: Outputs | None = None
    given_again: Outputs | None = None
    right: dict[str, Float] | None = None
    drawn: bool = False
    optional: bool = False
    precision: str | None = None
    units: Mapping[str, Any] = field(default_factory=dict)
    _noise: dict[Arithmetic, dict[str, Float]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def exact(self) -> dict[str, Float]:
        """The inputs in float64, without losing a bit."""
        return {name: to64(value) for name, value in self.inputs.items()}

    @cached_property
    def dy64(self) -> Float:
        """The upstream gradient in float64."""
        return to64(self.dy)

    @cached_property
    def dtype(self) -> str:
        """The precision judged, the coarsest of the inputs and dy: "float64", "float32", "bfloat16" or "float16"."""
        return coarsest([dtype_name(self.dy), *map(dtype_name, self.inputs.values())])

    @cached_property
    def arithmetic(self) -> Arithmetic:
        """The rounding of that precision."""
        return Arithmetic.of(self.dtype)

    @cached_property
    def hand(self) -> Outputs:
        """What the code gave, in its own library and precision."""
        return self.run() if self.given is None else self.given

    @cached_property
    def again(self) -> Outputs:
        """What the code gave on the same numbers the second time."""
        return self.run() if self.given_again is None else self.given_again

    @cached_property
    def repeats(self) -> bool:
        """Whether two runs give the same, bit for bit."""
        hand, again = self.hand, self.again
        return hand.keys() == again.keys() and all(contents(hand[n]) == contents(again[n]) for n in hand)

    @cached_property
    def reference(self) -> dict[str, Float]:
        """What is right, by the reference in float64."""
        return self.right if self.right is not None else self.stage.reference(self.exact, self.dy64)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """The names the reference has and the code does not give, or gives as None."""
        return tuple(name for name in self.reference if self.hand.get(name) is None)

    @cached_property
    def results(self) -> dict[str, Float]:
        """What the code gave in float64; all nan where it gave nothing."""
        return {
            name: np.full(right.shape, np.nan) if name in self.missing else to64(self.hand[name])
            for name, right in self.reference.items()
        }

    @cached_property
    def own(self) -> OwnNoise:
        """How much its own rounding moves what the code gives; empty where it cannot be run, or does not repeat."""
        if not self.repeats:
            return OwnNoise({}, False)
        return own_noise(self.stage, self.inputs, self.dy, self.results, self.seed, self.dtype)

    def unit(self, name: str) -> Any:
        """The unit roundoff of a result."""
        return self.units.get(name, self.arithmetic.u)

    @cached_property
    def opaque(self) -> bool:
        """Whether a kernel computes a result: it must round, no rounding that could be imitated moves it, and none of
        torch's own operations puts it where it is.
        """
        rounding = [n for n, sigma in self.noise(self.arithmetic).items() if sigma.any()]
        if not self.repeats:
            return bool(rounding)
        if not does_not_move(rounding, self.stage, self.inputs, self.dy, self.results, self.seed, self.dtype):
            return False
        return not is_seen(rounding, self.stage, self.inputs, self.dy)

    def run(self) -> Outputs:
        """The code on copies of the inputs and of dy, without its warnings."""
        with quiet():
            return dict(self.stage.hand(duplicate(self.inputs), duplicate(self.dy)))

    def at(self, **numbers: Any) -> Self:
        """The same stage at other inputs or another dy."""
        return replace(self, **numbers, given=None, given_again=None, right=None)

    def noise(self, arithmetic: Arithmetic) -> dict[str, Float]:
        """How much rounding in this arithmetic moves each result of the reference: a standard deviation per entry."""
        if arithmetic not in self._noise:
            rng = np.random.default_rng(self.seed)
            constants = list(leaves(self.stage.constants))
            self._noise[arithmetic] = noise(
                self.stage.reference, self.exact, self.dy64, arithmetic, rng, constants, exact=self.reference
            )
        return self._noise[arithmetic]
