"""The hand-derived side: one formula, every array library. Knows arrays and nothing else."""

from manual.activations import ACTIVATIONS, activation
from manual.adam import Adam, AdamState, AdamW
from manual.batch_norm import BatchNorm1d, Running
from manual.binary_cross_entropy import BinaryCrossEntropy
from manual.dropout import Dropout
from manual.fit import fit
from manual.gelu import GELU, GELUTanh
from manual.gradients import Pass, gradients, loss_and_gradients
from manual.identity import Identity
from manual.initial import INITIALS
from manual.layer_norm import LayerNorm
from manual.linear import Linear
from manual.names import output_names, param_names
from manual.network import Network, Stage, StageGrads, mlp
from manual.neuron import Neuron, backprop, evaluate
from manual.relu import LeakyReLU, ReLU
from manual.sgd import SGD, SGDState, sgd
from manual.sigmoid import Sigmoid
from manual.silu import SiLU
from manual.softmax import Softmax
from manual.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.softplus import Softplus
from manual.squared_error import HalfSquaredError, MeanSquaredError, SquaredError
from manual.step import BinaryStep, Sign
from manual.tanh import Tanh
from manual.training import NonFiniteLossError, Training
from manual.types import Array, Grads, Layer, Loss, NotDifferentiableError, Params

__all__ = [
    "ACTIVATIONS",
    "GELU",
    "INITIALS",
    "SGD",
    "Adam",
    "AdamState",
    "AdamW",
    "Array",
    "BatchNorm1d",
    "BinaryCrossEntropy",
    "BinaryStep",
    "Dropout",
    "GELUTanh",
    "Grads",
    "HalfSquaredError",
    "Identity",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "Loss",
    "MeanSquaredError",
    "Network",
    "Neuron",
    "NonFiniteLossError",
    "NotDifferentiableError",
    "Params",
    "Pass",
    "ReLU",
    "Running",
    "SGDState",
    "SiLU",
    "Sigmoid",
    "Sign",
    "Softmax",
    "SoftmaxCrossEntropy",
    "Softplus",
    "SquaredError",
    "Stage",
    "StageGrads",
    "Tanh",
    "Training",
    "activation",
    "backprop",
    "evaluate",
    "fit",
    "gradients",
    "loss_and_gradients",
    "mlp",
    "output_names",
    "param_names",
    "sgd",
]
