"""The layers: one file a layer, forward and backward under each other; nothing that trains or knows a network."""

from manual.layers.batch_norm import BatchNorm1d
from manual.layers.dropout import Dropout
from manual.layers.gelu import GELU, GELUTanh
from manual.layers.identity import Identity
from manual.layers.layer_norm import LayerNorm
from manual.layers.linear import Linear
from manual.layers.relu import LeakyReLU, ReLU
from manual.layers.sigmoid import Sigmoid
from manual.layers.silu import SiLU
from manual.layers.softmax import Softmax
from manual.layers.softplus import Softplus
from manual.layers.step import BinaryStep, Sign
from manual.layers.tanh import Tanh

# A new layer is imported above and named here, in the order in which it is listed everywhere; all tables follow.
__all__ = [  # noqa: RUF022
    "Linear",
    "LayerNorm",
    "BatchNorm1d",
    "Dropout",
    "Identity",
    "Sigmoid",
    "Tanh",
    "ReLU",
    "LeakyReLU",
    "Softplus",
    "SiLU",
    "GELU",
    "GELUTanh",
    "Softmax",
    "BinaryStep",
    "Sign",
]

LAYERS: tuple[type, ...] = tuple(globals()[name] for name in __all__)
