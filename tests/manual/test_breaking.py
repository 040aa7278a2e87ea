"""Does the comparison notice a mistake? Every backward pass is broken on purpose, one line at a time, from its source.

A mutant replaces one piece of a method's text. The comparison of test_gradients must refuse it, in both precisions; a
mutant that crashes on a shape is noticed as well. Unbroken source, put through the same machinery, must pass.
"""

import inspect
import sys
import textwrap
from typing import Any, NamedTuple

import numpy as np
import pytest

import manual
from manual.neuron import Blame

# class: (piece of its backward pass, what stands there instead)
MUTANTS: dict[type, list[tuple[str, str]]] = {
    manual.Linear: [
        ("dz @ W", "dz @ W * 1.001"),
        ("dz @ W", "-(dz @ W)"),
        ("dz @ W", "dz @ W.T"),
        ("dz @ W", "dz @ params['W']"),
        ("dz @ W", "xp.ones_like(dz) @ W"),
        ("dz.T @ cache.x", "(dz.T @ cache.x).T"),
        ("dz.T @ cache.x", "dz @ cache.x"),
        ("dz.T @ cache.x", "dz.T @ cache.x / dz.shape[0]"),
        ("dz.T @ cache.x", "dz[1:, :].T @ cache.x[1:, :]"),
        ("self._connected(dz.T @ cache.x)", "dz.T @ cache.x"),
        ("self._connected(dz.T @ cache.x)", "params['W']"),
        ("xp.sum(dz, axis=0)", "xp.mean(dz, axis=0)"),
        ("xp.sum(dz, axis=0)", "xp.sum(dz, axis=1)"),
        ("xp.sum(dz, axis=0)", "dz[0, :]"),
        ("xp.sum(dz, axis=0)", "xp.sum(dz, axis=0, keepdims=True)"),
    ],
    manual.Identity: [("1 * dh", "-dh"), ("1 * dh", "0 * dh"), ("1 * dh", "dh / dh")],
    manual.Sigmoid: [("(1 - h) * h", "h"), ("(1 - h) * h", "(1 - h)"), ("1 - h", "1 + h"), ("dh *", "1 *")],
    manual.Tanh: [
        ("1 - h * h", "1 - h"),
        ("1 - h * h", "h"),
        ("(1 - h * h)", "(1 - h * h) ** 2"),
        ("dh *", "dh * dh *"),
    ],
    manual.ReLU: [
        ("cache.h > 0", "cache.h >= 0"),
        ("dh *", "cache.h *"),
        ("dh *", "cache.h * dh *"),
        ("> 0", "> 1e-2"),
    ],
    manual.LeakyReLU: [
        ("self.slope * dh", "dh"),
        ("self.slope *", "0 *"),
        ("> 0", "< 0"),
        ("> 0", ">= 0"),
        ("self.slope *", "0.01 *"),
    ],
    manual.Softplus: [
        ("-array_namespace(dh).expm1(-cache.h)", "(1 + array_namespace(dh).expm1(-cache.h))"),  # 1 - sigmoid
        ("expm1(-cache.h)", "expm1(cache.h)"),
        ("* -array_namespace", "* array_namespace"),
        ("expm1", "exp"),
    ],
    manual.SiLU: [("s + z", "z"), ("z * (s * (1 - s))", "s * (1 - s)"), ("s * (1 - s)", "s"), ("+ z", "- z")],
    manual.GELU: [
        ("Phi + z * phi", "Phi"),
        ("Phi + z * phi", "Phi + phi"),
        ("-0.5 *", "-"),
        ("sqrt(2 * pi)", "sqrt(pi)"),
    ],
    manual.GELUTanh: [
        ("3 * 0.044715", "0.044715"),
        ("w + 3 * 0.044715 * (w * z * z)", "w"),
        ("0.5 * (1 + t) +", "0.5 * t +"),
        ("1 - t * t", "1 - t"),
    ],
    manual.Softmax: [
        ("p * (dp - xp.sum(dp * p, axis=1, keepdims=True))", "dp * p * (1 - p)"),
        ("- xp.sum(dp * p, axis=1, keepdims=True)", ""),
        ("axis=1", "axis=0"),
        ("dp * p", "dp"),
        ("dp - xp", "1 - xp"),
    ],
    manual.LayerNorm: [
        ("- mean_dxhat - xhat", "- xhat"),
        ("- xhat * mean_dxhat_xhat", ""),
        (") / s", ")"),
        (") / s", ") / s**2"),
        ("dy * params['gamma']", "dy"),
        ("dy * xhat", "dy"),
        ("xp.sum(dy, axis=0)", "xp.mean(dy, axis=0)"),
        ("mean(dxhat, axis=1", "mean(dxhat, axis=0"),
    ],
    manual.BatchNorm1d: [
        ("- mean_dxhat - xhat", "- xhat"),
        ("- xhat * mean_dxhat_xhat", ""),
        ("mean_dxhat_xhat) / s", "mean_dxhat_xhat)"),
        ("dxhat / s", "dxhat"),
        ("self.batch_mean(dxhat)", "xp.sum(dxhat, axis=0)"),
        ("isinstance(cache, FrozenBatchNormCache)", "True"),
        ("dy * params['gamma']", "dy"),
        ("dy * xhat", "dy * xhat * s"),
        ("xp.sum(dy, axis=0)", "xp.sum(dy, axis=0)[0]"),
    ],
    manual.Dropout: [
        ("dy * (cache.mask / (1 - self.p))", "dy"),
        ("cache.mask / (1 - self.p)", "cache.mask"),
        ("1 * dy", "dy / (1 - self.p)"),
    ],
    manual.SquaredError: [
        ("2 * self.factor", "self.factor"),
        ("2 * self.factor", "2"),
        (" / divisor(self.reduction, e)", ""),
        ("dE *", "1.0 *"),
        ("* e", "* -e"),
    ],
    manual.BinaryCrossEntropy: [
        ("sigmoid(z) - t", "z - t"),
        ("sigmoid(z) - t", "(sigmoid(z) - t) * sigmoid(z) * (1 - sigmoid(z))"),
        ("sigmoid(z) - t", "t - sigmoid(z)"),
        (" / divisor(self.reduction, z)", " / z.shape[0]"),
        ("dE *", "dE * dE *"),
    ],
    manual.SoftmaxCrossEntropy: [
        ("p * xp.sum(q, axis=1, keepdims=True) - q", "p - q"),
        ("p * xp.sum(q, axis=1, keepdims=True) - q", "p"),
        (" - q", " - q / p"),
        (" / D", ""),
        (" / D", " / p.shape[0]"),
        ("dE *", "1.0 *"),
    ],
}


class Mutant(NamedTuple):
    cls: type
    old: str
    new: str


TABLE = [Mutant(cls, *change) for cls, changes in MUTANTS.items() for change in changes]


def recompiled(function: Any, old: str = "", new: str = "") -> Any:
    """The function with a piece of its source replaced (the first, if there are several)."""
    source = textwrap.dedent(inspect.getsource(function)).replace("'", '"')
    old, new = old.replace("'", '"'), new.replace("'", '"')
    code = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("#"))
    assert old in code, f"{function.__qualname__} has no {old!r} any more: bring this table up to date"
    names: dict[str, Any] = {}
    exec(code.replace(old, new, 1), vars(sys.modules[function.__module__]), names)
    return names[function.__name__]


def cases_of(cls: type, tools: Any) -> list[Any]:
    return [case for case in (*tools.LAYERS, *tools.LOSSES) if isinstance(tools.draw(case).it, cls)]


def complaints(cls: type, dtype: str, tools: Any) -> list[str]:
    """What the comparison of test_gradients says, over all cases of that class."""
    found = []
    for case in cases_of(cls, tools):
        for example in tools.examples(case, dtype):
            try:
                tools.compare(tools.hand(*example), tools.auto(case, example), *example[1:], dtype=dtype)
            except (AssertionError, ValueError, IndexError) as complaint:
                found.append(f"{case.name}: {complaint}")
    return found


@pytest.mark.parametrize("mutant", TABLE, ids=lambda m: f"{m.cls.__name__}: {m.old} -> {m.new}")
def test_mistake_is_noticed(mutant: Mutant, dtype: str, tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutant.cls, "backward", recompiled(mutant.cls.backward, mutant.old, mutant.new))
    with np.errstate(all="ignore"):
        assert complaints(mutant.cls, dtype, tools)


@pytest.mark.parametrize("cls", MUTANTS)
def test_unbroken_source_passes(cls: type, dtype: str, tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cls, "backward", recompiled(cls.backward))
    assert complaints(cls, dtype, tools) == []


def test_every_layer_and_loss_is_broken(tools: Any) -> None:
    differentiable = {type(tools.draw(case).it) for case in (*tools.LAYERS, *tools.LOSSES)}
    assert all(issubclass(cls, tuple(MUTANTS)) for cls in differentiable)
    assert len(TABLE) >= 30


NEURON_MUTANTS = [
    ("dz * h_j", "dz"),
    ("dz * h_j", "dz * w"),
    ("blame.dh[source] += dz * w", "blame.dh[source] = dz * w"),
    ("dx[source] += dz * w", "dx[source] = dz * w"),
    ("dx[source] += dz * w", "dx[source] += dz"),
    ("(values.z[neuron])[1]", "(values.z[neuron])[0]"),
    ("(values.z[neuron])[1]", "(values.h[neuron])[1]"),
]


def of_neurons(backprop: Any) -> Blame:
    a = manual.Neuron((0,), (0.7,), 0.1)
    b = manual.Neuron((a, 0), (-1.2, 0.4), -0.2, "sigmoid")
    o = manual.Neuron((a, b, 0), (0.5, 0.8, 0.3))
    return backprop([o], manual.evaluate([o], [0.6]), [1.3])


def numbers(blame: Blame) -> list[float]:
    """All numbers of a Blame, in the order of its neurons."""
    return [*blame.dx, *blame.dh.values(), *blame.dz.values(), *(dw for weights in blame.dw.values() for dw in weights)]


@pytest.mark.parametrize(("old", "new"), NEURON_MUTANTS)
def test_mistake_in_backprop_is_noticed(old: str, new: str) -> None:
    right = numbers(of_neurons(manual.backprop))
    assert numbers(of_neurons(recompiled(manual.backprop))) == right
    assert not np.allclose(numbers(of_neurons(recompiled(manual.backprop, old, new))), right, rtol=1e-9)
