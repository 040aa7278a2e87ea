"""The judge of an update: gradient descent certified in every precision, each mistaken step refuted by its name."""

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_update
from manual import (
    BatchNorm1d,
    Dropout,
    HalfSquaredError,
    Linear,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
    Tanh,
    gradients,
    mlp,
    sgd,
)
from torch_ref import from_torch, to_torch, twin

NET, LOSS = mlp([4, 5, 3, 2], "tanh"), HalfSquaredError("batch mean")


@pytest.fixture
def point(batch):
    return batch(NET, seed=3)


def judge(point, updated, net=NET, loss=LOSS, **kwargs):
    params, x, t = point
    return verify_update(net, params, x, t, loss, updated, **kwargs)


def descent(point, lr, net=NET, loss=LOSS):
    params, x, t = point
    return sgd(params, gradients(net, params, x, t, loss).dparams, lr)


def change(updated, layer, **new):
    """The same parameters with some of one layer's replaced."""
    return tuple({**p, **new} if i == layer else p for i, p in enumerate(updated))


@pytest.mark.parametrize("lr", [1e-3, 0.1, 0.5, 7.0])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("hidden", ["tanh", "relu", "sigmoid", "softplus"])
def test_gradient_descent_is_certified(hidden, dtype, lr, batch):
    net = mlp([4, 6, 5, 3], hidden)
    for seed in range(4):
        point = batch(net, dtype=dtype, seed=seed)
        for loss in (HalfSquaredError(), SoftmaxCrossEntropy()):
            report = judge(point, descent(point, np.asarray(lr, dtype), net, loss), net, loss)
            assert report.verdict is Verdict.CERTIFIED, report
            assert report.rate == pytest.approx(lr, rel=1e-3 if dtype == "float32" else 1e-10)
            assert report.rise < 0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_what_torch_does_is_certified(dtype):
    net = mlp([4, 8, 3], "tanh")
    rng = torch.Generator().manual_seed(1)
    x, t = (torch.randn(6, n, generator=rng, dtype=torch.float64).to(dtype) for n in (4, 3))
    module = twin(net).to(dtype)
    before = from_torch(net, module.state_dict(), xp=torch)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.25)
    twin(HalfSquaredError())(module(x), t).backward()
    optimizer.step()
    updated = from_torch(net, module.state_dict(), xp=torch)
    report = verify_update(net, before, x, t, HalfSquaredError(), updated)
    assert report.verdict is Verdict.CERTIFIED, report
    assert report.rate == pytest.approx(0.25, rel=0.02 if dtype is torch.bfloat16 else 1e-3)


def test_states_are_part_of_the_step():
    net = Network((Linear(4, 6), BatchNorm1d(6), Tanh(), Dropout(0.5), Linear(6, 2)))
    rng = np.random.default_rng(0)
    params, x, t = net.init(rng), rng.normal(size=(8, 4)), rng.normal(size=(8, 2))
    states = (None, None, None, Dropout(0.5).draw(rng, np.empty((8, 6))), None)
    updated = sgd(params, gradients(net, params, x, t, LOSS, states=states).dparams, 0.1)
    assert verify_update(net, params, x, t, LOSS, updated, states=states).verdict is Verdict.CERTIFIED
    other = tuple(1 - s if s is not None else None for s in states)
    assert verify_update(net, params, x, t, LOSS, updated, states=other).verdict is not Verdict.CERTIFIED


def test_losses_and_rise_are_those_of_autograd(point):
    params, x, t = point
    updated = descent(point, 1e-6)
    report = judge(point, updated)
    losses = []
    for p in (params, updated):
        module = twin(NET).double()
        module.load_state_dict(to_torch(NET, p))
        losses.append(0.5 * ((module(torch.tensor(x)) - torch.tensor(t)) ** 2).sum().item() / len(x))
    assert (report.before, report.after) == pytest.approx(losses, rel=1e-13)
    assert report.after - report.before == pytest.approx(report.rise, rel=1e-4)


def test_a_climbing_step(point):
    report = judge(point, descent(point, -0.3))
    assert report.verdict is Verdict.REFUTED
    assert report.words == "the update climbs the loss: W + lr dW stands where W - lr dW belongs"
    assert report.rate == -0.3
    assert report.after > report.before
    assert report.rise > 0
    assert "rises by" in str(report)
    assert "\n" not in str(report)


def test_one_tensor_climbs(point):
    updated, up = descent(point, 0.3), descent(point, -0.3)
    report = judge(point, change(updated, 2, W=up[2]["W"]))
    assert report.verdict is Verdict.REFUTED
    assert report.words.endswith("W2 + lr dW2 stands where W2 - lr dW2 belongs")


def test_parameters_that_stand_still(point):
    params = point[0]
    still = tuple({**new, "b": old["b"]} if "b" in old else new for old, new in zip(params, descent(point, 0.3)))  # noqa: B905
    report = judge(point, still)
    assert report.verdict is Verdict.REFUTED
    assert report.words == "b1 is not updated; b2 is not updated; b3 is not updated"
    assert [t.name for t in report.tensors if not t.moved] == ["b1", "b2", "b3"]
    report = judge(point, params)
    assert (report.verdict, report.words) == (Verdict.REFUTED, "no parameter is updated")


def test_the_rate_applied_to_what_is_passed_back(point):
    params, x, t = point
    for lr in (0.1, 0.3, 3.0):
        d = gradients(NET, params, x, t, LOSS).dparams
        scaled = [{k: v * lr ** (2 - i // 2) for k, v in layer.items()} for i, layer in enumerate(d)]
        report = judge(point, sgd(params, scaled, lr))
        assert report.verdict is Verdict.REFUTED
        assert report.words.startswith("the learning rate is applied more than once")
        assert f"rates {lr:g}, {lr**2:g}, {lr**3:g} " in report.words


def test_weights_updated_before_the_gradient_was_passed_back(point):
    params, x, t = point
    y, trace = NET.forward(params, x)
    dy, updated = LOSS.backward(LOSS.forward(y, t)[1], 1.0), []
    for layer, p, stage in reversed(list(zip(NET.layers, params, trace, strict=True))):
        _, d = layer.backward(p, stage.cache, dy)
        updated.append({k: p[k] - 0.2 * d[f"d{k}"] for k in p})
        dy, _ = layer.backward(updated[-1], stage.cache, dy)
    report = judge(point, tuple(reversed(updated)))
    assert report.verdict is Verdict.REFUTED
    expected = "the weights were updated before the gradient was passed back through them, at rate 0.2"
    assert report.words == expected


def test_another_optimizer_is_not_called_wrong(point):
    params, x, t = point
    d = gradients(NET, params, x, t, LOSS).dparams
    sign = [{k: np.sign(v) for k, v in layer.items()} for layer in d]
    report = judge(point, sgd(params, sign, 0.01))
    assert report.verdict is Verdict.UNRESOLVED
    assert "another optimizer" in report.words
    each = [{k: v * (1 + i) for k, v in layer.items()} for i, layer in enumerate(d)]
    report = judge(point, sgd(params, each, 0.1))
    assert report.verdict is Verdict.UNRESOLVED
    assert "a rate of its own: W1 0.1, b1 0.1, W2 0.3" in report.words
    report = judge(point, sgd(params, sign, -0.01))
    assert (report.verdict, report.rise > 0) == (Verdict.REFUTED, True)


@pytest.mark.parametrize("error", [1e-9, 1e-3])
def test_one_entry_off_is_seen(point, error):
    updated = descent(point, 0.1)
    W = updated[2]["W"].copy()
    W[1, 2] += error * (W - point[0][2]["W"])[1, 2]
    assert judge(point, updated).verdict is Verdict.CERTIFIED
    assert judge(point, change(updated, 2, W=W)).verdict is not Verdict.CERTIFIED


def test_a_dead_unit_may_stand_still_but_not_move():
    net = Network((Linear(2, 2), ReLU(), Linear(2, 1)))
    params = net.init(0)
    params[0]["b"][0] = -100.0  # unit 0 is never active: its gradients are zero
    x, t = np.random.default_rng(0).normal(size=(5, 2)), np.ones((5, 1))
    updated = sgd(params, gradients(net, params, x, t, LOSS).dparams, 0.1)
    assert verify_update(net, params, x, t, LOSS, updated).verdict is Verdict.CERTIFIED
    moved = change(updated, 0, b=updated[0]["b"] - [1e-6, 0])
    assert verify_update(net, params, x, t, LOSS, moved).verdict is Verdict.UNRESOLVED


def test_what_cannot_be_said(batch):
    net = mlp([2, 1])
    params, x, _ = batch(net)
    t, _ = net.forward(params, x)
    report = verify_update(net, params, x, t, LOSS, params)
    assert (report.verdict, report.words) == (
        Verdict.UNRESOLVED,
        "the gradient is zero within rounding and nothing moved: every rate fits",
    )


def test_a_step_below_the_rounding_of_the_parameters():
    """In float32 a step of 1e-8 is seen next to b = 0 and lost next to W; where nothing moves, that is said."""
    net, x, t = mlp([2, 1]), np.full((3, 2), 0.5, np.float32), np.ones((3, 1), np.float32)
    for b, words in ((0, "gradient descent"), (0.9, "no parameter is updated")):
        params = ({"W": np.full((1, 2), 0.05, np.float32), "b": np.full(1, b, np.float32)},)
        d = gradients(net, params, x, t, LOSS).dparams
        assert verify_update(net, params, x, t, LOSS, sgd(params, d, np.float32(2e-8))).words == words


def test_a_gradient_below_rounding():
    """In float32 y = t, in float64 not quite: what follows such a difference follows nothing."""
    third = np.float32(1 / 3)
    params, x = ({"W": np.full((1, 1), third), "b": np.zeros(1, np.float32)},), np.full((1, 1), third)
    updated = change(params, 0, b=np.full(1, 1e-10, np.float32))
    report = verify_update(mlp([1, 1]), params, x, third * x, LOSS, updated)
    assert (report.verdict, report.words) == (
        Verdict.UNRESOLVED,
        "the step is no larger than its rounding bound",
    )


def test_a_step_where_the_gradient_is_zero():
    net, x = mlp([2, 1]), np.zeros((1, 2))
    params = net.init(0)
    moved = change(params, 0, W=0.9 * params[0]["W"])  # weight decay
    assert verify_update(net, params, x, np.zeros((1, 1)), LOSS, moved).verdict is Verdict.UNRESOLVED


def test_values_that_are_not_finite(point):
    report = judge(point, change(descent(point, 0.1), 2, b=np.full(3, np.nan)))
    assert (report.verdict, report.words) == (Verdict.REFUTED, "the update gives values that are not finite")


def test_errors_name_the_argument(point):
    params = point[0]
    with pytest.raises(ValueError, match=r"updated: got tuple of length 2, expected a sequence of 5"):
        judge(point, params[:2])
    with pytest.raises(ValueError, match=r"updated\[2\]: shapes are .*expected .*'W': \(3, 5\)"):
        judge(point, change(params, 2, W=params[2]["W"].T))
    with pytest.raises(TypeError, match="network: got"):
        verify_update("net", *point, LOSS, params)
