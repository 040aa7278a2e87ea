"""Every optimizer, under every combination of its options, walks with torch.optim's; every usual mistake parts them.

THE RULE. Both sides train one network from one start on the same batches, each by its own gradients. Through K = 20
steps every parameter must satisfy |found - torch's| <= 4 K u S, S the largest magnitude among the parameters, u the
unit roundoff. A step rounds W to u S on either side, and the dozen roundings of what is subtracted, a tenth of S or
less, count as much again; twenty steps of a mean loss do not magnify that. In float64 it is 9e-15 S. Right code uses
5 % of it; each mistake below exceeds it, where it shows most, 6e11 times in float64 and 3e3 times in float32.
"""

import inspect
import sys
import textwrap
from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import manual
from manual import SGD, Adam, AdamW
from torch_ref import to_torch, twin

K = 20
NET, LOSS = manual.mlp([4, 6, 3], "tanh"), manual.SoftmaxCrossEntropy()
DTYPES = ("float32", "float64")


class Case(NamedTuple):
    kind: type
    options: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.kind.__name__}({', '.join(f'{k}={v}' for k, v in self.options.items())})"


def cases() -> Iterator[Case]:
    """Every option on and off, in every combination that torch takes as well."""
    for momentum, dampening, nesterov, decay in product((0.0, 0.9), (0.0, 0.3), (False, True), (0.0, 0.1)):
        if not nesterov or (momentum and not dampening):
            options = {"momentum": momentum, "dampening": dampening, "nesterov": nesterov, "weight_decay": decay}
            yield Case(SGD, {"lr": 0.05, **options})
    betas = ((0.9, 0.999), (0.5, 0.9), (0.0, 0.99))
    for kind, beta, eps, decay in product((Adam, AdamW), betas, (1e-8, 1e-3), (0.0, 0.1)):
        yield Case(kind, {"lr": 0.05, "betas": beta, "eps": eps, "weight_decay": decay})


CASES = tuple(cases())


def arrays(tree: Any) -> list[np.ndarray]:
    return [a for layer in tree for a in layer.values()]


def share(case: Case, dtype: str) -> float:
    """The largest difference from torch.optim's parameters in K steps, in parts of what THE RULE allows."""
    rng = np.random.default_rng(0)
    params = NET.init(1, biases="normal", dtype=dtype)
    module, loss = twin(NET).to(getattr(torch, dtype)), twin(LOSS)
    module.load_state_dict(to_torch(NET, params))
    theirs = getattr(torch.optim, case.kind.__name__)(module.parameters(), **case.options)
    ours = case.kind(**case.options)
    state, worst = ours.initial(params), 0.0
    for _ in range(K):
        x, labels = rng.normal(size=(8, 4)).astype(dtype), rng.integers(3, size=8)
        params, state = ours.step(params, manual.gradients(NET, params, x, labels, LOSS).dparams, state)
        theirs.zero_grad()
        loss(module(torch.tensor(x)), torch.tensor(labels)).backward()
        theirs.step()
        expected = [p.detach().numpy() for p in module.parameters()]
        allowed = 4 * K * np.finfo(dtype).eps / 2 * max(np.abs(a).max() for a in expected)
        for found, right in zip(arrays(params), expected, strict=True):
            assert found.dtype == dtype
            assert found.shape == right.shape
            if not np.all(np.isfinite(found)):
                return np.inf
            worst = max(worst, float(np.abs(found - right).max() / allowed))
    return worst


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_twenty_steps_are_torchs(case: Case, dtype: str) -> None:
    assert share(case, dtype) <= 1


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_defaults_are_torchs(kind: type) -> None:
    theirs = inspect.signature(getattr(torch.optim, kind.__name__)).parameters
    for name, parameter in inspect.signature(kind).parameters.items():
        assert parameter.default in (inspect.Parameter.empty, theirs[name].default), name


# Every mistake by its name: where it is made (a class, or a module of functions), the piece of text, the mistaken one.
ADAM, SGDS = sys.modules["manual.optimizers.adam"], sys.modules["manual.optimizers.sgd"]
MISTAKES: dict[str, tuple[Any, str, str, str]] = {
    "epsilon inside the root": (Adam, "step", "b[name] ** 0.5 / root + eps", "(b[name] / root**2 + eps) ** 0.5"),
    "epsilon before the bias correction": (Adam, "step", "** 0.5 / root + eps", "** 0.5 + eps) / (root"),
    "no epsilon": (Adam, "step", " + eps)", ")"),
    "no root": (Adam, "step", "b[name] ** 0.5", "b[name]"),
    "no bias correction": (ADAM, "bias_correction", "1 - beta**step", "1.0"),
    "no bias correction of the mean": (Adam, "step", "self.lr / bias_correction(beta1, step)", "self.lr"),
    "no bias correction of the mean square": (Adam, "step", "bias_correction(beta2, step) ** 0.5", "1.0"),
    "no root of the bias correction": (
        Adam,
        "step",
        "bias_correction(beta2, step) ** 0.5",
        "bias_correction(beta2, step)",
    ),
    "betas swapped": (Adam, "step", "beta1, beta2 = self.betas", "beta2, beta1 = self.betas"),
    "betas swapped in the mean": (Adam, "step", "beta1 * a + (1 - beta1)", "beta2 * a + (1 - beta2)"),
    "betas swapped in the bias correction": (
        Adam,
        "step",
        "bias_correction(beta1, step)",
        "bias_correction(beta2, step)",
    ),
    "step count one too high": (Adam, "step", "as_count(state.step) + 1", "as_count(state.step) + 2"),
    "step count one too low": (Adam, "step", "as_count(state.step) + 1", "max(as_count(state.step), 1)"),
    "steps not counted": (Adam, "step", "AdamState(step, m, v)", "AdamState(0, m, v)"),
    "gradient not weighted in the mean": (Adam, "step", "(1 - beta1) * d", "d"),
    "gradient not weighted in the mean square": (Adam, "step", "(1 - beta2) * d", "d"),
    "gradient not squared": (Adam, "step", '* d["d" + name] * d["d" + name]', '* abs(d["d" + name])'),
    "means of the step before": (Adam, "step", "zip(params, m, v,", "zip(params, state.m, v,"),
    "AdamW's decay without the learning rate": (AdamW, "decay", "self.lr * self.weight_decay", "self.weight_decay"),
    "Nesterov ignored": (SGD, "step", "if self.nesterov:", "if False:"),
    "Nesterov without the gradient": (SGD, "step", 'd["d" + name] + mu * b for', "mu * b for"),
    "Nesterov's momentum undamped": (SGD, "step", 'd["d" + name] + mu * b for', 'd["d" + name] + b for'),
    "dampening at the first step": (SGD, "step", " * (count > 0)", ""),
    "dampening one step late": (SGD, "step", "count > 0", "count > 1"),
    "momentum without (1 - dampening)": (SGD, "step", "if self.dampening else", "if False else"),
    "dampening for (1 - dampening)": (SGD, "step", "1 - self.dampening * (count > 0)", "self.dampening"),
    "momentum as a moving mean": (
        SGD,
        "step",
        "if self.dampening else 1.0",
        "if self.dampening else 1 - self.momentum",
    ),
    "momentum not kept": (SGD, "step", "SGDState(count + 1, buf)", "SGDState(count + 1, state.buf)"),
    "decay forgotten": (SGD, "step", "if self.weight_decay:", "if False:"),
    "decay with the wrong sign": (SGDS, "add_decay", "+ weight_decay * p", "- weight_decay * p"),
    "decay doubled": (SGDS, "add_decay", "+ weight_decay * p", "+ 2 * weight_decay * p"),
    "uphill": (SGDS, "sgd", "p - lr", "p + lr"),
}


def recompiled(owner: Any, name: str, old: str = "", new: str = "") -> Any:
    """The method or function from its source, with `old` replaced by `new`."""
    source = textwrap.dedent(inspect.getsource(getattr(owner, name)))
    assert source.count(old) == 1 or not old, (
        f"{name} has {old!r} {source.count(old)} times: bring this table up to date"
    )
    names: dict[str, Any] = {}
    exec(source.replace(old, new) if old else source, vars(sys.modules[getattr(owner, name).__module__]), names)
    return names[name]


def refused(kinds: tuple[type, ...], dtype: str) -> Iterator[Case]:
    """The cases that the comparison refuses."""
    with np.errstate(all="ignore"):
        yield from (case for case in CASES if case.kind in kinds and share(case, dtype) > 1)


def kinds(owner: Any) -> tuple[type, ...]:
    return (Adam, AdamW) if owner in (Adam, ADAM) else (AdamW,) if owner is AdamW else (SGD,)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_noticed(mistake: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, name, old, new = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, recompiled(owner, name, old, new))
    assert next(refused(kinds(owner), dtype), None), "every case passes"


@pytest.mark.parametrize(("owner", "name"), {(owner, name): 0 for owner, name, *_ in MISTAKES.values()})
def test_unbroken_source_passes(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owner, name, recompiled(owner, name))
    assert list(refused(kinds(owner), "float64")) == []


@pytest.mark.parametrize(("mistaken", "right"), [(AdamW, Adam), (Adam, AdamW)], ids=["AdamW coupled", "Adam decoupled"])
def test_decay_of_the_other_is_noticed(mistaken: Any, right: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is decay, and only there."""
    monkeypatch.setattr(mistaken, "decay", right.decay)
    decaying = [case for case in CASES if case.kind is mistaken and case.options["weight_decay"]]
    assert list(refused((mistaken,), "float64")) == decaying
