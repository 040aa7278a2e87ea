"""Training by autograd beside one by hand, and once more from a start moved by one unit in the last place.

How far the second leaves the first shows how far rounding alone carries a run.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.experiment.curvature import largest_curvature
from handgrad.subjects.network.stages import layer_twin
from manual import Loss, Network, Params, param_names
from torch_ref import Chain, from_torch, to_torch, twin

BEYOND = 100  # times all roundings so far, grown as the moved start has: of 1,000 random right runs none reached 2


class Difference(NamedTuple):
    """The entry of a parameter that differs most between two runs."""

    size: float
    parameter: str
    at: tuple[int, ...]
    ulps: float  # the size in units in the last place of the largest parameter of all


class Twin:
    """The network's twin in training by torch.optim.SGD, in the precision and on the device of its parameters."""

    def __init__(self, network: Network, loss: Loss, params: Sequence[Params], lr: float) -> None:
        state = to_torch(network, params)
        like = next(iter(state.values()))
        self.module = Chain(*(layer_twin(layer) for layer in network.layers)).to(like)
        self.module.load_state_dict(state)
        self.network, self.loss = network, twin(loss)
        self.optimizer = torch.optim.SGD(self.module.parameters(), lr)

    def step(self, x: Any, target: Any) -> float:
        """The loss before the step."""
        self.optimizer.zero_grad()
        E = self.loss(self.module(tensor(x)), tensor(target))
        E.backward()
        self.optimizer.step()
        return float(E.detach())

    @property
    def params(self) -> tuple[Params, ...]:
        """The parameters as they are now."""
        return from_torch(self.network, self.module.state_dict(), xp=torch)


class Autograd:
    """The training by autograd, and the one from the moved start."""

    def __init__(
        self, network: Network, loss: Loss, params: Sequence[Params], lr: float, rng: np.random.Generator
    ) -> None:
        self.network, self.loss, self.lr, self.rng = network, loss, lr, rng
        self.names = param_names(network.layers)
        self.run = Twin(network, loss, params, lr)
        self.moved = Twin(network, loss, nudge(params, rng), lr)
        self.nudge = find_difference(self.run.params, self.moved.params, self.names).size
        self.guess = rng.normal(size=sum(p.numel() for p in self.run.module.parameters()))  # of the eigenvector
        self.growth, self.roundings = 1.0, largest_unit(self.run.params)

    def curvature(self, x: Any, target: Any) -> float:
        """lr times the largest eigenvalue of the second derivatives, before the step on this batch."""
        params = self.run.params
        value, self.guess = largest_curvature(self.network, self.loss, params, x, target, self.guess, self.rng)
        return self.lr * value

    def step(self, x: Any, target: Any) -> float:
        """One step of both; the loss before it."""
        E = self.run.step(x, target)
        self.moved.step(x, target)
        return E

    def shift(self) -> Difference:
        """What the moved start makes of the parameters by now, which says how fast roundings grow."""
        found = find_difference(self.moved.params, self.run.params, self.names)
        if found.size == 0:  # both the same again: unless a bit differs, it shows no rounding from here on
            self.moved = Twin(self.network, self.loss, nudge(self.run.params, self.rng), self.lr)
        self.growth = max(self.growth, found.size / self.nudge)
        self.roundings += largest_unit(self.run.params)
        return found

    @property
    def explained(self) -> float:
        """The largest difference from another run that rounding explains by now."""
        return BEYOND * self.growth * self.roundings


def find_difference(one: Sequence[Params], other: Sequence[Params], names: Sequence[dict[str, str]]) -> Difference:
    """Where and how far; the units are those of `other`.

    One unit for the whole network: a bias before batch norm has no gradient but rounding's, and its own units, far
    below those that its stage computes in, would call any run chaotic.
    """
    found, one_unit = [], largest_unit(other)
    for a, b, called in zip(one, other, names, strict=True):
        for key, name in called.items():
            difference = np.abs(to64(a[key]) - to64(b[key]))
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(difference)), difference.shape))
            size = float(difference[at])
            found.append(Difference(size, name, at, size / one_unit))
    return max(found)


def unit(p: Any) -> float:
    """The unit in the last place of the largest entry."""
    return float(np.spacing(np.max(np.abs(to64(p))).astype(dtype_name(p))))


def largest_unit(params: Sequence[Params]) -> float:
    """That of the largest parameter."""
    return max(unit(p) for layer in params for p in layer.values())


def nudge(params: Sequence[Params], rng: np.random.Generator) -> list[dict[str, Any]]:
    """Every entry moved by one unit in its last place, up or down; a zero, which has none, by the largest entry's."""
    largest = max(float(np.max(np.abs(to64(p)), initial=0)) for layer in params for p in layer.values()) or 1.0

    def move(p: Any) -> Any:
        own = to64(p).astype(dtype_name(p))
        step = np.spacing(np.where(own == 0, own.dtype.type(largest), np.abs(own)))
        return like((own + rng.choice((-1, 1), size=own.shape) * step).astype(own.dtype), p)

    return [{key: move(p) for key, p in layer.items()} for layer in params]


def tensor(array: Any) -> torch.Tensor:
    """On the device it is on; other libraries' arrays by way of NumPy."""
    return array.detach() if isinstance(array, torch.Tensor) else torch.as_tensor(np.array(array))
