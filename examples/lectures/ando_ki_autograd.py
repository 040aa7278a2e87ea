"""Autograd's side of Ando Ki's training: the twin and torch.optim.SGD."""

import sys
from collections.abc import Sequence

import torch

from handgrad.course.lecture import Number, System, torch_twin
from handgrad.course.text import main
from handgrad.lectures.ando_ki_train import Float, Trained, X, Y, start, train
from manual import SGD, Loss, Network, Params, SquaredError, mlp
from torch_ref import from_torch, twin


def train_by_torch(
    net: Network, params: Sequence[Params], loss: Loss, lr: float, iterations: int, t: Float = Y
) -> Trained:
    """ando_ki_train.train with the twin, autograd and torch.optim.SGD."""
    trained, criterion = torch_twin(net, params), twin(loss)
    optimizer = torch.optim.SGD(trained.parameters(), lr)
    x, target, losses, y = torch.from_numpy(X), torch.from_numpy(t), [], torch.empty(0)
    for _ in range(iterations):
        y = trained(x)
        E = criterion(y, target)
        optimizer.zero_grad()
        E.backward()
        optimizer.step()
        losses.append(E.detach())
    return Trained(from_torch(net, trained.state_dict()), torch.stack(losses).numpy(), y.detach().numpy())


def both() -> System:
    """XOR from one start, by hand and by autograd."""
    net, loss = mlp([3, 4, 1], "sigmoid", "sigmoid", bias=False), SquaredError()
    params = start(net, "rand", 1)
    hand, auto = train(net, params, loss, SGD(1.0), 1000), train_by_torch(net, params, loss, 1.0, 1000)
    numbers = (
        Number("loss in iterations 1, 10, 100, 1000", *(run.losses[[0, 9, 99, 999]] for run in (hand, auto)),
               within=1e-9, separate=True),
        Number("nn.output", hand.output, auto.output, within=1e-9),
    )  # fmt: skip
    return System("XOR", "1,000 iterations from seed 1, by hand and by autograd", numbers)


if __name__ == "__main__":
    sys.exit(main((both,)))
