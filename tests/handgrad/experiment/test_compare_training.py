"""Training by hand beside autograd's: right runs pass however far they part, wrong ones are caught at their step."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handgrad.experiment import curvature
from handgrad.experiment.autograd_training import nudge
from handgrad.experiment.compare_training import compare_training
from handgrad.experiment.compare_training_text import Trajectory
from handgrad.experiment.datasets.digits import digits
from handgrad.judge.compare import compare
from handgrad.judge.verdict import Verdict
from handgrad.report.console import render
from manual import (
    BatchNorm1d,
    Dropout,
    HalfSquaredError,
    LayerNorm,
    Linear,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
    Tanh,
    loss_and_gradients,
    mlp,
    sgd,
)
from torch_ref import to_torch, twin

GOLDEN = {
    case["id"]: case
    for case in json.loads((Path(__file__).parents[2] / "lectures/golden.json").read_text(encoding="utf-8"))["cases"]
}
LEE, LOSS = mlp([3, 2, 1], "tanh"), HalfSquaredError()


def lee(case: str) -> Trajectory:
    """A training of the lecture: its data, start, rate and number of iterations as the golden file has them."""
    given, start = GOLDEN[case]["inputs"], GOLDEN["U8.train_1000"]["parameters"]
    W1, b1, W2, b2 = (np.array(start[name], float) for name in ("W1", "b1", "W2", "b2"))
    batch = np.array(given["X"]), np.array(given["t"])
    params = ({"W": W1, "b": b1}, {}, {"W": W2, "b": b2})
    return compare_training(LEE, params, [batch] * given["iterations"], LOSS, given["learning_rate"], seed=1)


@pytest.fixture(scope="module")
def chaos() -> Trajectory:
    return lee("U8.train_1000")


@pytest.fixture(scope="module")
def calm() -> Trajectory:
    return lee("U8b.train_well_conditioned")


def on_digits(dtype: str, steps: int = 50, hidden: str = "tanh") -> tuple[Any, ...]:
    data, rng, net = digits(), np.random.default_rng(3), mlp([64, 16, 10], hidden)
    picks = [rng.permutation(len(data.x))[:32] for _ in range(steps)]
    batches = [(data.x[pick].astype(dtype), data.labels[pick]) for pick in picks]
    return net, net.init(4, dtype=dtype), batches, SoftmaxCrossEntropy()


def small(layer: Any, steps: int = 6, n: int = 3, bias: bool = True) -> tuple[Any, ...]:
    """3-n-2 with this layer in the middle, on random batches."""
    rng, net = np.random.default_rng(5), Network((Linear(3, n, bias), layer, Linear(n, 2, bias)))
    params, sizes = net.init(rng), ((4, 3), (4, 2))
    return net, params, [tuple(rng.normal(size=size) for size in sizes) for _ in range(steps)], LOSS


def test_a_chaotic_run_is_not_a_wrong_one(chaos: Trajectory) -> None:
    last = chaos.steps[-1]
    assert chaos.verdict is Verdict.CERTIFIED, chaos.words
    assert chaos.chaotic
    assert chaos.amplification > 1e9
    assert chaos.parted is None
    assert len(chaos.steps) == 1000
    assert last.parting > 1e-7
    assert last.nudged > 1e-7
    assert chaos.edge == 801  # it passes 2 in iteration 792, counted from 0; looked at 1, 11, ...
    assert "passed 2 between steps 791 and 801" in chaos.words
    assert "chaotic" in chaos.words
    assert "every gradient and every update of 1000 steps" in chaos.words


def test_losses_and_curvature_are_those_of_the_lecture(chaos: Trajectory) -> None:
    checkpoints = GOLDEN["U8.train_1000"]["expected"][
        "checkpoints (0-based iteration: before its update; float64 listing, exact arithmetic)"
    ]
    looked = 0
    for iteration, told in checkpoints.items():
        step = chaos.steps[int(iteration)]
        if int(iteration) <= 800:
            assert step.loss == pytest.approx(1.5 * told["mse"], rel=1e-10)  # 1/2 sum of three squares
            assert step.loss_autograd == pytest.approx(1.5 * told["mse"], rel=1e-10)
            if np.isfinite(step.curvature):
                assert step.curvature == pytest.approx(told["lr_times_lambda_max"], rel=1e-6)
                looked += 1
    assert looked >= 5


def test_at_half_the_rate_the_runs_stay_together(calm: Trajectory) -> None:
    assert calm.verdict is Verdict.CERTIFIED, calm.words
    assert len(calm.steps) == 2000
    assert max(s.parting for s in calm.steps) < 1e-11
    assert not calm.chaotic
    assert calm.amplification < 1e4
    assert "chaotic" not in calm.words
    assert calm.edge is None
    assert "stays below 2" in calm.words
    at_end = GOLDEN["U8b.train_well_conditioned"]["expected"]["lr_times_lambda_max_at_end"]
    assert calm.looked[-1].curvature == pytest.approx(at_end, rel=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(3))
def test_a_parameter_that_does_nothing_makes_no_run_chaotic(dtype: str, seed: int) -> None:
    """The bias before batch norm: its gradient is rounding alone, its value some 1e-17."""
    rng = np.random.default_rng(0)
    network = Network((Linear(3, 4), BatchNorm1d(4), Tanh(), Linear(4, 2)))
    x, target = rng.normal(size=(5, 3)).astype(dtype), rng.normal(size=(5, 2)).astype(dtype)
    found = compare_training(network, network.init(0, dtype=dtype), [(x, target)] * 15, LOSS, 0.1, seed=seed)
    assert found.verdict is Verdict.CERTIFIED
    assert not found.chaotic
    assert max(s.ulps for s in found.steps) < 1000
    assert "at no step do they differ by more than the rounding bound" in found.words


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_digits(dtype: str) -> None:
    found = compare_training(*on_digits(dtype), 0.2, seed=2)
    assert found.verdict is Verdict.CERTIFIED, found.words
    assert found.dtype == dtype
    assert len(found.steps) == 50
    assert not found.chaotic
    assert 0 < max(s.parting for s in found.steps) < (1e-4 if dtype == "float32" else 1e-12)
    assert found.steps[-1].loss < found.steps[0].loss
    assert found.control is not None
    assert found.control.caught
    assert {t.name for t in found.sees} == {"dW1", "db1", "dW2", "db2"}


def test_both_sides_trained() -> None:
    """The losses are those of a loop of torch's own and of a loop by hand."""
    net, params, batches, loss = on_digits("float64", 8)
    found = compare_training(net, params, batches, loss, 0.5, seed=0)
    module, criterion = twin(net).double(), torch.nn.CrossEntropyLoss()
    module.load_state_dict(to_torch(net, params))
    optimizer = torch.optim.SGD(module.parameters(), 0.5)
    for step, (x, t) in zip(found.steps, batches, strict=True):
        E, grads = loss_and_gradients(net, params, x, t, loss)
        params = sgd(params, grads, 0.5)
        assert step.loss == float(E)
        optimizer.zero_grad()
        E_auto = criterion(module(torch.from_numpy(x)), torch.from_numpy(t))
        E_auto.backward()
        optimizer.step()
        assert step.loss_autograd == E_auto.item()
    names = [(0, "W", "W1"), (0, "b", "b1"), (2, "W", "W2"), (2, "b", "b2")]
    auto = [p.detach().numpy() for p in module.parameters()]
    apart = {name: np.abs(params[i][k] - p) for (i, k, name), p in zip(names, auto, strict=True)}
    last = found.steps[-1]
    assert last.parting == max(a.max() for a in apart.values()) == apart[last.parameter][last.at]
    largest = dict(zip(apart, auto, strict=True))[last.parameter]
    assert last.ulps == last.parting / np.spacing(np.abs(largest).max())


def test_torch_tensors_and_layers_of_every_kind() -> None:
    net = Network((Linear(5, 6), BatchNorm1d(6), ReLU(), Dropout(0.5), LayerNorm(6), Linear(6, 2)))
    rng = np.random.default_rng(1)
    params = net.init(1, xp=torch, dtype="float32")
    batches = [
        (torch.from_numpy(rng.normal(size=(9, 5))).float(), torch.from_numpy(rng.normal(size=(9, 2))).float())
        for _ in range(7)
    ]
    found = compare_training(net, params, batches, LOSS, 0.01, seed=3)
    assert found.verdict is Verdict.CERTIFIED, found.words
    assert found.library == "torch"
    assert max(s.parting for s in found.steps) < 1e-5  # dropout without a mask is off on both sides
    assert found.dtype == "float32"


def test_a_start_of_zeros() -> None:
    net = mlp([3, 2])
    rng = np.random.default_rng(0)
    zeros = ({"W": np.zeros((2, 3)), "b": np.zeros(2)},)
    batches = [(rng.normal(size=(5, 3)), rng.normal(size=(5, 2))) for _ in range(20)]
    found = compare_training(net, zeros, batches, LOSS, 0.01, seed=0)
    assert found.verdict is Verdict.CERTIFIED
    assert found.nudge > 0


def test_two_runs_that_meet_are_moved_apart_again() -> None:
    """Or the third run would show no rounding from there on."""
    net = Network((Linear(1, 1, False),))
    meets, stays = (np.ones((1, 1)), np.full((1, 1), 0.3)), (np.zeros((1, 1)), np.ones((1, 1)))
    found = compare_training(net, ({"W": np.full((1, 1), 0.7)},), [meets, stays], LOSS, 1.0, seed=0)
    assert [s.nudged for s in found.steps] == [0.0, np.spacing(0.3)]


# Wrong ones.


def place(found: Trajectory) -> tuple[int, str]:
    """The step and the stage that are refuted."""
    assert found.verdict is Verdict.REFUTED, found.words
    assert found.failure is not None
    return found.failure.step, found.failure.where


def test_a_wrong_backward_pass_is_refuted_at_the_first_step(broken: Callable[..., Any]) -> None:
    wrong = broken(Tanh(), lambda self, params, cache, dy: (dy * (1 - cache.h), {}))  # the square is missing
    found = compare_training(*small(wrong), 0.05, seed=0)
    assert place(found) == (1, "h1 = Tanh")
    assert found.failure is not None
    assert found.failure.tensor == "dz1"
    assert found.failure.diagnosis is not None
    assert found.failure.diagnosis.known
    assert found.failure.report is not None
    assert found.failure.report.verdict is Verdict.REFUTED
    assert len(found.steps) == 6  # both go on, to show what the mistake does
    assert found.words.startswith("wrong from step 1 on, in h1 = Tanh")
    assert found.steps[-1].parting > 1e-3


def test_a_backward_pass_wrong_for_large_values_is_refuted_where_they_come() -> None:
    net, params, batches, loss = on_digits("float64", 12)
    reach, p = [], params
    for x, t in batches:
        reach.append(float(np.abs(net.forward(p, x)[0]).max()))
        p = sgd(p, loss_and_gradients(net, p, x, t, loss)[1], 0.5)
    limit = max(reach[:6])  # passed later, not in the first six steps
    expected = 1 + next(k for k, value in enumerate(reach) if value > limit)

    class Late(SoftmaxCrossEntropy):
        def forward(self, y: Any, target: Any) -> Any:
            E, cache = super().forward(y, target)
            return E, (y, cache)

        def backward(self, cache: Any, dE: Any) -> Any:
            return np.where(np.abs(cache[0]) > limit, 0.0, 1.0) * super().backward(cache[1], dE)

    found = compare_training(net, params, batches, Late(), 0.5, seed=0)
    assert expected > 6
    assert place(found) == (expected, "E = Late")


@pytest.mark.parametrize("at", [1, 4])
def test_a_wrong_value_at_the_kink_is_refuted_when_a_kink_comes(at: int) -> None:
    class OneAtZero(ReLU):
        def forward(self, params: Any, z: Any) -> Any:
            return super().forward(params, z)[0], (z,)

        def backward(self, params: Any, cache: Any, dy: Any) -> Any:
            return dy * (cache[0] >= 0), {}  # torch: ReLU'(0) = 0

    net, params, batches, loss = small(OneAtZero(), bias=False)
    batches[at - 1][0][2] = 0.0  # without biases z is zero as well
    found = compare_training(net, params, batches, loss, 0.05, seed=0)
    assert place(found) == (at, "h1 = OneAtZero")


def test_a_wrong_forward_pass() -> None:
    def forward(self: Any, params: Any, x: Any) -> Any:
        y, cache = Tanh.forward(self, params, x)
        return y * (1 + 1e-12), cache

    kind = type("Tanh", (Tanh,), {"forward": forward})
    found = compare_training(*small(kind()), 0.05, seed=0)
    assert place(found) == (1, "h1 = Tanh")


def test_weights_updated_during_the_pass() -> None:
    """Every stage is right by itself; what is handed on is not."""

    class Early(Network):
        def backward_trace(self, params: Any, trace: Any, dy: Any, *, need_dx: bool = True) -> Any:
            right = super().backward_trace(params, trace, dy)
            dx = right[-1].dy @ (params[-1]["W"] - 0.1 * right[-1].dparams["dW"])
            return (*super().backward_trace(params, trace, dy)[:-1], right[-1]._replace(dx=dx))

    net, params, batches, loss = small(Tanh())
    found = compare_training(Early(net.layers), params, batches, loss, 0.05, seed=0)
    assert place(found) == (1, "the pass")
    assert "downstream gradient" in found.words


def spoils_upstream(self: Any, params: Any, cache: Any, dy: Any) -> Any:
    dx, dparams = Tanh.backward(self, params, cache, dy)
    dy *= 2
    return dx, dparams


def hands_upstream_on(self: Any, params: Any, cache: Any, dy: Any) -> Any:
    if type(dy) is not np.ndarray:
        return Tanh.backward(self, params, cache, dy)
    dy[cache.h < 0] = 0  # as if it were a ReLU, in place: the second time it changes nothing
    return dy, {}


@pytest.mark.parametrize("backward", [spoils_upstream, hands_upstream_on])
def test_what_overwrites_its_upstream_is_blamed_and_no_formula(broken: Callable[..., Any], backward: Any) -> None:
    found = compare_training(*small(broken(Tanh(), backward)), 0.05, seed=0)
    assert place(found) == (1, "h1 = Tanh")
    assert found.failure is not None
    assert found.failure.diagnosis is None
    assert found.failure.words.startswith("nothing passed in is changed")


def test_what_overwrites_its_parameters_is_blamed_and_gets_copies(broken: Callable[..., Any]) -> None:
    def backward(self: Any, params: Any, cache: Any, dy: Any) -> Any:
        found = Linear.backward(self, params, cache, dy)
        params["W"] *= 2
        cache.x[:] = 0
        return found

    net, params, batches, loss = small(Tanh())
    kept = params[0]["W"].copy(), batches[0][0].copy()
    wrong = Network((broken(net.layers[0], backward), *net.layers[1:]))
    assert place(compare_training(wrong, params, batches, loss, 0.05, seed=0)) == (1, "z1 = Linear 3-3")
    assert (params[0]["W"] == kept[0]).all()
    assert (batches[0][0] == kept[1]).all()


def test_a_gradient_of_another_shape(broken: Callable[..., Any]) -> None:
    def backward(self: Any, params: Any, cache: Any, dy: Any) -> Any:
        dx, dparams = Linear.backward(self, params, cache, dy)
        return dx, dparams | {"dW": dparams["dW"].T}

    net, params, batches, loss = small(Tanh())
    last = Network((Linear(3, 4), Tanh(), broken(Linear(4, 2), backward)))
    found = compare_training(last, last.init(0), batches, loss, 0.05, seed=0)
    assert place(found) == (1, "z2 = Linear 4-2")
    assert found.steps == ()
    assert found.stopped
    assert found.verdict is Verdict.REFUTED
    assert str(found)
    first = Network((broken(net.layers[0], backward), *net.layers[1:]))
    square = compare_training(first, params, batches, loss, 0.05, seed=0)  # (3, 3): only the values tell
    assert place(square) == (1, "z1 = Linear 3-3")


def climbing(params: Any, dparams: Any, lr: float) -> Any:
    return sgd(params, dparams, -lr)


def half(params: Any, dparams: Any, lr: float) -> Any:
    return sgd(params, dparams, lr / 2)


def almost(params: Any, dparams: Any, lr: float) -> Any:
    return sgd(params, dparams, lr * (1 + 1e-9))


def only_weights(params: Any, dparams: Any, lr: float) -> Any:
    return tuple({**new, **{k: p for k, p in old.items() if k == "b"}}
                 for old, new in zip(params, sgd(params, dparams, lr), strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (climbing, "climbs the loss"),
        (half, "at learning rate 0.025, lr is 0.05"),
        (almost, "rounding bound"),
        (only_weights, "b1 is not updated; b2 is not updated"),
    ],
)
def test_a_wrong_update(update: Any, words: str) -> None:
    found = compare_training(*small(Tanh()), 0.05, update=update, seed=0)
    assert place(found) == (1, "the update")
    assert words in found.failure.words, found.failure.words
    assert found.failure.words.startswith(found.failure.tensor + "[")
    assert found.failure.tensor in (
        "b1",
        "b2",
        "W1",
        "W2",
    )


def test_an_update_that_goes_wrong_later() -> None:
    calls: list[int] = []

    def update(params: Any, dparams: Any, lr: float) -> Any:
        calls.append(1)
        return sgd(params, dparams, lr * 0.9 if len(calls) >= 4 else lr)

    found = compare_training(*small(Tanh()), 0.05, update=update, seed=0)
    assert place(found) == (4, "the update")


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (lambda p, d, lr: sgd(p, d, np.float64(lr)), "becomes float64"),
        (lambda p, d, lr: [{k: a.ravel() for k, a in layer.items()} for layer in p], "of shape (9,), was"),
        (lambda p, d, lr: [{"W": layer["W"]} if layer else {} for layer in p], "b1 is not there"),
        (lambda p, d, lr: None, "gives NoneType"),
    ],
)
def test_an_update_that_gives_something_else(update: Any, words: str) -> None:
    net, params, batches, loss = small(Tanh())
    params = [{k: a.astype("float32") for k, a in layer.items()} for layer in params]
    batches = [(x.astype("float32"), t.astype("float32")) for x, t in batches]
    found = compare_training(net, params, batches, loss, 0.05, update=update, seed=0)
    assert found.failure is not None
    assert found.failure.step == 1
    assert words in found.failure.words
    assert found.stopped
    assert found.verdict is Verdict.REFUTED
    assert words in str(found)


def test_a_wrong_run_that_diverges_ends_there() -> None:
    net, params, batches, loss = small(Tanh(), steps=400)
    found = compare_training(net, params, batches, loss, 0.5, update=climbing, seed=0)
    assert found.verdict is Verdict.REFUTED
    assert found.failure is not None
    assert found.failure.step == 1
    assert 3 < len(found.steps) < 400
    assert f"step {len(found.steps) + 1}: " in found.stopped
    assert "not finite" in found.stopped or "is inf" in found.stopped or "is nan" in found.stopped
    assert all(np.isfinite(s.parting) for s in found.steps)


def test_an_update_in_place_is_an_update() -> None:
    def update(params: Any, dparams: Any, lr: float) -> Any:
        for layer, grads in zip(params, dparams, strict=True):
            for name in layer:
                grads[f"d{name}"] *= lr
                layer[name] -= grads[f"d{name}"]
        return params

    net, params, batches, loss = small(Tanh())
    kept = [{k: a.copy() for k, a in layer.items()} for layer in params]
    found = compare_training(net, params, batches, loss, 0.05, update=update, seed=0)
    assert found.verdict is Verdict.CERTIFIED, found.words
    assert all((a[k] == b[k]).all() for a, b in zip(kept, params, strict=True) for k in a)


# What is neither.


def test_errors_that_all_lean_one_way_are_not_settled() -> None:
    """Each gradient stays within what rounding could do, but rounding does not always push the same way."""

    class Leaning(Linear):
        def backward(self, params: Any, cache: Any, dy: Any) -> Any:
            dx, dparams = super().backward(params, cache, dy)
            if type(dy) is np.ndarray:
                dparams["dW"] = dparams["dW"] + 0.9 * len(dy) * 2.0**-53 * (np.abs(dy).T @ np.abs(cache.x))
            return dx, dparams

    rng = np.random.default_rng(0)
    net, x = Network((Leaning(40, 5),)), rng.normal(size=(2000, 40))
    batches = [(x, rng.normal(size=(2000, 5)))] * 30
    found = compare_training(net, net.init(1), batches, LOSS, 1e-4, seed=0)
    assert (found.failure, found.open) == (None, ""), found.words
    assert found.verdict is Verdict.UNRESOLVED
    assert found.parted is not None
    assert "every step is inside its own bounds, but their errors add up" in found.words
    told = json.loads(found.to_json())
    assert told["parted"] == found.parted.step
    unjudged = dataclasses.replace(found, open="step 1, z1 = Linear 3-4: dx: no finite bound")
    assert "inside its own bounds" not in unjudged.words
    assert "because of what could not be judged" in unjudged.words


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, Verdict.CERTIFIED), (1.001, Verdict.REFUTED)])
def test_what_balls_cannot_enter_is_judged_by_noise(
    broken: Callable[..., Any], factor: float, verdict: Verdict
) -> None:
    def backward(self: Any, params: Any, cache: Any, dy: Any) -> Any:
        dx = np.empty(np.shape(dy))
        dx[:] = factor * dy * (1 - cache.h**2)
        return dx, {}

    found = compare_training(*small(broken(Tanh(), backward)), 0.05, seed=0)
    assert found.verdict is verdict, found.words
    assert (found.failure is None) == (verdict is Verdict.CERTIFIED)
    assert found.failure is None or found.failure.where == "h1 = Tanh"


def test_a_planted_error_that_is_not_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handgrad.judge.planted_error.compare", lambda name, s, S, bound: compare(name, S, S, bound))
    found = compare_training(*small(Tanh()), 0.05, seed=0)
    assert found.verdict is Verdict.UNRESOLVED
    assert "was not caught" in found.words


# The conditioning.


def test_the_largest_curvature_is_the_largest_eigenvalue() -> None:
    rng, net = np.random.default_rng(2), mlp([4, 3, 2], "sigmoid")
    params, x, t = net.init(rng), rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    module = twin(net).double()
    names = dict(module.named_parameters())

    def E(flat: torch.Tensor) -> torch.Tensor:
        pieces = flat.split([p.numel() for p in names.values()])
        state = {k: piece.reshape(p.shape) for (k, p), piece in zip(names.items(), pieces, strict=True)}
        y = torch.func.functional_call(module, state, (torch.from_numpy(x),))
        return ((y - torch.from_numpy(t)) ** 2).sum() / 2

    flat = torch.cat([p.reshape(-1) for p in to_torch(net, params).values()])
    H = torch.autograd.functional.hessian(E, flat).numpy()
    guess = rng.normal(size=flat.numel())
    for _ in range(4):  # each from the last one's vector
        value, guess = curvature.largest_curvature(net, LOSS, params, x, t, guess, rng)
    assert value == pytest.approx(np.linalg.eigvalsh(H)[-1], rel=1e-6)
    assert H @ guess == pytest.approx(value * guess, abs=1e-2 * value)


def test_the_nudge_is_one_unit_in_the_last_place_of_every_entry() -> None:
    rng = np.random.default_rng(0)
    params = ({"W": rng.normal(size=(50, 40)).astype("float32"), "b": np.zeros(40, "float32")}, {})
    W, b = (nudge(params, rng)[0][k] for k in ("W", "b"))
    up, down = (np.nextafter(params[0]["W"], np.float32(side)) for side in (np.inf, -np.inf))
    assert ((up == W) | (down == W)).mean() > 0.99  # just below a power of two the unit is half as large
    assert 0.4 < (params[0]["W"] < W).mean() < 0.6
    assert W.dtype == np.float32
    assert np.unique(np.abs(b)).tolist() == [float(np.spacing(np.abs(params[0]["W"]).max()))]


# Form.


def test_the_same_seed_gives_the_same() -> None:
    one, two = (compare_training(*small(Tanh()), 0.05, seed=8) for _ in range(2))
    assert one.to_json() == two.to_json()
    assert compare_training(*small(Tanh()), 0.05).seed != compare_training(*small(Tanh()), 0.05).seed


def test_nothing_passed_in_is_changed() -> None:
    net, params, batches, loss = on_digits("float32", 3)
    kept = [[a.copy() for layer in params for a in layer.values()], [a.copy() for pair in batches for a in pair]]
    compare_training(net, params, batches, loss, 0.1, seed=0)
    now = [[a for layer in params for a in layer.values()], [a for pair in batches for a in pair]]
    assert all((a == b).all() for one, other in zip(kept, now, strict=True) for a, b in zip(one, other, strict=True))


def test_text_and_json(chaos: Trajectory, broken: Callable[..., Any]) -> None:
    text, told = str(chaos), json.loads(chaos.to_json())
    assert text.startswith("CERTIFIED")
    assert told["verdict"] == "CERTIFIED"
    assert len(told["steps"]) == 1000
    assert told["words"] == chaos.words
    assert told["steps"][0]["step"] == 1
    assert told["steps"][1]["curvature"] == "nan"
    assert told["parted"] is None
    assert " bound " in text
    rows = [line for line in text.splitlines() if line.split()[0].isdigit()]
    assert 8 <= len(rows) <= 12
    assert rows[-1].split()[0] == "1000"
    wrong = broken(Tanh(), lambda self, params, cache, dy: (-Tanh.backward(self, params, cache, dy)[0], {}))
    refuted = compare_training(*small(wrong), 0.05, seed=0)
    told = json.loads(refuted.to_json())
    assert told["failure"]["where"] == "h1 = Tanh"
    assert told["failure"]["report"]["verdict"] == "REFUTED"
    assert "step 1, h1 = Tanh: dz1" in str(refuted)
    assert refuted.failure is not None
    assert refuted.failure.diagnosis is not None
    assert refuted.failure.diagnosis.name in str(refuted)


# Bad input.


@pytest.mark.parametrize("lr", [0.0, -0.1, float("nan"), float("inf"), "fast"])
def test_a_rate_that_is_no_positive_number(lr: Any) -> None:
    with pytest.raises(ValueError, match="lr is"):
        compare_training(*small(Tanh()), lr)


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], "batches: got list of length 0"),
        (None, "batches: got NoneType"),
        ([np.zeros((2, 3))], r"batches\[0\]: got ndarray of length 2, expected a pair"),
        ([(np.zeros((2, 3)), np.zeros((2, 2))), (np.zeros((2, 4)), np.zeros((2, 2)))], r"batches\[1\]: x: shape is"),
        ([(np.zeros((2, 3)), np.zeros((2, 1)))], r"batches\[0\]: target: shape is"),
        ([(np.full((2, 3), np.nan), np.zeros((2, 2)))], r"batches\[0\]: x: 6 of its 6 values are nan"),
    ],
)
def test_batches_that_do_not_fit(batches: Any, words: str) -> None:
    net, params, _, loss = small(Tanh())
    with pytest.raises(ValueError, match=words):
        compare_training(net, params, batches, loss, 0.1)


def test_what_cannot_be_trained() -> None:
    x = np.ones((2, 3))
    with pytest.raises(ValueError, match="no parameters"):
        compare_training(Network((Tanh(),)), ({},), [(x, x)], LOSS, 0.1)
    half_precision = ({"W": torch.zeros((2, 3)).bfloat16(), "b": torch.zeros(2).bfloat16()},)
    batch = (torch.ones((2, 3)).bfloat16(), torch.ones((2, 2)).bfloat16())
    with pytest.raises(TypeError, match="bfloat16, expected float32 or float64"):
        compare_training(mlp([3, 2]), half_precision, [batch], LOSS, 0.1)


def test_a_run_that_diverges_names_its_step() -> None:
    rng = np.random.default_rng(0)
    batches = [(100 * rng.normal(size=(4, 3)), rng.normal(size=(4, 2)))] * 200
    with pytest.raises(ValueError, match=r"step \d+: .*; lr is 10, try a smaller one"):
        compare_training(mlp([3, 2]), mlp([3, 2]).init(0), batches, LOSS, 10.0, seed=0)


def test_an_update_that_raises_says_so_itself() -> None:
    def update(params: Any, dparams: Any, lr: float) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        compare_training(*small(Tanh()), 0.1, update=update)


def test_the_text_fits_80_columns_and_more_is_every_step() -> None:
    found = compare_training(*on_digits("float64", 30), 0.2, seed=2)
    assert max(map(len, str(found).splitlines())) <= 80
    assert "Every gradient and every update of 30 steps is right to rounding." in str(found)
    shown = [re.findall(r"^ +(\d+)  +\d", render(found.renderable(verbose=v), color=False, width=80), re.MULTILINE)
             for v in (False, True)]  # fmt: skip
    assert len(shown[0]) <= 12
    assert shown[1] == [str(k) for k in range(1, 31)]
