"""Every preset gives its source's numbers: published ones, or those that the source's own code gives when it runs."""

from math import sqrt, tanh
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import neural_network as theirs

import manual
import torch_ref
from handgrad.experiment.datasets.digits import digits
from manual import PRESETS, Preset, preset

D = digits()
X, LABELS = D.x[:120], D.labels[:120]
SIDES: dict[str, Any] = {"manual": manual.fit, "hand": torch_ref.fit}


def train(own: Preset, net: manual.Network, params: Any, x: Any, t: Any, epochs: int, **other: Any) -> manual.Training:
    """As the preset says, but for what is given besides."""
    given = {"loss": own.classes.loss, "optimizer": own.optimizer, "fit": manual.fit, **own.settings, **other}
    fit = given.pop("fit")
    done: manual.Training = fit(net, params, x, t, given.pop("loss"), given.pop("optimizer"), epochs=epochs, **given)
    return done


def curve(done: manual.Training) -> list[float]:
    return [record["loss"] for record in done.history]


def test_an_unknown_source_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="'keras'; known: torch, sklearn, nielsen, mazur, playground"):
        preset("keras")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_says_all_that_it_stands_for(name: str) -> None:
    own = preset(name)
    for classes in (True, False):
        titles = [line.partition(":")[0] for line in own.lines(classes=classes)]
        assert titles == ["weights", "biases", "activation", "loss", "step", "batch", "penalty", "layout"]
    assert all(len(line) < 100 for line in str(own).splitlines())
    assert f"learning rate {own.optimizer.lr:g}" in str(own)
    assert ("never changed" in str(own)) is not own.train_biases
    assert ("in a new order" in str(own)) is own.shuffle


@pytest.mark.parametrize("name", PRESETS)
def test_it_builds_what_it_says(name: str) -> None:
    own = preset(name)
    for classes, head in ((True, own.classes), (False, own.numbers)):
        net, params = own.build([5, 4, 3], 1, classes=classes, dtype="float32")
        ends = [] if head.output is None else [manual.activation(head.output)]
        assert list(net.layers[1:2]) + list(net.layers[3:]) == [manual.activation(own.hidden), *ends]
        assert params[0]["W"].dtype == np.float32
        assert [{k: v.shape for k, v in p.items()} for p in params] == list(net.param_shapes)
    net, again = own.build([5, 4, 3], 1, hidden="relu", dtype="float32")
    assert net.layers[1] == manual.ReLU()
    if name != "sklearn":  # whose weights follow from the activation
        np.testing.assert_array_equal(again[2]["W"], params[2]["W"])


# torch


def test_torch_has_the_defaults_of_torch() -> None:
    from inspect import signature

    own, loader = preset("torch"), signature(torch.utils.data.DataLoader).parameters
    assert own.batch_size == loader["batch_size"].default
    assert own.shuffle == bool(loader["shuffle"].default)
    assert own.optimizer == manual.SGD(signature(torch.optim.SGD).parameters["lr"].default)


def test_torch_draws_from_the_range_of_nn_linear() -> None:
    torch.manual_seed(0)
    for n_in in (4, 100):
        layers = [torch.nn.Linear(n_in, 1000) for _ in range(3)]
        _, (params,) = preset("torch").build([n_in, 1000], 0)
        for ours, names in ((params["W"], "weight"), (params["b"], "bias")):
            theirs = torch.stack([getattr(layer, names) for layer in layers]).detach().numpy()
            for values in (np.asarray(ours), theirs):
                assert np.abs(values).max() == pytest.approx(1 / sqrt(n_in), rel=0.01)
                assert np.abs(values).max() <= 1 / sqrt(n_in)
                assert values.std() == pytest.approx(1 / sqrt(3 * n_in), rel=0.05)


@pytest.mark.parametrize("classes", [True, False])
def test_torch_trains_as_a_loop_of_plain_torch(classes: bool) -> None:
    """From nn.Linear's own weights, by autograd: DataLoader, optim.SGD and the losses as they are by default."""
    own = preset("torch")
    module = torch.nn.Sequential(torch.nn.Linear(64, 5), torch.nn.ReLU(), torch.nn.Linear(5, 10)).double()
    net, _ = own.build([64, 5, 10], classes=classes)
    params = torch_ref.from_torch(net, module.state_dict())
    target = LABELS[:30] if classes else D.one_hot[:30]
    loss = torch.nn.CrossEntropyLoss() if classes else torch.nn.MSELoss()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(X[:30]), torch.tensor(target)))
    optimizer, losses = torch.optim.SGD(module.parameters()), []
    for _ in range(3):
        total = 0.0
        for x, t in loader:
            optimizer.zero_grad()
            E = loss(module(x), t)
            E.backward()
            optimizer.step()
            total += E.item()
        losses.append(total / 30)
    done = train(own, net, params, X[:30], target, 3, loss=own.head(classes=classes).loss)
    np.testing.assert_allclose(curve(done), losses, rtol=1e-11)


# scikit-learn


class Spy(np.random.RandomState):
    """Keeps every bound that scikit-learn draws within."""

    def __init__(self) -> None:
        super().__init__(0)
        self.bounds: list[Any] = []

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
        self.bounds.append((low, high, size))
        return super().uniform(low, high, size)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    ("theirs_hidden", "hidden"), [("relu", "relu"), ("logistic", "sigmoid"), ("logistic", manual.Sigmoid())]
)
def test_sklearn_draws_from_the_range_of_scikit_learn(theirs_hidden: str, hidden: str | manual.Layer) -> None:
    theirs_drew, ours_drew = Spy(), []

    class Ours(np.random.Generator):
        def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Any = None) -> Any:
            ours_drew.append((low, high, size))
            return super().uniform(low, high, size)

    theirs.MLPClassifier((7,), activation=theirs_hidden, max_iter=1, random_state=theirs_drew).fit(X, LABELS)
    preset("sklearn").build([64, 7, 10], Ours(np.random.PCG64(0)), hidden=hidden)
    turned = [(low, high, size[::-1] if isinstance(size, tuple) else size) for low, high, size in theirs_drew.bounds]
    assert ours_drew == turned[: len(ours_drew)]
    assert len(ours_drew) == 4


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("samples", [400, 401])
def test_sklearn_makes_as_many_steps_in_an_epoch_as_scikit_learn(samples: int) -> None:
    """Two batches of 200, or three."""
    own, x, labels = preset("sklearn"), D.x[:samples], D.labels[:samples]
    net, params = own.build([64, 2, 10])
    usual = theirs.MLPClassifier((2,), max_iter=1).fit(x, labels)
    assert train(own, net, params, x, labels, 1).step == usual._optimizer.t


def sklearn_run(model: Any, target: Any, sizes: list[int], *, classes: bool, **other: Any) -> tuple[Any, Any]:
    """scikit-learn's curve, and ours from the weights it began with: the same model, by steps of almost nothing."""
    start = type(model)(**{**model.get_params(), "learning_rate_init": 1e-300, "max_iter": 1}).fit(X, target)
    model.fit(X, target)
    own = preset("sklearn")
    net, params = own.build(sizes, classes=classes)
    weights = iter(zip(start.coefs_, start.intercepts_, strict=True))
    params = tuple({"W": W.T, "b": b} if p else {} for p in params for W, b in [next(weights) if p else (None, None)])
    t = target if classes else target.reshape(len(X), -1)
    given = {"loss": own.head(classes=classes).loss, "alpha": model.alpha, **other}
    return model.loss_curve_, curve(train(own, net, params, X, t, 12, **given))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("alpha", [1e-4, 5.0])
def test_sklearn_has_the_loss_curve_of_mlp_classifier(side: str, alpha: float) -> None:
    """120 samples are one batch, so the order does not matter."""
    model = theirs.MLPClassifier((9,), max_iter=12, alpha=alpha, random_state=1)
    own, usual = preset("sklearn"), theirs.MLPClassifier()
    assert (own.alpha, own.shuffle) == (usual.alpha, usual.shuffle)
    expected, found = sklearn_run(model, LABELS, [64, 9, 10], classes=True, fit=SIDES[side])
    np.testing.assert_allclose(found, expected, rtol=1e-5)  # Adam's epsilon stands in another place there


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_sklearn_has_the_loss_curve_of_mlp_regressor() -> None:
    """By plain steps, which have no epsilon. Of one output: the loss there is the mean of several, its gradient not."""
    how = {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "learning_rate_init": 0.01}
    model = theirs.MLPRegressor(hidden_layer_sizes=(9,), max_iter=12, random_state=1, **how)
    expected, found = sklearn_run(model, LABELS / 9, [64, 9, 1], classes=False, optimizer=manual.SGD(0.01))
    np.testing.assert_allclose(found, expected, rtol=1e-11)


# Nielsen


@pytest.mark.parametrize(("start", "before", "after"), [((0.6, 0.9), "0.82", "0.09"), ((2.0, 2.0), "0.98", "0.20")])
def test_nielsen_one_neuron_learns_from_1_to_0(start: tuple[float, float], before: str, after: str) -> None:
    """His chapter 3: input 1, target 0, learning rate 0.15, 300 epochs, and both outputs in print."""
    own = preset("nielsen")
    net, _ = own.build([1, 1])
    params = ({"W": np.array([[start[0]]]), "b": np.array([start[1]])}, {})
    x, t = np.array([[1.0]]), np.array([[0.0]])
    assert f"{net.forward(params, x)[0].item():.2f}" == before
    done = train(own, net, params, x, t, 300, optimizer=manual.SGD(0.15))
    assert f"{net.forward(done.params, x)[0].item():.2f}" == after


def test_nielsen_steps_as_his_network_does() -> None:
    """w - eta / m sum over the batch of delta a^T, sample by sample, in columns."""
    own = preset("nielsen")
    net, params = own.build([3, 4, 2], 5)
    rng = np.random.default_rng(0)
    x, t = rng.random((10, 3)), rng.random((10, 2))
    weights, biases = [params[i]["W"] for i in (0, 2)], [params[i]["b"][:, None] for i in (0, 2)]
    nabla_w, nabla_b = [np.zeros_like(w) for w in weights], [np.zeros_like(b) for b in biases]
    for i in range(10):
        a0, y = x[i][:, None], t[i][:, None]
        a1 = 1 / (1 + np.exp(-(weights[0] @ a0 + biases[0])))
        a2 = 1 / (1 + np.exp(-(weights[1] @ a1 + biases[1])))
        d2 = (a2 - y) * a2 * (1 - a2)
        d1 = weights[1].T @ d2 * a1 * (1 - a1)
        for total, part in zip((*nabla_w, *nabla_b), (d1 @ a0.T, d2 @ a1.T, d1, d2), strict=True):
            total += part
    done = train(own, net, params, x, t, 1)
    for i, w, nw, b, nb in zip((0, 2), weights, nabla_w, biases, nabla_b, strict=True):
        np.testing.assert_allclose(done.params[i]["W"], w - 3.0 / 10 * nw, rtol=1e-12)
        np.testing.assert_allclose(done.params[i]["b"], (b - 3.0 / 10 * nb)[:, 0], rtol=1e-12)


def test_nielsen_draws_from_the_standard_normal_distribution() -> None:
    _, params = preset("nielsen").build([100, 90, 80], 0)
    for values in (params[0]["W"], params[2]["W"], np.concatenate([params[0]["b"], params[2]["b"]])):
        assert abs(values.mean()) < 4 / sqrt(values.size)
        assert values.std() == pytest.approx(1, abs=4 / sqrt(2 * values.size))


# Mazur


@pytest.mark.parametrize("side", SIDES)
def test_mazur_has_the_numbers_of_the_post(side: str) -> None:
    """Those that are right: the post's error after one round has slips of its own, examples/lectures/mazur.py."""
    own = preset("mazur")
    net, params = own.build([2, 2, 2])
    x, t = np.array([[0.05, 0.10]]), np.array([[0.01, 0.99]])
    one = train(own, net, params, x, t, 1, fit=SIDES[side])
    assert f"{one.history[0]['loss']:.9f}" == "0.298371109"
    np.testing.assert_allclose(one.params[2]["W"], [[0.35891648, 0.408666186], [0.511301270, 0.561370121]], atol=5e-10)
    np.testing.assert_allclose(one.params[0]["W"], [[0.149780716, 0.19956143], [0.24975114, 0.29950229]], atol=5e-9)
    assert [one.params[i]["b"].tolist() for i in (0, 2)] == [[0.35, 0.35], [0.6, 0.6]]
    if side == "manual":
        done = train(own, net, params, x, t, 10_000)
        assert f"{done.history[-1]['loss']:.10f}" == "0.0000351085"  # after 9,999: that of an epoch is before its step
        assert done.history[1]["loss"] == pytest.approx(0.291027774, abs=5e-10)


# The playground


def playground(weights: Any, biases: Any, data: Any, epochs: int) -> list[float]:
    """2-2-1 link by link as the playground does it: errors are summed up over 10 samples, then divided by their count.

    Source: nn.ts and playground.ts of tensorflow/playground. The mean of 1/2 (output - target)^2 after every epoch.
    """
    (W1, W2), (b1, b2) = weights, biases
    losses = []

    def forward(x: Any) -> tuple[list[float], float]:
        h = [tanh(b1[k] + sum(W1[k][j] * x[j] for j in (0, 1))) for k in (0, 1)]
        return h, tanh(b2[0] + sum(W2[0][k] * h[k] for k in (0, 1)))

    for _ in range(epochs):
        links, nodes, count = [[0.0] * 2 for _ in range(3)], [0.0] * 3, 0
        for i, (x, target) in enumerate(data):
            h, y = forward(x)
            d = (y - target) * (1 - y * y)
            inner = [W2[0][k] * d * (1 - h[k] * h[k]) for k in (0, 1)]
            for k in (0, 1):
                links[2][k] += d * h[k]
                nodes[k] += inner[k]
                for j in (0, 1):
                    links[k][j] += inner[k] * x[j]
            nodes[2], count = nodes[2] + d, count + 1
            if (i + 1) % 10 == 0:
                for row, total in zip((W1[0], W1[1], W2[0]), links, strict=True):
                    row[0], row[1] = (w - 0.03 / count * e for w, e in zip(row, total, strict=True))
                b1[0], b1[1], b2[0] = (b - 0.03 * e / count for b, e in zip((*b1, b2[0]), nodes, strict=True))
                links, nodes, count = [[0.0] * 2 for _ in range(3)], [0.0] * 3, 0
        losses.append(sum(0.5 * (forward(x)[1] - target) ** 2 for x, target in data) / len(data))
    return losses


def test_playground_trains_as_the_playground() -> None:
    own = preset("playground")
    net, params = own.build([2, 2, 1], 3)
    rng = np.random.default_rng(1)
    x = rng.uniform(-6, 6, (40, 2))
    t = np.where(x[:, :1] * x[:, 1:] > 0, 1.0, -1.0)  # its exclusive or, targets -1 and 1
    W, b = [params[i]["W"].tolist() for i in (0, 2)], [params[i]["b"].tolist() for i in (0, 2)]
    expected = playground(W, b, list(zip(x.tolist(), t[:, 0].tolist(), strict=True)), 5)
    done = train(own, net, params, x, t, 5, validation=(x, t))
    np.testing.assert_allclose([record["val_loss"] for record in done.history], expected, rtol=1e-12)


def test_playground_begins_as_the_playground() -> None:
    _, params = preset("playground").build([50, 40, 30], 0)
    assert {*params[0]["b"], *params[2]["b"]} == {0.1}
    for W in (params[0]["W"], params[2]["W"]):
        assert -0.5 <= W.min() < -0.495
        assert 0.495 < W.max() < 0.5


# The arguments of fit that presets brought


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("optimizer", [manual.SGD(0.1, momentum=0.9, weight_decay=0.1), manual.AdamW(1e-2)])
def test_biases_that_are_not_trained_stay_bit_for_bit(side: str, optimizer: Any) -> None:
    net = manual.mlp([64, 6, 10])
    params = net.init(0, biases="normal")
    loss = manual.SoftmaxCrossEntropy()
    done = SIDES[side](net, params, X, LABELS, loss, optimizer, epochs=2, train_biases=False)
    for before, after in zip(params, done.params, strict=True):
        if before:
            np.testing.assert_array_equal(after["b"], before["b"])
            assert np.abs(after["W"] - before["W"]).max() > 1e-3


def test_without_shuffling_batches_come_as_the_data_stand() -> None:
    net, loss, seen = manual.mlp([2, 1]), manual.HalfSquaredError(), []
    x = np.arange(12.0).reshape(6, 2)
    how: dict[str, Any] = {"epochs": 2, "batch_size": 2, "shuffle": False}
    manual.fit(net, ({"W": np.zeros((1, 2)), "b": np.zeros(1)},), x, x[:, :1], loss, manual.SGD(1e-300), **how,
               on_step=lambda E, step: seen.append(E))  # fmt: skip
    assert seen == [0.5 * (x[i, 0] ** 2 + x[i + 1, 0] ** 2) for i in (0, 2, 4)] * 2


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"alpha": -1}, ValueError, "alpha: is -1, expected a finite number, 0 or more"),
        ({"alpha": float("nan")}, ValueError, "alpha: is nan"),
        ({"shuffle": 1}, TypeError, "shuffle: is 1, expected True or False"),
        ({"train_biases": "no"}, TypeError, "train_biases: is 'no', expected True or False"),
    ],
)
def test_what_does_not_fit_is_refused(given: dict[str, Any], error: type[Exception], words: str) -> None:
    net = manual.mlp([64, 10])
    with pytest.raises(error, match=words):
        manual.fit(net, net.init(0), X, LABELS, manual.SoftmaxCrossEntropy(), manual.SGD(0.1), **given)
