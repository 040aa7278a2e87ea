"""The two hand-worked examples: right digits from 40-digit decimals and from scikit-learn, wrong ones explained."""

from collections.abc import Callable
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad import verify_update
from handgrad.arrays.precision import to64
from handgrad.course.lecture import Number, System
from handgrad.judge.verdict import Verdict
from handgrad.lectures import mazur, scikit_learn
from manual import gradients
from tests.lectures.travel import travel

SCRIPTS = Path(__file__).parents[2] / "examples" / "lectures"
D = Decimal


@pytest.fixture(scope="module")
def systems() -> dict[str, System]:
    return {s.id: s for s in (travel(run) for run in (*mazur.SYSTEMS, *scikit_learn.SYSTEMS))}


def numbers(system: System) -> dict[str, Number]:
    return {n.name: n for n in system.numbers}


def agree(n: Number, expected: Any, within: float = 1e-12) -> None:
    """Both columns against the expected value."""
    for value in (n.ours, n.autograd):
        if value is not None:
            np.testing.assert_allclose(to64(value).ravel(), np.ravel(expected), rtol=within, atol=1e-17)


def decimal_sigmoid(z: Decimal) -> Decimal:
    return 1 / (1 + (-z).exp())


def by_decimals(biases: str) -> dict[str, Any]:
    """Mazur's example, one round, scalar by scalar with 40 digits; E1 is the error after it."""
    with localcontext() as context:
        context.prec = 40
        x, t = [D("0.05"), D("0.10")], [D("0.01"), D("0.99")]
        W1, W2 = [[D("0.15"), D("0.20")], [D("0.25"), D("0.30")]], [[D("0.40"), D("0.45")], [D("0.50"), D("0.55")]]
        b1, b2 = [D("0.35")] * 2, [D("0.60")] * 2

        def forward() -> tuple[list[Decimal], list[Decimal], Decimal]:
            h = [decimal_sigmoid(W1[j][0] * x[0] + W1[j][1] * x[1] + b1[j]) for j in range(2)]
            y = [decimal_sigmoid(W2[k][0] * h[0] + W2[k][1] * h[1] + b2[k]) for k in range(2)]
            return h, y, ((y[0] - t[0]) ** 2 + (y[1] - t[1]) ** 2) / 2

        h, y, E = forward()
        d2 = [(y[k] - t[k]) * y[k] * (1 - y[k]) for k in range(2)]
        d1 = [(d2[0] * W2[0][j] + d2[1] * W2[1][j]) * h[j] * (1 - h[j]) for j in range(2)]
        W2 = [[W2[k][j] - d2[k] * h[j] / 2 for j in range(2)] for k in range(2)]
        W1 = [[W1[j][i] - d1[j] * x[i] / 2 for i in range(2)] for j in range(2)]
        if biases == "shared":
            b1, b2 = [b - sum(d1) / 2 for b in b1], [b - sum(d2) / 2 for b in b2]
        if biases == "per unit":
            b1, b2 = [b - d / 2 for b, d in zip(b1, d1, strict=True)], [b - d / 2 for b, d in zip(b2, d2, strict=True)]
        _, y1, E1 = forward()
    found = {"d1": d1, "d2": d2, "h": h, "y": y, "E": E, "W1": W1, "W2": W2, "b1": b1, "b2": b2, "y1": y1, "E1": E1}
    return {k: np.array(v, dtype=float) for k, v in found.items()}


def test_every_system_is_certified(systems: dict[str, System]) -> None:
    assert list(systems) == ["M-S1", "M-S2", "M-S3", "K-S1", "K-S2"]
    for system in systems.values():
        assert system.verdict is Verdict.CERTIFIED, (system.id, [n for n in system.numbers if n.verdict.exit_code])
        assert system.reports


@pytest.mark.parametrize(("id_", "biases"), [("M-S1", "frozen"), ("M-S2", "shared"), ("M-S3", "per unit")])
def test_mazur_against_decimals(systems: dict[str, System], id_: str, biases: str) -> None:
    n, right = numbers(systems[id_]), by_decimals(biases)
    agree(n["E after one round"], right["E1"])
    agree(n["out_o1, out_o2 after one round"], right["y1"])
    if biases == "frozen":
        agree(n["out_h1, out_h2"], right["h"])
        agree(n["E"], right["E"])
        agree(n["delta_o1"], right["d2"][0])
        agree(n["dE_o2/dout_h1"], right["d2"][1] * 0.5)
        agree(n["w5+ to w8+"], right["W2"])
        agree(n["w1+ to w4+"], right["W1"])
        return
    agree(n["b1+"], right["b1"])
    agree(n["b2+"], right["b2"])
    if biases == "shared":
        agree(n["dE/db1, dE/db2"], [right["d1"].sum(), right["d2"].sum()])
    else:
        agree(n["dE/db1"], right["d1"])
        agree(n["dE/db2"], right["d2"])


@pytest.mark.parametrize(("id_", "E"), [("M-S1", "0.291027774"), ("M-S2", "0.28575089"), ("M-S3", "0.28047145")])
def test_the_corrected_digits(systems: dict[str, System], id_: str, E: str) -> None:
    for value in (numbers(systems[id_])["E after one round"].ours, numbers(systems[id_])["E after one round"].autograd):
        assert f"{float(value):.{len(E) - 2}f}" == E


def test_the_printed_digits_come_from_weights_updated_too_early(systems: dict[str, System]) -> None:
    n = numbers(systems["M-S1"])
    wrong = {"E after one round": "M-E1", "out_o1, out_o2 after 10,000": "M-E2",
             "E after 10,000 rounds": "M-E3", "dE_o2/dout_h1": "M-E4"}  # fmt: skip
    assert {k: v.erratum for k, v in n.items() if v.erratum} == wrong
    assert not any(n[k].as_printed for k in wrong)
    for name in ("E after one round, back through W2+", "the same, back through W2+", "E after 9,999 rounds"):
        assert n[name].as_printed, name
    right, late = systems["M-S1"].notes
    assert right.startswith("CERTIFIED")
    assert "REFUTED" in late
    assert "the weights were updated before the gradient was passed back through them" in late


def test_each_rule_of_the_biases_is_another() -> None:
    """The judge takes only the update of all twelve parameters for gradient descent: it is no rubber stamp."""
    p = gradients(mazur.NET, mazur.PARAMS, mazur.X, mazur.TARGET, mazur.LOSS)
    told = [
        verify_update(mazur.NET, mazur.PARAMS, mazur.X, mazur.TARGET, mazur.LOSS, rule(mazur.PARAMS, p.dparams)).verdict
        for rule in (mazur.frozen, mazur.shared, mazur.per_unit)
    ]
    assert told[2] is Verdict.CERTIFIED
    assert told[1] is not Verdict.CERTIFIED


def by_numpy() -> dict[str, Any]:
    """The example in scikit-learn's own layout, (n_in, n_out)."""
    x, W1, W2 = np.array([[0.6, 0.8, 0.7]]), np.array([[0.1, 0.2], [0.3, 0.1], [0.5, 0]]), np.array([[0.1], [0.2]])
    b1, b2 = np.array([0.1, 0.1]), np.array([1.0])
    h = 1 / (1 + np.exp(-(x @ W1 + b1)))
    o = 1 / (1 + np.exp(-(h @ W2 + b2)))
    d1 = o @ W2.T * h * (1 - h)
    g1, g2 = x.T @ d1 + 0.1 * W1, h.T @ o + 0.1 * W2
    W1, W2, b1, b2 = W1 - 0.1 * g1, W2 - 0.1 * g2, b1 - 0.1 * d1[0], b2 - 0.1 * o[0]
    z = 1 / (1 + np.exp(-(x @ W1 + b1))) @ W2 + b2
    return {"h": h, "o": o, "d1": d1, "g1": g1, "g2": g2, "W1": W1, "W2": W2, "b1": b1, "b2": b2, "z": z,
            "prob": 1 / (1 + np.exp(-z))}  # fmt: skip


def test_scikit_learn_against_its_own_layout(systems: dict[str, System]) -> None:
    n, m, right = numbers(systems["K-S1"]), numbers(systems["K-S2"]), by_numpy()
    for name, digits in {"W1grad31, W1grad32": ["0.06168", "0.02620"], "o1": ["0.7654520"]}.items():
        assert Number(name, n[name].ours, None, digits).as_printed
    for name, expected in {
        "W1grad31, W1grad32": right["g1"][2], "o1": right["o"], "d21": right["o"], "d11": right["d1"][0, 0],
        "d12": right["d1"][0, 1], "W1grad11": right["g1"][0, 0], "W1grad12": right["g1"][0, 1],
        "W1grad21, W1grad22": right["g1"][1], "W2grad1, W2grad2": right["g2"], "b2grad": right["o"],
    }.items():  # fmt: skip
        agree(n[name], expected)
    for name, expected in {
        "W1 from X3, after the step": right["W1"][2], "W1 from X2": right["W1"][1], "W2": right["W2"],
        "b1 of h1": right["b1"][0], "b2": right["b2"], "o1 of the second pass": right["z"], "prob": right["prob"],
    }.items():  # fmt: skip
        agree(m[name], expected)


def test_scikit_learn_itself(systems: dict[str, System]) -> None:
    """The library's own network, one step: right although the comments are not."""
    neural = pytest.importorskip("sklearn.neural_network")
    mlp = neural.MLPClassifier(
        (2,), solver="sgd", activation="logistic", learning_rate_init=0.1, alpha=0.1, batch_size=1, momentum=0,
        nesterovs_momentum=False, max_iter=1, shuffle=False,
    )  # fmt: skip
    mlp.partial_fit(scikit_learn.X, [0], classes=[0, 1])
    mlp.coefs_ = [p["W"].T.copy() for p in scikit_learn.PARAMS if p]
    mlp.intercepts_ = [p["b"].copy() for p in scikit_learn.PARAMS if p]
    mlp._optimizer.params = mlp.coefs_ + mlp.intercepts_
    mlp._optimizer.velocities = [np.zeros_like(v) for v in mlp._optimizer.params]
    mlp.partial_fit(scikit_learn.X, [0])
    m = numbers(systems["K-S2"])
    agree(m["W1 from X3, after the step"], mlp.coefs_[0][2])
    agree(m["W2"], mlp.coefs_[1])
    agree(m["b1 of h1"], mlp.intercepts_[0][0])
    agree(m["prob"], mlp.predict_proba(scikit_learn.X)[0, 1])


def test_the_comments_wrong_digits_are_explained(systems: dict[str, System]) -> None:
    n = numbers(systems["K-S1"])
    assert n["the same with X1 for X3"].as_printed
    assert n["W1grad31, W1grad32"].erratum == "K-E2"
    np.testing.assert_allclose(n["o1 of h1, h2 in three digits"].ours, 0.7654329236196236, rtol=2e-16)
    told = {v.erratum for id_ in ("K-S1", "K-S2") for v in systems[id_].numbers if v.erratum}
    assert told == {"K-E1", "K-E2", "K-E3"}


@pytest.mark.parametrize(("module", "prefix"), [(mazur, "M-E"), (scikit_learn, "K-E")])
def test_every_erratum_is_told_in_the_docstring(systems: dict[str, System], module: Any, prefix: str) -> None:
    used = {n.erratum for s in systems.values() for n in s.numbers if n.erratum.startswith(prefix)}
    assert used
    assert all(f"- {id_} " in module.__doc__ for id_ in used)


def test_a_wrong_digit_or_formula_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right print must not carry an erratum, and a step with the wrong sign parts from autograd."""
    assert Number("E", 0.2983711, None, ["0.29837"], "M-E1").verdict is Verdict.REFUTED
    right: Callable[..., Any] = scikit_learn.sgd
    monkeypatch.setattr(scikit_learn, "sgd", lambda params, dparams, lr: right(params, dparams, -lr))
    assert scikit_learn.one_step().verdict is Verdict.REFUTED
