"""Hooks, on the module, its children, its parameters and tensors."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from tests.torch_ref.idioms.setting import Side, idiom, is_hand


@idiom("`child.register_forward_hook`: activations collected")
def _(s: Side) -> Any:
    seen: list[torch.Tensor] = []
    for child in s.model:
        child.register_forward_hook(lambda m, args, h: seen.append(h.detach()))
    return s.gradients(), seen


@idiom("a forward hook of a child that replaces its output")
def _(s: Side) -> Any:
    s.model[2].register_forward_hook(lambda m, args, h: h * 2)
    return s.gradients()


@idiom("`child.register_forward_pre_hook` that replaces the input")
def _(s: Side) -> Any:
    s.model[3].register_forward_pre_hook(lambda m, args: (args[0] - 1,))
    return s.gradients()


@idiom("hooks with `with_kwargs=True`, `always_call=True`, `prepend=True`")
def _(s: Side) -> Any:
    seen: list[str] = []
    s.model[0].register_forward_hook(lambda m, args, kwargs, h: seen.append("a"), with_kwargs=True, always_call=True)
    s.model[0].register_forward_hook(lambda m, args, h: seen.append("b"), prepend=True)
    return s.gradients(), seen


@idiom("`child.register_full_backward_hook`, `register_full_backward_pre_hook`")
def _(s: Side) -> Any:
    seen: list[Any] = []
    s.model[3].register_full_backward_hook(lambda m, dx, dy: seen.append((dx[0], dy[0])))
    s.model[2].register_full_backward_pre_hook(lambda m, dy: (2 * dy[0],))
    return s.gradients(), seen


@idiom("a hook of a child removed again: `handle.remove()`")
def _(s: Side) -> Any:
    s.model[2].register_forward_hook(lambda m, args, h: h * 2).remove()
    return s.gradients()


@idiom("forward, pre and backward hooks on the module itself")
def _(s: Side) -> Any:
    seen: list[Any] = []
    s.model.register_forward_pre_hook(lambda m, args: (args[0] + 1,))
    s.model.register_forward_hook(lambda m, args, y: y * 2)
    s.model.register_full_backward_hook(lambda m, dx, dy: seen.append((dx[0], dy[0])))
    return s._replace(x=s.x.clone().requires_grad_()).gradients(), seen


@idiom("global hooks: `torch.nn.modules.module.register_module_forward_hook`")
def _(s: Side) -> Any:
    names = {id(m): name for name, m in s.model.named_modules()}
    seen: list[str | None] = []
    handle = nn.modules.module.register_module_forward_hook(lambda m, args, h: seen.append(names.get(id(m), "E")))
    try:
        s.E()
    finally:
        handle.remove()
    return seen


@idiom("`weight.register_hook`, `register_post_accumulate_grad_hook`")
def _(s: Side) -> Any:
    seen: list[torch.Tensor] = []
    s.model[0].weight.register_hook(lambda g: 2 * g)
    s.model[3].weight.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad))
    return s.gradients(), seen


@idiom("the optimizer's step inside the backward pass, by a hook on every parameter")
def _(s: Side) -> Any:
    def update(p: torch.Tensor) -> None:
        with torch.no_grad():
            p.sub_(0.1 * p.grad)  # type: ignore[operator]
        p.grad = None

    for p in s.model.parameters():
        p.register_post_accumulate_grad_hook(update)
    s.E().backward(), s.E().backward()
    return list(s.model.parameters())


@idiom("`retain_grad()` and `register_hook` on the output and the input")
def _(s: Side) -> Any:
    x = s.x.clone().requires_grad_()
    y = s.model(x)
    y.retain_grad()
    y.register_hook(lambda g: 3 * g)
    s.criterion(y, s.t).backward()
    return x.grad, y.grad


@idiom("`torch.autograd.graph.register_multi_grad_hook`")
def _(s: Side) -> Any:
    seen: list[int] = []
    params = tuple(s.model.parameters())
    torch.autograd.graph.register_multi_grad_hook(params, lambda grads: seen.append(len(grads)))
    return s.gradients(), seen


@idiom("`torch.autograd.graph.saved_tensors_hooks`, `save_on_cpu`")
def _(s: Side) -> Any:
    with torch.autograd.graph.saved_tensors_hooks(lambda a: a.clone(), lambda a: a):
        first = s.E()
    with torch.autograd.graph.save_on_cpu():
        second = s.E()
    (first + second).backward()
    return [p.grad for p in s.model.parameters()]


def recomputed(s: Side, run: Callable[[torch.Tensor], Any]) -> Any:
    s.criterion(run(s.x.clone().requires_grad_()), s.t).backward()
    return [p.grad for p in s.model.parameters()]


@idiom("`torch.utils.checkpoint.checkpoint`: the gradients")
def _(s: Side) -> Any:
    return recomputed(s, lambda x: checkpoint(s.model, x, use_reentrant=False))


@idiom(
    "in `checkpoint(model, x, use_reentrant=False)` the running statistics of a batch norm",
    instead="moved once, as without it; torch's move once more when the forward pass runs again",
    normed=True,
)
def _(s: Side) -> Any:
    other = copy.deepcopy(s.model)
    for _ in range(1 if is_hand(s) else 2):
        other(s.x)
    recomputed(s, lambda x: checkpoint(s.model, x, use_reentrant=False))
    assert_close(list(s.model.buffers()), list(other.buffers()))


@idiom("`checkpoint_sequential(model, 2, x)`")
def _(s: Side) -> Any:
    return recomputed(s, lambda x: checkpoint_sequential(s.model, 2, x, use_reentrant=False))


@idiom("`torch.autograd.detect_anomaly()`")
def _(s: Side) -> Any:
    with torch.autograd.set_detect_anomaly(True):
        return s.gradients()
