"""Autograd's side of Ando Ki's lecture: the twin's gradients, and training by torch.optim.SGD."""

from collections.abc import Sequence
from typing import Any

import torch
from handgrad.lectures.ando_ki_train import Float, Trained, X, Y

from manual import Loss, Network, Params, output_names, param_names
from torch_ref import from_torch, to_torch, twin
from torch_ref.weights import TORCH_NAMES


def module(net: Network, params: Sequence[Params]) -> Any:
    """The twin in float64 with these weights."""
    found = twin(net).double()
    found.load_state_dict(to_torch(net, params))
    return found


def autograd(net: Network, params: Sequence[Params], x: Float, t: Float, loss: Loss) -> dict[str, Any]:
    """Every quantity of the pass, and its gradient, under the names of `manual.gradients`."""
    h = torch.tensor(x, requires_grad=True)
    found: dict[str, Any] = {"x": h}
    outputs, names = output_names(net.layers), param_names(net.layers)
    for layer, output, own in zip(module(net, params), outputs, names, strict=True):
        h = found[output] = layer(h)
        found |= {name: getattr(layer, TORCH_NAMES[short]) for short, name in own.items()}
    loss_value = twin(loss)(h, torch.from_numpy(t))
    grads = torch.autograd.grad(loss_value, list(found.values()))
    found |= {f"d{name}": grad for name, grad in zip(tuple(found), grads, strict=True)}
    return {name: value.detach().numpy() for name, value in {**found, "loss": loss_value}.items()}


def train_by_torch(
    net: Network, params: Sequence[Params], loss: Loss, lr: float, iterations: int, t: Float = Y
) -> Trained:
    """ando_ki_train.train with the twin, autograd and torch.optim.SGD."""
    trained, criterion = module(net, params), twin(loss)
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
