"""The networks that one training step is timed on: sizes, batch, start and data, the same for every contender."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

RATE = 0.01  # of learning; plain gradient descent


class Case(NamedTuple):
    """A chain of linear layers with `hidden` between them; float32."""

    sizes: tuple[int, ...]
    batch: int
    hidden: str  # tanh, sigmoid or relu
    loss: str  # mse or cross entropy
    steps: int  # in a block, so that a block takes some hundredths of a second

    @property
    def name(self) -> str:
        return "-".join(map(str, self.sizes))

    @property
    def title(self) -> str:
        return f"{self.name}, batch {self.batch}, {self.hidden}, {self.loss}"

    @property
    def flops(self) -> int:
        """Of the matrix products a step cannot do without: forward, every dW, every dx but the first."""
        products = [2 * self.batch * n_in * n_out for n_in, n_out in pairwise(self.sizes)]
        return 3 * sum(products) - products[0]


CASES = {
    case.name: case
    for case in (
        Case((3, 2, 1), 3, "tanh", "mse", 500),
        Case((3, 4, 1), 4, "sigmoid", "mse", 500),
        Case((64, 64, 10), 64, "tanh", "cross entropy", 200),
        Case((112, 128, 28), 128, "tanh", "cross entropy", 100),
        Case((784, 512, 256, 10), 128, "relu", "cross entropy", 10),
        Case((784, 2048, 2048, 10), 512, "relu", "cross entropy", 1),
    )
}


class Problem(NamedTuple):
    """Where training starts, in NumPy: per linear layer W (n_out, n_in) and b (n_out,), and the one batch."""

    weights: list[tuple[Any, Any]]
    x: Any
    target: Any


def problem(case: Case) -> Problem:
    """The same numbers for every contender. Weights are drawn as torch.nn.Linear draws them; every class occurs."""
    rng = np.random.default_rng([4, *case.sizes])

    def uniform(n_in: int, *shape: int) -> Any:
        return rng.uniform(-1, 1, shape).astype(np.float32) / np.float32(np.sqrt(n_in))

    weights = [(uniform(n_in, n_out, n_in), uniform(n_in, n_out)) for n_in, n_out in pairwise(case.sizes)]
    x = rng.normal(size=(case.batch, case.sizes[0])).astype(np.float32)
    if case.loss == "mse":
        return Problem(weights, x, rng.normal(size=(case.batch, case.sizes[-1])).astype(np.float32))
    return Problem(weights, x, rng.permutation(case.batch) % case.sizes[-1])
