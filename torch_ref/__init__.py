"""The PyTorch side: the same modules, differentiated by autograd."""

import torch
from array_api_compat import torch as torch_namespace

from manual.namespace import KNOWN
from torch_ref.batch_norm import BatchNorm1d
from torch_ref.binary_cross_entropy import BinaryCrossEntropy
from torch_ref.dropout import Dropout
from torch_ref.fit import fit
from torch_ref.gelu import GELU, GELUTanh
from torch_ref.gradients import gradients
from torch_ref.hand import HandModule
from torch_ref.identity import Identity
from torch_ref.layer_norm import LayerNorm
from torch_ref.linear import Linear
from torch_ref.relu import LeakyReLU, ReLU
from torch_ref.sigmoid import Sigmoid
from torch_ref.silu import SiLU
from torch_ref.softmax import Softmax
from torch_ref.softmax_cross_entropy import SoftmaxCrossEntropy
from torch_ref.softplus import Softplus
from torch_ref.squared_error import HalfSquaredError, MeanSquaredError, SquaredError
from torch_ref.step import BinaryStep, Sign
from torch_ref.tanh import Tanh
from torch_ref.twin import Chain, twin
from torch_ref.weights import from_torch, running_from_torch, to_torch

KNOWN.update(dict.fromkeys((torch.Tensor, torch.nn.Parameter), torch_namespace))

__all__ = [
    "GELU",
    "BatchNorm1d",
    "BinaryCrossEntropy",
    "BinaryStep",
    "Chain",
    "Dropout",
    "GELUTanh",
    "HalfSquaredError",
    "HandModule",
    "Identity",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MeanSquaredError",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Sign",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "SquaredError",
    "Tanh",
    "fit",
    "from_torch",
    "gradients",
    "running_from_torch",
    "to_torch",
    "twin",
]
