"""The hand-derived side: one formula, every array library. Knows arrays and nothing else."""

from manual import layers, losses
from manual.gradients import Pass, gradients, loss_and_gradients
from manual.initial import INITIALS
from manual.layers import *  # noqa: F403
from manual.layers.activations import ACTIVATIONS, activation
from manual.layers.batch_norm import Running
from manual.losses import *  # noqa: F403
from manual.names import output_names, param_names
from manual.network import Network, Stage, StageGrads, mlp
from manual.neuron import Neuron, backprop, evaluate
from manual.optimizers.adam import Adam, AdamState, AdamW
from manual.optimizers.sgd import SGD, SGDState, sgd
from manual.presets import PRESETS, Preset, preset
from manual.training.fit import fit
from manual.training.state import NonFiniteLossError, Training
from manual.types import Array, Grads, Layer, Loss, NotDifferentiableError, Params

__all__ = [
    "ACTIVATIONS",
    "INITIALS",
    "PRESETS",
    "SGD",
    "Adam",
    "AdamState",
    "AdamW",
    "Array",
    "Grads",
    "Layer",
    "Loss",
    "Network",
    "Neuron",
    "NonFiniteLossError",
    "NotDifferentiableError",
    "Params",
    "Pass",
    "Preset",
    "Running",
    "SGDState",
    "Stage",
    "StageGrads",
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
    "preset",
    "sgd",
]
__all__ += layers.__all__
__all__ += losses.__all__
