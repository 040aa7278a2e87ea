"""The PyTorch side: the same modules, differentiated by autograd."""

import torch
from array_api_compat import torch as torch_namespace

from manual.namespace import KNOWN
from torch_ref.gradients import gradients
from torch_ref.hand.module import HandModule
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
from torch_ref.losses.binary_cross_entropy import BinaryCrossEntropy
from torch_ref.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from torch_ref.losses.squared_error import HalfSquaredError, MeanSquaredError, SquaredError
from torch_ref.training.fit import fit
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
