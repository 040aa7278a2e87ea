"""Every layer and loss of ours, with what makes torch's own."""

from collections.abc import Callable
from typing import Any

from torch import nn

import manual

LAYERS: dict[Any, Callable[[], nn.Module]] = {
    manual.Linear(5, 5): lambda: nn.Linear(5, 5),
    manual.LayerNorm(5): lambda: nn.LayerNorm(5),
    manual.BatchNorm1d(5): lambda: nn.BatchNorm1d(5),
    manual.Dropout(): nn.Dropout,
    manual.Identity(): nn.Identity,
    manual.Sigmoid(): nn.Sigmoid,
    manual.Tanh(): nn.Tanh,
    manual.ReLU(): nn.ReLU,
    manual.LeakyReLU(): nn.LeakyReLU,
    manual.Softplus(): lambda: nn.Softplus(threshold=40),
    manual.SiLU(): nn.SiLU,
    manual.GELU(): nn.GELU,
    manual.GELUTanh(): lambda: nn.GELU("tanh"),
    manual.Softmax(): lambda: nn.Softmax(-1),
}
LOSSES: dict[Any, Callable[[], nn.Module]] = {
    manual.SoftmaxCrossEntropy(): nn.CrossEntropyLoss,
    manual.BinaryCrossEntropy(): nn.BCEWithLogitsLoss,
    manual.MeanSquaredError(): nn.MSELoss,
}
