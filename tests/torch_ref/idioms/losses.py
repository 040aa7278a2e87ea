"""Losses: torch's options, and targets of every shape."""

from typing import Any

import torch
from torch import nn
from torch.func import vmap
from torch.nn import functional as F

import manual
from tests.torch_ref.idioms.setting import Side, idiom, is_hand
from torch_ref import HandModule


def both(s: Side, loss: manual.Loss, module: nn.Module) -> nn.Module:
    return HandModule(loss) if is_hand(s) else module


def with_gradient(E: Any, z: torch.Tensor, t: torch.Tensor) -> Any:
    """The loss and dz."""
    z = z.detach().clone().requires_grad_()
    value = E(z, t)
    (dz,) = torch.autograd.grad(value.sum(), z)
    return value, dz


def logits(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def labels(*shape: int) -> torch.Tensor:
    return torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(6))


@idiom("torch's own loss after our network: `F.cross_entropy(model(x), t)`, `nn.NLLLoss`, `nn.MSELoss`")
def _(s: Side) -> Any:
    s.model[5].eval()
    y = s.model(s.x)
    E = (
        F.cross_entropy(y, s.t, label_smoothing=0.1)
        + nn.NLLLoss()(y.log_softmax(1), s.t)
        + nn.MSELoss()(y, y.detach() + 1)
    )
    E.backward()
    return [p.grad for p in s.model.parameters()]


@idiom("our loss after torch's network")
def _(s: Side) -> Any:
    torch.manual_seed(7)
    return s._replace(model=nn.Sequential(nn.Linear(6, 3)).double()).gradients()


@idiom("cross-entropy with `weight`, `label_smoothing`, `reduction='sum'`, and probabilities for targets")
def _(s: Side) -> Any:
    w, z = (0.5, 1.0, 2.0), logits(8, 3)
    found = []
    for reduction in ("mean", "sum"):
        for smoothing in (0.0, 0.1):
            loss = manual.SoftmaxCrossEntropy(reduction, smoothing, w)  # type: ignore[arg-type]
            own = nn.CrossEntropyLoss(torch.tensor(w).double(), reduction=reduction, label_smoothing=smoothing)
            found += [with_gradient(both(s, loss, own), z, t) for t in (s.t, logits(8, 3).softmax(1))]
    return found


@idiom("cross-entropy of images and sequences: logits (N, C, d1, ...), labels (N, d1, ...) or probabilities")
def _(s: Side) -> Any:
    z, loss, own = (
        logits(4, 3, 2, 5),
        manual.SoftmaxCrossEntropy(class_weights=(1.0, 2.0, 3.0)),
        torch.tensor([1.0, 2, 3]),
    )
    E = both(s, loss, nn.CrossEntropyLoss(own.double()))
    return [with_gradient(E, z, t) for t in (labels(4, 2, 5), logits(4, 3, 2, 5).softmax(1))]


@idiom("cross-entropy of one sample: logits (C,), a label () or probabilities (C,)")
def _(s: Side) -> Any:
    return [with_gradient(s.criterion, logits(3), t) for t in (torch.tensor(2), logits(3).softmax(0))]


@idiom(
    "`ignore_index=-100`",
    refused=r"target: has labels outside 0 to 2, .* leave out what is to be ignored: keep = t != -100",
)
def _(s: Side) -> Any:
    return s.criterion(logits(3, 3), torch.tensor([0, -100, 2]))


@idiom("in its place `keep = t != -100; E(z[keep], t[keep])`: torch's `ignore_index`")
def _(s: Side) -> Any:
    t = labels(8).masked_fill(torch.arange(8) % 3 == 0, -100)
    E = both(s, manual.SoftmaxCrossEntropy(), nn.CrossEntropyLoss())
    return with_gradient((lambda z, t: E(z[t != -100], t[t != -100])) if is_hand(s) else E, logits(8, 3), t)


@idiom("`reduction='none'`", refused=r"unknown reduction 'none'; known: sum, mean, batch mean")
def _(s: Side) -> Any:
    return HandModule(manual.SoftmaxCrossEntropy("none")) if is_hand(s) else None  # type: ignore[arg-type]


@idiom("in its place `vmap(HandModule(SoftmaxCrossEntropy()))(z, t)`: a loss for each sample, and weights of samples")
def _(s: Side) -> Any:
    E = vmap(HandModule(manual.SoftmaxCrossEntropy())) if is_hand(s) else nn.CrossEntropyLoss(reduction="none")
    each = with_gradient(E, logits(8, 3), s.t)
    return each, with_gradient(lambda z, t: torch.arange(8) * E(z, t), logits(8, 3), s.t)


@idiom("`nn.CrossEntropyLoss(weight=w)`: `class_weights`", refused="weight: got .*; class_weights=.* is torch's weight")
def _(s: Side) -> Any:
    return manual.SoftmaxCrossEntropy(weight=torch.ones(3))  # type: ignore[call-arg]


@idiom(
    "`pos_weight` and `weight` of a binary cross-entropy", refused="pos_weight: got .*; weigh the loss of each entry"
)
def _(s: Side) -> Any:
    return manual.BinaryCrossEntropy(pos_weight=torch.ones(3))  # type: ignore[call-arg]


@idiom(
    "in place of `pos_weight=p`, for targets from 0 to 1: `E = vmap(vmap(HandModule(BinaryCrossEntropy())))`, then "
    "`(p * t * E(z, ones) + (1 - t) * E(z, zeros)).mean()`; in place of `weight=w`: `(w * E(z, t)).mean()`"
)
def _(s: Side) -> Any:
    z, p = logits(8, 3), torch.tensor([1.0, 2.0, 3.0]).double()
    E = vmap(vmap(HandModule(manual.BinaryCrossEntropy())))

    def positive(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = (p * t * E(z, torch.ones_like(z)) + (1 - t) * E(z, torch.zeros_like(z))).mean()
        return value

    of_each = positive, lambda z, t: (p * E(z, t)).mean()
    own = nn.BCEWithLogitsLoss(pos_weight=p), nn.BCEWithLogitsLoss(weight=p)
    targets = (labels(8, 3) > 1).double(), logits(8, 3).sigmoid()
    return [with_gradient(loss, z, t) for loss in (of_each if is_hand(s) else own) for t in targets]


@idiom("infinite logits: classes masked by -inf, the target among them, all of them, and +inf")
def _(s: Side) -> Any:
    inf, z = float("inf"), torch.tensor([[0.0, 1.0, 2.0]]).double().repeat(5, 1)
    z[0, 0], z[1, 2], z[2], z[3, 1], z[4, :2] = -inf, -inf, -inf, inf, -inf
    return [with_gradient(s.criterion, row[None], torch.tensor([2])) for row in z]


@idiom("numbers alone: an activation, a squared error, a binary cross-entropy of tensors ()")
def _(s: Side) -> Any:
    z, t = logits(2).unbind()
    parts = [(manual.ReLU(), nn.ReLU()), (manual.GELU(), nn.GELU()), (manual.Softmax(), nn.Softmax(-1))]
    found = [with_gradient(lambda z, t, m=m: m(z), z, t) for m in (both(s, *part) for part in parts)]  # type: ignore[misc]
    losses = [
        (manual.MeanSquaredError(), nn.MSELoss()),
        (manual.BinaryCrossEntropy("sum"), nn.BCEWithLogitsLoss(reduction="sum")),
    ]
    return found, [with_gradient(both(s, *loss), z, t) for loss in losses]


@idiom("squared error and binary cross-entropy of targets (N,), (N, n), (N, n, d1, ...)")
def _(s: Side) -> Any:
    found = []
    for shape in ((4,), (4, 3), (4, 3, 2)):
        z, t = logits(*shape), logits(*shape).sigmoid()
        for loss, own in (
            (manual.MeanSquaredError(), nn.MSELoss()),
            (manual.BinaryCrossEntropy(), nn.BCEWithLogitsLoss()),
        ):
            found.append(with_gradient(both(s, loss, own), z, t))
    return found


@idiom("a target that would broadcast, where torch warns", refused=r"target: shape is \(4,\), expected \(4, 1\)")
def _(s: Side) -> Any:
    return HandModule(manual.MeanSquaredError())(logits(4, 1), logits(4)) if is_hand(s) else None


@idiom("a target that wants a gradient", refused=r"target: requires a gradient, .* detach\(\) it")
def _(s: Side) -> Any:
    return s.criterion(logits(8, 3), logits(8, 3).softmax(1).requires_grad_())


@idiom("labels of another integer type than int64, which torch refuses: taken")
def _(s: Side) -> Any:
    return s.criterion(logits(8, 3), s.t.int() if is_hand(s) else s.t)
