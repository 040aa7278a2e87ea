"""The contenders that torch trains: autograd bare, fused and compiled, and HandModule in its place."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from step_cases import RATE, Case, problem
from step_manual import network_of

from torch_ref import HandModule

HIDDEN = {"tanh": torch.nn.Tanh, "sigmoid": torch.nn.Sigmoid, "relu": torch.nn.ReLU}
Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class Trained(NamedTuple):
    """The loop that every torch script has."""

    loss: Loss
    optimizer: torch.optim.Optimizer
    x: torch.Tensor
    target: torch.Tensor

    def __call__(self, steps: int) -> float:
        loss, optimizer, x, target = self
        for _ in range(steps):
            optimizer.zero_grad()
            E = loss(x, target)
            E.backward()
            optimizer.step()
        return E.item()

    def kept(self) -> int:
        """Bytes kept from the forward to the backward pass: every storage once, parameters and batch not counted."""
        parameters = self.optimizer.param_groups[0]["params"]
        own = {a.data_ptr() for a in (self.x, self.target, *parameters)}
        sizes: dict[int, int] = {}

        def pack(a: torch.Tensor) -> torch.Tensor:
            sizes[a.untyped_storage().data_ptr()] = a.untyped_storage().nbytes()
            return a

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda a: a):
            E = self.loss(self.x, self.target)  # its graph lives as long as it does
        del E
        return sum(size for pointer, size in sizes.items() if pointer not in own)


def eager(case: Case) -> Trained:
    model, loss = with_loss(case)
    return trained(case, loss, torch.optim.SGD(model.parameters(), RATE))


def fused(case: Case) -> Trained:
    model, loss = with_loss(case)
    return trained(case, loss, torch.optim.SGD(model.parameters(), RATE, fused=True))


def compiled(case: Case) -> Trained:
    model, loss = with_loss(case)
    return trained(case, torch.compile(loss, fullgraph=True), torch.optim.SGD(model.parameters(), RATE))


def compiled_with_optimizer(case: Case) -> Trained:
    model, loss = with_loss(case)
    optimizer = torch.optim.SGD(model.parameters(), RATE)
    optimizer.step = torch.compile(optimizer.step)  # type: ignore[method-assign]
    return trained(case, torch.compile(loss, fullgraph=True), optimizer)


def hand_module(case: Case) -> Trained:
    module = HandModule(*network_of(case))
    module.load_state_dict(with_loss(case)[0].state_dict())
    return trained(case, module, torch.optim.SGD(module.parameters(), RATE))


def hand_module_compiled(case: Case) -> Trained:
    run = hand_module(case)
    return run._replace(loss=torch.compile(lambda x, target: run.loss(x, target), fullgraph=True))  # a function too


def with_loss(case: Case) -> tuple[torch.nn.Module, Loss]:
    """torch's own modules, and the loss of their output."""
    modules: list[torch.nn.Module] = []
    for W, b in problem(case).weights:
        linear = torch.nn.Linear(*reversed(W.shape))
        linear.load_state_dict({"weight": torch.from_numpy(W), "bias": torch.from_numpy(b)})
        modules += [linear, HIDDEN[case.hidden]()]
    model = torch.nn.Sequential(*modules[:-1])
    criterion = torch.nn.MSELoss() if case.loss == "mse" else torch.nn.CrossEntropyLoss()
    return model, lambda x, target: criterion(model(x), target)


def trained(case: Case, loss: Loss, optimizer: torch.optim.Optimizer) -> Trained:
    return Trained(loss, optimizer, *map(torch.from_numpy, problem(case)[1:]))
