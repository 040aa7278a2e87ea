"""The scalar reference judged: networks of single neurons, in Python floats, against autograd of the same network."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from handgrad.explain.notes import explain
from handgrad.judge.judge import judge
from handgrad.judge.judgement import Way, say_way
from handgrad.judge.planted_error import plant_error
from handgrad.judge.stage import Arrays, Stage
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict
from handgrad.report.report import Report
from handgrad.report.sentence import are, listed
from handgrad.report.stage_rows import StageRow
from handgrad.subjects.network.stages import autograd
from manual import ACTIVATIONS, Neuron, backprop, evaluate
from manual.neuron import SCALAR
from torch_ref import twin

SIZES = (3, 4, 2)


def judge_neurons(seed: int, slack: float = 1.0) -> Report:
    """Every activation of the scalar reference, in a network of four neurons between three inputs and two outputs."""
    rng = np.random.default_rng(seed)
    found = []
    for activation in SCALAR:
        inputs, dy = draw(rng)
        found.append(judge(Trial(neuron_stage(activation), inputs, dy, slack, int(rng.integers(2**63)))))
    words = [explain(judgement) for judgement in found]
    stages = tuple(StageRow(w.report.name, w.report, (), w.diagnosis) for w in words)
    return Report(
        name="neuron by neuron, start",
        dtype="float64",
        library="python",
        device="cpu",
        seed=seed,
        slack=slack,
        stages=stages,
        control=plant_error(found, [{}] * len(found), rng),
        notes=(*shared_mistake(stages), *(note for w in words for note in w.notes), say_way(Way.NOISE)),
    )


def shared_mistake(stages: Sequence[StageRow]) -> Iterator[str]:
    """Where to look if no activation is right: none of the nine is to blame."""
    if all(row.isolated.verdict is Verdict.REFUTED for row in stages):
        tensors = [{t.name for t in row.isolated.tensors if t.verdict is Verdict.REFUTED} for row in stages]
        names = sorted(set.intersection(*tensors)) or ["something"]
        yield (
            f"{listed(names)} {are(names)} wrong with every activation: the mistake is in what they share, evaluate or "
            "backprop in manual/neuron.py, and in no activation"
        )


def draw(rng: np.random.Generator) -> tuple[dict[str, Any], Any]:
    """x, weights, biases and an upstream gradient; the first hidden neuron is at z = 0 exactly, where kinks are."""
    n_in, n, n_out = SIZES
    shapes = {"x": (n_in,), "W1": (n, n_in), "b1": (n,), "W2": (n_out, n), "b2": (n_out,)}
    inputs = {name: rng.uniform(-1, 1, size=shape) for name, shape in shapes.items()}
    inputs["W1"][0] = inputs["b1"][0] = 0
    return inputs, rng.normal(size=n_out)


def neuron_stage(activation: str) -> Stage:
    """h = f(W1 x + b1), y = W2 h + b2 as single neurons, beside torch's."""
    act = twin(ACTIVATIONS[activation])

    def hand(inputs: Arrays, dy: Any) -> dict[str, Any]:
        x, W1, b1, W2, b2 = (inputs[name].tolist() for name in ("x", "W1", "b1", "W2", "b2"))
        hidden = [Neuron(tuple(range(len(x))), tuple(w), b, activation) for w, b in zip(W1, b1, strict=True)]
        outputs = [Neuron(tuple(hidden), tuple(w), b, "identity") for w, b in zip(W2, b2, strict=True)]
        values = evaluate(outputs, x)
        blame = backprop(outputs, values, dy.tolist())
        both = {"1": hidden, "2": outputs}
        return {
            "y": np.array([values.h[neuron] for neuron in outputs]),
            "dx": np.array(blame.dx),
            **{f"dW{k}": np.array([blame.dw[neuron] for neuron in layer]) for k, layer in both.items()},
            **{f"db{k}": np.array([blame.dz[neuron] for neuron in layer]) for k, layer in both.items()},
        }

    return Stage(f"{activation} neurons", hand, lambda inputs, dy: autograd(network_of(act), inputs, dy))


def network_of(act: nn.Module) -> Callable[[dict[str, torch.Tensor]], torch.Tensor]:
    """The same network in torch."""

    def forward(t: dict[str, torch.Tensor]) -> torch.Tensor:
        h: torch.Tensor = act(t["W1"] @ t["x"] + t["b1"])
        return t["W2"] @ h + t["b2"]

    return forward
