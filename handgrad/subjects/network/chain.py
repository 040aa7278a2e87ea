"""The chain of stages as a whole: Test B (agreement end to end) and Test C (independent directional derivatives)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.ball import Ball
from handgrad.arrays.dual import Dual
from handgrad.arrays.precision import plain, to64
from handgrad.judge.constants import DIRECTION_ROUNDING, DIRECTIONS, DRIFT_SIGMAS
from handgrad.judge.verdict import Verdict
from handgrad.report.report import DirectionsReport
from handgrad.subjects.network.network_run import Point
from handgrad.subjects.network.stages import as_run, convert, layer_twin
from torch_ref import twin
from torch_ref.weights import TORCH_NAMES

Float = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChainValues:
    """Every stage's output, downstream gradient and parameter gradients, as {"y": ..., "dx": ..., "dW": ...} per stage.

    The loss is the last stage.
    """

    stages: tuple[Mapping[str, Float], ...]

    def upstream(self, i: int, dE: Float) -> Float:
        """The gradient with respect to the output of stage i."""
        return dE if i + 1 == len(self.stages) else self.stages[i + 1]["dx"]


def reference_chain(point: Point) -> ChainValues:
    """The whole pass by the twins and float64 autograd."""
    network, params, x, target, loss, states, dE = point
    leaves = [{k: torch.tensor(to64(v), requires_grad=True) for k, v in layer.items()} for layer in params]
    h = torch.tensor(to64(x), requires_grad=True)
    between = [h]
    for layer, own, state in zip(network.layers, leaves, states, strict=True):
        extra = () if state is None else (_torch(state),)
        named = {TORCH_NAMES[k]: v for k, v in own.items()}
        h = torch.func.functional_call(layer_twin(layer), named, (h, *extra))
        between.append(h)
    E = twin(loss)(h, torch.as_tensor(plain(target)))
    flat = [tensor for own in leaves for tensor in own.values()]
    grads = torch.autograd.grad(E, between + flat, torch.tensor(dE, dtype=torch.float64))
    downstream, rest = [g.numpy() for g in grads[: len(between)]], iter(grads[len(between) :])
    stages: list[Mapping[str, Float]] = []
    for i, own in enumerate(leaves):
        dparams = {f"d{k}": next(rest).numpy() for k in own}
        stages.append({"y": between[i + 1].detach().numpy(), "dx": downstream[i], **dparams})
    stages.append({"y": E.detach().numpy(), "dx": downstream[-1]})
    return ChainValues(tuple(stages))


def noise(point: Point, dtype: str, both: bool = True) -> ChainValues:
    """The standard deviation that rounding gives each entry of the whole pass: one run on balls that add as squares.

    both: with the jump where rounding could put a unit on the other side of a kink.
    """
    network, params, x, target, loss, states, dE = point
    arithmetic = Arithmetic.of(dtype, rms=True, both=both)
    exact = [{k: Ball.exact(to64(v), arithmetic) for k, v in layer.items()} for layer in params]
    h = Ball.exact(to64(x), arithmetic)
    y, trace = network.forward(exact, h, [as_run(h, s) for s in states])
    E, cache = loss.forward(y, as_run(y, target))
    dy = loss.backward(cache, Ball.exact(dE, arithmetic))
    back = network.backward_trace(exact, trace, dy)
    stages: list[Mapping[str, Float]] = [
        {"y": f.y.rad, "dx": b.dx.rad, **{k: v.rad for k, v in b.dparams.items()}}
        for f, b in zip(trace, back, strict=True)
    ]
    return ChainValues((*stages, {"y": E.rad, "dx": dy.rad}))


def directions(
    point: Point,
    grads: Sequence[Mapping[str, Float]],
    sigmas: Sequence[Mapping[str, Float]],
    rng: np.random.Generator,
    slack: float = 1.0,
) -> DirectionsReport:
    """Test C. grads and sigmas: per layer {"dx", "dW", ...}; of the dx only the first takes part, the input's.

    An entry off by more than the bound escapes one direction with probability at most 1/2: flip v there, and v . g
    moves by more than the bound is wide, so not both signs can pass. The directional derivative comes from dual numbers
    through the forward pass alone: neither the backward pass under judgement nor autograd takes part.
    """
    network, params, x, target, loss, states, dE = point
    exact = [{k: to64(v) for k, v in layer.items()} for layer in params]
    x64, given = to64(x), [None if s is None else convert(s, plain) for s in states]
    # sigma takes the roundings of the N samples for independent; those of equal samples are equal, and add up sqrt(N)
    # times as far.
    spread = sqrt(len(x64) * sum(float(np.sum(s**2)) for s in _entries(sigmas)))
    g = [grads[0]["dx"], *(d[f"d{k}"] for d, layer in zip(grads, exact, strict=True) for k in layer)]
    rounding = DRIFT_SIGMAS * spread + DIRECTION_ROUNDING * sum(float(np.sum(np.abs(a))) for a in g)
    vx, v = np.empty(x64.shape), [{k: np.empty(a.shape) for k, a in layer.items()} for layer in exact]
    signs = [vx, *(step[k] for step in v for k in step)]  # one memory for all directions, filled anew for each
    outside, worst, finite = 0, 0.0, True
    for _ in range(DIRECTIONS):
        for sign in signs:
            bits = np.frombuffer(rng.bytes(-(-sign.size // 8)), np.uint8)
            sign.reshape(-1)[:] = np.unpackbits(bits, count=sign.size)
            sign *= 2
            sign -= 1
        duals = [{k: Dual.of(layer[k], step[k]) for k in layer} for layer, step in zip(exact, v, strict=True)]
        y, _trace = network.forward(duals, Dual.of(x64, vx), given)
        E, _cache = loss.forward(y, plain(target))
        D = dE * float(E.dx)
        along = sum(float(np.vdot(sign, a)) for sign, a in zip(signs, g, strict=True))
        bound = slack * rounding
        ratio = abs(along - D) / bound if bound else float(along != D)
        outside += not ratio <= 1
        worst = max(worst, ratio)
        finite &= isfinite(along - D) and isfinite(bound)
    entries = sum(s.size for s in _entries(grads))
    verdict = Verdict.UNRESOLVED if not finite else Verdict.REFUTED if outside else Verdict.CERTIFIED
    return DirectionsReport(DIRECTIONS, outside, worst, 2.0**-DIRECTIONS, entries, verdict)


def _entries(layers: Sequence[Mapping[str, Float]]) -> list[Float]:
    """The input's gradient and every parameter's."""
    own = [a for layer in layers for k, a in layer.items() if k not in ("y", "dx")]
    return [layers[0]["dx"], *own]


def _torch(state: Any) -> Any:
    return convert(state, lambda a: torch.as_tensor(to64(a)))
