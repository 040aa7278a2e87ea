"""Parameters: groups, reparametrisation, pruning, averaging."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

from tests.torch_ref.idioms.setting import Side, idiom


@idiom("parameter groups: weights decayed, biases and norms not")
def _(s: Side) -> Any:
    decayed = [p for m in s.model if isinstance(m, nn.Linear) for name, p in m.named_parameters() if name == "weight"]
    rest = [p for p in s.model.parameters() if all(p is not d for d in decayed)]
    return s.trained({"params": decayed, "weight_decay": 0.1}, {"params": rest})


@idiom("`clip_grad_norm_`, `clip_grad_value_`")
def _(s: Side) -> Any:
    s.gradients()
    norm = nn.utils.clip_grad_norm_(s.model.parameters(), 0.01)
    nn.utils.clip_grad_value_(s.model.parameters(), 0.001)
    return norm, [p.grad for p in s.model.parameters()]


@idiom("`parameters_to_vector`, `vector_to_parameters`")
def _(s: Side) -> Any:
    vector = nn.utils.parameters_to_vector(s.model.parameters())
    nn.utils.vector_to_parameters(vector * 2, s.model.parameters())
    return vector, s.gradients()


@idiom("`requires_grad_(False)` on a child, on a parameter, on all")
def _(s: Side) -> Any:
    s.model[0].requires_grad_(False)
    s.model[6].bias.requires_grad_(False)
    first = s.gradients()
    return first, s.model.requires_grad_(False)(s.x).requires_grad


@idiom("a parameter replaced: `model[0].weight = nn.Parameter(...)`; `.data`; in place under `no_grad`")
def _(s: Side) -> Any:
    s.model[0].weight = nn.Parameter(torch.ones_like(s.model[0].weight) / 7)
    s.model[3].weight.data = s.model[3].weight.data * 2
    with torch.no_grad():
        s.model[6].weight.mul_(3)
    return s.gradients()


@idiom("`zero_grad(set_to_none=False)`")
def _(s: Side) -> Any:
    s.gradients()
    s.model.zero_grad(set_to_none=False)
    return [p.grad for p in s.model.parameters()]


@idiom("`prune.l1_unstructured`, `prune.remove`, `prune.global_unstructured`")
def _(s: Side) -> Any:
    prune.l1_unstructured(s.model[0], "weight", 0.5)
    first = s.gradients()
    prune.remove(s.model[0], "weight")
    prune.global_unstructured([(s.model[3], "weight"), (s.model[6], "weight")], prune.L1Unstructured, amount=0.3)
    return first, s.trained(), list(s.model.state_dict())


@idiom("`parametrizations.weight_norm`, `spectral_norm`, `orthogonal` of a child")
def _(s: Side) -> Any:
    parametrizations.weight_norm(s.model[0])
    parametrizations.spectral_norm(s.model[3])
    parametrizations.orthogonal(s.model[6])
    return s.trained(), list(s.model.state_dict())


@idiom("`parametrize.register_parametrization` of one's own, `parametrize.cached`, `remove_parametrizations`")
def _(s: Side) -> Any:
    class Symmetric(nn.Module):
        def forward(self, W: torch.Tensor) -> torch.Tensor:
            return W.triu() + W.triu(1).T

    parametrize.register_parametrization(s.model[3], "weight", Symmetric())
    with parametrize.cached():
        first = s.gradients()
    parametrize.remove_parametrizations(s.model[3], "weight")
    return first, s.trained()


@idiom("the older `nn.utils.spectral_norm` on a child, which is a hook")
def _(s: Side) -> Any:
    nn.utils.spectral_norm(s.model[3])
    return s.trained(), s.model.eval()(s.x)


@idiom("`torch.func.functional_call`, with other parameters")
def _(s: Side) -> Any:
    others = {name: 2 * p.detach() for name, p in s.model.named_parameters()}
    return torch.func.functional_call(s.model, others, (s.x,))


@idiom("an ensemble: `torch.func.stack_module_state` and `vmap`")
def _(s: Side) -> Any:
    models = [copy.deepcopy(s.model).eval() for _ in range(3)]
    for k, model in enumerate(models):
        nn.init.constant_(model[0].bias, k)
    params, buffers = torch.func.stack_module_state(models)
    base = copy.deepcopy(models[0]).to("meta")
    return torch.func.vmap(lambda p, b: torch.func.functional_call(base, (p, b), (s.x,)))(params, buffers)


@idiom("`swa_utils.AveragedModel`, also exponential, and `update_bn`")
def _(s: Side) -> Any:
    swa = torch.optim.swa_utils
    averaged = swa.AveragedModel(s.model, multi_avg_fn=swa.get_ema_multi_avg_fn(0.9))
    for _ in range(2):
        s.trained(steps=1)
        averaged.update_parameters(s.model)
    swa.update_bn([s.x, s.x + 1], averaged)
    return list(averaged.state_dict().values())


@idiom("`nn.utils.fusion.fuse_linear_bn_eval(model[0], model[1])`", normed=True)
def _(s: Side) -> Any:
    s.model(s.x), s.model.eval()
    return nn.utils.fusion.fuse_linear_bn_eval(s.model[0], s.model[1])(s.x), s.model[1](s.model[0](s.x))


@idiom("`copy_` between a model and its target network, as in reinforcement learning")
def _(s: Side) -> Any:
    target = copy.deepcopy(s.model)
    s.trained()
    with torch.no_grad():
        for p, q in zip(target.parameters(), s.model.parameters(), strict=True):
            p.lerp_(q, 0.1)
    return list(target.parameters())
