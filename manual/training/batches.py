"""Which samples make a batch, and what is drawn for it. All of it follows from (seed, epoch, step): nothing is kept."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device
from numpy.typing import NDArray

from manual.layers.dropout import Dropout
from manual.namespace import array_namespace
from manual.network import Network, widths
from manual.types import Array

ORDER, MASKS, SPLIT = range(3)  # each purpose has a stream of random numbers of its own


class Samples(NamedTuple):
    """Some rows of x and target. The rows are read batch by batch and never copied as a whole."""

    x: Array  # (N, n_in)
    target: Array  # (N,) or (N, n_out)
    rows: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> tuple[Array, Array]:
        """These rows of x and target."""
        xp = array_namespace(self.x)
        at = xp.asarray(rows, device=device(self.x))
        return xp.take(self.x, at, axis=0), xp.take(self.target, at, axis=0)


def split(x: Array, target: Array, fraction: float, seed: int) -> tuple[Samples, Samples]:
    """The samples to train on, and a random fraction of all, at least one, to validate on."""
    N = x.shape[0]
    rows = np.random.default_rng((seed, SPLIT)).permutation(N)
    n_validation = max(1, round(fraction * N))
    return Samples(x, target, rows[n_validation:]), Samples(x, target, rows[:n_validation])


def shuffle(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The order in which an epoch (from 0) visits the rows."""
    return rows[np.random.default_rng((seed, ORDER, epoch)).permutation(len(rows))]


def outputs(output: Callable[[Array], Array], samples: Samples, size: int) -> tuple[Array, Array]:
    """y = output(x) and target of all these samples, `size` of them at a time."""
    rows = samples.rows
    parts = [output(samples.take(rows[i : i + size])[0]) for i in range(0, len(rows), size)]
    return array_namespace(parts[0]).concat(parts, axis=0), samples.take(rows)[1]


def has_masks(network: Network) -> bool:
    """Whether there is anything to draw for a batch: dropout's masks."""
    return any(isinstance(layer, Dropout) for layer in network.layers)


def masks(network: Network, x: Array, seed: int, step: int) -> list[Any] | None:
    """Per layer, dropout's mask for this batch at this step (from 0), or None; None alone without any dropout."""
    if not has_masks(network):
        return None
    rng = np.random.default_rng((seed, MASKS, step))
    xp, (N, n) = array_namespace(x), x.shape
    states: list[Any] = []
    for layer in network.layers:
        like = xp.empty((N, n), dtype=x.dtype, device=device(x)) if isinstance(layer, Dropout) else None
        states.append(layer.draw(rng, like) if isinstance(layer, Dropout) else None)
        n = widths(layer)[1] or n
    return states
