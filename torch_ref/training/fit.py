"""The twin of manual/training/fit.py: the same loop around a torch module, with torch.optim's optimizer.

The module differentiates by hand (HandModule) or by autograd (the twin); batches, masks, learning rates and clipping
are the same, so all curves begin equal and part only by rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import nn

from manual import Array, Grads, Loss, Network, Params, Running
from manual.checks import check_params
from manual.optimizers.schedules import Schedule
from manual.training.by_torch import with_own_code
from manual.training.compiler import compiled_side
from manual.training.loop import train
from manual.training.metrics import Metric
from manual.training.plan import convert_arrays, make_plan
from manual.training.settings import Callback, Settings
from manual.training.state import Training
from torch_ref.hand.module import HandModule
from torch_ref.training.optimizers import load_state, state_of, torch_optimizer
from torch_ref.twin import twin
from torch_ref.weights import from_torch, running_from_torch, to_torch


def fit(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    optimizer: Any,
    *,
    side: Literal["hand", "autograd"] = "hand",
    device: str | torch.device = "cpu",
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    validation: float | tuple[Array, Array] | None = None,
    metrics: Sequence[str | Metric] = (),
    schedule: Schedule | None = None,
    patience: int | None = None,
    clip_norm: float | None = None,
    callbacks: Sequence[Callback] = (),
    on_step: Callable[[float, int], Any] | None = None,
    shuffle: bool = True,
    alpha: float = 0.0,
    train_biases: bool = True,
    compile: bool = False,
    resume: Training | None = None,
) -> Training:
    """manual.fit with a torch module and torch's optimizer, on any device; all other arguments are described there.

    side: "hand", HandModule with hand-derived gradients, or "autograd", the twin. compile: by hand the whole step is
    one program, without a module; by autograd torch.compile has the forward and backward pass. Arrays are NumPy's,
    torch's or JAX's and are moved to the device; the Training comes back in the library of `params`, tensors on the
    device. Raises what manual.fit raises; ValueError for another side and a device that is not there, and for tensors
    on yet another device; TypeError for layers, losses and optimizers that torch has not.

    >>> import numpy as np
    >>> from manual import SGD, HalfSquaredError, mlp
    >>> x, net = np.array([[0.0, 1.0], [2.0, 3.0]]), mlp([2, 1])
    >>> done = fit(net, net.init(0), x, x[:, :1], HalfSquaredError(), SGD(0.1), epochs=50, batch_size=2)
    >>> done.history[0]["loss"] > 0.1, done.history[-1]["loss"] < 0.01
    (True, True)
    """
    settings = Settings(
        epochs=epochs, batch_size=batch_size, seed=seed, validation=validation, metrics=metrics, schedule=schedule,
        patience=patience, clip_norm=clip_norm, callbacks=callbacks, on_step=on_step, shuffle=shuffle, alpha=alpha,
        train_biases=train_biases,
    )  # fmt: skip
    if side not in ("hand", "autograd"):
        raise ValueError(f"side: is {side!r}, expected 'hand' or 'autograd'; for NumPy there is manual.fit")
    place = empty_on(device)
    check_params(network, params)
    like = next((a for layer in params for a in layer.values()), place)
    for name, array in {"params": like, "x": x, "target": target}.items():
        check_place(name, array, place)
    if isinstance(settings.validation, tuple | list):
        settings = replace(settings, validation=move_batch(*settings.validation, place))
    here = convert_arrays(tuple(params), place)
    plan = make_plan(network, here, *move_batch(x, target, place), loss, optimizer, settings, resume)
    like = place if isinstance(like, torch.Tensor) else like
    if compile and side == "hand":
        by_hand = compiled_side(network, loss, optimizer, plan.start, alpha=alpha, train_biases=train_biases)
        found: Training = convert_arrays(train(by_hand, plan), like)
        return found
    module = Module(network, loss, optimizer, side, plan.start, like, alpha=alpha, train_biases=train_biases)
    if compile:
        module.compute = torch.compile(with_own_code(module.batch_loss), dynamic=False)
    return train(module, plan._replace(start=convert_arrays(plan.start, like)))


class Module:
    """The torch side of the loop."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Any,
        side: str,
        start: Training,
        like: Array,
        *,
        alpha: float = 0.0,
        train_biases: bool = True,
    ) -> None:
        self.network, self.like, self.start, self.made = network, like, start, 0
        self.alpha = float(alpha)
        kept = to_torch(network, start.params, start.running)
        first = next(iter(kept.values()))
        self.E = HandModule(loss) if side == "hand" else twin(loss)
        self.module = HandModule(network, loss) if side == "hand" else twin(network)
        self.module.to(device=first.device, dtype=first.dtype).load_state_dict(kept)
        self.parameters = dict(self.module.named_parameters())
        linear = [m for m in self.module.modules() if isinstance(m, nn.Linear)]
        self.weights = [m.weight for m in linear] if alpha else []
        self.frozen = [m.bias for m in linear if m.bias is not None] if not train_biases else []
        self.statistics = {n: b for n, b in self.module.named_buffers() if ".running_" in n}
        self.before: dict[str, torch.Tensor] = {}  # the statistics, while a batch has moved them without a step
        self.optimizer = torch_optimizer(optimizer, self.module)
        load_state(self.optimizer, self.module, network, start.optimizer_state)
        self.compute: Any = self.batch_loss  # or what torch.compile makes of it

    def gradients(self, x: torch.Tensor, target: torch.Tensor, states: Any) -> tuple[float, Sequence[Grads]]:
        self.remember_statistics()
        self.optimizer.zero_grad()
        with torch.enable_grad():
            E = self.compute(x, target, states)
            E.backward()
        return E.item(), ({"d" + name: p.grad for name, p in self.parameters.items()},)

    def remember_statistics(self) -> None:
        """As they are before a batch moves them: no step may follow it."""
        self.before = {name: buffer.clone() for name, buffer in self.statistics.items()}

    def batch_loss(self, x: torch.Tensor, target: torch.Tensor, states: Any) -> torch.Tensor:
        """The loss of a batch, and the penalty of the weights."""
        if isinstance(self.module, HandModule):
            E: torch.Tensor = self.module(x, target, states)
        else:
            E = self.E(self.module(x, states), target)
        if self.weights:
            E = E + self.alpha / (2 * len(x)) * torch.stack([(W * W).sum() for W in self.weights]).sum()
        return E

    def step(self, dparams: Sequence[Grads], lr: float) -> None:
        for name, parameter in self.parameters.items():
            parameter.grad = dparams[0]["d" + name]
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        before = [b.detach().clone() for b in self.frozen]
        self.optimizer.step()
        with torch.no_grad():
            for b, value in zip(self.frozen, before, strict=True):
                b.copy_(value)
        self.before, self.made = {}, self.made + 1

    def output(self, x: torch.Tensor) -> torch.Tensor:
        self.module.eval()
        with torch.no_grad():
            y: torch.Tensor = self.module(x)
        self.module.train()
        return y

    def loss(self, y: torch.Tensor, target: torch.Tensor) -> float:
        return float(self.E(y, target))

    def arrays(self) -> tuple[tuple[Params, ...], tuple[Running | None, ...], Any]:
        kept = self.module.state_dict() | self.before
        params = from_torch(self.network, kept, xp=torch)
        running = running_from_torch(self.network, kept, xp=torch)
        state, steps = self.start.optimizer_state, self.start.optimizer_state.step + self.made
        state = state_of(self.optimizer, self.module, self.network, state, steps)
        found: tuple[Any, Any, Any] = convert_arrays((params, running, state), self.like)
        return found


def empty_on(device: str | torch.device) -> torch.Tensor:
    """An empty tensor on the device. ValueError where there is no such device, and for meta, which holds no numbers."""
    if str(device).partition(":")[0] == "meta":
        raise ValueError("device: meta holds shapes and no numbers, so nothing trains there; use device='cpu'")
    try:
        return torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise ValueError(f"device: {device!r} is asked for, but not there ({reason}); use device='cpu'") from error


def check_place(name: str, array: Array, place: torch.Tensor) -> None:
    """ValueError for a tensor that lies on another device than the one asked for, unless it is the CPU."""
    if isinstance(array, torch.Tensor) and array.device.type != "cpu" and array.device != place.device:
        raise ValueError(
            f"{name}: on {array.device}, but device is {str(place.device)!r}; pass device={str(array.device)!r}, "
            "or move it with .to()"
        )


def move_batch(x: Array, target: Array, place: torch.Tensor) -> tuple[Array, Array]:
    """x and target as tensors on the device, class indices as int64, the only ones autograd's loss takes."""
    x, target = convert_arrays((x, target), place)
    if isinstance(target, torch.Tensor) and not (target.is_floating_point() or target.is_complex()):
        target = target if target.dtype == torch.bool else target.to(torch.int64)
    return x, target
