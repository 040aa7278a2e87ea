"""Any manual layer, network, or network with its loss as one torch module, differentiated by its own backward pass."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter, is_
from typing import Any, Self, cast

import torch
from torch import nn
from torch.autograd import forward_ad
from torch.fx import Proxy
from torch.nn.modules.module import _has_any_global_hook

from manual import BatchNorm1d, Dropout, Layer, Linear, Loss, Network
from manual.layers import LAYERS
from manual.network import widths
from torch_ref.hand.checks import PLAIN, Expected, autocast, check_states, state_tensors
from torch_ref.hand.function import apply
from torch_ref.hand.holders import count_states, parameters
from torch_ref.hand.options import NAMES, fit, follow, refuse_quantisation
from torch_ref.hand.program import Program
from torch_ref.hand.straight import Line, run_straight
from torch_ref.hand.traced import node, refuse_script
from torch_ref.layers.batch_norm import own_running, update_running
from torch_ref.sync_batch_norm import SyncBatchNorm1d
from torch_ref.twin import TWINS, Chain, twin
from torch_ref.weights import TORCH_NAMES

SIGNATURE = attrgetter("__class__", "shape", "dtype", "device", "layout", "requires_grad")  # of a tensor
UNSETTLED = (None, None)


class HandModule(nn.Module):
    """A manual layer, network or loss, or a network with its loss, as a module with hand-derived gradients.

    module(x) is the output, module(x, target) the loss E. Shapes: x (N, n_in), also (..., n_in) without a batch norm
    and with no loss or one that treats all elements alike; the target as the loss takes it; a cross-entropy alone also
    takes (N, C, d1, ...) and (C,), as torch's does. Parameters start as those of torch's own modules do and state_dict
    has their keys, so checkpoints and optimizers notice nothing. In training, dropout draws from torch's generator and
    batch norm keeps running statistics; eval() ends both; states, per layer a mask, running statistics or None, says
    what a layer takes instead.

    HandModule(Linear(3, 2)) is also an nn.Linear, and so on; a network's is also an nn.Sequential of such modules.
    Its children run together as one function, but one after the other where one of them has hooks or is another module.

    Raises TypeError for what has no twin and for torch.jit.script; at the call, ValueError for an input that does not
    fit the parameters in shape, dtype or device, states that do not fit the layers, and a target where there is no loss
    or that wants a gradient; RuntimeError for labels out of range.

    >>> import manual
    >>> HandModule(manual.mlp([4, 3, 2], "relu"))(torch.zeros(5, 4)).shape
    torch.Size([5, 2])
    >>> HandModule(manual.MeanSquaredError())(torch.ones(2, 3), torch.zeros(2, 3))
    tensor(1.)
    """

    __prepare_scriptable__ = refuse_script

    def __new__(cls, subject: Any = None, loss: Any = None) -> Self:
        """An object of the class that is torch's class for this subject too."""
        kinds: Any = [KINDS[kind] for kind in type(subject).__mro__ if kind in KINDS] if cls is HandModule else []
        made: Self = object.__new__(kinds[0] if kinds else cls)
        return made

    def __init__(self, subject: Layer | Network | Loss, loss: Loss | None = None) -> None:
        nn.Module.__init__(self)
        layers: tuple[Layer, ...] = ()
        self.chained = isinstance(subject, Network)
        if isinstance(subject, Network):
            layers = subject.layers
            for i, layer in enumerate(layers):
                self.add_module(str(i), HandModule(layer))
        else:
            modules = twin(subject)  # refuses what it does not know
            if hasattr(subject, "param_shapes"):
                layers = (cast(Layer, subject),)
            else:
                loss = subject
            vars(self).update({**vars(modules), "chained": False})
        if hasattr(loss, "param_shapes"):
            raise TypeError(f"loss: got {type(loss).__name__}, expected a loss such as SoftmaxCrossEntropy()")
        self.loss = loss
        self.criterion = (HandModule(loss),) if layers and loss is not None else ()  # in a tuple: it is no child
        self._take(layers)

    def _take(self, layers: tuple[Layer, ...]) -> None:
        """Compute with these layers from now on."""
        self.layers = layers
        self.program = Program.of(layers, self.loss)
        self.expected = Expected.of(layers, self.loss)
        self.settled: tuple[Any, Line | None] = UNSETTLED
        self.names = [[TORCH_NAMES[name] for name in stage.names] for stage in self.program.stages]
        self.stateful = tuple(i for i, layer in enumerate(layers) if isinstance(layer, Dropout | BatchNorm1d))

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "qconfig":
            refuse_quantisation(name)
        if name in NAMES and not self.chained:
            self._become(follow(self.layers[0] if self.layers else cast(Loss, self.loss), name, value))
        super().__setattr__(name, value)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        """As nn.Module's; a linear layer is from then on as wide as its weight, and has the bias it is given."""
        super().register_parameter(name, param)
        if param is not None and not self.chained and self.layers and isinstance(self.layers[0], Linear):
            self._become(fit(self.layers[0], name, param))

    def _become(self, subject: Layer | Loss) -> None:
        """Compute with this layer or loss from now on, unless it is the present one."""
        if self.layers and subject is not self.layers[0]:
            self._take((cast(Layer, subject),))
        elif not self.layers and subject is not self.loss:
            self.loss = cast(Loss, subject)
            self._take(())

    def forward(
        self, x: torch.Tensor, target: torch.Tensor | None = None, states: Sequence[Any] | None = None
    ) -> torch.Tensor:
        holders: Sequence[Any] = [*self._modules.values()] if self.chained else [self][: len(self.layers)]
        if isinstance(x, Proxy) and not (self.chained and target is None and states is None):
            return cast(torch.Tensor, node(self, x, target, states))
        if self.chained and not self._together(x, holders):
            return self._in_turn(holders, x, target, states)
        tensors = parameters(holders, self.names, x)
        if states is None and (line := self._line(x, target, tensors, holders)) is not None:
            y = self._run(line, *self.expected.rows(x, target), tensors, holders)
        else:
            y = self._run_program(x, target, tensors, holders, states)
        return y if x.ndim == 2 or target is not None else y.reshape((*x.shape[:-1], *y.shape[-1:][: x.ndim]))

    def _run_program(
        self,
        x: torch.Tensor,
        target: torch.Tensor | None,
        tensors: list[torch.Tensor],
        holders: Sequence[Any],
        states: Sequence[Any] | None,
    ) -> torch.Tensor:
        """The output or the loss by the lines of `manual`."""
        self.expected.check(x, target, tensors)
        rows, aims = self.expected.rows(x, target)
        program = self.program
        if autocast(x):
            program = replace(program, low=torch.get_autocast_dtype(x.device.type))
        if self.stateful or states is not None:
            taken = self._states(program, rows, holders, states)
            program = replace(program, states=tuple(map(len, taken)))
            tensors += [each for state in taken for each in state]
        y, *statistics = apply(program, rows, aims, tensors)
        if statistics:
            self._keep(statistics, holders, rows, program.states)
        return y

    def _line(
        self, x: Any, target: torch.Tensor | None, tensors: Sequence[torch.Tensor], holders: Sequence[Any]
    ) -> Line | None:
        """The straight line for this call; None where the program must run, which can do more.

        A line takes all that it does not look at from the signature of the call, so a new signature is checked first.
        """
        if (
            torch.compiler.is_compiling()  # first: nothing below compiles
            or torch._C._is_tracing()
            or torch._C._are_functorch_transforms_active()
            or forward_ad._current_level >= 0
            or type(x) not in PLAIN
            or (target is not None and type(target) not in PLAIN)
            or autocast(x)
        ):
            return None
        given = tensors if target is None else [*tensors, target]
        modes = None
        if self.stateful:
            stateful = [holders[i] for i in self.stateful]
            modes = [(holder.training, holder._buffers.get("running_mean") is None) for holder in stateful]
        signature = (torch.is_grad_enabled(), modes, *map(SIGNATURE, (x, *given)))
        if signature != self.settled[0]:
            self.expected.check(x, target, tensors)
            states = [count_states(layer, holder) for layer, holder in zip(self.layers, holders, strict=True)]
            self.settled = signature, Line.of(self.program, *self.expected.rows(x, target), tensors, states)
        return self.settled[1]

    def _run(
        self, line: Line, x: torch.Tensor, target: Any, tensors: Sequence[torch.Tensor], holders: Sequence[Any]
    ) -> torch.Tensor:
        """The output or the loss by a straight line; where no gradient is wanted, it is no function of autograd's."""
        if any(line.program.states):
            taken = self._states(line.program, x, holders, None)
            tensors = [*tensors, *(each for state in taken for each in state)]
        result = run_straight(line, x, target, *tensors) if line.differentiable else line(x, target, *tensors)
        if not line.statistics:
            return cast(torch.Tensor, result)
        y, *statistics = result
        self._keep(statistics, holders, x, line.program.states)
        return cast(torch.Tensor, y)

    def __getstate__(self) -> dict[str, Any]:
        """Without what was settled: it is settled again at the next call."""
        return {**vars(self), "settled": UNSETTLED}

    def extra_repr(self) -> str:
        return ", ".join(map(repr, (*(() if self.chained else self.layers), *((self.loss,) if self.loss else ()))))

    def _together(self, x: Any, children: Sequence[Any]) -> bool:
        """Whether the children run as one function. Where others stand in their place by now, those count."""
        if isinstance(x, Proxy) or not all(map(runs_along, children)) or _has_any_global_hook():  # type: ignore[no-untyped-call]
            return False
        layers = tuple([child.layers[0] for child in children])
        if len(layers) != len(self.layers) or not all(map(is_, layers, self.layers)):
            self._take(Network(layers).layers)
        return True

    def _in_turn(
        self, children: Sequence[Any], x: torch.Tensor, target: torch.Tensor | None, states: Sequence[Any] | None
    ) -> torch.Tensor:
        """Every child called by itself, and the loss: hooks fire, and what is no HandModule does what it does."""
        check_states(states, len(children))
        for i, child in enumerate(children):
            x = child(x) if states is None or states[i] is None else child(x, states=[states[i]])
        if target is None:
            return x
        if not self.criterion:
            raise ValueError("target: given, but this HandModule has no loss; HandModule(network, loss) has")
        E: torch.Tensor = self.criterion[0](x, target)
        return E

    def _states(
        self, program: Program, x: torch.Tensor, holders: Sequence[Any], given: Sequence[Any] | None
    ) -> list[list[torch.Tensor]]:
        """Per layer what it takes besides x: what is given, else in training a mask, in evaluation statistics."""
        check_states(given, len(self.layers))
        states: list[list[torch.Tensor]] = []
        n, dtype = x.shape[-1], x.dtype
        for i, (layer, holder) in enumerate(zip(self.layers, holders, strict=True)):
            state: list[torch.Tensor] = []
            dtype = dtype if program.low is None else program.stages[i].gives(dtype, program.low, x.device.type)
            if given is not None and given[i] is not None:
                state = state_tensors(f"states[{i}]", layer, given[i], (x.shape[0], n))
            elif isinstance(layer, Dropout) and count_states(layer, holder):
                state = [x.new_empty(x.shape[0], n, dtype=dtype).bernoulli_(1 - layer.p)]  # as nn.Dropout draws its own
            elif isinstance(layer, BatchNorm1d):
                state = own_running(holder) or []
            states.append(state)
            n = widths(layer)[1] or n
        return states

    def _keep(
        self, statistics: list[torch.Tensor], holders: Sequence[Any], x: torch.Tensor, taken: Sequence[int]
    ) -> None:
        """Move the running statistics of every batch norm that took none towards the batch's mean and variance."""
        each = iter(statistics)
        for layer, holder, count in zip(self.layers, holders, taken, strict=True):
            if isinstance(layer, BatchNorm1d) and not count:
                update_running(holder, next(each), next(each), layer.batch_size(x))


class HandNetwork(HandModule, Chain):  # type: ignore[misc]  # its forward takes a target too
    """A network as nn.Sequential has it: len, indexing, slices, append, a child replaced."""

    def __getitem__(self, idx: Any) -> Any:
        """A child, or for a slice these children one after the other, without the loss."""
        if not isinstance(idx, slice):
            return super().__getitem__(idx)
        return nn.Sequential(OrderedDict([*self._modules.items()][idx]))

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """As nn.Module's; but what SyncBatchNorm.convert_sync_batchnorm makes of our batch norm stays ours."""
        ours = self._modules.get(name)
        if type(module) is nn.SyncBatchNorm and isinstance(ours, KINDS[BatchNorm1d]) and module.weight is ours.weight:
            layer: Any = ours.layers[0]
            ours._take((SyncBatchNorm1d(layer.n, layer.eps, layer.momentum, module.process_group),))
            module = ours
        super().add_module(name, module)


# Per manual class the class of its modules: torch's own class, with our forward pass. Named, so that pickle finds them.
KINDS: dict[type, type[HandModule]] = {
    kind: type(
        f"Hand{kind.__name__}",
        (HandModule, TWINS[kind]),
        {"__module__": __name__, "__doc__": f"torch's {TWINS[kind].__name__}, computed by manual.{kind.__name__}."},
    )
    for kind in LAYERS
}
globals().update({kind.__name__: kind for kind in KINDS.values()})
KINDS[Network] = HandNetwork


def runs_along(child: Any) -> bool:
    """Whether a child is one layer of ours, with nothing that wants to see it called."""
    return (
        isinstance(child, HandModule)
        and type(child).forward is HandModule.forward
        and "forward" not in vars(child)  # put there by whoever wraps it
        and len(child.layers) == 1
        and not (child.chained or child.loss)
        and not (child._forward_hooks or child._forward_pre_hooks or child._backward_hooks or child._backward_pre_hooks)
    )
