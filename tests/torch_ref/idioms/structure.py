"""The module as a container."""

import copy
import io
import pickle
from typing import Any

import torch
from torch import nn

from tests.torch_ref.idioms.setting import Side, idiom


@idiom("`len(model)`")
def _(s: Side) -> Any:
    return len(s.model)


@idiom("`model[0](x)`, `model[-1]`: a child called by itself")
def _(s: Side) -> Any:
    s.model[-1](s.model[0](s.x)).sum().backward()
    return s.model[-1].weight.grad, s.model[0].weight.grad


@idiom("`for layer in model: x = layer(x)`")
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


@idiom("`isinstance(m, nn.Linear)`, `nn.BatchNorm1d`, `nn.Dropout`; `in_features`, `num_features`")
def _(s: Side) -> Any:
    kinds = (nn.Linear, nn.BatchNorm1d, nn.Dropout, nn.Sequential)
    found = [[name for name, m in s.model.named_modules() if isinstance(m, kind)] for kind in kinds]
    return found, s.model[0].in_features, s.model[1].num_features


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


@idiom("options set later: `dropout.p = 0`, `norm.eps`, `norm.momentum`, also None")
def _(s: Side) -> Any:
    s.model[5].p, s.model[1].eps, s.model[1].momentum = 0.0, 0.1, 0.5
    first = s.gradients()
    s.model[1].momentum = None
    s.model(s.x)
    return first, s.model[1].running_var


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


@idiom("`nn.SyncBatchNorm.convert_sync_batchnorm(model)`: the child stays ours, with the statistics of all processes")
def _(s: Side) -> Any:
    model = nn.SyncBatchNorm.convert_sync_batchnorm(s.model)
    return s._replace(model=model).trained(), list(model.state_dict().values())


@idiom("`repr(model)`: a line a child")
def _(s: Side) -> Any:
    return [line.partition(":")[0] for line in repr(s.model).splitlines()[1:]]
