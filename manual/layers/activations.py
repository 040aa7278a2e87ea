"""The activations by name, as `mlp` and the command line know them."""

from typing import Any

from manual.layers import LAYERS
from manual.types import Activation, Layer

_KINDS: tuple[Any, ...] = tuple(kind for kind in LAYERS if issubclass(kind, Activation))

# Every activation, by its name on the command line and in `mlp`.
ACTIVATIONS: dict[str, Layer] = {kind.facts.tag: kind() for kind in _KINDS}
NOT_DIFFERENTIABLE = tuple(kind for kind in _KINDS if not kind.facts.differentiable)
DIFFERENTIABLE = tuple(kind.facts.tag for kind in _KINDS if kind.facts.differentiable)  # the names of all others


def activation(name: str | Layer) -> Layer:
    """The activation of that name; a layer is itself. Raises ValueError with the known names.

    >>> activation("tanh")
    Tanh()
    """
    if not isinstance(name, str):
        if isinstance(name, type) or not hasattr(name, "forward"):
            known = ", ".join(ACTIVATIONS)
            raise TypeError(f"activation: got {name!r}, expected a layer such as LeakyReLU(0.2), or a name: {known}")
        return name
    if name not in ACTIVATIONS:
        raise ValueError(f"unknown activation {name!r}; known: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]
