"""The hand-derived side compiled: a step as one function of arrays, for whoever makes a program of it."""

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from manual.optimizers.adam import Adam
from manual.optimizers.clipping import clip_by, squared_norm
from manual.optimizers.sgd import SGD
from manual.training.batches import Samples
from manual.training.hand import Hand, Statistics
from manual.types import Array, Params

Kept: TypeAlias = tuple[tuple[Params, ...], Statistics, Any]  # parameters, running statistics and optimizer state
Rows: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]


class Compiled(Hand):
    """Hand that makes several steps at once, and evaluates all samples at once.

    Two are equal where their programs are, so that an equal training compiles nothing again.
    """

    @abstractmethod
    def run(
        self, samples: Samples, rows: Rows, lrs: Floats, states: Sequence[Any] | None, most: float | None
    ) -> tuple[Floats, Floats]:
        """E and the gradient's norm of every step. The first that is not finite and all behind it change nothing.

        rows: (K, N), those of each batch; lrs: (K,), learning rates; states: masks for each of the K batches, or None;
        most: the norm to which longer gradients are scaled down.
        """

    @abstractmethod
    def outputs(self, samples: Samples, size: int) -> tuple[Array, Array]:
        """y in evaluation and target of all these samples, about `size` of them at a time."""

    def one_step(
        self, kept: Kept, x: Array, target: Array, states: Any, lr: Array, most: float | None
    ) -> tuple[Kept, Array, Array]:
        """What is kept after a step, with the loss before it and the norm of its gradient.

        May be traced: the learning rate and the count of steps are arrays, and nothing is changed.
        """
        params, running, state = kept
        E, dparams, running = self.differentiate(params, running, x, target, states)
        norm = squared_norm(dparams) ** 0.5
        params, state = self.update(at_rate(self.optimizer, lr), params, clip_by(dparams, norm, most), state)
        return (params, running, state), E, norm

    def without_arrays(self) -> Self:
        """A copy that says what is computed, and holds nothing else."""
        new = copy.copy(self)
        new.params, new.running, new.next_running, new.state = (), (), (), None
        if isinstance(self.optimizer, SGD | Adam):
            new.optimizer = at_rate(self.optimizer, 1.0)  # each step is given its own
        return new

    @property
    def says(self) -> tuple[Any, ...]:
        """All that decides the program."""
        return self.network, self.function, self.optimizer, self.alpha, self.train_biases

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compiled) and self.says == other.says

    def __hash__(self) -> int:
        try:
            return hash(self.says)
        except TypeError:  # of a loss with a list in it
            return id(self)


def at_rate(optimizer: Any, lr: Any) -> Any:
    """The optimizer with a learning rate that is an array: it would be refused where it is checked as a number."""
    new = replace(optimizer)  # not copy.copy, which torch 2.11 does not trace
    object.__setattr__(new, "lr", lr)
    return new
