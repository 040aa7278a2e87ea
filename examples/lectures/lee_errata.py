"""Lee's mistakes in print: each goes to the judge as it is printed, and then as it should be."""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from handgrad import Verdict, verify, verify_function
from handgrad.course.lecture import Erratum
from handgrad.course.text import errata_main
from handgrad.experiment.compare_training import Trajectory, compare_training
from handgrad.lectures.lee import RULES_PARAMS, RULES_X
from handgrad.lectures.lee_training import COEFFICIENTS, ELSEWHERE, LOSS, NET, PARAMS, T, X, train, unflat
from manual import Array, Grads, Linear, MeanSquaredError, Network, Params, Sigmoid, Tanh
from manual.layers.linear import LinearCache
from manual.layers.sigmoid import sigmoid
from manual.losses.squared_error import SquaredErrorCache


@dataclass(frozen=True)
class Digits:
    """The digits printed after a training: REFUTED where the run is chaotic, for then they are rounding's.

    before: iterations before the first of the run's steps.
    """

    run: Trajectory
    before: int

    @property
    def verdict(self) -> Verdict:
        return Verdict.REFUTED if self.run.chaotic else self.run.verdict

    @property
    def words(self) -> str:
        steps = len(self.run.steps)
        which = f"steps 1 to {steps} are iterations {self.before} to {self.before + steps - 1}, counted from 0"
        refuted = "the digits in print are wrong, though no gradient is: " if self.run.chaotic else ""
        return f"{refuted}{which}: {self.run.words}"

    def __str__(self) -> str:
        return f"{self.verdict.value}  the printed digits: {self.words}\n{self.run}"


def last_steps(lr: float, iterations: int) -> Digits:
    """The last 250 steps of the 3-2-1 regression, judged one by one, beside autograd's from the same place."""
    before = iterations - 250
    start = unflat(train(lr, iterations).v[before])
    return Digits(compare_training(NET, start, [(X, T)] * 250, LOSS, lr, seed=0), before)


def thousand_iterations() -> Erratum:
    """U-E0: no formula is wrong; the digits of the result are those of one machine's rounding."""
    printed = ("5.54772718", "26.56860045", "9.73852491")
    half = [f"{y:.8f}" for y in train(0.0005, 2000).y[-1]]
    return Erratum(
        "U-E0",
        f"In[17], 1,000 iterations at lr 0.001: {', '.join(printed)}",
        f"lr times the largest curvature passes 2 on the way; at lr 0.0005, 2,000 iterations give {', '.join(half)}",
        last_steps(0.001, 1000),
        last_steps(0.0005, 2000),
    )


class ListingError(MeanSquaredError):
    """The listing: "derivative of mean squared error", error = predicted - t."""

    def backward(self, cache: SquaredErrorCache, dE: Array) -> Array:
        return dE * cache.e


def mean_squared_error() -> Erratum:
    """U-E1, harmless but for the factor N/2: the loss that is printed has another gradient than the one used."""
    x = np.concatenate([X, ELSEWHERE[:2]])  # five samples: for three, 3/2 could also be N/(N - 1)
    t = x @ COEFFICIENTS.T
    return Erratum(
        "U-E1",
        "mse = mean((t - predicted)^2), derivative: predicted - t",
        "2/N (predicted - t), or the loss 1/2 sum (predicted - t)^2",
        verify(NET, PARAMS, x, t, ListingError(), seed=1),
        verify(NET, PARAMS, x, t, MeanSquaredError(), seed=1),
    )


def unit_layer(x: Any, W: Any, theta: Any) -> Any:
    """O = sigma(x W^T + theta), the slides' layer of neurons as one function."""
    z, linear = Linear(*W.shape[::-1]).forward({"W": W, "b": theta}, x)
    O, cache = Sigmoid().forward({}, z)  # noqa: E741  the slides' letter
    return O, (W, theta, linear, cache)


def unit_backward(dO: Any, kept: Any) -> Any:
    """dE/dtheta = delta = dO O (1 - O)."""
    W, theta, linear, cache = kept
    delta, _ = Sigmoid().backward({}, cache, dO)
    dx, grads = Linear(*W.shape[::-1]).backward({"W": W, "b": theta}, linear, delta)
    return dx, grads["dW"], grads["db"]


def unit_backward_as_printed(dO: Any, kept: Any) -> Any:
    """dO/dtheta = 1, taken at its word: dE/dtheta = dE/dO."""
    dx, dW, _ = unit_backward(dO, kept)
    return dx, dW, dO.sum(axis=0)


def unit_by_torch(x: torch.Tensor, W: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(torch.nn.functional.linear(x, W, theta))


def bias_derivative() -> Erratum:
    """U-E3: 1 is the derivative of the net input; the bias gradient that the slide takes from it, delta, is right."""
    output = RULES_PARAMS[2]
    x = np.concatenate([sigmoid(RULES_X @ RULES_PARAMS[0]["W"].T + RULES_PARAMS[0]["b"]), [[0.3, -0.8]]])
    inputs = [x, output["W"], output["b"]]
    return Erratum(
        "U-E3",
        "dO/dtheta = 1",
        "dO/dtheta = O (1 - O), dE/dtheta = delta",
        verify_function(unit_layer, unit_backward_as_printed, unit_by_torch, inputs, seed=3, name="O = sigma(z)"),
        verify_function(unit_layer, unit_backward, unit_by_torch, inputs, seed=3, name="O = sigma(z)"),
    )


class ElementwiseProduct(Linear):
    """The listing's delta_output * output_weights, where the matrix product belongs."""

    def backward(self, params: Params, cache: LinearCache, dz: Array) -> tuple[Array, Grads]:
        _, grads = super().backward(params, cache, dz)
        return dz * params["W"], grads


PRINTED = Network((Linear(3, 2), Tanh(), ElementwiseProduct(2, 2)))
RIGHT = Network((Linear(3, 2), Tanh(), Linear(2, 2)))
TWO_BY_TWO = np.array([[0.5, -1.0, 2.0], [1.5, 0.3, -0.7]]), np.array([[0.2, 0.8], [1.0, -0.5]])


def hidden_delta() -> Erratum:
    """U-E4: right by broadcasting for one output unit; silently wrong for two samples, outputs and hidden units."""
    x, t = TWO_BY_TWO
    params = RULES_PARAMS[:3]
    return Erratum(
        "U-E4",
        "delta_hidden = delta_output * output_weights * activation_deriv(hidden_linout)",
        "delta_output.dot(output_weights) * activation_deriv(hidden_linout)",
        verify(PRINTED, params, x, t, LOSS, seed=4),
        verify(RIGHT, params, x, t, LOSS, seed=4),
    )


ERRATA = (thousand_iterations, mean_squared_error, bias_derivative, hidden_delta)


if __name__ == "__main__":
    sys.exit(errata_main(ERRATA))
