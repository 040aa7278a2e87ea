"""The value of every number, as `manual` computes it, and how many of its digits are sure.

How far rounding can have moved a value is known: `manual`'s own lines, run on balls (docs/method.md).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.ball import Ball
from handgrad.worked.example import LOGITS, LOSSES, Example
from handgrad.worked.notation import name_parts
from manual import Pass, gradients


class Value(NamedTuple):
    """A number, and how far from it the exact one can be."""

    number: float
    radius: float


def values(example: Example, names: Sequence[str]) -> dict[str, Value]:
    """The value of each name. Raises ValueError where a pass overflows."""
    found, balls = run(example, np.asarray), run(example, ball)
    pairs = {name: (entry(found, name), entry(balls, name)) for name in names}
    bad = [name for name, (number, _) in pairs.items() if not np.isfinite(number)]
    if bad:
        raise ValueError(f"{bad[0]}: is {pairs[bad[0]][0]}; smaller weights or inputs keep it finite")
    return {name: Value(float(number), radius(number, around)) for name, (number, around) in pairs.items()}


def run(example: Example, wrap: Callable[[Any], Any]) -> dict[str, Any]:
    """One pass on arrays of a kind: every tensor by its name."""
    network, loss = example.network, LOSSES[example.loss]
    params = [{name: wrap(value) for name, value in p.items()} for p in example.params]
    x, t = wrap(example.x), wrap(example.t)
    if wrap is np.asarray:
        p = gradients(network, params, x, t, loss)  # it checks what comes in
    else:
        y, trace = network.forward(params, x)
        E, cache = loss.forward(y, t)
        p = Pass(network, params, E, trace, network.backward_trace(params, trace, loss.backward(cache, 1.0)))
    found = {**p, "E": p["loss"], "t": t}
    if example.loss in LOGITS:
        name, layer = LOGITS[example.loss]
        found[name] = layer.forward({}, p.y)[0]
    return found


def ball(value: Any) -> Ball:
    return Ball.exact(value, Arithmetic.of("float64"))


def radius(number: Any, around: Any) -> float:
    """How far the exact number can be from this one: it is in the ball, whose middle another order of sums can move."""
    if not isinstance(around, Ball):
        return 0.0
    return float(around.rad) + abs(float(number) - float(around.mid))


def entry(tensors: dict[str, Any], name: str) -> Any:
    """The entry that a name means: dW1_21 is dW1[1, 0], h1_2 is h1[0, 1], b1_2 is b1[1]."""
    tensor = tensor_of(name)
    return tensors[tensor] if tensor == "E" else tensors[tensor][index_of(name)]


def tensor_of(name: str) -> str:
    """
    >>> tensor_of("dW1_21"), tensor_of("E")
    ('dW1', 'E')
    """
    return name.partition("_")[0]


def index_of(name: str) -> tuple[int, ...]:
    """Where the number stands in its tensor, counted from 0 as in Python; one sample is row 0.

    >>> index_of("dW1_21"), index_of("h1_2"), index_of("b1_2"), index_of("E")
    ((1, 0), (0, 1), (1,), ())
    """
    parts = name_parts(name)
    places = tuple(int(digit) - 1 for digit in parts.place)
    return places if parts.letter in "WbE" else (0, *places)
