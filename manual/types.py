"""The one contract of the house: what a layer and a loss are.

    y, cache    = layer.forward(params, x)            x (N, n_in) -> y (N, n_out)
    dx, dparams = layer.backward(params, cache, dy)   the vector-Jacobian product

    value, cache = loss.forward(y, target)            a scalar
    dy           = loss.backward(cache, dvalue)       dvalue is the upstream gradient of that scalar

`params` maps names to arrays ({"W": ..., "b": ...}), `dparams` maps the same names with a d in front
({"dW": ..., "db": ...}).  Nothing is stored on the layer and nothing passed in is changed.  A layer whose
forward pass takes something besides x (a dropout mask, running statistics) takes it as a third argument.
"""

from typing import Any, Protocol, TypeAlias

Array: TypeAlias = Any  # any array of the Python array API standard
Params: TypeAlias = dict[str, Array]
Grads: TypeAlias = dict[str, Array]


class NotDifferentiableError(TypeError):
    """The gradient of a function that has none was asked for."""


class Layer(Protocol):
    """Anything with a forward pass and the backward pass derived from it."""

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]: ...
    def forward(self, params: Params, x: Array, /) -> tuple[Array, Any]: ...
    def backward(self, params: Params, cache: Any, dy: Array, /) -> tuple[Array, Grads]: ...


class Loss(Protocol):
    """A scalar that compares an output with its target."""

    def forward(self, y: Array, target: Array, /) -> tuple[Array, Any]: ...
    def backward(self, cache: Any, dvalue: Array, /) -> Array: ...


class Elementwise:
    """What all activations share: they have no parameters."""

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        return {}
