"""Is the name that the judge gives a mistake the right one? Mistakes with a known name, pairs, and what has no name.

    python benchmarks/names.py

On the stages of real networks on the digits, float64 and float32, at the start and trained, and on single stages of a
few entries. "right": the name given, or one of them where the judge says that several fit, is the planted mistake's.
It takes about a quarter of an hour on one core and says on stderr what it is at. Writes docs/evidence/names.json and
docs/evidence_mutants.md; exit code 1 where a name is wrong.
"""

import re
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Any, NamedTuple

import numpy as np
from mutants import NO_NAME, TARGETS, judged, mutants_of, record
from planted import CORRUPTIONS, LAYERS, LOSSES, MISTAKES, NORMS, At, Gradients, broken, corrupted
from record import markdown

import manual
from handgrad.experiment.datasets.digits import digits
from handgrad.explain.diagnosis import diagnose
from handgrad.judge.judge import judge
from handgrad.judge.stage import Stage
from handgrad.judge.trial import Trial
from handgrad.subjects.network.stages import layer_stage, loss_stage
from handgrad.suite.run import Problem, train

SEEDS = (10007,)
BATCHES = (13, 29)
SMALL = ((3, 2), (4, 3), (5, 2))  # samples and units
PAIRS, CORRUPTED = 3, 1  # per stage, and per stage and corruption
FACTOR = r"times the right one|the batch size|1/N|N-1"
# What two mistakes may rightly be called together: a factor of a factor is one, the mean N times is the sum.
TOGETHER = {
    (FACTOR, FACTOR): r"times the right one",
    ("N, the batch size", "mean over the batch"): "sum over the batch",
    ("1/N", "1/N"): r"times the right one",
    (r"not of the logits", r"factor p"): r"only the diagonal",  # -q / p times p (1 - p)
}

# Mutants of the source whose name is clear: the function, its statement, and what the name must hold.
EXPECTED = {
    ("Linear.backward", "dx = dz @ W.T"): r"W\^T stands where W belongs",
    ("Linear.backward", "dx = -(dz @ W)"): r"-1 times",
    ("Linear.backward", "dx = 2 * (dz @ W)"): r"2 times",
    ("Linear.backward", "dW = dz.T @ cache.x"): r"mask is forgotten",
    ("Linear.backward", "W = params['W']"): r"mask is forgotten",
    ("Linear.backward", "db = xp.mean(dz, axis=0)"): r"1/N",
    ("Linear.backward", "db = dz"): r"not reduced over the batch|right values in another shape",  # the latter at N = 1
    ("Linear.backward", "db = xp.sum(dz, axis=1)"): r"wrong axis",
    ("Sigmoid.backward", "dz = dh"): r"factor f'\(z\) is missing",
    ("Sigmoid.backward", "dz = (1 - h) * h"): r"upstream gradient is ignored",
    ("Sigmoid.backward", "dz = dh * (1 - h)"): r"factor h is missing",
    ("Sigmoid.backward", "dz = dh * h"): r"activation stands where its derivative belongs",
    ("Sigmoid.backward", "dz = dh * (1 + h) * h"): r"sign of h is turned",
    ("Sigmoid.backward", "dz = dh * (h - 1) * h"): r"-1 times",
    ("Tanh.backward", "dz = dh"): r"factor f'\(z\) is missing",
    ("Tanh.backward", "dz = 1 - h * h"): r"upstream gradient is ignored",
    ("Tanh.backward", "dz = dh / (1 - h * h)"): r"divided by f'\(z\)",
    ("Tanh.backward", "dz = dh * (1 + h * h)"): r"sign of h\^2 is turned",
    ("Tanh.backward", "dz = dh * (h * h - 1)"): r"-1 times",
    ("Tanh.backward", "dz = dh * (1 - h)"): r"square is missing",
    ("Tanh.forward", "return (h, TanhCache(z))"): r"given z, not h",
    ("Sigmoid.forward", "return (h, SigmoidCache(z))"): r"given z, not h",
    ("ReLU.backward", "dz = dh"): r"factor f'\(z\) is missing|is that of identity",
    ("ReLU.backward", "dz = dh * xp.astype(cache.h >= 0, dh.dtype)"): r"factor f'\(z\) is missing|is that of identity",
    ("LeakyReLU.backward", "dz = xp.where(cache.z > 0, dh, 0 * dh)"): r"is that of relu|slope below zero is 0",
    ("LeakyReLU.backward", "dz = xp.where(cache.z >= 0, dh, self.slope * dh)"): r"value at the kink",
    ("GELU.backward", "dz = dh * Phi"): r"term of the product rule is missing",
    ("GELU.backward", "dz = dh * (z * phi)"): r"term of the product rule is missing",
    ("GELU.backward", "dz = dh * (Phi + phi)"): r"factor of the product rule is missing",
    ("Softmax.backward", "dz = p * dp"): r"sum over the classes is missing",
    ("Softmax.backward", "dz = dp"): r"Jacobian is missing",
    ("Softmax.backward", "dz = p * (dp - dp * p)"): r"only the diagonal",
    ("Softmax.backward", "dz = p * (dp - xp.mean(dp * p, axis=1, keepdims=True))"): r"mean over the classes",
    ("Softmax.backward", "dz = p * (dp - xp.sum(dp, axis=1, keepdims=True))"): r"p inside the sum is missing",
    ("Softmax.backward", "dz = p * (dp - xp.sum(dp * p, axis=0, keepdims=True))"): r"sum runs over the batch",
    ("LayerNorm.backward", "dgamma = xp.sum(dy, axis=0)"): r"xhat is missing in dgamma",
    ("LayerNorm.backward", "dgamma = xp.mean(dy * xhat, axis=0)"): r"1/N",
    ("LayerNorm.backward", "dxhat = dy"): r"gamma is forgotten in dx",
    ("LayerNorm.backward", "dx = (dxhat - mean_dxhat) / s"): r"path through the variance is missing",
    ("LayerNorm.backward", "dx = (dxhat - xhat * mean_dxhat_xhat) / s"): r"path through the mean is missing",
    ("LayerNorm.backward", "dx = (dxhat - mean_dxhat - mean_dxhat_xhat) / s"): r"xhat is missing before",
    ("LayerNorm.backward", "dx = dxhat - mean_dxhat - xhat * mean_dxhat_xhat"): r"division by s is missing",
    ("LayerNorm.backward", "dx = (dxhat + mean_dxhat - xhat * mean_dxhat_xhat) / s"): r"sign in dx is turned",
    ("Dropout.backward", "dx = dy"): r"mask is not applied",
    ("SoftmaxCrossEntropy.backward", "dz = dE * ((p - q) / D)"): r"weights' sum is missing",
    ("SoftmaxCrossEntropy.backward", "dz = dE * (-q / D)"): r"softmax is missing",
    (
        "SoftmaxCrossEntropy.backward",
        "dz = dE * (p * xp.sum(q, axis=1, keepdims=True) / D)",
    ): r"target is not subtracted",
    ("BinaryCrossEntropy.backward", "dz = dE * ((z - t) / divisor(self.reduction, z))"): r"sigmoid is missing",
    ("BinaryCrossEntropy.backward", "dz = dE * (sigmoid(z) / divisor(self.reduction, z))"): r"target is not subtracted",
    ("SquaredError.backward", "dy = dE * (self.factor * e / divisor(self.reduction, e))"): r"0\.5 times",
}


class Place(NamedTuple):
    """One stage of one network on its own numbers."""

    where: str
    subject: Any
    constants: Any
    inputs: dict[str, Any]
    dy: Any

    def stage(self, *plants: Callable[[At], Gradients]) -> Stage:
        made = broken(self.subject, *plants)
        of = layer_stage if hasattr(made, "param_shapes") else loss_stage
        return of(self.where, made, self.constants)


def places(seed: int) -> Iterator[Place]:
    """Every kind of stage, in both precisions, at the start and trained."""
    data = digits()
    f = manual
    networks: tuple[tuple[list[Any], Any], ...] = (
        ([f.Linear(64, 11), f.Tanh(), f.Linear(11, 11), f.Sigmoid(), f.Linear(11, 10)], f.SoftmaxCrossEntropy()),
        ([f.Linear(64, 9), f.LayerNorm(9), f.ReLU(), f.Linear(9, 10)], f.MeanSquaredError()),
        ([f.Linear(64, 7), f.BatchNorm1d(7), f.GELU(), f.Linear(7, 10), f.SiLU()], f.BinaryCrossEntropy()),
        ([f.Linear(64, 12), f.LeakyReLU(0.05), f.Linear(12, 12), f.Softplus(), f.Linear(12, 10), f.Softmax()],
         f.MeanSquaredError()),
        ([f.Linear(64, 8), f.GELUTanh(), f.Linear(8, 10)], f.MeanSquaredError("sum")),
    )  # fmt: skip
    for (layers, loss), dtype in ((n, d) for n in networks for d in ("float64", "float32")):
        network, rng = manual.Network(tuple(layers)), np.random.default_rng(seed)
        labels = isinstance(loss, manual.SoftmaxCrossEntropy)
        x, target = data.x.astype(dtype), data.labels if labels else data.one_hot.astype(dtype)
        start = network.init(rng, biases="normal", dtype=dtype)
        sum_loss = getattr(loss, "reduction", "") == "sum"
        problem = Problem("", network, manual.MeanSquaredError() if sum_loss else loss)
        trained = train(problem, start, x, target, rng)
        for when, params in (("start", start), ("trained", trained)):
            batch = rng.permutation(len(x))[: BATCHES[seed % len(BATCHES)]]
            y, trace = network.forward(params, x[batch])
            _, cache = loss.forward(y, target[batch])
            dE = np.asarray(rng.uniform(0.5, 2), dtype=dtype)
            back = network.backward_trace(params, trace, loss.backward(cache, dE))
            for layer, p, fore, aft in zip(network.layers, params, trace, back, strict=True):
                yield Place(f"{dtype}, {when}", layer, None, {"x": fore.x, **p}, aft.dy)
            yield Place(f"{dtype}, {when}", loss, target[batch], {"x": y}, dE)


def small_places(seed: int) -> Iterator[Place]:
    """Every kind of stage alone, of a few entries, on random numbers: where coincidences are likely."""
    for N, n in SMALL:
        rng = np.random.default_rng((seed, N, n))
        layers = (kind(n) if kind in NORMS else kind(n, n) if kind is manual.Linear else kind() for kind in LAYERS)
        for layer in layers:
            params = {name: rng.normal(size=shape) for name, shape in layer.param_shapes.items()}
            yield Place("small", layer, None, {"x": rng.normal(size=(N, n)), **params}, rng.normal(size=(N, n)))
        for kind in LOSSES:
            labels = kind is manual.SoftmaxCrossEntropy
            target = rng.integers(0, n, N) if labels else rng.uniform(size=(N, n))
            yield Place("small", kind(), target, {"x": rng.normal(size=(N, n))}, np.asarray(rng.uniform(0.5, 2)))


def named(place: Place, *plants: Callable[[At], Gradients]) -> str | None:
    """The name given; None where the mistake cannot be made here or changes nothing."""
    stage = place.stage(*plants)
    try:
        evidence = judge(Trial(stage, place.inputs, place.dy)).evidence
    except ValueError:  # shapes that do not fit: W^T where W is not square
        return None
    found = diagnose(Trial(stage, place.inputs, place.dy), evidence)
    return (found.name or NO_NAME) if found else None


def at_two_units(place: Place) -> bool:
    """Whether each row of dx is (a, -a)."""
    return isinstance(place.subject, manual.LayerNorm | manual.Softmax) and place.inputs["x"].shape[1] == 2


def verdict(name: str, *expected: str) -> str:
    """Every part of the name must hold one of the mistakes planted."""
    if name == NO_NAME:
        return "abstained"
    return "right" if all(any(re.search(e, part) for e in expected) for part in name.split("; ")) else "wrong"


@dataclass(frozen=True)
class Tally:
    """Counts per group, every wrong name, and which planted mistakes got none."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[dict[str, str]] = field(default_factory=list)
    abstained: Counter[str] = field(default_factory=Counter)

    def add(self, group: str, on: str, planted: str, name: str | None, *expected: str) -> None:
        if name is None:
            return
        found = verdict(name, *expected)
        self.counts.setdefault(group, Counter())[found] += 1
        if found == "wrong":
            self.wrong.append({"group": group, "on": on, "planted": planted, "named": name})
        if found == "abstained" and group.startswith("one"):
            self.abstained[planted] += 1


def stages(tally: Tally, seed: int) -> None:
    """One mistake, two, and none, on every stage of every network."""
    for i, place in enumerate(chain(small_places(seed), places(seed))):
        rng = np.random.default_rng((seed, i))
        kind = type(place.subject)
        print(f"stage {i + 1}: {kind.__name__}, {place.where}", file=sys.stderr)
        on = f"{kind.__name__}, {place.where}, seed {seed}"
        mine = [m for m in MISTAKES if kind in m.kinds]
        for m in mine:
            # rows of two entries that add up to zero: exchanged, they are -1 times themselves
            same = [r"-1 times"] if m.name == "columns are permuted" and at_two_units(place) else []
            tally.add(f"one mistake, {place.where}", on, m.name, named(place, m.plant), m.name, *same)
        pairs = list(combinations(mine, 2))
        for at in rng.permutation(len(pairs))[:PAIRS]:
            a, b = pairs[at]
            also = [r"-1 times"] * (at_two_units(place) and "columns are permuted" in (a.name, b.name))
            also += [extra for (p, q), extra in TOGETHER.items() if re.search(p, a.name) and re.search(q, b.name)]
            name = named(place, a.plant, b.plant)
            tally.add("two mistakes in one stage", on, f"{a.name} and {b.name}", name, a.name, b.name, *also)
        for which in CORRUPTIONS * CORRUPTED:
            tally.add("no mistake, but wrong numbers", on, which, named(place, corrupted(rng, which)))


def source(tally: Tally) -> None:
    """The mutants of the source that have a clear name."""
    left = set(EXPECTED)
    for target, (kind, _) in TARGETS.items():
        print(f"mutants of {target}", file=sys.stderr)
        for mutant in mutants_of(target):
            key = mutant.path, mutant.statement
            if key in EXPECTED:
                left.discard(key)
                for outcome in judged(mutant, kind):
                    if outcome.refuted and outcome.name:
                        tally.add("mutants of the source", outcome.problem, mutant.id, outcome.name, EXPECTED[key])
    assert not left, f"no such mutants any more: {left}"


def report(tally: Tally) -> tuple[dict[str, Any], str]:
    """The tally as JSON and as Markdown."""
    total = sum(tally.counts.values(), Counter[str]())
    header = ["planted", "right", "no name", "wrong"]
    rows = [[g, c["right"], c["abstained"], c["wrong"]] for g, c in [*tally.counts.items(), ("all", total)]]
    lines = [
        "Names given to mistakes planted into the stages of five networks on the digits and into single stages of few",
        f"entries ({', '.join(f'{N} x {n}' for N, n in SMALL)}), seed {', '.join(map(str, SEEDS))}. Numbers that no",
        "mistake explains must get none.",
        "",
        markdown(header, rows),
        "",
        *(f"- {count} without a name: {name}" for name, count in tally.abstained.most_common()),
        *(f"- wrong, {w['on']}: {w['planted']} was called: {w['named']}" for w in tally.wrong),
    ]
    groups = {g: dict(c) for g, c in tally.counts.items()}
    return {"groups": groups, "wrong": tally.wrong, "abstained": dict(tally.abstained)}, "\n".join(lines)


def main() -> int:
    tally = Tally()
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in SEEDS:
            stages(tally, seed)
        source(tally)
    record("names", *report(tally), "python benchmarks/names.py")
    print(report(tally)[1])
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
