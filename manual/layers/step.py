"""Binary step and sign: forward only. Their derivative is zero almost everywhere and missing at zero, so a backward
pass through them would silently stop all learning; asking for it is an error.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, NoReturn

from manual.namespace import array_namespace
from manual.types import Activation, Array, Facts, NotDifferentiableError, Params


class StepCache(NamedTuple):
    pass


@dataclass(frozen=True)
class BinaryStep(Activation):
    """h = 1 where z > 0, 0 elsewhere. Shapes: z, h (N, n). Its gradient raises NotDifferentiableError."""

    facts: ClassVar[Facts] = Facts("step", differentiable=False)

    def forward(self, params: Params, z: Array) -> tuple[Array, StepCache]:
        xp = array_namespace(z)
        h = xp.where(z > 0, xp.ones_like(z), xp.zeros_like(z))  # (N, n)  eq. step.h
        return h, StepCache()

    def backward(self, params: Params, cache: Any, dh: Array) -> NoReturn:
        raise NotDifferentiableError(_ERROR.format("BinaryStep"))


@dataclass(frozen=True)
class Sign(Activation):
    """h = -1, 0 or 1, the sign of z. Shapes: z, h (N, n). Its gradient raises NotDifferentiableError."""

    facts: ClassVar[Facts] = Facts("sign", differentiable=False)

    def forward(self, params: Params, z: Array) -> tuple[Array, StepCache]:
        h = array_namespace(z).sign(z)  # (N, n)  eq. sign.h
        return h, StepCache()

    def backward(self, params: Params, cache: Any, dh: Array) -> NoReturn:
        raise NotDifferentiableError(_ERROR.format("Sign"))


_ERROR = "{} is not differentiable: it can be evaluated, but no gradient passes through it; train with sigmoid or tanh"
