"""The one contract of the house: what a layer and a loss are.

    y, cache    = layer.forward(params, x)            x (N, n_in) -> y (N, n_out)
    dx, dparams = layer.backward(params, cache, dy)   the vector-Jacobian product

    value, cache = loss.forward(y, target)            a scalar
    dy           = loss.backward(cache, dvalue)       dvalue is the upstream gradient of that scalar

`params` maps names to arrays ({"W": ..., "b": ...}), `dparams` maps the same names with a d in front
({"dW": ..., "db": ...}).  Nothing is stored on the layer and nothing passed in is changed.  A layer whose
forward pass takes something besides x (a dropout mask, running statistics) takes it as a third argument.  Where that
has one row for each sample, its class says `state_per_sample = True`.

A layer can save work where not all gradients are needed: if its backward pass has a keyword argument `needs`, it is
told the names that are, such as needs=("W",). It returns those in dparams, and None for dx unless "x" is among them.
"""

from inspect import signature
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

Array: TypeAlias = Any  # any array of the Python array API standard
Params: TypeAlias = dict[str, Array]  # of one layer: {"W": (n_out, n_in), "b": (n_out,)}; {} without parameters
Grads: TypeAlias = dict[str, Array]  # of one layer: {"dW": (n_out, n_in), "db": (n_out,)}


class NotDifferentiableError(TypeError):
    """The gradient of a function that has none was asked for."""


class Facts(NamedTuple):
    """What is known of a layer or a loss besides its formulas: told once, in its class, as `facts = Facts("tanh")`.

    A layer or loss of the user's needs none. One that derives from a class of ours has the facts of that class.
    """

    tag: str  # its equations are tag.h, tag.dz, ...; an activation's name is its tag
    y: str = "h"  # the letter of its output in those tags
    x: str = "z"  # the letter of its input there
    letter: str = "h"  # the letter of its output in a network, where h1 is the first
    autocast: Literal["lower", "float32", "as it comes"] = "as it comes"  # what it computes in under autocast
    differentiable: bool = True
    name: str = ""  # a loss that the command line offers is called so


def facts_of(thing: Any) -> Facts | None:
    """The facts of a layer or a loss, None where its class tells none.

    >>> facts_of("a layer of the user's") is None
    True
    """
    facts = getattr(type(thing), "facts", None)
    return facts if isinstance(facts, Facts) else None


class Layer(Protocol):
    """Anything with a forward pass and the backward pass derived from it (see above for the optional `needs`)."""

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each parameter by its name, {"W": (n_out, n_in)}; {} without parameters."""

    def forward(self, params: Params, x: Array, /) -> tuple[Array, Any]:
        """y, and the cache: what backward needs of this pass."""

    def backward(self, params: Params, cache: Any, dy: Array, /) -> tuple[Array, Grads]:
        """From dy, of y's shape: dx, of x's shape, and the gradient of each parameter, {"dW": (n_out, n_in)}."""


class Loss(Protocol):
    """A scalar that compares an output with its target."""

    def forward(self, y: Array, target: Array, /) -> tuple[Array, Any]:
        """E, a scalar, and the cache: what backward needs of this pass."""

    def backward(self, cache: Any, dvalue: Array, /) -> Array:
        """From dE, a scalar: dy, of y's shape."""


class Elementwise:
    """A layer without parameters, as wide as its input."""

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        return {}


class Activation(Elementwise):
    """h = f(z), entry by entry. Those among `manual.layers` are offered by name, which is the tag of their facts.

    scalar(z), which not all have, is (f(z), f'(z)) of one Python float: `manual.neuron` computes with it.
    """

    facts: ClassVar[Facts]


def takes_needs(layer: Layer) -> bool:
    """Whether the layer's backward pass can leave gradients out."""
    return "needs" in signature(layer.backward).parameters
