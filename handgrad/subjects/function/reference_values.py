"""What the reference gives at one set of inputs, or why it gives nothing to compare with."""

from collections.abc import Mapping
from itertools import product

import numpy as np
from numpy.typing import NDArray

from handgrad.judge.isolation import attempt
from handgrad.judge.repeats import REPEATABLE, difference_words
from handgrad.subjects.function.failures import raised_words
from handgrad.subjects.function.reference import Reference

Float = NDArray[np.float64]


class LeftOut(Exception):
    """The reference has nothing to say at these inputs."""


class TooSmall(LeftOut):
    """There is no entry to compare; the message says which input to make larger."""


def reference_value(reference: Reference, exact: Mapping[str, Float], huge: float) -> Float:
    """The reference's y, or LeftOut."""
    found = attempt(reference.value, exact)
    if (y := found.value) is None:
        called = ", ".join(f"{name} {np.shape(value)}" for name, value in exact.items())
        raise LeftOut(f"{reference.what} {raised_words(found.error)} (called with {called})") from found.error
    if y.size == 0:
        raise TooSmall(f"forward gives an empty result, of shape {y.shape}; {say_what_is_larger(reference, exact)}")
    if not (np.abs(y) <= huge).all():
        raise LeftOut("the reference's own result is not finite")
    return y


def say_what_is_larger(reference: Reference, exact: Mapping[str, Float]) -> str:
    """An input with which the result is not empty if one or more of its last axes are longer."""
    for name, value in exact.items():
        for factor, axes in product((2, 4), range(1, value.ndim + 1)):
            shape = (*value.shape[:-axes], *(factor * size for size in value.shape[-axes:]))
            larger = attempt(reference.value, {**exact, name: np.resize(value, shape)}).value
            if larger is not None and larger.size:
                small, large = ("x".join(map(str, s)) for s in (value.shape, shape))
                return f"{name} {small} is too small for it; give a larger one: {name}={large} does"
    return "an input is too small for it; give larger ones"


def reference_gradients(reference: Reference, exact: Mapping[str, Float], dy: Float, y: Float) -> dict[str, Float]:
    """The reference's gradients, or LeftOut; y is what it gave alone. Raises ValueError where it is random."""
    ran = attempt(lambda: [reference.gradients(exact, dy) for _ in range(2)])
    if ran.value is None:
        raise LeftOut(f"{reference.what} in its backward pass {raised_words(ran.error)}") from ran.error
    found, again = ran.value
    for name, one, other in [("y", y, found["y"]), *((name, found[name], again[name]) for name in found)]:
        if words := difference_words(one, other):
            raise ValueError(f"the reference is random: two runs on the same inputs give {name}{words}; {REPEATABLE}")
    if not all(np.isfinite(value).all() for value in found.values()):
        raise LeftOut("the reference's own gradient is not finite")
    return found
