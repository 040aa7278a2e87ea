"""Selker's mistakes in print, each refuted by the judge beside what is right.

S-E1 is wrong as printed, in floating point. The other three are readings that the wording allows: each is a mistake
that learners make with this text beside them.
"""

import sys
from typing import Any, ClassVar

import numpy as np
import torch

from handgrad import Report, UpdateReport, Verdict, verify_function, verify_update
from handgrad.course.lecture import Erratum
from handgrad.course.text import errata_main
from handgrad.lectures.selker import FIGURE_4, FIGURE_4_INPUT, ZERO, as_printed
from handgrad.lectures.selker_network import HALF, with_weights
from manual import Grads, Linear, Network, Params, Tanh, gradients, sgd
from manual.layers.linear import LinearCache

NET, PARAMS = with_weights(*FIGURE_4)


def tanh_of_large_inputs() -> Erratum:
    """tanh(x) = (e^x - e^-x) / (e^x + e^-x): nan from 710 on, and few digits near 0."""

    def printed(z: Any) -> Any:
        h = as_printed(z)
        return h, h

    def right(z: Any) -> Any:
        h, cache = Tanh().forward({}, z)
        return h, cache.h

    def backward(dh: Any, h: Any) -> Any:
        return dh * (1 - h * h)

    finding = verify_function(printed, backward, torch.tanh, {"z": (3, 4)}, seed=1, name="eq. (1)")
    return Erratum(
        "S-E1",
        "tanh(x) = (e^x - e^-x) / (e^x + e^-x), 'it can never quite output 1'",
        "the library's tanh; a rounded tanh is exactly 1 from 19.06 on (float32: 9.01), and its derivative exactly 0",
        finding,
        verify_function(right, backward, torch.tanh, {"z": (3, 4)}, seed=1, name="tanh"),
        says=refusal(finding),
    )


def refusal(report: Report) -> str:
    """The judge's words where a result is no number: the input, the tensor and the reason."""
    rows = [row for row in report.stages if row.isolated.verdict is Verdict.REFUTED]
    return "; ".join(f"{row.name}: {t.reason}" for row in rows for t in row.isolated.tensors if t.reason)


class RateInBackward(Linear):
    """'Multiplying each by the learning rate': each derivative on its way back, not only those of the weights."""

    lr: ClassVar[float] = 0.1

    def backward(self, params: Params, cache: LinearCache, dz: Any) -> tuple[Any, Grads]:
        return super().backward(params, cache, self.lr * dz)


class UpdatedFirst(Linear):
    """The derivative is passed back through weights that have been updated already."""

    lr: ClassVar[float] = 0.5

    def backward(self, params: Params, cache: LinearCache, dz: Any) -> tuple[Any, Grads]:
        _, grads = super().backward(params, cache, dz)
        (late,) = sgd([params], [grads], self.lr)
        return super().backward(late, cache, dz)[0], grads


def figure_4_as(kind: type[Linear]) -> Network:
    """Figure 4 with this linear layer."""
    return Network((kind(2, 2, bias=False), Tanh(), kind(2, 1, bias=False), Tanh()))


def step(net: Network, lr: float) -> tuple[Params, ...]:
    """W - lr dW, where dW is what this network's backward pass gives on Figure 4's input, target 0."""
    return sgd(PARAMS, gradients(net, PARAMS, FIGURE_4_INPUT, ZERO, HALF).dparams, lr)


def judged(updated: tuple[Params, ...], name: str) -> UpdateReport:
    return verify_update(NET, PARAMS, FIGURE_4_INPUT, ZERO, HALF, updated, name=name)


def rate_on_every_derivative() -> Erratum:
    """Layer l counted from the output learns with rate^l."""
    finding = judged(step(figure_4_as(RateInBackward), 1.0), "Figure 4, rate 0.1")
    return Erratum(
        "S-E3",
        "backpropagate the derivatives, 'multiplying each by the learning rate', subtract (read: each delta)",
        "pass the derivatives back as they are; W <- W - rate dE/dW",
        finding,
        judged(step(NET, RateInBackward.lr), "Figure 4, rate 0.1"),
    )


def weights_updated_first() -> Erratum:
    """Each neuron updates its weights, then passes the derivative back through them."""
    finding = judged(step(figure_4_as(UpdatedFirst), UpdatedFirst.lr), "Figure 4, rate 0.5")
    return Erratum(
        "S-E4",
        "backpropagate and subtract, one neuron after the other (read: update, then pass back)",
        "what is passed back, dz W, takes the weights as they were in the forward pass",
        finding,
        judged(step(NET, UpdatedFirst.lr), "Figure 4, rate 0.5"),
    )


def chain_rule_at_one_point() -> Erratum:
    """h(g(f(x)))' = h'(z) g'(y) f'(x), the points not given; here f = sin, g = y^3, h = tanh."""

    def forward(x: Any) -> Any:
        y = np.sin(x)
        return np.tanh(y**3), (x, y)

    def everywhere_x(dh: Any, cache: Any) -> Any:
        x, _ = cache
        return dh * derivative(x, x, x)

    def right(dh: Any, cache: Any) -> Any:
        x, y = cache
        return dh * derivative(x, y, y**3)

    def reference(x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.sin(x) ** 3)

    x = {"x": np.array([[0.7, -0.4, 1.1], [0.2, -1.3, 0.9]])}
    return Erratum(
        "S-E5",
        "dh(g(f(x)))/dx = dh(z)/dz dg(y)/dy df(x)/dx (read: all three at x)",
        "f' at x, g' at y = f(x), h' at z = g(y)",
        verify_function(forward, everywhere_x, reference, x, seed=5, name="all three at x"),
        verify_function(forward, right, reference, x, seed=5, name="each at its own point"),
    )


def derivative(x: Any, y: Any, z: Any) -> Any:
    """f'(x) g'(y) h'(z)."""
    return np.cos(x) * 3 * y**2 * (1 - np.tanh(z) ** 2)


ERRATA = (tanh_of_large_inputs, rate_on_every_derivative, weights_updated_first, chain_rule_at_one_point)

if __name__ == "__main__":
    sys.exit(errata_main(ERRATA))
