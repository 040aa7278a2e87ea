"""What every idiom is tried on: one network with its loss, once of torch's own modules and once hand-derived."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

import manual
from torch_ref import HandModule


class Side(NamedTuple):
    """A network of 6, 5, 5 and 3 units, its loss, and a batch."""

    model: Any
    criterion: Any
    x: torch.Tensor
    t: torch.Tensor

    def E(self) -> torch.Tensor:
        value: torch.Tensor = self.criterion(self.model(self.x), self.t)
        return value

    def gradients(self) -> list[torch.Tensor | None]:
        """Of all parameters, after one backward pass."""
        self.E().backward()
        return [p.grad for p in self.model.parameters()]

    def trained(self, *groups: Any, steps: int = 3) -> list[torch.Tensor]:
        """All parameters after a few steps."""
        optimizer = torch.optim.SGD(groups or self.model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(steps):
            optimizer.zero_grad()
            self.E().backward()
            optimizer.step()
        return [p.detach() for p in self.model.parameters()]


class Idiom(NamedTuple):
    """What somebody does with a module: on both sides it gives the same, or on ours it is refused with these words.

    Where ours gives something else, `instead` says what, and `do` asserts it.
    """

    told: str
    group: str
    do: Callable[[Side], Any]
    refused: str = ""
    normed: bool = False  # it needs a batch norm and dropout
    instead: str = ""


IDIOMS: list[Idiom] = []


def idiom(
    told: str, refused: str = "", normed: bool = False, instead: str = ""
) -> Callable[[Callable[[Side], Any]], Callable[[Side], Any]]:
    """Put a function on the list."""

    def add(do: Callable[[Side], Any]) -> Callable[[Side], Any]:
        IDIOMS.append(Idiom(told, do.__module__.rpartition(".")[2], do, refused, normed, instead))
        return do

    return add


def plain(normed: bool = True) -> Side:
    """Torch's own; or with other layers in place of batch norm and dropout, which ours runs in a straight line."""
    torch.manual_seed(0)
    norm, dropout = (nn.BatchNorm1d(5), nn.Dropout(0.25)) if normed else (nn.Sigmoid(), nn.GELU())
    model = nn.Sequential(nn.Linear(6, 5), norm, nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), dropout, nn.Linear(5, 3))
    return Side(model.double(), nn.CrossEntropyLoss(), *batch())


def hand(normed: bool = True) -> Side:
    """The same from the same start."""
    torch.manual_seed(0)
    linear, tanh = manual.Linear, manual.Tanh()
    norm, dropout = (manual.BatchNorm1d(5), manual.Dropout(0.25)) if normed else (manual.Sigmoid(), manual.GELU())
    layers = (linear(6, 5), norm, tanh, linear(5, 5), tanh, dropout, linear(5, 3))
    return Side(HandModule(manual.Network(layers)).double(), HandModule(manual.SoftmaxCrossEntropy()), *batch())


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (8, 6) and labels (8,)."""
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(8, 6, generator=generator, dtype=torch.float64)
    return x, torch.randint(0, 3, (8,), generator=generator)


def is_hand(side: Side) -> bool:
    """Whether it is ours: where an idiom is written otherwise."""
    return isinstance(side.criterion, HandModule)
