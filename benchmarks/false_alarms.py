"""Does the judge ever refute correct code? Random correct networks of every kind, each judged in full.

    python benchmarks/false_alarms.py --seeds 20000 21200

Network `seed` is the same on every machine. A run that was interrupted goes on where it stopped.
"""

import argparse
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from record import load, markdown, save

from handgrad import Report, Verdict, verify
from handgrad.report.text import broken_contracts
from manual import (
    ACTIVATIONS,
    BatchNorm1d,
    BinaryCrossEntropy,
    Dropout,
    HalfSquaredError,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Loss,
    MeanSquaredError,
    Network,
    Params,
    Running,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    sgd,
)
from manual.layers.activations import NOT_DIFFERENTIABLE

SMOOTH = [f for f in ACTIVATIONS.values() if not isinstance(f, NOT_DIFFERENTIABLE)]
CHUNK = 25


class Case(NamedTuple):
    """One network to judge; everything NumPy, in the dtype it is judged in."""

    network: Network
    params: tuple[Params, ...]
    x: Any
    target: Any
    loss: Loss
    states: tuple[Any, ...]
    library: str


def draw(seed: int) -> Case:
    """1 to 6 hidden layers, widths and batch 1 to 300, every layer and loss, start or trained, float32 or float64."""
    rng = np.random.default_rng([2024, seed])
    dtype, library = rng.choice(["float32", "float64"]), rng.choice(["numpy", "torch"], p=[0.8, 0.2])
    N, width = log_uniform(rng), log_uniform(rng)
    x = draw_x(rng, N, width).astype(dtype)
    layers: list[Layer] = []
    for _ in range(rng.integers(1, 7)):
        layers += block(rng, width, width := log_uniform(rng), N)
    C = int(rng.choice([1, 2, 10, log_uniform(rng)]))
    layers += [Linear(width, C, bool(rng.random() < 0.9))]
    layers += [rng.choice([Sigmoid(), Tanh(), Softmax()])] if rng.random() < 0.2 else []
    network = Network(tuple(layers))
    params = draw_params(rng, network, dtype)
    loss, target = draw_loss(rng, N, C, dtype)
    states = draw_states(rng, network, params, N, dtype)
    if rng.random() < 0.5:
        params = trained(network, params, x, target, loss, states, int(rng.integers(1, 10)), 10 ** rng.uniform(-3, 0))
    return Case(network, params, x, target, loss, states, str(library))


def log_uniform(rng: np.random.Generator, low: float = 1, high: float = 300) -> int:
    return round(np.exp(rng.uniform(np.log(low), np.log(high))))


def block(rng: np.random.Generator, n_in: int, n_out: int, N: int) -> list[Layer]:
    """A linear layer, perhaps masked, an activation, and perhaps a normalisation, dropout or softmax beside it."""
    mask = rng.integers(0, 2, (n_out, n_in)) if rng.random() < 0.15 else None
    f = SMOOTH[rng.integers(len(SMOOTH))]
    layers: list[Layer] = [LeakyReLU(float(rng.uniform(0, 0.5))) if isinstance(f, LeakyReLU) else f]
    kind = rng.random()
    if kind < 0.5:
        eps = float(rng.choice([1e-5, 1e-3]))
        more: Layer = LayerNorm(n_out, eps) if kind < 0.15 else BatchNorm1d(n_out, eps)
        more = more if kind < 0.3 else Dropout(float(rng.uniform(0, 0.8))) if kind < 0.42 else Softmax()
        layers.insert(int(rng.integers(2)), more)
    return [Linear(n_in, n_out, bool(rng.random() < 0.9), mask), *layers]


def draw_x(rng: np.random.Generator, N: int, n: int) -> np.ndarray:
    """Normal, huge, tiny, sparse, grey values, ties, or the same sample over and over."""
    x = rng.normal(size=(N, n))
    kinds = (
        x,
        x * 10 ** rng.uniform(-4, 3),
        x * (rng.random((N, n)) < 0.1),
        rng.integers(0, 17, (N, n)) / 16,
        rng.integers(-1, 2, (N, n)) * 1.0,
        np.broadcast_to(x[:1], (N, n)) + 0,
    )
    return kinds[rng.choice(6, p=[0.3, 0.15, 0.2, 0.15, 0.15, 0.05])]


def draw_params(rng: np.random.Generator, network: Network, dtype: str) -> tuple[Params, ...]:
    """Weights of the usual size, or all of one size from 1e-3 to 1e2; every other network without biases."""
    usual, std, gain = rng.random() < 0.7, 10 ** rng.uniform(-3, 2), 10 ** rng.uniform(-0.5, 0.5)
    biases = rng.choice([0.0, 0.0, 0.1, 10.0])

    def values(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if name == "W":
            return rng.normal(size=shape) * (gain / np.sqrt(shape[1]) if usual else std)
        return (1 + 0.3 * rng.normal(size=shape)) if name == "gamma" else biases * rng.normal(size=shape)

    return tuple({k: values(k, shape).astype(dtype) for k, shape in own.items()} for own in network.param_shapes)


def draw_loss(rng: np.random.Generator, N: int, C: int, dtype: str) -> tuple[Loss, np.ndarray]:
    """Every loss and reduction; soft and hard targets, class weights, label smoothing."""
    reduction = str(rng.choice(["sum", "mean", "batch mean"]))
    kind = rng.choice(["cross entropy", "binary", "squared"], p=[0.5, 0.2, 0.3])
    if kind == "squared":
        loss = [SquaredError, HalfSquaredError, MeanSquaredError][rng.integers(3)](reduction)
        return loss, (rng.normal(size=(N, C)) * 10 ** rng.uniform(-1, 1)).astype(dtype)
    if kind == "binary":
        soft = rng.uniform(size=(N, C))
        return BinaryCrossEntropy(reduction), (soft if rng.random() < 0.5 else soft.round()).astype(dtype)
    smoothing = float(rng.choice([0, 0, 0.1, rng.uniform()]))
    weights = tuple(rng.uniform(0.1, 3, C).tolist()) if rng.random() < 0.4 else None
    indices, soft = rng.integers(C, size=N), rng.dirichlet(np.ones(C), N).astype(dtype)
    return SoftmaxCrossEntropy(reduction, smoothing, weights), indices if rng.random() < 0.6 else soft


def draw_states(
    rng: np.random.Generator, network: Network, params: tuple[Params, ...], N: int, dtype: str
) -> tuple[Any, ...]:
    """Dropout masks, and running statistics where a batch of one has none of its own."""
    states: list[Any] = []
    width = 0
    for layer in network.layers:
        state = None
        if isinstance(layer, Linear):
            width = layer.n_out
        if isinstance(layer, Dropout) and rng.random() < 0.9:
            state = layer.draw(rng, np.zeros((N, width), dtype))
        if isinstance(layer, BatchNorm1d) and (N == 1 or rng.random() < 0.2):
            state = Running(rng.normal(size=width).astype(dtype), rng.uniform(0.1, 3, width).astype(dtype))
        states.append(state)
    return tuple(states)


def trained(
    network: Network, params: tuple[Params, ...], x: Any, target: Any, loss: Loss, states: Any, steps: int, rate: float
) -> tuple[Params, ...]:
    """A few steps downhill; one that leads up, or to what is not finite, is not taken."""
    last, best = params, np.inf
    for _ in range(steps + 1):
        with np.errstate(all="ignore"):
            y, trace = network.forward(params, x, states)
            E, cache = loss.forward(y, target)
            if not best > E:  # nan included
                return last
            last, best = params, E
            _, dparams = network.backward(params, trace, loss.backward(cache, 1.0))
            params = sgd(params, dparams, rate)
    return last


def judge(case: Case, seed: int) -> Report:
    """The whole verdict on one network."""
    network, params, x, target, loss, states, library = case
    if library == "torch":
        params = tuple({k: torch.from_numpy(v) for k, v in own.items()} for own in params)
        x, target = torch.from_numpy(x), torch.from_numpy(target)
        states = tuple(
            Running(*map(torch.from_numpy, s)) if isinstance(s, Running) else s if s is None else torch.from_numpy(s)
            for s in states
        )
    with warnings.catch_warnings(), np.errstate(all="ignore"):  # what overflows is for the report to say
        warnings.simplefilter("ignore", RuntimeWarning)
        return verify(network, params, x, target, loss, states=states, seed=seed, mend=0)


def start(seed: int) -> dict[str, Any]:
    return {
        "first": seed, "next": seed, "networks": 0, "verdicts": {v.value: 0 for v in Verdict}, "entries": 0,
        "kinds": {}, "largest": {}, "drift": {"networks": 0, "tensors": 0, "of": 0, "sigmas": 0.0, "seeds": []},
        "directions": {"networks": 0, "ratio": 0.0, "seed": None}, "refuted": [], "unresolved": [],
    }  # fmt: skip


def add(found: dict[str, Any], seed: int, case: Case, report: Report) -> None:
    """One report into the running totals."""
    kind = f"{report.library} {report.dtype}"
    found["networks"] += 1
    found["next"] = seed + 1
    found["verdicts"][report.verdict.value] += 1
    found["kinds"][kind] = found["kinds"].get(kind, 0) + 1
    for row, subject in zip(report.stages, (*case.network.layers, case.loss), strict=True):
        largest = found["largest"].setdefault(type(subject).__name__, {}).setdefault(report.dtype, {})
        for i, t in enumerate(row.isolated.tensors):
            found["entries"] += t.entries
            name = ("y", "dx")[i] if i < 2 else t.name.rstrip("_0123456789")  # "dW1" is dW
            if t.verdict is Verdict.CERTIFIED and t.ratio > largest.get(name, {"ratio": -1})["ratio"]:
                largest[name] = {"ratio": t.ratio, "seed": seed}
    drift = found["drift"]
    chained = [c for row in report.stages for c in row.chained]
    drifting = [c for c in chained if c.status == "drift"]
    drift["of"] += len(chained)
    drift["tensors"] += len(drifting)
    if drifting:
        drift["networks"] += 1
        drift["seeds"].append(seed)
    if report.verdict is Verdict.CERTIFIED:
        drift["sigmas"] = max([drift["sigmas"], *(c.sigmas for c in chained)])
    if report.directions is not None:
        found["directions"]["networks"] += 1
        if report.directions.worst_ratio > found["directions"]["ratio"]:
            found["directions"] |= {"ratio": report.directions.worst_ratio, "seed": seed}
    if report.verdict is not Verdict.CERTIFIED:
        found[report.verdict.value.lower()].append({"seed": seed, "why": why(report)})


def why(report: Report) -> list[str]:
    """Every part of the report that is not certified, in short."""
    lines = [
        f"{row.name}: {t.name} {t.verdict.value} {t.outside}/{t.entries} ratio {t.ratio:.3g} {t.reason}".strip()
        for row in report.stages
        for t in row.isolated.tensors
        if t.verdict is not Verdict.CERTIFIED
    ]
    lines += [f"wiring: {problem}" for problem in report.wiring]
    d = report.directions
    lines += [f"directions: {d.outside} outside, worst {d.worst_ratio:.3g}"] if d and d.outside else []
    lines += ["directions: no finite bound"] if d and d.verdict is Verdict.UNRESOLVED else []
    lines += [f"contract broken: {where}: {c.name}: {c.detail}" for where, c in broken_contracts(report)]
    lines += ["control not caught"] if report.control and not report.control.caught else []
    return lines


def table(found: dict[str, Any]) -> str:
    """Totals, and the largest difference over bound per kind of stage."""
    verdicts, drift, directions = found["verdicts"], found["drift"], found["directions"]
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(found["kinds"].items()))
    lines = [
        f"{found['networks']:,} networks ({kinds}), {found['entries']:,} entries judged: "
        f"{verdicts['REFUTED']} refuted, {verdicts['UNRESOLVED']} unresolved.",
        "",
        f"Test B: {drift['tensors']} of {drift['of']:,} tensors drift, in {drift['networks']} networks "
        f"(largest {drift['sigmas']:.3g} standard deviations). Test C: largest |v . g - D| over its bound "
        f"{directions['ratio']:.2g} in {directions['networks']:,} networks.",
        "\n",
    ]
    rows = [
        [kind, *(summary(dtypes.get(dtype, {})) for dtype in ("float32", "float64"))]
        for kind, dtypes in sorted(found["largest"].items())
    ]
    return "\n".join(lines) + markdown(["largest difference / bound", "float32", "float64"], rows)


def summary(tensors: dict[str, Any]) -> str:
    return ", ".join(f"{name} {found['ratio']:.2f}" for name, found in sorted(tensors.items())) or "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs=2, type=int, default=(20000, 21200), metavar=("FIRST", "END"))
    first, end = parser.parse_args().seeds
    found = load("false_alarms")
    if found.get("first") != first:
        found = start(first)
    for seed in range(found["next"], end):
        case = draw(seed)
        add(found, seed, case, judge(case, seed))
        if (seed + 1 - first) % CHUNK == 0 or seed + 1 == end:
            save("false_alarms", found, table(found))
            print(f"{seed + 1 - first} networks: {found['verdicts']}", flush=True)


if __name__ == "__main__":
    main()
