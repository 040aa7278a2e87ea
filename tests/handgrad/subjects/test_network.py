"""The judge on whole networks: right ones certified in every precision, wrong ones refuted at their stage alone."""

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify
from handgrad.subjects.network.network_run import Point
from manual import (
    ACTIVATIONS,
    BatchNorm1d,
    BinaryCrossEntropy,
    Dropout,
    HalfSquaredError,
    LayerNorm,
    Linear,
    MeanSquaredError,
    Network,
    NotDifferentiableError,
    Running,
    Softmax,
    SoftmaxCrossEntropy,
    SquaredError,
    Tanh,
    mlp,
)
from manual.layers.activations import DIFFERENTIABLE

LOSSES = [
    SoftmaxCrossEntropy(),
    SoftmaxCrossEntropy("sum", label_smoothing=0.1),
    SoftmaxCrossEntropy("mean", class_weights=(0.3, 1.0, 2.0)),
    SoftmaxCrossEntropy("batch mean"),
    BinaryCrossEntropy(),
    HalfSquaredError(),
    SquaredError("batch mean"),
    MeanSquaredError(),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_right_networks_are_certified(name, dtype, batch):
    """Every activation under every loss in one of the two precisions, by turns."""
    net = mlp([4, 5, 3], name)
    params, x, t = batch(net, dtype=dtype)
    for loss in LOSSES[(DIFFERENTIABLE.index(name) + (dtype == "float32")) % 2 :: 2]:
        report = verify(net, params, x, t, loss)
        assert report.verdict is Verdict.CERTIFIED, report.text()
        assert all(row.chained and all(c.agrees for c in row.chained) for row in report.stages)
        assert report.directions is not None
        assert report.control is not None


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint64"])
def test_class_labels_of_every_integer_type(dtype, batch):
    net = mlp([4, 5, 3])
    params, x, _ = batch(net)
    labels = np.arange(len(x), dtype=dtype) % 3
    assert verify(net, params, x, labels, SoftmaxCrossEntropy()).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 2, 4), (3, 3, 3, 3), (5, 2, 3, 4), (2, 5, 1, 2)])
def test_every_shape(shape, batch):
    N, *sizes = shape
    net = mlp(sizes, "sigmoid")
    params, x, t = batch(net, N)
    assert verify(net, params, x, t, SquaredError()).verdict is Verdict.CERTIFIED


def test_every_layer_together(batch):
    first = (Linear(4, 6, mask=np.tri(6, 4)), BatchNorm1d(6), Tanh(), Dropout(0.3))
    net = Network((*first, Linear(6, 3, bias=False), LayerNorm(3), Softmax()))
    params, x, t = batch(net)
    mask = Dropout(0.3).draw(np.random.default_rng(1), np.empty((7, 6)))
    training = (None, None, None, mask, None, None, None)
    running = (None, Running(np.linspace(-1, 1, 6), np.linspace(0.1, 2, 6)), None, None, None, None, None)
    for states in (training, running):
        report = verify(net, params, x, t, HalfSquaredError(), states=states)
        assert report.verdict is Verdict.CERTIFIED, report.text()


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "float16"])
def test_torch_tensors_in_every_precision(dtype, batch):
    net = mlp([4, 5, 3], "tanh")
    params, x, t = batch(net)
    kind = getattr(torch, dtype)
    params = net.init(0, dtype=dtype, xp=torch)
    report = verify(net, params, torch.tensor(x).to(kind), torch.tensor(t).to(kind), SoftmaxCrossEntropy())
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert (report.dtype, report.library) == (dtype, "torch")


def test_the_floor_follows_the_precision_and_slack(batch):
    net = mlp([4, 5, 3], "tanh")
    params, x, t = batch(net)
    low_params, low_x, low_t = batch(net, dtype="float32")

    def floor(report):
        return max(tensor.floor_median for row in report.stages for tensor in row.isolated.tensors)

    exact = verify(net, params, x, t, MeanSquaredError(), seed=1)
    assert floor(exact) < 1e-13
    assert 1e-7 < floor(verify(net, low_params, low_x, low_t, MeanSquaredError(), seed=1)) < 1e-4
    assert floor(verify(net, params, x, t, MeanSquaredError(), seed=1, slack=1e6)) > 1e4 * floor(exact)


TANH, LINEAR = 3, 4  # the second tanh, and the linear layer after it, of 3-6-5-4-2
WRONG = {
    "the square is missing": (TANH, lambda self, p, c, dh: (dh * (1 - c.h), {})),
    "f' is missing": (TANH, lambda self, p, c, dh: (dh + 0, {})),
    "dx from dW": (LINEAR, lambda self, p, c, dz: (dz @ (dz.T @ c.x), {"dW": dz.T @ c.x, "db": dz.sum(0)})),
    "db is a mean": (LINEAR, lambda self, p, c, dz: (dz @ p["W"], {"dW": dz.T @ c.x, "db": dz.mean(0)})),
    "dW is zero": (LINEAR, lambda self, p, c, dz: (dz @ p["W"], {"dW": 0 * p["W"], "db": dz.sum(0)})),
    "dx raises": (LINEAR, lambda self, p, c, dz: (dz @ p["W"].T, {"dW": dz.T @ c.x, "db": dz.sum(0)})),
    "dW has another shape": (LINEAR, lambda self, p, c, dz: (dz @ p["W"], {"dW": c.x.T @ dz, "db": dz.sum(0)})),
    "dx is nan": (LINEAR, lambda self, p, c, dz: (np.nan * c.x, {"dW": dz.T @ c.x, "db": dz.sum(0)})),
    "db is absent": (LINEAR, lambda self, p, c, dz: (dz @ p["W"], {"dW": dz.T @ c.x})),
    "one entry off by 1e-12": (
        LINEAR,
        lambda self, p, c, dz: (dz @ p["W"], {"dW": dz.T @ c.x * (1 + 1e-12 * np.eye(4, 5)), "db": dz.sum(0)}),
    ),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_stage_is_the_only_one_refuted(mistake, broken, batch):
    at, backward = WRONG[mistake]
    layers = list(mlp([3, 6, 5, 4, 2], "tanh").layers)
    layers[at] = broken(layers[at], backward)
    net = Network(tuple(layers))
    params, x, t = batch(net)
    report = verify(net, params, x, t, HalfSquaredError(), seed=5)
    assert report.verdict is Verdict.REFUTED
    wrong = [i for i, row in enumerate(report.stages) if row.isolated.verdict is Verdict.REFUTED]
    assert wrong == [at], report.text()
    assert report.culprit is report.stages[at]
    assert "WRONG" in report.text()


def test_what_a_mistake_spreads_to_is_called_inherited(broken, batch):
    layers = list(mlp([3, 6, 5, 2], "tanh").layers)
    layers[3] = broken(Tanh(), lambda self, params, cache, dh: (2 * dh * (1 - cache.h**2), {}))
    net = Network(tuple(layers))
    params, x, t = batch(net)
    rows = verify(net, params, x, t, HalfSquaredError(), seed=5).stages
    words = [{c.name: c.status for c in row.chained} for row in rows]
    assert words[5] == {"E": "ok", "dz3": "ok"}
    assert words[3] == {"h2": "ok", "dz2": "WRONG"}
    assert set(words[0].values()) == {"ok", "inherited"}
    assert words[0]["z1"] == "ok"


def test_a_wrong_loss_gradient_is_found_at_the_loss(broken, batch):
    net = mlp([3, 4, 5], "relu")
    params, x, t = batch(net)
    loss = broken(SoftmaxCrossEntropy(), lambda self, cache, dE: cache.p / cache.D)  # no target, no upstream
    report = verify(net, params, x, t, loss)
    assert report.culprit is not None
    assert report.culprit.name.startswith("E = SoftmaxCrossEntropy")


def test_a_forward_pass_of_another_function_is_found(broken, batch):
    net = mlp([3, 4, 5], "gelu")
    wrong = type("GELU", (type(net.layers[1]),), {"forward": ACTIVATIONS["gelu_tanh"].forward})()
    params, x, t = batch(net)
    report = verify(Network((net.layers[0], wrong, net.layers[2])), params, x, t, MeanSquaredError())
    assert report.verdict is Verdict.REFUTED


def test_wrong_wiring_is_found(batch):
    class Copying(Network):
        def forward(self, params, x, states=None):
            y, trace = super().forward(params, x, states)
            return y, (trace[0], trace[1]._replace(x=trace[1].x.copy()), *trace[2:])

    net = Copying(mlp([3, 4, 2]).layers)
    params, x, t = batch(net)
    report = verify(net, params, x, t, MeanSquaredError())
    assert report.verdict is Verdict.REFUTED
    assert report.wiring == ("the input of stage 1 is not the output of stage 0",)


def test_kinks_follow_the_stated_convention(broken, batch):
    net = Network((ACTIVATIONS["relu"], Linear(3, 2)))
    rng = np.random.default_rng(0)
    params = net.init(rng)
    x = np.array([[0.0, -1.0, 2.0], [1.0, 0.0, 0.0]])
    assert verify(net, params, x, np.ones((2, 2)), SquaredError()).verdict is Verdict.CERTIFIED
    other = broken(ACTIVATIONS["relu"], lambda self, p, c, dh: (np.where(c.h >= 0, dh, 0) * (x >= 0), {}))
    report = verify(Network((other, net.layers[1])), params, x, np.ones((2, 2)), SquaredError())
    assert report.stages[0].isolated.worst.outside == 3


def test_the_same_seed_gives_the_same_report(batch):
    net = mlp([3, 4, 2])
    params, x, t = batch(net)
    first, again = (verify(net, params, x, t, MeanSquaredError(), seed=9).to_json() for _ in range(2))
    assert first == again
    assert verify(net, params, x, t, MeanSquaredError()).seed != verify(net, params, x, t, MeanSquaredError()).seed


def test_nothing_passed_in_is_changed(batch):
    net = mlp([3, 4, 2])
    params, x, t = batch(net)
    before = [a.tobytes() for layer in params for a in layer.values()] + [x.tobytes(), t.tobytes()]
    verify(net, params, x, t, MeanSquaredError())
    assert before == [a.tobytes() for layer in params for a in layer.values()] + [x.tobytes(), t.tobytes()]


def test_bad_input(batch):
    net = mlp([3, 4, 2])
    params, x, t = batch(net)
    with pytest.raises(ValueError, match=r"slack is 0.5, expected a finite number, 1"):
        verify(net, params, x, t, MeanSquaredError(), slack=0.5)
    with pytest.raises(ValueError, match=r"x: shape is \(7, 2\)"):
        verify(net, params, x[:, :2], t, MeanSquaredError())
    with pytest.raises(NotDifferentiableError):
        verify(mlp([3, 4, 2], "step"), params, x, t, MeanSquaredError())


def test_contracts_are_part_of_the_verdict(broken, batch):
    def in_place(self, params, cache, dh):
        dh *= 1 - cache.h**2
        return dh, {}

    net = mlp([3, 4, 2])
    params, x, t = batch(net)
    right = verify(net, params, x, t, MeanSquaredError())
    kept = [c for stage in right.contracts for c in stage.contracts if c.held is not None]
    assert len(kept) > 30
    assert all(c.held for c in kept)
    wrong = broken(net.layers[1], in_place)
    report = verify(Network((net.layers[0], wrong, net.layers[2])), params, x, t, MeanSquaredError())
    assert report.verdict is Verdict.REFUTED
    assert "contract broken: h1 = Tanh: nothing passed in is changed: overwritten: dy" in report.text(width=200)


def test_numpy_float16_is_refused_because_it_sums_in_float16(batch):
    net = mlp([3, 4, 2])
    params, x, t = batch(net, dtype="float16")
    with pytest.raises(TypeError, match="float16 is judged on torch tensors"):
        verify(net, params, x, t, MeanSquaredError())


def test_a_wrong_forward_pass_is_not_called_right(broken, batch):
    net = mlp([3, 4, 2])
    params, x, t = batch(net)
    wrong = type("Tanh", (Tanh,), {"forward": lambda self, p, z: (np.sin(z), type("C", (), {"h": np.sin(z)}))})()
    report = verify(Network((net.layers[0], wrong, net.layers[2])), params, x, t, MeanSquaredError())
    assert report.verdict is Verdict.REFUTED
    assert "of tanh" not in report.text()


class Number(Tanh):
    """A layer of which one result is the number 1."""

    def __init__(self, which):
        self.which = which

    def forward(self, params, x):
        y, cache = super().forward(params, x)
        return (1 if self.which == "y" else y), cache

    def backward(self, params, cache, dy):
        dx, grads = super().backward(params, cache, dy)
        return (1 if self.which == "dx" else dx), grads


@pytest.mark.parametrize(("which", "tensor"), [("y", "h1"), ("dx", "dz1")])
def test_a_number_where_an_array_belongs_is_refuted_in_words(which, tensor):
    network, rng = Network((Linear(3, 2), Number(which))), np.random.default_rng(0)
    x, target = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    report = verify(network, network.init(0), x, target, HalfSquaredError(), seed=0)
    assert report.verdict is Verdict.REFUTED
    assert f"{tensor}: got a number of type int, expected an array of shape (4, 2)" in report.text(width=10_000)


def test_a_loss_that_is_a_wrong_number_is_refuted():
    class Constant(HalfSquaredError):
        def forward(self, y, target):
            return 1, super().forward(y, target)[1]

    network, rng = Network((Linear(3, 2),)), np.random.default_rng(0)
    x, target = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
    report = verify(network, network.init(0), x, target, Constant(), seed=0)
    assert report.verdict is Verdict.REFUTED
    assert report.culprit.isolated.worst.hand == 1
    assert not report.culprit.diagnosis.known  # "only the sign is left"


def test_gradients_that_hold_themselves_are_refuted(broken, batch):
    def backward(self, params, cache, dy):
        dx, dparams = LayerNorm.backward(self, params, cache, dy)
        dparams["dbeta"] = dparams
        return dx, dparams

    net = Network((Linear(4, 3), broken(LayerNorm(3), backward)))
    params, x, t = batch(net)
    report = verify(net, params, x, t, HalfSquaredError())
    assert report.verdict is Verdict.REFUTED
    assert any("dbeta has shape ()" in complaint for complaint in report.complaints)


class Weighed(Tanh):
    """tanh with a weight for each sample, which is handed in like a mask."""

    state_per_sample = True

    def forward(self, params, z, weights):
        h = np.tanh(z)
        return weights * h, (h, weights)

    def backward(self, params, cache, dy):
        h, weights = cache
        return dy * weights * (1 - h * h), {}


def test_a_state_with_a_row_for_each_sample_is_cut_with_the_batch(batch):
    net = Network((Linear(3, 2), Weighed()))
    params, x, t = batch(net, N=20)
    weights = np.linspace(0.5, 2, 20)[:, None]
    point = Point(net, params, x, t, MeanSquaredError(), (None, weights), 1.0)
    few = point.first(16)
    assert [few.x.shape, few.target.shape, few.states[1].shape] == [(16, 3), (16, 2), (16, 1)]
