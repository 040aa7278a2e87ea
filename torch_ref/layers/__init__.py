"""The twin of each layer of manual, under the same file name, differentiated by autograd; no backward pass by hand."""

from torch_ref.layers.batch_norm import BatchNorm1d
from torch_ref.layers.dropout import Dropout
from torch_ref.layers.gelu import GELU, GELUTanh
from torch_ref.layers.identity import Identity
from torch_ref.layers.layer_norm import LayerNorm
from torch_ref.layers.linear import Linear
from torch_ref.layers.relu import LeakyReLU, ReLU
from torch_ref.layers.sigmoid import Sigmoid
from torch_ref.layers.silu import SiLU
from torch_ref.layers.softmax import Softmax
from torch_ref.layers.softplus import Softplus
from torch_ref.layers.step import BinaryStep, Sign
from torch_ref.layers.tanh import Tanh

# A new twin is imported above and named here; it belongs to the class of the same name in manual.layers.
__all__ = [
    "GELU",
    "BatchNorm1d",
    "BinaryStep",
    "Dropout",
    "GELUTanh",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Sign",
    "Softmax",
    "Softplus",
    "Tanh",
]
