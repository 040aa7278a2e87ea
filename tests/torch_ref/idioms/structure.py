"""The module as a container."""

import copy
import io
import pickle
from typing import Any

import torch
from torch import nn

import manual
from tests.torch_ref.idioms.setting import Side, idiom, is_hand
from tests.torch_ref.pairs import LAYERS
from torch_ref import HandModule


@idiom("`len(model)`")
def _(s: Side) -> Any:
    return len(s.model)


@idiom("`model[0](x)`, `model[-1]`: a child called by itself")
def _(s: Side) -> Any:
    s.model[-1](s.model[0](s.x)).sum().backward()
    return s.model[-1].weight.grad, s.model[0].weight.grad


@idiom("`for layer in model: x = layer(x)`", normed=True)
def _(s: Side) -> Any:
    x = s.x
    for layer in s.model:
        x = layer(x)
    s.criterion(x, s.t).backward()
    return x, s.model[0].weight.grad, s.model[1].running_mean


@idiom("`model[:3]`, `model[3:]`: slices, a body and a head")
def _(s: Side) -> Any:
    body, head = s.model[:3], s.model[3:]
    return head(body(s.x)), list(body.state_dict()), len(head)


@idiom("`model[6] = nn.Linear(5, 3)`: a new head, also torch's own")
def _(s: Side) -> Any:
    torch.manual_seed(3)
    s.model[6] = nn.Linear(5, 3).double()
    return s.gradients(), s.trained()


@idiom("`model.append`, `insert`, `pop`, `extend`, `del model[4]`")
def _(s: Side) -> Any:
    s.model.append(s.model.pop(2))
    del s.model[3]
    s.model.insert(1, nn.Softplus())
    s.model.extend([nn.Identity()])
    return s.gradients(), list(s.model.state_dict())


@idiom("a child wrapped, as for low-rank adaptation: `model[0] = Adapted(model[0])`")
def _(s: Side) -> Any:
    class Adapted(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner.requires_grad_(False)
            self.A = nn.Parameter(torch.full((2, 6), 0.1, dtype=torch.float64))
            self.B = nn.Parameter(torch.ones(5, 2, dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> Any:
            return self.inner(x) + x @ self.A.T @ self.B.T

    s.model[0] = Adapted(s.model[0])
    return s.gradients(), list(s.model.state_dict())


@idiom("`child.forward` replaced, as wrapping libraries do")
def _(s: Side) -> Any:
    inner = s.model[2].forward
    s.model[2].forward = lambda x: 2 * inner(x)
    return s.gradients()


@idiom("`named_children`, `named_modules`, `get_submodule`, `get_parameter`")
def _(s: Side) -> Any:
    names = [name for name, _ in s.model.named_children()], [name for name, _ in s.model.named_modules()]
    return *names, s.model.get_submodule("3").weight, s.model.get_parameter("6.bias")


@idiom("`isinstance(m, nn.Linear)`, `nn.ReLU`, and so for every layer; `in_features`, `num_features`", normed=True)
def _(s: Side) -> Any:
    kinds = {type(module()) for module in LAYERS.values()}
    found = [[name for name, m in s.model.named_modules() if isinstance(m, kind)] for kind in (*kinds, nn.Sequential)]
    each = [HandModule(layer) if is_hand(s) else module() for layer, module in LAYERS.items()]
    return found, [isinstance(m, kind) for m in each for kind in kinds], s.model[0].in_features


@idiom("every `nn.Tanh`, found by `isinstance`, given a hook, and then exchanged for another activation")
def _(s: Side) -> Any:
    seen: list[torch.Tensor] = []
    found = {name: m for name, m in s.model.named_children() if isinstance(m, nn.Tanh)}
    for m in found.values():
        m.register_forward_hook(lambda m, args, h: seen.append(h.detach()))
    first = s.gradients()
    for name in found:
        setattr(s.model, name, nn.ReLU())
    return first, seen, s.gradients()


@idiom("`model.apply(init)` with `isinstance` inside")
def _(s: Side) -> Any:
    s.model.apply(init)
    return list(s.model.parameters())


@idiom("`apply(init)` on a module of a single layer")
def _(s: Side) -> Any:
    s.model[3].apply(init)
    return s.model[3].weight, s.gradients()


def init(m: nn.Module) -> None:
    if isinstance(m, nn.Linear):
        nn.init.kaiming_normal_(m.weight, generator=torch.Generator().manual_seed(4))
        nn.init.constant_(m.bias, 0.5)


@idiom("`m.reset_parameters()` on every child that has it")
def _(s: Side) -> Any:
    for m in s.model:
        if hasattr(m, "reset_parameters"):
            m.reset_parameters()
    return list(s.model.parameters())


@idiom(
    "options set later: `dropout.p`, `norm.eps`, `norm.momentum`, also None, `norm.track_running_stats`, "
    "`leaky.negative_slope`, `gelu.approximate`; of a loss `reduction`, `label_smoothing`, `weight`",
    normed=True,
)
def _(s: Side) -> Any:
    s.model[5].p, s.model[1].eps, s.model[1].momentum = 0.0, 0.1, 0.5
    first = s.gradients()
    s.model[1].momentum = None
    s.model(s.x)
    s.model[1].track_running_stats, s.criterion.label_smoothing = False, 0.1
    return first, s.gradients(), s.model[1].running_var


@idiom(
    "options that ours have in one way only: `inplace`, `softmax.dim`, `softplus.beta`, `loss.ignore_index`, "
    "`loss.pos_weight`",
    refused="dim: got 0, expected -1 with Softmax.*; put nn.Softmax",
)
def _(s: Side) -> Any:
    HandModule(manual.Softmax()).dim = 0


@idiom("`bias = None`, for a norm also `weight = None`; a bias where there was none", normed=True)
def _(s: Side) -> Any:
    s.model[0].bias = s.model[1].weight = s.model[1].bias = None
    first = s.gradients()
    s.model[0].bias = nn.Parameter(torch.ones(5).double())
    return first, s.gradients()


@idiom("fewer units: `model[3].weight = nn.Parameter(W[:2])` and the next layer's `[:, :2]`", normed=True)
def _(s: Side) -> Any:
    s.model[3].weight, s.model[3].bias = (nn.Parameter(p.detach()[:2]) for p in s.model[3].parameters())
    s.model[6].weight = nn.Parameter(s.model[6].weight.detach()[:, :2])
    return s.gradients()


@idiom("`torch.func.replace_all_batch_norm_modules_`: a norm without running statistics", normed=True)
def _(s: Side) -> Any:
    torch.func.replace_all_batch_norm_modules_(s.model)
    return s.gradients(), s.model.eval()(s.x), list(s.model.state_dict())


@idiom("as a part of `nn.Sequential`, `nn.ModuleList`, `nn.ModuleDict` and one's own module")
def _(s: Side) -> Any:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleDict({"body": nn.Sequential(s.model), "rest": nn.ModuleList([nn.Tanh()])})

        def forward(self, x: torch.Tensor) -> Any:
            return self.parts["rest"][0](self.parts["body"](x))  # type: ignore[index]

    whole = Whole()
    whole(s.x).sum().backward()
    return list(whole.state_dict()), [p.grad for p in whole.parameters()]


@idiom("weight tying: `model[3].weight = other.weight`")
def _(s: Side) -> Any:
    s.model.append(copy.deepcopy(s.model[3]))
    s.model[6] = s.model[4]
    s.model[7].weight = s.model[3].weight
    s.criterion(s.model(s.x)[:, :3], s.t).backward()
    return s.model[3].weight.grad, len(list(s.model.parameters()))


@idiom("one child used at two places")
def _(s: Side) -> Any:
    s.model.insert(4, s.model[3])
    return s.gradients()


@idiom("`model.to(torch.float32)`, `.half()`, `.bfloat16()`, `.float()`")
def _(s: Side) -> Any:
    kinds = [next(s.model.bfloat16().parameters()).dtype, next(s.model.half().parameters()).dtype]
    return kinds, s.model.float()(s.x.float())


@idiom("on the meta device, then `to_empty` and `load_state_dict`")
def _(s: Side) -> Any:
    other = copy.deepcopy(s.model).to("meta")
    shape = other(s.x.to("meta")).shape
    other = other.to_empty(device="cpu")
    other.load_state_dict(s.model.state_dict())
    torch.manual_seed(1)
    return shape, other(s.x)


@idiom("`share_memory()`")
def _(s: Side) -> Any:
    return s.model.share_memory().get_parameter("0.weight").is_shared()


@idiom("`copy.deepcopy`, `pickle`, `torch.save` of the whole module")
def _(s: Side) -> Any:
    file = io.BytesIO()
    torch.save(s.model, file)
    file.seek(0)
    found = []
    for other in (copy.deepcopy(s.model), pickle.loads(pickle.dumps(s.model)), torch.load(file, weights_only=False)):
        found.append(s._replace(model=other.eval()).gradients())
    return found, s.model.training


@idiom("`state_dict`, `load_state_dict` strict and not, with `assign=True`; keys as `nn.Sequential` has them")
def _(s: Side) -> Any:
    state = {name: value + 1 for name, value in s.model.state_dict().items()}
    del state["6.bias"]
    missing = s.model.load_state_dict(state, strict=False).missing_keys
    s.model.load_state_dict({**state, "6.bias": torch.zeros(3, dtype=torch.float64)}, assign=True)
    return list(state), missing, s.model.eval()(s.x)


@idiom("`register_state_dict_post_hook`, `register_load_state_dict_pre_hook`")
def _(s: Side) -> Any:
    s.model.register_load_state_dict_pre_hook(lambda module, state, *_: state.update({"0.bias": state.pop("b")}))
    state = s.model.state_dict()
    state["b"] = state.pop("0.bias") + 1
    s.model.load_state_dict(state)
    s.model.register_state_dict_post_hook(lambda module, state, prefix, _: state.__delitem__("6.bias"))
    return s.model[0].bias, list(s.model.state_dict())


@idiom("`named_buffers`, `register_buffer`")
def _(s: Side) -> Any:
    s.model.register_buffer("seen", torch.zeros(1))
    return [name for name, _ in s.model.named_buffers()]


@idiom(
    "`nn.SyncBatchNorm.convert_sync_batchnorm(model)`: the child stays ours, with the statistics of all processes",
    normed=True,
)
def _(s: Side) -> Any:
    model = nn.SyncBatchNorm.convert_sync_batchnorm(s.model)
    return s._replace(model=model).trained(), list(model.state_dict().values())


@idiom("`repr(model)`: a line a child")
def _(s: Side) -> Any:
    return [line.partition(":")[0] for line in repr(s.model).splitlines()[1:]]
