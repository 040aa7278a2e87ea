"""The hand-derived side: one formula, every array library. Knows arrays and nothing else."""

from manual.gradients import Pass, gradients, loss_and_gradients
from manual.initial import INITIALS
from manual.layers.activations import ACTIVATIONS, activation
from manual.layers.batch_norm import BatchNorm1d, Running
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
from manual.losses.binary_cross_entropy import BinaryCrossEntropy
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.losses.squared_error import HalfSquaredError, MeanSquaredError, SquaredError
from manual.names import output_names, param_names
from manual.network import Network, Stage, StageGrads, mlp
from manual.neuron import Neuron, backprop, evaluate
from manual.optimizers.adam import Adam, AdamState, AdamW
from manual.optimizers.sgd import SGD, SGDState, sgd
from manual.training.fit import fit
from manual.training.state import NonFiniteLossError, Training
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
