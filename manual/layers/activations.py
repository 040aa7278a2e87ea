"""The activations by name, as `mlp` and the command line know them."""

from manual.layers.gelu import GELU, GELUTanh
from manual.layers.identity import Identity
from manual.layers.relu import LeakyReLU, ReLU
from manual.layers.sigmoid import Sigmoid
from manual.layers.silu import SiLU
from manual.layers.softplus import Softplus
from manual.layers.step import BinaryStep, Sign
from manual.layers.tanh import Tanh
from manual.types import Layer

ACTIVATIONS: dict[str, Layer] = {
    "identity": Identity(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "relu": ReLU(),
    "leaky_relu": LeakyReLU(),
    "softplus": Softplus(),
    "silu": SiLU(),
    "gelu": GELU(),
    "gelu_tanh": GELUTanh(),
    "step": BinaryStep(),
    "sign": Sign(),
}

NOT_DIFFERENTIABLE = (BinaryStep, Sign)


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
