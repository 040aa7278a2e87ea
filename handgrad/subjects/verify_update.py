"""Judge an update: do the parameters after a step lie where gradient descent from those before would put them?

    updated = params - c dparams, one c > 0 for all tensors

The rounding of the step and of the gradient leaves each entry a range of c that would explain its step. The step is
that of gradient descent if all entries have a c in common. So nobody has to give a learning rate or a tolerance. The
gradient is the reference's, float64 autograd on the twin; the code that made the step is not used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import inf, isfinite, nan
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import EPS, Arithmetic
from handgrad.arrays.precision import dtype_name, to64
from handgrad.explain.catalogue.typed_number import decimals
from handgrad.html.page import Paged, Shown
from handgrad.judge.constants import DRIFT_SIGMAS
from handgrad.judge.verdict import Verdict
from handgrad.subjects.network.chain import ChainValues, noise, reference_chain
from handgrad.subjects.network.network_run import Point
from handgrad.subjects.network.stages import layer_stage
from handgrad.subjects.update_page import show_update
from manual import Loss, Network, Params, param_names
from manual.checks import check_batch, check_differentiable, check_params, check_target

Float = NDArray[np.float64]
Tensor: TypeAlias = tuple[int, str, str]  # its layer, its key there, its name in the lectures

CLIMBS = "the update climbs the loss"
TOWARDS = "{0} + lr d{0} stands where {0} - lr d{0} belongs"
REPEATED = "the learning rate is applied more than once"
LATE = "the weights were updated before the gradient was passed back through them"


class Rates(NamedTuple):
    """The c with which step = -c gradient, from low to high; none where low > high."""

    low: float
    high: float

    def both(self, other: "Rates") -> "Rates":
        return Rates(max(self.low, other.low), min(self.high, other.high))

    @property
    def some(self) -> bool:
        return self.low <= self.high

    def __contains__(self, c: object) -> bool:
        return isinstance(c, float) and self.low <= c <= self.high

    @property
    def shortest(self) -> float:
        """The learning rate with the fewest digits, the one that somebody typed; nan where there is none.

        >>> Rates(0.4999, 0.5003).shortest, Rates(1, 0).shortest
        (0.5, nan)
        """
        if not (self.some and isfinite(self.low) and isfinite(self.high)):
            return nan
        middle = self.low + (self.high - self.low) / 2
        return next((c for c in decimals(middle, inf, digits=17) if c in self), middle)


ANY = Rates(-inf, inf)


@dataclass(frozen=True)
class TensorStep:
    """One tensor's step: its own rate c where step = -c gradient (else nan), and <step, gradient>."""

    name: str
    rate: float
    rise: float
    moved: bool


@dataclass(frozen=True)
class UpdateReport(Paged):
    """The judgement of one update. rate: c where updated = params - c dparams, else nan; rise: <step, gradient>."""

    name: str
    verdict: Verdict
    words: str  # what the step is: gradient descent, a mistake by its name, or what else can be said
    rate: float
    rise: float
    before: float  # the loss at the parameters before the step, and after it
    after: float
    tensors: tuple[TensorStep, ...]

    def shown(self) -> Shown:
        """What its page says."""
        return show_update(self)

    def __str__(self) -> str:
        rate = f" (rate {self.rate:.6g})" if isfinite(self.rate) else ""
        way = "rises" if self.rise > 0 else "falls"
        change = f"to first order the loss {way} by {abs(self.rise):.6g}: from {self.before:.6g} to {self.after:.6g}"
        return f"{self.verdict.value}  {self.name}: {self.words}{rate}; {change}"


class Steps(NamedTuple):
    """Layer i's tensors in row i: step, gradient, and how far rounding can carry the step for a rate c = 1 or 0."""

    step: list[dict[str, Float]]
    gradient: list[dict[str, Float]]
    per_rate: list[dict[str, Float]]
    fixed: list[dict[str, Float]]

    def rates(self, i: int, key: str, gradient: Float | None = None) -> Rates:
        """The c that all entries of one tensor have in common."""
        s, g = self.step[i][key], self.gradient[i][key] if gradient is None else gradient
        size = float(np.vdot(g, g))
        bound = self.bound(i, key, abs(float(np.vdot(s, g))) / size if size else 0.0)
        there = g != 0
        if not (np.abs(s[~there]) <= bound[~there]).all():
            return Rates(inf, -inf)
        ends = np.stack([(-s - bound)[there], (-s + bound)[there]]) / g[there]
        return Rates(float(ends.min(0).max(initial=-inf)), float(ends.max(0).min(initial=inf)))

    def rise(self, i: int, key: str) -> float:
        """<step, gradient>: what the loss rises by, to first order."""
        return float(np.vdot(self.step[i][key], self.gradient[i][key]))

    def moved(self, i: int, key: str) -> bool:
        return bool(self.step[i][key].any())

    def bound(self, i: int, key: str, c: float) -> Float:
        """The rounding bound of step + c gradient, entry by entry."""
        return c * self.per_rate[i][key] + self.fixed[i][key]


def verify_update(
    network: Network,
    params: Sequence[Params],
    x: Any,
    target: Any,
    loss: Loss,
    updated: Sequence[Params],
    *,
    states: Sequence[Any] | None = None,
    name: str = "",
) -> UpdateReport:
    """Judge one training step on one batch: `params` before it, `updated` after it.

        CERTIFIED   updated = params - c dparams with one c > 0 for all tensors, within rounding
        REFUTED     the step climbs, <step, dparams> > 0; or is no number; or one of the known mistakes
        UNRESOLVED  it descends in some other way (another optimizer), or rounding hides what it does

    Shapes: x (N, n_in), target (N, n_out) or class indices (N,), params and updated as the network's; any array
    library. Errors as `manual.gradients`, and ValueError for an `updated` of other names or shapes.

    >>> from manual import HalfSquaredError, gradients, mlp, sgd
    >>> net, loss, rng = mlp([3, 2, 1]), HalfSquaredError(), np.random.default_rng(0)
    >>> params, x, t = net.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 1))
    >>> d = gradients(net, params, x, t, loss).dparams
    >>> verify_update(net, params, x, t, loss, sgd(params, d, 0.1)).rate
    0.1
    >>> verify_update(net, params, x, t, loss, sgd(params, d, -0.1)).words
    'the update climbs the loss: W + lr dW stands where W - lr dW belongs'
    """
    check_differentiable(network)
    check_params(network, params)
    check_batch(network, params, x, states)
    check_target(network, params, x, target, loss)
    check_updated(network, updated)
    given = tuple(states) if states is not None else (None,) * len(network.layers)
    point = Point(network, params, x, target, loss, given, 1.0)
    name = name or " - ".join(type(f).__name__ for f in (*network.layers, loss))
    before = reference_chain(point)
    if not all(np.isfinite(to64(a)).all() for layer in updated for a in layer.values()):
        E = float(before.stages[-1]["y"])
        return UpdateReport(name, Verdict.REFUTED, "the update gives values that are not finite", nan, nan, E, nan, ())
    after = reference_chain(point._replace(params=updated))
    steps = measure_steps(params, updated, before, noise(point, dtype_name(x)), dtype_name(x))
    names = param_names(network.layers)
    verdict, words, rate = judge_steps(steps, names, late_gradient(network, x, params, updated, given, before))
    tensors = tuple(
        TensorStep(short, steps.rates(i, key).shortest, steps.rise(i, key), steps.moved(i, key))
        for i, key, short in tensors_of(names)
    )
    rise = sum(t.rise for t in tensors)
    losses = float(before.stages[-1]["y"]), float(after.stages[-1]["y"])
    return UpdateReport(name, verdict, words, rate, rise, *losses, tensors)


def measure_steps(
    params: Sequence[Params], updated: Sequence[Params], before: ChainValues, sigma: ChainValues, dtype: str
) -> Steps:
    """Every tensor's step beside its gradient, with the rounding of p - c dp: of the pass, the product, the sum."""
    u, tiny = Arithmetic.of(dtype).u, Arithmetic.of(dtype).tiny
    found = Steps([], [], [], [])
    for i, layer in enumerate(params):
        old, new = ({k: to64(a) for k, a in side.items()} for side in (layer, updated[i]))
        g = {k: before.stages[i][f"d{k}"] for k in old}
        found.step.append({k: new[k] - old[k] for k in old})
        found.gradient.append(g)
        passes = {k: DRIFT_SIGMAS * (sigma.stages[i][f"d{k}"] + EPS * np.abs(g[k])) for k in old}
        found.per_rate.append({k: passes[k] + u * np.abs(g[k]) for k in old})
        found.fixed.append({k: u * np.abs(new[k]) + EPS * np.abs(new[k] - old[k]) + tiny for k in old})
    return found


def tensors_of(names: Sequence[dict[str, str]]) -> list[Tensor]:
    """Every tensor as its layer, its key there, and its name in the lectures."""
    return [(i, key, name) for i, layer in enumerate(names) for key, name in layer.items()]


def judge_steps(
    steps: Steps, names: Sequence[dict[str, str]], late: Sequence[dict[str, Float]]
) -> tuple[Verdict, str, float]:
    """Verdict, what the step is, and its learning rate."""
    tensors = tensors_of(names)
    rates = {name: steps.rates(i, key) for i, key, name in tensors}
    rise = {name: steps.rise(i, key) for i, key, name in tensors}
    one = reduce(Rates.both, rates.values(), ANY)
    if not all(np.isfinite(steps.bound(i, key, 1.0)).all() for i, key, _ in tensors):
        return Verdict.UNRESOLVED, "no finite bound on the rounding of the gradient: nothing follows", nan
    if not any(steps.moved(i, key) for i, key, _ in tensors):
        if not any((np.abs(steps.gradient[i][key]) > steps.per_rate[i][key]).any() for i, key, _ in tensors):
            return Verdict.UNRESOLVED, "the gradient is zero within rounding and nothing moved: every rate fits", nan
        return Verdict.REFUTED, "no parameter is updated", 0.0
    if 0.0 in one:
        return Verdict.UNRESOLVED, "the step is no larger than its rounding bound", nan
    if one.some and one.low > 0:
        return Verdict.CERTIFIED, "gradient descent", one.shortest
    if one.some:
        return Verdict.REFUTED, f"{CLIMBS}: {TOWARDS.format('W')}", one.shortest
    climbs = [CLIMBS] if sum(rise.values()) > 0 else []
    if named := name_mistakes(steps, tensors, rates, late):
        return Verdict.REFUTED, ": ".join([*climbs, "; ".join(named)]), nan
    if climbs:
        return Verdict.REFUTED, f"{CLIMBS}, in {', '.join(name for name, r in rise.items() if r > 0)}", nan
    if all(r.some for r in rates.values()):
        each = ", ".join(f"{name} {r.shortest:.6g}" for name, r in rates.items())
        return Verdict.UNRESOLVED, f"each tensor goes against its own gradient at a rate of its own: {each}", nan
    return Verdict.UNRESOLVED, "the update descends, but not along the gradient: another optimizer, or a mistake", nan


def name_mistakes(
    steps: Steps, tensors: Sequence[Tensor], rates: dict[str, Rates], late: Sequence[dict[str, Float]]
) -> list[str]:
    """The names of what went wrong, each only where every entry agrees with it."""
    moved = [(i, key) for i, key, _ in tensors if steps.moved(i, key)]
    size = sum(float(np.sum(steps.gradient[i][key] ** 2)) for i, key in moved)
    typical = abs(sum(steps.rise(*at) for at in moved)) / size if size else 0.0
    still = [f"{name} is not updated" for *at, name in tensors if tuple(at) not in moved and typical not in rates[name]]
    turned = {name: r for name, r in rates.items() if r.some and r.high < 0}
    others = [rates[name] for *at, name in tensors if tuple(at) in moved and name not in turned]
    rate = reduce(Rates.both, [*others, *(Rates(-r.high, -r.low) for r in turned.values())], ANY)
    if rate.some and rate.low > 0:  # one rate, but for the sign in some tensors and others that stand still
        return [*(TOWARDS.format(name) for name in turned), *still]
    layers = [
        reduce(Rates.both, (rates[name] for j, _, name in tensors if j == i), ANY)
        for i in sorted({i for i, _, _ in tensors}, reverse=True)
    ]
    eta = layers[0].shortest
    if eta > 0 and all(eta ** (depth + 1) in layer for depth, layer in enumerate(layers)):
        powers = ", ".join(f"{eta ** (depth + 1):.6g}" for depth in range(len(layers)))
        return [f"{REPEATED}: rates {powers} from the last layer to the first"]
    passed_back = reduce(Rates.both, (steps.rates(i, key, late[i][key]) for i, key, _ in tensors), ANY)
    if passed_back.some and passed_back.low > 0:
        return [f"{LATE}, at rate {passed_back.shortest:.6g}"]
    return still


def late_gradient(
    network: Network, x: Any, params: Sequence[Params], updated: Sequence[Params], states: Sequence[Any],
    before: ChainValues,
) -> list[dict[str, Float]]:  # fmt: skip
    """The gradients that come out where each layer's parameters are updated before dx is taken through them."""
    inputs = [to64(x), *(stage["y"] for stage in before.stages)]
    dy, found = before.stages[-1]["dx"], list[dict[str, Float]]()
    for i in reversed(range(len(params))):
        stage = layer_stage("", network.layers[i], states[i])
        old, new = ({"x": inputs[i]} | {k: to64(a) for k, a in side[i].items()} for side in (params, updated))
        found.append({k: d for k, d in stage.reference(old, dy).items() if k not in ("y", "dx")})
        dy = stage.reference(new, dy)["dx"]
    return [{k[1:]: d for k, d in layer.items()} for layer in reversed(found)]


def check_updated(network: Network, updated: Sequence[Params]) -> None:
    """One dictionary per layer with exactly its parameters in their shapes; the values are for the judge."""
    if not isinstance(updated, list | tuple) or len(updated) != len(network.layers):
        length = f" of length {len(updated)}" if hasattr(updated, "__len__") else ""
        raise ValueError(
            f"updated: got {type(updated).__name__}{length}, expected a sequence of {len(network.layers)} "
            "dictionaries, one per layer, as params"
        )
    for i, (layer, given) in enumerate(zip(network.layers, updated, strict=True)):
        shapes = {k: tuple(np.shape(to64(a))) for k, a in given.items()}
        if shapes != layer.param_shapes:
            raise ValueError(f"updated[{i}]: shapes are {shapes}, expected {layer.param_shapes}, as in params")
