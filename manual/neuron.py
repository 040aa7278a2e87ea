"""The scalar reference: one neuron at a time, plain Python floats, no linear algebra. It must agree with the layers.

A neuron is a list of connections (where from, which weight), a bias and an activation. A network is the list of its
output neurons; the others are reached through their connections. Nothing is stored on a neuron: `evaluate` returns what
each one computed, `backprop` what each one is to blame for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from manual.layers.activations import ACTIVATIONS

Source: TypeAlias = "Neuron | int"  # an upstream neuron, or the index of a network input

SCALAR = {name: layer.scalar for name, layer in ACTIVATIONS.items() if hasattr(layer, "scalar")}  # z -> (f(z), f'(z))


@dataclass(frozen=True, eq=False)
class Neuron:
    """z = sum_j w_j h_j + b, h = f(z).

    sources: upstream neurons or indices of inputs; weights: one float per source; activation: a name of `SCALAR`.
    Raises ValueError where the counts differ or the activation is unknown, TypeError for any other source.
    """

    sources: tuple[Source, ...]
    weights: tuple[float, ...]
    bias: float = 0.0
    activation: str = "tanh"

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.weights):
            raise ValueError(f"Neuron: {len(self.weights)} weights for {len(self.sources)} sources, expected one each")
        if self.activation not in SCALAR:
            raise ValueError(f"Neuron: unknown activation {self.activation!r}; known: {', '.join(SCALAR)}")
        for source in self.sources:
            if not isinstance(source, Neuron) and (isinstance(source, bool) or not isinstance(source, int)):
                raise TypeError(f"Neuron: a source is {source!r}, expected a Neuron or the index of an input, an int")


class Values(NamedTuple):
    """What each neuron computed."""

    x: tuple[float, ...]
    z: dict[Neuron, float]
    h: dict[Neuron, float]


class Blame(NamedTuple):
    """dE/dh, dE/dz (which is dE/db) and dE/dw of each neuron, and dE/dx of each network input."""

    dh: dict[Neuron, float]
    dz: dict[Neuron, float]
    dw: dict[Neuron, tuple[float, ...]]
    dx: tuple[float, ...]


def evaluate(outputs: Sequence[Neuron], x: Sequence[float]) -> Values:
    """Every neuron's z and h for the inputs x, each neuron computed once. ValueError for a source that x does not have.

    >>> h = Neuron((0,), (2.0,))
    >>> o = Neuron((h,), (0.5,))
    >>> round(evaluate([o], [0.5]).h[o], 12)
    0.363399484389
    """
    values = Values(tuple(x), {}, {})
    for neuron in _in_order(outputs):
        for source in neuron.sources:
            if isinstance(source, int) and not 0 <= source < len(values.x):
                raise ValueError(f"evaluate: a neuron reads input {source}, but x has inputs 0 to {len(values.x) - 1}")
        h = (values.h[s] if isinstance(s, Neuron) else values.x[s] for s in neuron.sources)
        z = sum(w * h_j for w, h_j in zip(neuron.weights, h, strict=True)) + neuron.bias
        values.z[neuron] = z
        values.h[neuron] = SCALAR[neuron.activation](z)[0]
    return values


def backprop(outputs: Sequence[Neuron], values: Values, dh: Sequence[float]) -> Blame:
    """The gradient, neuron by neuron from the outputs back; dh holds dE/dh of each output, or raises ValueError.

    >>> h = Neuron((0,), (2.0,))
    >>> o = Neuron((h,), (0.5,))
    >>> round(backprop([o], evaluate([o], [0.5]), [1.0]).dx[0], 12)
    0.364512872233
    """
    if len(dh) != len(outputs):
        raise ValueError(f"backprop: dh has {len(dh)} values for {len(outputs)} outputs, expected one each")
    order = _in_order(outputs)
    blame = Blame(dict.fromkeys(order, 0.0), {}, {}, (0.0,) * len(values.x))
    dx = list(blame.dx)
    for neuron, d in zip(outputs, dh, strict=True):
        blame.dh[neuron] += d
    for neuron in reversed(order):
        # forward: z = sum_j w_j h_j + b, h = f(z)
        # so, dE/dh being the sum over all paths that leave the neuron:
        dz = blame.dh[neuron] * SCALAR[neuron.activation](values.z[neuron])[1]  # eq. neuron.dz
        dw = []
        for source, w in zip(neuron.sources, neuron.weights, strict=True):
            h_j = values.h[source] if isinstance(source, Neuron) else values.x[source]
            dw.append(dz * h_j)  # eq. neuron.dw
            if isinstance(source, Neuron):
                blame.dh[source] += dz * w  # eq. neuron.dh
            else:
                dx[source] += dz * w
        blame.dz[neuron] = dz
        blame.dw[neuron] = tuple(dw)
    return blame._replace(dx=tuple(dx))


def _in_order(outputs: Sequence[Neuron]) -> list[Neuron]:
    """All neurons that the outputs depend on, each after its sources (an explicit stack: depth is no limit)."""
    order: dict[Neuron, None] = {}
    stack = [(neuron, False) for neuron in reversed(outputs)]
    while stack:
        neuron, sources_done = stack.pop()
        if neuron in order:
            continue
        if sources_done:
            order[neuron] = None
            continue
        stack.append((neuron, True))
        stack += [(s, False) for s in reversed(neuron.sources) if isinstance(s, Neuron)]
    return list(order)
