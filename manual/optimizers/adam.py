"""Adam and AdamW: every entry of W steps by the mean of its gradients over the root of their mean square.

torch.optim's formulas: epsilon stands outside the root, both means are corrected for their start at zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, log
from typing import Any, NamedTuple

from manual.namespace import array_namespace
from manual.optimizers.sgd import add_decay, as_count, check_numbers, zeros
from manual.types import Grads, Params


class AdamState(NamedTuple):
    """What Adam and AdamW carry from step to step."""

    step: int  # steps taken
    m: tuple[Params, ...]  # moving mean of the gradient
    v: tuple[Params, ...]  # moving mean of its square


@dataclass(frozen=True)
class Adam:
    """W <- W - lr mhat / (sqrt(vhat) + eps), mhat and vhat the moving means of dW and dW^2, without their bias.

    betas: how much of each mean stays from one step to the next. weight_decay adds weight_decay W to dW, so the mean
    square divides it too. Source: Kingma, Ba 2015. Raises ValueError unless lr is positive, both betas lie in [0, 1)
    and eps and weight_decay are not negative.
    """

    lr: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        check_numbers(self, "lr", "eps", "weight_decay")
        numbers = isinstance(self.betas, list | tuple) and all(isinstance(b, int | float) for b in self.betas)
        if not (numbers and len(self.betas) == 2 and all(0 <= b < 1 for b in self.betas)):
            raise ValueError(f"{type(self).__name__}: betas is {self.betas!r}, expected two numbers in [0, 1)")
        object.__setattr__(self, "betas", tuple(float(b) for b in self.betas))

    def initial(self, params: Sequence[Params]) -> AdamState:
        """The state before the first step."""
        return AdamState(0, zeros(params), zeros(params))

    def step(
        self, params: Sequence[Params], dparams: Sequence[Grads], state: AdamState
    ) -> tuple[tuple[Params, ...], AdamState]:
        """New parameters and the new state. What was passed in stays as it is."""
        if self.weight_decay:
            params, dparams = self.decay(params, dparams)
        beta1, beta2 = self.betas
        m = tuple(
            {name: beta1 * a + (1 - beta1) * d["d" + name] for name, a in layer.items()}  # eq. adam.m
            for layer, d in zip(state.m, dparams, strict=True)
        )
        v = tuple(
            {name: beta2 * a + (1 - beta2) * d["d" + name] * d["d" + name] for name, a in layer.items()}  # eq. adam.v
            for layer, d in zip(state.v, dparams, strict=True)
        )
        # mhat = m / c1 and vhat = v / c2, where one number can be divided instead of every entry; ** 0.5 is the square
        # root in every library
        step = as_count(state.step) + 1
        lr, root, eps = self.lr / bias_correction(beta1, step), bias_correction(beta2, step) ** 0.5, self.eps
        params = tuple(
            {name: p - lr * a[name] / (b[name] ** 0.5 / root + eps) for name, p in layer.items()}  # eq. adam.W
            for layer, a, b in zip(params, m, v, strict=True)
        )
        return params, AdamState(step, m, v)

    def decay(self, params: Sequence[Params], dparams: Sequence[Grads]) -> tuple[Sequence[Params], Sequence[Grads]]:
        """Coupled: the decay is part of the gradient."""
        return params, add_decay(params, dparams, self.weight_decay)


@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weight decay is a step of its own, W <- (1 - lr weight_decay) W, that no mean square divides.

    Source: Loshchilov, Hutter 2019. Raises what Adam raises.
    """

    weight_decay: float = 1e-2

    def decay(self, params: Sequence[Params], dparams: Sequence[Grads]) -> tuple[Sequence[Params], Sequence[Grads]]:
        """Decoupled: the gradient stays what it is."""
        keep = 1 - self.lr * self.weight_decay
        return tuple({name: keep * p for name, p in layer.items()} for layer in params), dparams  # eq. adam.decay


def bias_correction(beta: float, step: Any) -> Any:
    """1 - beta^step, what the weights of a moving mean over `step` values add up to.

    A traced count may be worked on in float32, where the subtraction would lose half of the digits: expm1 does not.
    """
    if isinstance(step, int):
        return 1 - beta**step  # eq. adam.c
    return -array_namespace(step).expm1(step * (log(beta) if beta else -inf))
