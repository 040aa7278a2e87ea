"""Compilers and tracers."""

from typing import Any

import torch
from torch import nn

import manual
from tests.torch_ref.idioms.setting import Side, idiom, is_hand
from torch_ref import HandModule


def compiled(s: Side, **options: Any) -> Any:
    """The gradients that ours gives compiled and torch's not."""
    model = torch.compile(s.model, fullgraph=True, backend="eager", **options) if is_hand(s) else s.model
    return s._replace(model=model).gradients()


CONCRETE = {"target": None, "states": None}


@idiom("`torch.compile(model, fullgraph=True, dynamic=True)`, for batches of several sizes")
def _(s: Side) -> Any:
    torch.manual_seed(3)
    model = (HandModule(manual.mlp([6, 3])) if is_hand(s) else nn.Sequential(nn.Linear(6, 3))).double()
    small = s._replace(model=model)
    return [compiled(small._replace(x=s.x[:N], t=s.t[:N]), dynamic=True) for N in (8, 5)]


@idiom("`torch.compile` with hooks on children")
def _(s: Side) -> Any:
    s.model[5].p = 0.0
    s.model[2].register_forward_hook(lambda m, args, h: h * 2)
    return compiled(s)


@idiom("`torch.export.export`, also with a dynamic batch")
def _(s: Side) -> Any:
    s.model.eval()
    N = torch.export.Dim("N", min=2)
    program = torch.export.export(s.model, (s.x,), dynamic_shapes=({0: N},))
    return [program.module()(x) for x in (s.x, s.x[:3])], list(program.state_dict)


@idiom("`torch.jit.trace`, in evaluation")
def _(s: Side) -> Any:
    return torch.jit.trace(s.model.eval(), (s.x,))(s.x[:3])  # type: ignore[no-untyped-call]


@idiom(
    "`torch.jit.script`",
    refused=r"torch\.jit\.script: takes no gradient written by hand; use torch\.compile or torch\.export",
)
def _(s: Side) -> Any:
    return torch.jit.script(s.model) if is_hand(s) else None


@idiom("`torch.fx.symbolic_trace(model, concrete_args={'target': None, 'states': None})`: a node a child")
def _(s: Side) -> Any:
    graph = torch.fx.symbolic_trace(s.model, **({"concrete_args": CONCRETE} if is_hand(s) else {}))
    called = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    return called, s._replace(model=graph).gradients()


@idiom("`torch.fx.symbolic_trace` of a module that holds it")
def _(s: Side) -> Any:
    return torch.fx.symbolic_trace(nn.Sequential(s.model, nn.Tanh()))(s.x)


@idiom(
    "`torch.fx.symbolic_trace(model)` alone",
    refused=r"trace a module that holds it, and a network alone with concrete_args=",
)
def _(s: Side) -> Any:
    return torch.fx.symbolic_trace(s.model)


@idiom(
    "`torch.ao.quantization`: `quantize_dynamic`, `prepare`, which look for torch's exact classes",
    refused="qconfig: a HandModule is not quantised; load its state_dict into an nn.Sequential of torch's own layers",
)
def _(s: Side) -> Any:
    return torch.ao.quantization.quantize_dynamic(s.model, {nn.Linear})


@idiom("`torch.ao.quantization.fuse_modules`, which looks for them too", refused="did not find fuser method")
def _(s: Side) -> Any:
    return torch.ao.quantization.fuse_modules(s.model.eval(), [["0", "1"]])
