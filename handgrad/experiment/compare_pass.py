"""One pass of a network twice, by hand and by autograd in the same precision: where they differ, by how much, and why.

Nothing here decides what is right: the judge (`verify`) says that of every stage. A certified difference is rounding;
repeating its stage alone, on torch's arrays and in other orders of summation, finds out which. What the judge could not
certify is not called rounding.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, to64
from handgrad.experiment.compare_pass_text import Comparison, Line, Status
from handgrad.experiment.summation import Dot, find_order, multiply_add
from handgrad.judge.verdict import Verdict
from handgrad.subjects.network.stages import name_tensors
from handgrad.subjects.network.verify import verify
from manual import Layer, Linear, Loss, Network, Params, Tanh, gradients, output_names
from torch_ref import gradients as by_autograd
from torch_ref import twin
from torch_ref.weights import TORCH_NAMES

__all__ = ["Comparison", "compare_pass"]

SUMS = 24  # how many sums of a tensor are added up again to find their order


def compare_pass(
    network: Network, params: Sequence[Params], x: Any, target: Any, loss: Loss, *, seed: int | None = None
) -> Comparison:
    """Both sides of one pass, tensor by tensor. Shapes, seed and errors as `verify`; float32 or float64 only.

    >>> from manual import HalfSquaredError, mlp
    >>> net, rng = mlp([3, 2, 1]), np.random.default_rng(0)
    >>> found = compare_pass(net, net.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), HalfSquaredError())
    >>> " ".join(line.name for line in found.lines)
    'z1 h1 z2 loss dz2 dW2 db2 dh1 dz1 dW1 db1 dx'
    """
    if dtype_name(x) not in ("float32", "float64"):
        raise TypeError(f"x: is {dtype_name(x)}, expected float32 or float64")
    report = verify(network, params, x, target, loss, seed=seed)
    hand = gradients(network, params, x, target, loss)
    auto = by_autograd(network, params, x, target, loss)
    judged = {t.name: t.verdict for row in report.stages for t in row.isolated.tensors}
    names = name_tensors(network)
    wrong = {name for name, verdict in judged.items() if verdict is Verdict.REFUTED}
    open = {own[kind] for own in names for kind in own if judged.get(own[kind]) is not Verdict.CERTIFIED} - wrong
    lines = []
    for i, kind, name in list_tensors(network):
        line = compare_tensor(name, hand[name], auto[name])
        if line.status is not Status.EXACT:
            if names[i][kind] in wrong:
                status = Status.WRONG
            elif comes_after(wrong, names, i, kind):
                status = Status.INHERITED
            elif names[i][kind] in open or comes_after(open, names, i, kind):
                status = Status.NOT_JUDGED
            else:
                status = Status.ROUNDING
            part = Part(network, params, hand, target, loss, i, kind, name)
            why = explain(part, line.index, line.autograd) if status is Status.ROUNDING else ()
            line = replace(line, status=status, why=why)
        lines.append(line)
    return Comparison(tuple(lines), report)


def list_tensors(network: Network) -> list[tuple[int, str, str]]:
    """Forward and then backward: the stage, what it is there ("y", "dx", "dW", ...), and its name in the pass."""
    names = [{**own} for own in name_tensors(network)]
    names[-1]["y"] = "loss"
    forward = [(i, "y", own["y"]) for i, own in enumerate(names)]
    kinds = [(i, kind, own[kind]) for i, own in reversed(list(enumerate(names))) for kind in own if kind != "y"]
    return forward + sorted(kinds, key=lambda k: (-k[0], k[1] == "dx"))


def comes_after(some: Collection[str], names: Sequence[Mapping[str, str]], i: int, kind: str) -> bool:
    """Whether a tensor of stage i is computed from one of `some`, of another stage."""
    forward = min((k for k, own in enumerate(names) if own["y"] in some), default=len(names))
    backward = max((k for k, own in enumerate(names) if own["dx"] in some), default=-1)
    return i > forward or (kind != "y" and (forward < len(names) or i < backward))


def compare_tensor(name: str, hand: Any, auto: torch.Tensor) -> Line:
    """The entry where the two are furthest apart, and by how many units in the last place."""
    a, b = to64(hand), to64(auto)
    index = tuple(int(k) for k in np.unravel_index(int(np.argmax(np.abs(a - b))), a.shape))
    unit = float(np.spacing(np.abs(b[index]).astype(dtype_name(auto))))
    ulps = abs(float(a[index]) - float(b[index])) / unit
    status = Status.EXACT if np.array_equal(a, b) else Status.ROUNDING
    return Line(name, a.shape, index, float(a[index]), float(b[index]), ulps, status)


class Part(NamedTuple):
    """One tensor of one stage of a pass by hand."""

    network: Network
    params: Sequence[Params]
    hand: Mapping[str, Any]
    target: Any
    loss: Loss
    i: int
    kind: str  # "y", "dx", "dW", "db", ...
    name: str

    @property
    def layer(self) -> Layer | None:
        return self.network.layers[self.i] if self.i < len(self.network.layers) else None

    @property
    def x(self) -> Any:
        return self.hand[("x", *output_names(self.network.layers))[self.i]]

    @property
    def y(self) -> Any:
        return self.hand[output_names(self.network.layers)[self.i]]

    @property
    def dy(self) -> Any:
        return self.hand["d" + output_names(self.network.layers)[self.i]] if self.layer is not None else 1.0

    def by_hand(self) -> Any:
        """The stage alone, by the hand-derived lines on torch's arrays."""
        x, dy = torch.as_tensor(self.x), torch.as_tensor(self.dy)
        if self.layer is None:
            E, cache = self.loss.forward(x, torch.as_tensor(self.target))
            return E if self.kind == "y" else self.loss.backward(cache, dy)
        p = {name: torch.as_tensor(value) for name, value in self.params[self.i].items()}
        y, cache = self.layer.forward(p, x)
        dx, dparams = self.layer.backward(p, cache, dy)
        return {"y": y, "dx": dx, **dparams}[self.kind]

    def by_autograd(self) -> Any:
        """The stage alone, by autograd, from the numbers that the pass by hand gave it."""
        x = torch.as_tensor(self.x).clone().requires_grad_()
        if self.layer is None:
            y, leaves = twin(self.loss)(x, torch.as_tensor(self.target)), {"dx": x}
        else:
            module = twin(self.layer).to(x.dtype)
            own = {name: module.get_parameter(TORCH_NAMES[name]) for name in self.params[self.i]}
            with torch.no_grad():
                for name, p in own.items():
                    p.copy_(torch.as_tensor(self.params[self.i][name]))
            y, leaves = module(x), {"dx": x, **{"d" + name: p for name, p in own.items()}}
        if self.kind == "y":
            return y.detach()
        return torch.autograd.grad(y, leaves[self.kind], torch.as_tensor(self.dy, dtype=y.dtype))[0]

    def dot(self, index: tuple[int, ...]) -> Dot | None:
        """The sum of products that one entry is, in a linear layer."""
        if not isinstance(self.layer, Linear) or self.layer.mask is not None:
            return None
        x, dy = np.asarray(self.x), np.asarray(self.dy)
        W = np.asarray(self.params[self.i]["W"])
        if self.kind == "y":
            n, k = index
            return Dot(x[n], W[k], np.asarray(self.params[self.i]["b"])[k] if self.layer.bias else None)
        if self.kind == "dx":
            n, j = index
            return Dot(dy[n], W[:, j])
        if self.kind == "dW":
            k, j = index
            return Dot(dy[:, k], x[:, j])
        return Dot(dy[:, index[0]], np.ones_like(dy[:, index[0]]))


def explain(part: Part, at: tuple[int, ...], auto: float) -> tuple[str, ...]:
    """Why an entry of a certified tensor is not autograd's to the last bit, found by repeating its stage alone.

    auto: the entry in autograd's own pass. It may differ from the stage alone (on what came before by hand), the stage
    alone from ours, or both.
    """
    own, alone = to64(part.hand[part.name]), to64(part.by_autograd())
    before = ("its inputs differ already",) if alone[at] != auto else ()
    return (*before, explain_stage(part, own, alone)) if own[at] != alone[at] else before


def explain_stage(part: Part, own: Any, alone: Any) -> str:
    """Why a stage by hand rounds otherwise than the same stage by autograd, both in float64 for comparison."""
    different = [tuple(int(k) for k in index) for index in np.argwhere(own != alone)[:SUMS]]
    dots = [dot for index in different if (dot := part.dot(index)) is not None]
    if dots:
        by_hand, auto = (
            find_order(dots, [float(a[i]) for i in different]) or "in an order not found" for a in (own, alone)
        )
        return f"sums of {len(dots[0].a)}: by hand {by_hand}; autograd {auto}"
    if isinstance(part.layer, Tanh) and part.kind == "dx":
        h, dh = np.asarray(part.y), np.asarray(part.dy)
        if all(float(dh[i] * multiply_add(-h[i], h[i], h.dtype.type(1))) == alone[i] for i in different):
            return "autograd's 1 - h h is fused"
    if np.array_equal(to64(part.by_hand()), alone):
        return "the same lines on the other library's functions and sums"
    return "the hand-derived lines round in another order than autograd's"
