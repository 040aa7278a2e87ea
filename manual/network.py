"""A network: a chain of layers. Its forward pass keeps the trace of every stage, its backward pass too.

The trace is what makes a gradient verifiable stage by stage: the input of stage l + 1 is the very output of stage l,
the upstream gradient of stage l the very downstream gradient of stage l + 1 (the same objects, not copies).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from manual.initial import Initial, constant, generator, initial
from manual.layers.activations import activation
from manual.layers.linear import Linear
from manual.types import Array, Grads, Layer, Params, takes_needs

FLOATS = ("float64", "float32", "bfloat16", "float16")


class Stage(NamedTuple):
    """One layer of a forward pass: input, output, and what its backward pass needs."""

    x: Array
    y: Array
    cache: Any


class StageGrads(NamedTuple):
    """One layer of a backward pass: upstream gradient in, downstream gradient and parameter gradients out."""

    dy: Array
    dx: Array
    dparams: Grads


@dataclass(frozen=True, eq=False)
class Network:
    """h = f_L(... f_2(f_1(x))). params is a tuple with one dictionary per layer.

    Raises ValueError where the width of one layer does not fit the next, naming the two.
    """

    layers: tuple[Layer, ...]
    spares_dx: bool = field(init=False, repr=False)  # whether the first layer's backward pass can leave dx out

    def __post_init__(self) -> None:
        if not isinstance(self.layers, list | tuple):
            raise TypeError(f"Network: layers is {self.layers!r}, expected a sequence of layers: Network((layer, ...))")
        object.__setattr__(self, "layers", tuple(self.layers))
        if not self.layers:
            raise ValueError("Network: layers is empty, expected at least one layer")
        width: int | None = None
        for i, layer in enumerate(self.layers):
            if isinstance(layer, type) or not (hasattr(layer, "forward") and hasattr(layer, "backward")):
                raise TypeError(f"Network: layers[{i}] is {layer!r}, expected a layer such as Linear(3, 2) or ReLU()")
            if isinstance(layer, Network):
                raise TypeError(f"Network: layers[{i}] is a network; write its layers out, *network.layers")
            n_in, n_out = widths(layer)
            if width is not None and n_in is not None and n_in != width:
                raise ValueError(f"Network: layer {i} ({layer}) takes {n_in} inputs, but {width} come out before it")
            width = n_out or width
        object.__setattr__(self, "spares_dx", takes_needs(self.layers[0]))

    def __eq__(self, other: object) -> bool:
        """Whether all layers are alike, kind by kind and number by number; parameters are no part of a network."""
        return self.layers == other.layers if isinstance(other, Network) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(map(type, self.layers)))

    @property
    def param_shapes(self) -> tuple[dict[str, tuple[int, ...]], ...]:
        return tuple(layer.param_shapes for layer in self.layers)

    def init(
        self,
        seed: int | np.random.Generator,
        weights: str | Initial = "xavier_uniform",
        biases: str | Initial = "zeros",
        *,
        dtype: str = "float64",
        xp: Any = np,
        device: Any = None,
    ) -> tuple[Params, ...]:
        """Initial parameters: W by `weights`, b by `biases`, gamma 1 and beta 0, as arrays of the namespace `xp`.

        Raises ValueError for unknown names of initial values and for a dtype that is no floating-point name.
        """
        known = [name for name in FLOATS if hasattr(xp, name)]
        if not known:
            raise TypeError(f"init: xp is {xp!r}, expected an array library such as numpy or torch")
        if dtype not in known:
            raise ValueError(f"init: dtype is {dtype!r}, expected one of {', '.join(known)}")
        rng = generator("init", seed)
        draw = {
            "W": initial("weights", weights),
            "b": initial("biases", biases),
            "gamma": constant(1),
            "beta": constant(0),
        }
        to = {"dtype": getattr(xp, dtype), "device": device} if device is not None else {"dtype": getattr(xp, dtype)}
        return tuple(
            {name: xp.asarray(draw[name](rng, shape), **to) for name, shape in shapes.items()}
            for shapes in self.param_shapes
        )

    def forward(
        self, params: Sequence[Params], x: Array, states: Sequence[Any] | None = None
    ) -> tuple[Array, tuple[Stage, ...]]:
        """y and the trace. states: per layer what its forward takes besides x (a mask, running statistics) or None."""
        trace = []
        for i, layer in enumerate(self.layers):
            state = () if states is None or states[i] is None else (states[i],)
            y, cache = layer.forward(params[i], x, *state)
            trace.append(Stage(x, y, cache))
            x = y
        return x, tuple(trace)

    def backward(
        self, params: Sequence[Params], trace: Sequence[Stage], dy: Array, *, need_dx: bool = True
    ) -> tuple[Array, tuple[Grads, ...]]:
        """dx and, per layer, the gradients of its parameters. Without need_dx, dx is None where that saves work."""
        stages = self.backward_trace(params, trace, dy, need_dx=need_dx)
        return stages[0].dx, tuple(stage.dparams for stage in stages)

    def backward_trace(
        self, params: Sequence[Params], trace: Sequence[Stage], dy: Array, *, need_dx: bool = True
    ) -> tuple[StageGrads, ...]:
        """Every stage's upstream and downstream gradient, in forward order."""
        # forward: h_l = f_l(h_{l-1})
        # so:      dh_{l-1} = (df_l / dh_{l-1})^T dh_l, from the last layer to the first  eq. network.dx
        stages: list[StageGrads] = []
        for layer, p, stage in zip(reversed(self.layers), reversed(params), reversed(trace), strict=True):
            asked = {} if need_dx or not self.spares_dx or len(stages) + 1 < len(self.layers) else {"needs": tuple(p)}
            dx, dparams = layer.backward(p, stage.cache, dy, **asked)
            stages.append(StageGrads(dy, dx, dparams))
            dy = dx
        return tuple(reversed(stages))


def widths(layer: Layer) -> tuple[int | None, int | None]:
    """How many inputs the layer takes and outputs it gives; None where it takes any number."""
    n = getattr(layer, "n", None)
    return getattr(layer, "n_in", n), getattr(layer, "n_out", n)


def mlp(
    sizes: Sequence[int], hidden: str | Layer = "tanh", output: str | Layer | None = None, *, bias: bool = True
) -> Network:
    """A multilayer perceptron: linear layers of these sizes, `hidden` between them, `output` (or nothing) at the end.

    An activation is a name, or a layer where it has options: LeakyReLU(0.2). Raises ValueError for fewer than two sizes
    and for unknown activations (with the known ones).

    >>> len(mlp([64, 32, 10], "relu").layers)
    3
    """
    if not hasattr(sizes, "__len__") or len(sizes) < 2:
        raise ValueError(f"mlp: sizes must name at least an input and an output width, got {sizes!r}")
    layers: list[Layer] = []
    for n_in, n_out in pairwise(sizes):
        layers += [Linear(n_in, n_out, bias), activation(hidden)]
    return Network((*layers[:-1], *([] if output is None else [activation(output)])))
