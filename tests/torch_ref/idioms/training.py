"""Training loops."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from tests.torch_ref.idioms.setting import Side, idiom, is_hand
from tests.torch_ref.pairs import LAYERS
from torch_ref import HandModule


@idiom("a plain loop with momentum; the same dropout masks from the same seed")
def _(s: Side) -> Any:
    return s.trained(steps=10), list(s.model.buffers())


@idiom("a `DataLoader`, a scheduler of the learning rate")
def _(s: Side) -> Any:
    optimizer = torch.optim.SGD(s.model.parameters(), lr=0.1, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 5)
    for _ in range(2):
        for x, t in DataLoader(TensorDataset(s.x, s.t), batch_size=4):
            optimizer.zero_grad()
            s._replace(x=x, t=t).E().backward()
            optimizer.step()
        schedule.step()
    return list(s.model.parameters())


@idiom("`LBFGS` with a closure")
def _(s: Side) -> Any:
    s.model[5].eval()
    optimizer = torch.optim.LBFGS(s.model.parameters(), max_iter=3)

    def closure() -> Any:
        optimizer.zero_grad()
        E = s.E()
        E.backward()
        return E

    optimizer.step(closure)
    return list(s.model.parameters())


@idiom("gradients accumulated over batches")
def _(s: Side) -> Any:
    for part in (slice(4), slice(4, 8)):
        (s._replace(x=s.x[part], t=s.t[part]).E() / 2).backward()
    return [p.grad for p in s.model.parameters()]


@idiom("`backward(retain_graph=True)` twice; `torch.autograd.grad` with `allow_unused`")
def _(s: Side) -> Any:
    E = s.E()
    E.backward(retain_graph=True), E.backward(retain_graph=True)
    more = torch.autograd.grad(E, [*s.model.parameters(), s.x.clone().requires_grad_()], allow_unused=True)
    return [p.grad for p in s.model.parameters()], more


@idiom("`no_grad`, `inference_mode`, `set_grad_enabled`")
def _(s: Side) -> Any:
    found = []
    s.model.eval()
    for mode in (torch.no_grad(), torch.inference_mode(), torch.set_grad_enabled(False)):
        with mode:
            y = s.model(s.x)
            found.append((y.requires_grad, y.is_inference(), y.clone()))
    return found


@idiom("`train()`, `eval()`, also of one child: a norm frozen, dropout left on", normed=True)
def _(s: Side) -> Any:
    s.model[1].eval()
    first = s.gradients(), s.model[1].running_mean.clone()
    s.model.eval()
    s.model[5].train()
    return first, s.gradients()


@idiom("`autocast` to bfloat16: the precision of the output, of the gradients, of the parameters")
def _(s: Side) -> Any:
    model, criterion = s.model.float(), s.criterion
    with torch.autocast("cpu", torch.bfloat16):
        y = model(s.x.float())
        E = criterion(y, s.t)
    E.backward()
    return y.dtype, E.dtype, {p.grad.dtype for p in model.parameters()}


@idiom("`autocast`: the precision that each layer hands on, of what comes in float32 and in bfloat16")
def _(s: Side) -> Any:
    found = []
    for layer, module in LAYERS.items():
        model = nn.Sequential(HandModule(layer) if is_hand(s) else module())
        with torch.autocast("cpu", torch.bfloat16):
            found += [model(x).dtype for x in (s.x[:, :5].float(), s.x[:, :5].bfloat16())]
    return found


@idiom("saliency and adversarial steps: the gradient of the input")
def _(s: Side) -> Any:
    s.model.eval().requires_grad_(False)
    x = s.x.clone().requires_grad_()
    s.criterion(s.model(x), s.t).backward()
    return x.grad, s.model(x + 0.1 * x.grad.sign())  # type: ignore[union-attr]


@idiom("a gradient penalty: `autograd.grad(..., create_graph=True)`, then `backward`")
def _(s: Side) -> Any:
    s.model[5].eval()
    x = s.x.clone().requires_grad_()
    (dx,) = torch.autograd.grad(s.model(x).sum() + s.criterion(s.model(x), s.t), x, create_graph=True)
    (dx.norm(dim=1) - 1).square().mean().backward()
    return [p.grad for p in s.model.parameters()]


@idiom("two optimizers on two parts, one of them `detach`ed")
def _(s: Side) -> Any:
    body, head = s.model[:4], s.model[4:]
    s.criterion(head(body(s.x).detach()), s.t).backward()
    return [p.grad for p in s.model.parameters()]


@idiom("empty batches in evaluation; non-contiguous inputs; inputs with leading dimensions without a norm")
def _(s: Side) -> Any:
    s.model.eval()
    part = nn.Sequential(*s.model[2:])
    return (
        s.model(s.x[:0]),
        s.model(s.x.T.contiguous().T),
        part(torch.ones(2, 4, 5).double()),
        part(torch.ones(5).double()),
    )


@idiom("`torch.use_deterministic_algorithms(True)`")
def _(s: Side) -> Any:
    torch.use_deterministic_algorithms(True)
    try:
        return s.gradients()
    finally:
        torch.use_deterministic_algorithms(False)


@idiom("`torch.random.fork_rng`: the generator is moved as far as by torch's modules")
def _(s: Side) -> Any:
    with torch.random.fork_rng():
        s.E()
        return torch.rand(3)


@idiom("`FlopCounterMode`: forward and backward cost the same products")
def _(s: Side) -> Any:
    with FlopCounterMode(display=False) as counter:
        s.gradients()
    return counter.get_total_flops()


@idiom("`nn.DataParallel(model)` without a card")
def _(s: Side) -> Any:
    return s._replace(model=nn.DataParallel(s.model)).gradients()


@idiom("a single sample in training with a batch norm: ValueError, as torch's")
def _(s: Side) -> Any:
    try:
        s.model(s.x[:1])
    except ValueError as error:
        return type(error)
    return None
