"""Any manual layer, network, or network with its loss as one torch module, differentiated by its own backward pass."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar, cast

import torch
from torch import nn

from manual import BatchNorm1d, BinaryCrossEntropy, Dropout, Layer, Loss, Network, SoftmaxCrossEntropy, SquaredError
from manual.network import widths
from torch_ref.hand.function import apply
from torch_ref.hand.program import Program
from torch_ref.layers.batch_norm import update_running
from torch_ref.twin import twin
from torch_ref.weights import TORCH_NAMES

M = TypeVar("M", bound=nn.Module)


class HandModule(nn.Module):
    """A manual layer, network or loss, or a network with its loss, as a module with hand-derived gradients.

    module(x) is the output, module(x, target) the loss E. Shapes: x (N, n_in), also (..., n_in) without a batch norm
    and with no loss or one that treats all elements alike; the target as the loss takes it. Parameters start as those
    of torch's own modules do and state_dict has their keys, so checkpoints and optimizers notice nothing. In
    training, dropout draws from torch's generator and batch norm keeps running statistics; eval() ends both; states,
    per layer a mask, running statistics or None, says what a layer takes instead. Raises TypeError for what has no
    twin; at the call, ValueError for an input that does not fit the parameters in shape, dtype or device, states that
    do not fit the layers, and a target where there is no loss or that wants a gradient; RuntimeError for labels out
    of range. Forward-mode derivatives are not derived.

    >>> import manual
    >>> HandModule(manual.mlp([4, 3, 2], "relu"))(torch.zeros(5, 4)).shape
    torch.Size([5, 2])
    >>> HandModule(manual.MeanSquaredError())(torch.ones(2, 3), torch.zeros(2, 3))
    tensor(1.)
    """

    def __init__(self, subject: Layer | Network | Loss, loss: Loss | None = None) -> None:
        super().__init__()
        modules = twin(subject)
        layers: tuple[Layer, ...] = ()
        if isinstance(subject, Network):
            layers = subject.layers
            for name, module in modules.named_children():
                self.add_module(name, module)
        elif hasattr(subject, "param_shapes"):
            layers = (cast(Layer, subject),)
            take_over(self, modules)
        else:
            loss = subject
        if hasattr(loss, "param_shapes"):
            raise TypeError(f"loss: got {type(loss).__name__}, expected a loss such as SoftmaxCrossEntropy()")
        if loss is not None:
            twin(loss)  # refuses what it does not know
        self.layers, self.loss = layers, loss
        self.program = Program.of(layers, loss)
        self.names = [str(i) for i in range(len(layers))] if isinstance(subject, Network) else []
        self.stateful = any(isinstance(layer, Dropout | BatchNorm1d) for layer in layers)
        self.normed = any(isinstance(layer, BatchNorm1d) for layer in layers)
        alike = isinstance(loss, SquaredError | BinaryCrossEntropy) and loss.reduction != "batch mean"
        self.ranks = not self.normed and (loss is None or alike)  # whether a target may have leading dimensions
        self.n_in = widths(layers[0])[0] if layers else None
        self.n_out = next((n for n in (widths(layer)[1] for layer in reversed(layers)) if n), None)

    def forward(
        self, x: torch.Tensor, target: torch.Tensor | None = None, states: Sequence[Any] | None = None
    ) -> torch.Tensor:
        holders: Any = [self._modules[name] for name in self.names] or [self][: len(self.layers)]
        tensors = [
            getattr(holder, TORCH_NAMES[name])
            for holder, stage in zip(holders, self.program.stages, strict=True)
            for name in stage.names
        ]
        self._check(x, target, tensors)
        rows = x if x.ndim == 2 else x.reshape(-1, x.shape[-1])
        aims = target if target is None or x.ndim == 2 else target.reshape(-1, target.shape[-1])
        program = self.program
        if autocast(x):
            program = program._replace(low=torch.get_autocast_dtype(x.device.type))
        if self.stateful or states is not None:
            taken = self._states(program, rows, holders, states)
            program = program._replace(states=tuple(map(len, taken)))
            tensors += chain(*taken)
        y, *statistics = apply(program, rows, aims, tensors)
        if statistics:
            self._keep(statistics, holders, rows.shape[0], program.states)
        return y if x.ndim == 2 or target is not None else y.reshape(*x.shape[:-1], y.shape[-1])

    def extra_repr(self) -> str:
        return ", ".join(map(repr, (*(() if self.names else self.layers), *((self.loss,) if self.loss else ()))))

    def _states(
        self, program: Program, x: torch.Tensor, holders: Sequence[Any], given: Sequence[Any] | None
    ) -> list[list[torch.Tensor]]:
        """Per layer what it takes besides x: what is given, else in training a mask, in evaluation statistics."""
        if given is not None and len(given) != len(self.layers):
            raise ValueError(
                f"states: {len(given)} entries, expected {len(self.layers)}, one per layer (None for most)"
            )
        states: list[list[torch.Tensor]] = []
        n, dtype = x.shape[-1], x.dtype
        for i, (layer, holder) in enumerate(zip(self.layers, holders, strict=True)):
            state, dtype = [], program.stages[i].dtype(dtype, program.low)
            if given is not None and given[i] is not None:
                state = state_tensors(f"states[{i}]", layer, given[i], (x.shape[0], n))
            elif isinstance(layer, Dropout) and holder.training:
                state = [x.new_empty(x.shape[0], n, dtype=dtype).bernoulli_(1 - layer.p)]  # as nn.Dropout draws its own
            elif isinstance(layer, BatchNorm1d) and not holder.training:
                state = [holder.running_mean, holder.running_var]
            states.append(state)
            n = widths(layer)[1] or n
        return states

    def _keep(self, statistics: list[torch.Tensor], holders: Sequence[Any], N: int, taken: Sequence[int]) -> None:
        """Move the running statistics of every batch norm that took none towards the batch's mean and variance."""
        found = iter(statistics)
        for layer, holder, count in zip(self.layers, holders, taken, strict=True):
            if isinstance(layer, BatchNorm1d) and not count:
                update_running(holder, getattr(holder, "momentum", layer.momentum), next(found), next(found), N)

    def _check(self, x: torch.Tensor, target: torch.Tensor | None, params: list[torch.Tensor]) -> None:
        """Raise ValueError for what would otherwise end in somebody else's error, or in none."""
        layers, n, loss = self.layers, self.n_in, self.loss
        for name, given in (("x", x), ("target", target)):
            if given is not None and not isinstance(given, torch.Tensor):
                raise TypeError(
                    f"{name}: is a {type(given).__name__}, expected a torch.Tensor; torch.as_tensor makes one"
                )
        if x.ndim == 0 or (n is not None and x.shape[-1] != n):
            raise ValueError(f"x: shape is {tuple(x.shape)}, expected (N, {n or 'n'}) for {(*layers, loss)[0]}")
        if x.ndim != 2 and (self.normed or (target is not None and not self.ranks)):
            what = "a batch norm" if target is None else "a loss"
            expected = f"(N, {n or 'n'})"
            raise ValueError(f"x: shape is {tuple(x.shape)}, expected {expected} with {what}; reshape it to rows first")
        for p in params:
            if x.device != p.device or x.dtype != p.dtype:
                self._check_kind(x, p)
        if target is None:
            if not layers:
                raise ValueError("target: is missing; a loss takes the output and the target")
            return
        if loss is None:
            raise ValueError("target: given, but this HandModule has no loss; HandModule(network, loss) has")
        if target.requires_grad:
            raise ValueError("target: requires a gradient, but losses are derived for their output only; detach() it")
        C = self.n_out or x.shape[-1]
        labels = isinstance(loss, SoftmaxCrossEntropy) and not target.is_floating_point()
        shape = (len(x),) if labels else (*x.shape[:-1], C)
        if tuple(target.shape) != shape:
            raise ValueError(f"target: shape is {tuple(target.shape)}, expected {shape} for {loss}")
        if target.device != x.device:
            raise ValueError(f"target: is on {target.device}, but x is on {x.device}; move one of them with .to()")
        weights = loss.class_weights if isinstance(loss, SoftmaxCrossEntropy) else None
        if weights is not None and len(weights) != C:
            raise ValueError(f"class_weights: {len(weights)} of them, expected {C}, one per class")
        if labels:
            check_labels(target, C)

    def _check_kind(self, x: torch.Tensor, first: torch.Tensor) -> None:
        """Device and dtype of x, against those of the first parameter; autocast casts the dtype itself, but float64."""
        if x.device != first.device:
            raise ValueError(
                f"x: is on {x.device}, but the parameters are on {first.device}; move one of them with .to()"
            )
        if not autocast(x) or torch.float64 in (x.dtype, first.dtype):
            raise ValueError(f"x: is {x.dtype}, but the parameters are {first.dtype}; convert one of them with .to()")


def autocast(x: torch.Tensor) -> bool:
    """Whether autocast is on for the device of x; meta has none, and torch raises where it is asked for it."""
    return x.device.type != "meta" and torch.is_autocast_enabled(x.device.type)


def state_tensors(name: str, layer: Layer, state: Any, shape: tuple[int, int]) -> list[torch.Tensor]:
    """The tensors of a state. ValueError unless it is a mask (N, n) for dropout or statistics (n,) for batch norm."""
    tensors = list(state) if isinstance(state, tuple) else [state]
    expected = {Dropout: [shape], BatchNorm1d: [shape[1:]] * 2}
    fitting = next((shapes for kind, shapes in expected.items() if isinstance(layer, kind)), [])
    if [tuple(getattr(tensor, "shape", ())) for tensor in tensors] != fitting:
        got = [tuple(tensor.shape) if isinstance(tensor, torch.Tensor) else type(tensor).__name__ for tensor in tensors]
        raise ValueError(
            f"{name}: got {got}, expected tensors of shapes {fitting} for {layer}; None where it takes none"
        )
    return tensors


def take_over(module: M, other: nn.Module) -> M:
    """`module` with the parameters and buffers of `other` under the same names."""
    for name, parameter in other.named_parameters(recurse=False):
        module.register_parameter(name, parameter)
    for name, buffer in other.named_buffers(recurse=False):
        module.register_buffer(name, buffer, persistent=name not in other._non_persistent_buffers_set)
    return module


def check_labels(target: torch.Tensor, C: int) -> None:
    """Raise RuntimeError for labels outside 0 to C - 1: at once on CPU, on CUDA when the device reports it."""
    if torch._C._are_functorch_transforms_active():
        return  # no transform knows the assertion
    inside: Any = ((target >= 0) & (target < C)).all()
    torch._assert_async(inside, f"target: has labels outside 0 to {C - 1}, expected one of {C} classes each")
