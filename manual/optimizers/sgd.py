"""Gradient descent, W <- W - lr dW: the update of all five lectures, and with momentum, weight decay and Nesterov.

An optimizer is a pure function of (params, dparams, state), by torch.optim's formulas. Its state holds arrays under the
names of `params`, and a count of steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from manual.arguments import check_number
from manual.namespace import array_namespace
from manual.types import Grads, Params


def sgd(params: Sequence[Params], dparams: Sequence[Grads], lr: float) -> tuple[Params, ...]:
    """New parameters, one step of length lr against the gradient. The old ones stay as they are.

    >>> sgd(({"W": 1.0},), ({"dW": 10.0},), 0.01)
    ({'W': 0.9},)
    """
    return tuple(
        {name: p - lr * d["d" + name] for name, p in layer.items()}  # eq. sgd.W
        for layer, d in zip(params, dparams, strict=True)
    )


class SGDState(NamedTuple):
    """What SGD carries from step to step."""

    step: int  # steps taken
    buf: tuple[Params, ...]  # the momentum of each parameter; empty dictionaries without momentum


@dataclass(frozen=True)
class SGD:
    """buf <- momentum buf + (1 - dampening) dW, W <- W - lr buf; the first step has buf = dW, without dampening.

    nesterov: W <- W - lr (dW + momentum buf). weight_decay adds weight_decay W to dW. Without momentum W <- W - lr dW.
    Source: Sutskever, Martens, Dahl, Hinton 2013, in torch.optim.SGD's form. Raises ValueError unless lr is positive
    and the others are not negative, and for nesterov without momentum or with dampening.

    >>> params, opt = ({"W": 1.0},), SGD(0.01, momentum=0.9)
    >>> params, state = opt.step(params, ({"dW": 10.0},), SGDState(0, ({"W": 0.0},)))
    >>> params, state.buf
    (({'W': 0.9},), ({'W': 10.0},))
    """

    lr: float
    momentum: float = 0.0
    dampening: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self, "lr", "momentum", "dampening", "weight_decay")
        if self.nesterov and (self.momentum == 0 or self.dampening != 0):
            raise ValueError(
                f"SGD: nesterov with momentum={self.momentum}, dampening={self.dampening}, "
                "expected momentum above 0 and dampening 0"
            )

    def initial(self, params: Sequence[Params]) -> SGDState:
        """The state before the first step."""
        return SGDState(0, zeros(params) if self.momentum else tuple({} for _ in params))

    def step(
        self, params: Sequence[Params], dparams: Sequence[Grads], state: SGDState
    ) -> tuple[tuple[Params, ...], SGDState]:
        """New parameters and the new state. What was passed in stays as it is."""
        count, buf = as_count(state.step), state.buf
        if self.weight_decay:
            dparams = add_decay(params, dparams, self.weight_decay)
        if self.momentum:
            mu, new = self.momentum, 1 - self.dampening * (count > 0) if self.dampening else 1.0
            buf = tuple(
                {name: mu * b + new * d["d" + name] for name, b in layer.items()}  # eq. sgd.buf
                for layer, d in zip(buf, dparams, strict=True)
            )
            if self.nesterov:
                dparams = tuple(
                    {"d" + name: d["d" + name] + mu * b for name, b in layer.items()}  # eq. sgd.nesterov
                    for layer, d in zip(buf, dparams, strict=True)
                )
            else:
                dparams = tuple({"d" + name: b for name, b in layer.items()} for layer in buf)
        return sgd(params, dparams, self.lr), SGDState(count + 1, buf)


def add_decay(params: Sequence[Params], dparams: Sequence[Grads], weight_decay: float) -> tuple[Grads, ...]:
    """The gradients of E + weight_decay / 2 |W|^2, from those of E."""
    return tuple(
        {"d" + name: d["d" + name] + weight_decay * p for name, p in layer.items()}  # eq. sgd.decay
        for layer, d in zip(params, dparams, strict=True)
    )


def zeros(params: Sequence[Params]) -> tuple[Params, ...]:
    """Zeros of the shapes, dtype and device of the parameters."""
    return tuple({name: array_namespace(p).zeros_like(p) for name, p in layer.items()} for layer in params)


def as_count(step: Any) -> Any:
    """The count as a Python int: one read from a file is NumPy's, and makes float32 float64. A traced one stays."""
    return int(step) if isinstance(step, (np.integer, np.ndarray)) else step


def check_numbers(optimizer: Any, *names: str) -> None:
    """ValueError unless lr is positive and the others are not negative, all of them finite."""
    for name in names:
        if name == "lr":
            check_number(optimizer, name, "a finite number, positive", lambda lr: lr > 0)
        else:
            check_number(optimizer, name, "a finite number, 0 or more", lambda number: number >= 0)
