"""Autograd's side of Ando Ki's training: the twin and torch.optim.SGD."""

from collections.abc import Sequence

import torch

from handgrad.course.lecture import torch_twin
from handgrad.lectures.ando_ki_train import Float, Trained, X, Y
from manual import Loss, Network, Params
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
