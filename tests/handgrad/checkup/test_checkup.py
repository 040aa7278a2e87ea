"""Every check on a healthy network and on one that is sick in its way, and nowhere else."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

import handgrad
from handgrad.checkup.checks import check_dead, check_gradients, check_saturation
from handgrad.checkup.checkup import Checkup, examine
from handgrad.checkup.measure import best_constant, chance, count_alike, least, measure_units
from handgrad.experiment.datasets.digits import digits
from manual import (
    SGD,
    AdamW,
    BinaryCrossEntropy,
    Dropout,
    HalfSquaredError,
    Linear,
    MeanSquaredError,
    Network,
    SoftmaxCrossEntropy,
    Tanh,
    loss_and_gradients,
    mlp,
)
from manual.initial import constant, normal
from manual.training.batches import masks, split

D = digits()
X, LABELS, ONE_HOT = D.x[:600].astype(np.float32), D.labels[:600], D.one_hot[:600].astype(np.float32)
CE = SoftmaxCrossEntropy()
NAMES = (
    "loss at the start",
    "one batch by heart",
    "first steps",
    "update to weight",
    "gradient norms",
    "dead units",
    "saturation",
    "units alike",
)
START, HEART, STEPS, RATIO, NORMS, DEAD, FLAT, ALIKE = NAMES


class Case(NamedTuple):
    """A network with its data, and which checks find it wrong."""

    wrong: set[str]
    hidden: Any = "relu"
    weights: Any = "he_uniform"
    biases: Any = "zeros"
    optimizer: Any = AdamW(1e-3)
    sizes: tuple[int, ...] = (64, 40, 20, 10)
    target: Any = LABELS
    loss: Any = CE
    layers: Callable[[Any], Any] = tuple  # the layers as they are
    x: Any = X


class Frozen(Linear):
    """A layer whose weights get no gradient."""

    def backward(self, params: Any, cache: Any, dz: Any, *, needs: Any = ("x", "W", "b")) -> Any:
        dx, d = super().backward(params, cache, dz, needs=needs)
        return dx, {name: 0 * value for name, value in d.items()}


class Uphill(HalfSquaredError):
    """The sign of its gradient is wrong."""

    def backward(self, cache: Any, dE: Any) -> Any:
        return -super().backward(cache, dE)


def frozen(layers: Any) -> Any:
    return tuple(Frozen(layer.n_in, layer.n_out) if isinstance(layer, Linear) else layer for layer in layers)


SHUFFLED = np.random.default_rng(0).permutation(LABELS)
FAR = ONE_HOT * 1000 + 50_000
POINTS = np.random.default_rng(1).normal(size=(1_500, 8)).astype(np.float32)
RARE = (POINTS[:, 0] > 1.5).astype(int)  # 7 % of them
HALF = (POINTS[:, 0] + POINTS[:, 1] > 0).astype(int)
SMALL: dict[str, Any] = {"sizes": (8, 20, 20, 2), "optimizer": SGD(0.1), "x": POINTS, "target": HALF}
CASES = {
    "relu": Case(set()),
    "tanh": Case(set(), "tanh", "xavier_uniform"),
    "sigmoid": Case(set(), "sigmoid", "xavier_uniform", optimizer=AdamW(1e-2)),
    "descent": Case(set(), optimizer=SGD(0.1)),
    "squared error": Case(set(), target=ONE_HOT, loss=MeanSquaredError(), optimizer=AdamW(3e-3)),
    "binary": Case(set(), target=ONE_HOT, loss=BinaryCrossEntropy()),
    "one layer": Case(set(), sizes=(64, 10), optimizer=AdamW(1e-2)),
    "two classes": Case(set(), **SMALL),  # seed 0 of he_uniform starts at 1.8, above twice chance
    "a rare class": Case(set(), **(SMALL | {"target": RARE})),
    # each is one of those above with one thing wrong
    "rare shuffled": Case({STEPS}, **(SMALL | {"target": np.random.default_rng(0).permutation(RARE)})),
    "learned by heart": Case(
        {STEPS}, **(SMALL | {"x": POINTS[:60], "target": np.random.default_rng(0).permutation(HALF[:60])})
    ),
    "bytes": Case({START, STEPS, RATIO, DEAD}, **(SMALL | {"x": 100 * POINTS})),
    "all died": Case({STEPS, RATIO, DEAD}, **(SMALL | {"optimizer": SGD(10.0)})),
    "zero": Case({HEART, STEPS, RATIO, NORMS, ALIKE}, "tanh", "zeros"),
    "equal": Case({HEART, NORMS, ALIKE}, "tanh", constant(0.01)),
    "huge": Case({START, STEPS, RATIO, FLAT}, "tanh", normal(3.0)),
    "huge biases": Case({HEART, STEPS, RATIO, NORMS, DEAD}, biases=constant(-20.0)),
    "too fast": Case({STEPS, DEAD}, optimizer=AdamW(0.3)),
    "much too fast": Case({STEPS, RATIO, DEAD}, optimizer=SGD(30.0)),
    "too slow": Case({STEPS, RATIO}, optimizer=SGD(1e-6)),
    "shuffled labels": Case({STEPS}, target=SHUFFLED),
    "far targets": Case({START, HEART, STEPS}, target=FAR, loss=MeanSquaredError()),
    "frozen": Case({HEART, STEPS, RATIO, NORMS}, layers=frozen),
    "uphill": Case({HEART, STEPS, RATIO}, target=ONE_HOT, loss=Uphill("batch mean"), optimizer=SGD(0.01)),
    "deep": Case({HEART, STEPS, NORMS}, "sigmoid", "xavier_uniform", sizes=(64, *[20] * 8, 10)),
    "exploding": Case({START, STEPS}, "relu", normal(3.0), optimizer=SGD(1e-3)),
}


@cache
def found(name: str) -> Checkup:
    case = CASES[name]
    net = mlp(case.sizes, case.hidden)
    net = Network(case.layers(net.layers))
    params = net.init(0, case.weights, case.biases, dtype="float32")
    return examine(net, params, case.x, case.target, case.loss, case.optimizer, batch_size=16, name=name)


@pytest.mark.parametrize("name", CASES)
def test_each_check_finds_what_is_wrong_and_nothing_else(name: str) -> None:
    report = found(name)
    assert tuple(check.name for check in report.checks) == NAMES
    assert {check.name for check in report.checks if not check.healthy} == CASES[name].wrong, str(report)
    assert report.healthy is (not CASES[name].wrong)
    assert report.exit_code == int(not report.healthy)


@pytest.mark.parametrize("name", NAMES)
def test_each_check_has_been_wrong_somewhere(name: str) -> None:
    assert any(name in case.wrong for case in CASES.values())


@pytest.mark.parametrize("name", CASES)
def test_the_text_has_80_columns_and_the_advice_is_for_what_is_wrong(name: str) -> None:
    report = found(name)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 80
    wrong = len(CASES[name].wrong)
    assert lines[1] == (
        f"WRONG: {wrong} of 8 checks found something" if wrong else "healthy: nothing is wrong in 8 checks"
    )
    assert str(report).count("  Do: ") == wrong
    for check in report.checks:
        assert check.measured.endswith(".")
        assert check.normal.endswith(".")
        assert bool(check.advice) is not check.healthy


@pytest.mark.parametrize(
    ("case", "check", "words"),
    [
        ("zero", RATIO, "A W that is all zero"),
        ("zero", NORMS, "No gradient reaches W1, W2, W3"),
        ("huge biases", RATIO, "No gradient reaches W1, W2, W3"),
        ("huge biases", STEPS, "No gradient arrives"),
        ("huge biases", DEAD, "Look at its bias"),
        ("too fast", STEPS, "Lower the learning rate 0.3"),
        ("too fast", DEAD, "died in the first steps: lower the learning rate 0.3"),
        ("much too fast", STEPS, "Lower the learning rate 30"),
        ("much too fast", RATIO, "Lower the learning rate 30"),
        ("too slow", STEPS, "raise the learning rate 1e-06"),
        ("too slow", RATIO, "Raise the learning rate 1e-06"),
        ("shuffled labels", STEPS, "in the same order"),
        ("far targets", START, "Scale the targets"),
        ("far targets", STEPS, "the loss at the start"),
        ("huge", RATIO, "mend the loss at the start first"),
        ("huge", START, "Initial weights are too large"),
        ("huge", FLAT, "smaller initial weights"),
        ("deep", NORMS, "vanish on the way back"),
        ("deep", HEART, "nothing else can work"),
        ("equal", HEART, "slow rather than wrong"),
        ("rare shuffled", STEPS, "in the same order"),
        ("learned by heart", STEPS, "It learns its samples, and nothing of the others"),
        ("bytes", START, "x is too large, its root mean square is 10"),
        ("bytes", STEPS, "the loss at the start"),
        ("bytes", RATIO, "mend the loss at the start first"),
        ("bytes", DEAD, "x is too large"),
        ("all died", RATIO, "Lower the learning rate 10: units died or saturated in the first steps"),
    ],
)
def test_the_advice_fits_the_cause(case: str, check: str, words: str) -> None:
    assert words in found(case)[check].advice


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ((30.0, 59.0), (31.0, 79.0), "smaller initial weights"),
        ((0.0, 0.0), (90.0, 79.0), "lower the learning rate 0.001"),
    ],
)
def test_what_was_there_from_the_start_is_no_fault_of_the_learning_rate(before: Any, after: Any, words: str) -> None:
    def units(percents: Any) -> Any:
        return tuple(
            u._replace(dead=int(p / 100 * u.n), saturated=p / 100) for u, p in zip(numbers.units, percents, strict=True)
        )

    numbers = found("tanh").numbers
    numbers = replace(numbers, units=units(before), units_after=units(after))
    for check in (check_saturation(numbers), check_dead(numbers)):
        assert words in check.advice


def test_gradients_may_grow_on_the_way_back() -> None:
    numbers = found("relu").numbers
    first, *others = numbers.weights
    check = check_gradients(replace(numbers, weights=(replace(first, gradient=2e3 * others[0].gradient), *others)))
    assert not check.healthy
    assert "grow on the way back" in check.advice
    assert not check_gradients(replace(numbers, weights=(replace(first, gradient=np.nan), *others))).healthy


def test_the_numbers_are_those_of_torch() -> None:
    """Start, gradient norms and the first update of the first layer, by autograd and torch.optim."""
    net = mlp((64, 40, 20, 10), "tanh")
    params = net.init(0, "xavier_uniform")
    x = X.astype(np.float64)
    report = examine(net, params, x, LABELS, CE, SGD(0.1), batch_size=16, shuffle=False)
    numbers = report.numbers
    train, probe = split(x, LABELS, 0.2, 0)
    leaves = [{k: torch.tensor(v, requires_grad=True) for k, v in p.items()} for p in params]

    def loss(rows: Any) -> torch.Tensor:
        h = torch.tensor(x[rows])
        for p in leaves:
            h = h @ p["W"].T + p["b"] if p else torch.tanh(h)
        return torch.nn.functional.cross_entropy(h, torch.tensor(LABELS[rows]))

    E = loss(probe.rows)
    E.backward()
    assert numbers.start == pytest.approx(E.item(), rel=1e-12)
    assert numbers.chance == pytest.approx(np.log(10), rel=1e-12)
    norms = [p["W"].grad.norm().item() for p in leaves if p]
    assert [w.gradient for w in numbers.weights] == pytest.approx(norms, rel=1e-10)
    for p in leaves:
        for v in p.values():
            v.grad = None
    loss(train.rows[:16]).backward()
    ratios = [0.1 * p["W"].grad.norm().item() / p["W"].norm().item() for p in leaves if p]
    assert [w.ratios[0] for w in numbers.weights] == pytest.approx(ratios, rel=1e-10)
    assert numbers.losses[0] == pytest.approx(loss(train.rows[:16]).item(), rel=1e-12)
    assert (numbers.samples, numbers.held_back, len(numbers.losses)) == (120, True, 200)


def test_units_are_counted() -> None:
    """One dead, two alike, one on its flat end, one live."""
    net = mlp([1, 5, 1], "relu")
    params = (
        {"W": np.array([[1.0], [1.0], [2.0], [0.5], [1.0]]), "b": np.array([-9.0, 0, 0, 0, 0])},
        {},
        net.init(0)[2],
    )
    (units,) = measure_units(net, params, np.array([[1.0], [2.0], [-1.0]]))
    assert units == ("h1", 5, True, 1, 2, None)
    net = mlp([1, 2], "tanh", "tanh")
    params = ({"W": np.array([[10.0], [0.1]]), "b": np.zeros(2)}, {})
    (units,) = measure_units(net, params, np.array([[1.0], [0.0]]))
    assert units == ("h1", 2, False, 0, 0, 0.25)
    assert count_alike(np.zeros((3, 0))) == 0


@pytest.mark.parametrize(
    ("loss", "target", "expected", "lowest"),
    [
        (CE, np.array([0, 1, 2]), np.log(3), 0),
        (SoftmaxCrossEntropy("sum"), np.array([0, 1, 2]), np.log(3), 0),
        (
            SoftmaxCrossEntropy(label_smoothing=0.3),
            np.array([0, 1, 2]),
            np.log(3),
            -0.8 * np.log(0.8) - 0.2 * np.log(0.1),
        ),
        (BinaryCrossEntropy(), np.eye(3), np.log(2), 0),
        (BinaryCrossEntropy(), np.full((3, 3), 0.25), np.log(2), -0.25 * np.log(0.25) - 0.75 * np.log(0.75)),
        (MeanSquaredError(), np.eye(3), 2 / 9, 0),
        (HalfSquaredError(), np.eye(3), 1 / 3, 0),
    ],
)
def test_chance_and_the_least_loss(loss: Any, target: Any, expected: float, lowest: float) -> None:
    y = np.random.default_rng(0).normal(size=(3, 3))
    assert chance(loss, y, target) == pytest.approx(expected, rel=1e-12)
    assert least(loss, y, target) == pytest.approx(lowest, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("loss", "target"),
    [
        (CE, np.array([0, 0, 0, 1])),
        (BinaryCrossEntropy(), np.array([[0.0], [0.0], [0.0], [1.0]])),
        (MeanSquaredError(), np.array([[0.0], [0.0], [0.0], [1.0]])),
    ],
)
def test_the_best_constant_knows_how_frequent_a_class_is(loss: Any, target: Any) -> None:
    y = np.zeros((4, 2 if loss is CE else 1))
    entropy = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    expected = 3 / 16 if isinstance(loss, MeanSquaredError) else entropy
    assert best_constant(loss, y, target, target) == pytest.approx(expected, rel=1e-12)
    same = np.zeros_like(target)
    assert best_constant(loss, y, same, same) == chance(loss, y, same)


def test_a_rare_class_that_is_not_among_the_samples_is_counted_all_the_same() -> None:
    found = best_constant(CE, np.zeros((3, 2)), np.array([0, 0, 0]), np.array([0, 0, 0, 1]))
    assert found == pytest.approx(-np.log(0.75), rel=1e-12)


def test_soft_targets_can_be_learned_by_heart_though_their_loss_is_not_zero() -> None:
    net = mlp((64, 30, 10), "tanh")
    report = examine(
        net, net.init(0), X[:100].astype(float), LABELS[:100], SoftmaxCrossEntropy(label_smoothing=0.4), SGD(0.1)
    )
    assert report.numbers.least > 0.9
    assert report[HEART].healthy


def test_few_samples_and_small_networks_are_examined_on_all_there_are() -> None:
    """Two points on a line, and Mazur's one sample: no more is asked of a network than it can do."""
    line = mlp([1, 1])
    report = examine(
        line, line.init(0), np.array([[0.0], [1.0]]), np.array([[1.0], [-1.0]]), MeanSquaredError(), SGD(0.1)
    )
    assert report.healthy, str(report)
    assert (report.numbers.held_back, report.numbers.samples) == (False, 2)
    assert "the loss on the 2 samples went" in str(report)
    net = mlp([2, 2, 2], "sigmoid", "sigmoid")
    x, t = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
    report = examine(net, net.init(0), x, t, HalfSquaredError(), SGD(0.5), train_biases=False)
    assert report[HEART].healthy


def test_nothing_that_came_in_is_changed_and_another_library_gives_the_same() -> None:
    net = mlp((64, 12, 10), "tanh")
    params = net.init(0)
    x, t = X[:80].astype(float), LABELS[:80]
    before = [{k: v.copy() for k, v in p.items()} for p in params]
    ours = examine(net, params, x, t, CE, SGD(0.1))
    tensors = tuple({k: torch.tensor(v) for k, v in p.items()} for p in params)
    theirs = examine(net, tensors, torch.tensor(x), torch.tensor(t), CE, SGD(0.1))
    assert ours.to_dict() == theirs.to_dict()
    for p, q in zip(before, params, strict=True):
        assert all((p[k] == q[k]).all() for k in p)


def test_it_is_handed_out_and_says_everything_as_json() -> None:
    assert (handgrad.examine, handgrad.Checkup) == (examine, Checkup)
    content = json.loads(found("much too fast").to_json())
    assert content["healthy"] is False
    assert [check["name"] for check in content["checks"]] == list(NAMES)
    numbers = content["numbers"]
    assert numbers["units"][0]["name"] == "h1"
    assert len(numbers["weights"][0]["ratios"]) <= len(numbers["losses"])
    with pytest.raises(KeyError, match="no check 'pulse'; there are: loss at the start"):
        found("relu")["pulse"]


@pytest.mark.parametrize("name", ["relu", "huge", "one layer"])
def test_its_page_says_the_same(name: str) -> None:
    page = found(name).to_html()
    for check in found(name).checks:
        assert check.name in page
    assert page.count("<figure") == {"relu": 6, "huge": 8, "one layer": 4}[name]
    assert ("#d0312d" in page.partition("</style>")[2]) is (name == "huge")
    assert "nan" not in page.partition("</style>")[2].partition("<script")[0].replace("nance", "")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"x": X[:, :3]}, ValueError, "x: "),
        ({"batch_size": 0}, ValueError, "batch_size: is 0"),
        ({"network": Network((Tanh(),)), "params": ({},)}, ValueError, "no layer with weights W to examine"),
        ({"pulse": 1}, TypeError, "pulse"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], error: type[Exception], words: str) -> None:
    net = mlp((64, 10))
    given = {"network": net, "params": net.init(0, dtype="float32"), "x": X, "target": LABELS, "loss": CE,
             "optimizer": SGD(0.1)}  # fmt: skip
    with pytest.raises(error, match=words):
        examine(**{**given, **change})


def test_the_twins_differ_as_they_should() -> None:
    """Uphill's and Frozen's own gradients, so that the sick cases are sick by what they are named for."""
    net = mlp((64, 10))
    params = net.init(0, dtype="float32")
    right = loss_and_gradients(net, params, X, ONE_HOT, HalfSquaredError())[1][0]["dW"]
    np.testing.assert_array_equal(loss_and_gradients(net, params, X, ONE_HOT, Uphill())[1][0]["dW"], -right)
    still = loss_and_gradients(Network(frozen(net.layers)), params, X, ONE_HOT, HalfSquaredError())[1][0]["dW"]
    assert not still.any()


def test_the_first_steps_clip_and_drop_as_the_training_does() -> None:
    """No step longer than lr clip_norm; the first loss is that under dropout's first mask."""
    net = Network((Linear(64, 20), Tanh(), Dropout(0.8), Linear(20, 10)))
    params = net.init(0)
    x = X[:60].astype(float)
    numbers = examine(net, params, x, LABELS[:60], CE, SGD(0.1), batch_size=16, clip_norm=1e-3, shuffle=False).numbers
    for W, weights in ((params[0]["W"], numbers.weights[0]), (params[3]["W"], numbers.weights[1])):
        assert 0 < weights.ratios[0] * np.linalg.norm(W) <= 1e-4 * (1 + 1e-9)
    rows = split(x, LABELS[:60], 0.2, 0)[0].rows[:16]
    y, _ = net.forward(params, x[rows], masks(net, x[rows], 0, 0))
    assert numbers.losses[0] == pytest.approx(float(CE.forward(y, LABELS[rows])[0]), rel=1e-12)
