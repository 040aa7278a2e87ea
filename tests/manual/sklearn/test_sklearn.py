"""scikit-learn's face: its own checks, the steps its own perceptrons make, autograd for what those do not have.

TRUTH. scikit-learn's MLPClassifier and MLPRegressor from the same weights where they can follow, and torch's autograd
where they cannot. float64, so agreement is asked for to 1e-12 of the largest weight, hundreds of roundings.
"""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import neural_network as theirs
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch.nn import functional as F

import manual
from manual.layers.activations import DIFFERENTIABLE
from manual.sklearn import MLPClassifier, MLPRegressor
from torch_ref import twin  # to_torch needs this room, too

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"learning_rate_init": 0.01, "max_iter": 50}
NEW = {"hidden_layer_sizes": (30, 20), "activation": ["leaky_relu", "silu"], "dropout": [0.0, 0.1]}


WEIGHTS = [f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")]


@parametrize_with_checks(
    [
        MLPClassifier(**QUICK),
        MLPRegressor(**QUICK),
        MLPClassifier(**QUICK, **NEW, solver="sgd"),
        MLPRegressor(**QUICK, **NEW),
        MLPClassifier((10,), solver="lbfgs", max_iter=30),
        MLPRegressor((10,), solver="lbfgs", max_iter=30),
    ],
    expected_failed_checks=lambda model: dict.fromkeys(WEIGHTS if np.any(model.dropout) else (), "a mask for each row"),
)
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def data(kind: str) -> tuple[type, type, np.ndarray, np.ndarray]:
    """Their class, ours, X and y."""
    if kind in ("ten classes", "two classes"):
        X, y = load_digits(return_X_y=True)
        two = y < 2
        names = np.array(["no", "yes"])
        X, y = (X[two], names[y[two]]) if kind == "two classes" else (X[:300], y[:300])
        return theirs.MLPClassifier, MLPClassifier, X / 16, y
    X, y = load_diabetes(return_X_y=True)
    y = StandardScaler().fit_transform(y[:, None])[:, 0]
    several = np.column_stack([y, X[:, 2] * y, np.roll(y, 1)])
    return theirs.MLPRegressor, MLPRegressor, 10 * X, several if kind == "three numbers" else y


KINDS = ("ten classes", "two classes", "one number", "three numbers")


def same_start(kind: str, steps: int, **arguments: Any) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """Their perceptron and ours after `steps` full-batch steps from the same random weights and biases."""
    Theirs, Ours, X, y = data(kind)
    arguments = {"hidden_layer_sizes": (7, 5), "batch_size": len(X), "alpha": 3.0, "warm_start": True} | arguments
    fitted = []
    for model in (Theirs(**arguments, max_iter=1), Ours(**arguments, max_iter=1)):
        model.fit(X, y)
        rng = np.random.default_rng(3)
        model.coefs_ = [rng.normal(size=W.shape) / len(W) ** 0.5 for W in model.coefs_]
        model.intercepts_ = [rng.normal(size=b.shape) for b in model.intercepts_]
        fitted.append(model.set_params(max_iter=steps).fit(X, y))
    return *fitted, X, y


def assert_equal_weights(a: Any, b: Any) -> None:
    for p, q in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        assert p.shape == q.shape
        assert np.abs(p - q).max() <= 1e-12 * max(1, np.abs(q).max())


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_few_steps_are_scikit_learns(kind: str, activation: str) -> None:
    sk, ours, X, y = same_start(kind, 5, activation=activation, solver="sgd", learning_rate_init=0.05)
    assert_equal_weights(ours, sk)
    assert ours.n_iter_ == sk.n_iter_ == 5
    assert (ours.n_layers_, ours.n_outputs_, ours.out_activation_) == (sk.n_layers_, sk.n_outputs_, sk.out_activation_)
    if "classes" in kind:
        np.testing.assert_array_equal(ours.predict(X), sk.predict(X))
        np.testing.assert_allclose(ours.predict_proba(X), sk.predict_proba(X), atol=1e-12)
        np.testing.assert_array_equal(ours.classes_, sk.classes_)
    else:
        np.testing.assert_allclose(ours.predict(X), sk.predict(X), atol=1e-11)
    assert ours.score(X, y) == pytest.approx(sk.score(X, y), abs=1e-12)


@pytest.mark.parametrize(
    "how",
    [
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "sgd", "nesterovs_momentum": False},
        {"solver": "adam", "epsilon": 1e-100, "beta_1": 0.8},  # so small that its place does not matter
    ],
    ids=["plain", "momentum", "adam"],
)
def test_every_solver_is_scikit_learns(how: dict[str, Any]) -> None:
    sk, ours, *_ = same_start("ten classes", 6, learning_rate_init=0.02, **how)
    assert_equal_weights(ours, sk)


@pytest.mark.parametrize("kind", KINDS[:3])
def test_the_loss_curve_is_scikit_learns(kind: str) -> None:
    sk, ours, *_ = same_start(kind, 4, solver="sgd", learning_rate_init=0.02)
    np.testing.assert_allclose(ours.loss_curve_[1:], sk.loss_curve_[1:], rtol=1e-12)
    assert ours.loss_ == ours.loss_curve_[-1]


def test_the_loss_of_several_outputs_is_the_one_whose_gradient_is_followed() -> None:
    """scikit-learn's gradient is that of half the sum over the outputs too; its curve shows half their mean."""
    sk, ours, *_ = same_start("three numbers", 4, solver="sgd", learning_rate_init=0.02, alpha=0.0)
    np.testing.assert_allclose(ours.loss_curve_[1:], 3 * np.array(sk.loss_curve_[1:]), rtol=1e-12)


@pytest.mark.parametrize("classes", [True, False])
def test_a_last_batch_of_one_sample_counts_as_one_sample(classes: bool) -> None:
    """201 samples in batches of 200: with half of the weight the lone one's loss made it look as if all had settled."""
    rng, epochs = np.random.default_rng(0), np.zeros(2)
    X = rng.normal(size=(201, 4))
    y = X[:, 0] + X[:, 1] * X[:, 2]
    for seed in range(5):  # the batches are drawn otherwise than there: not the very same epochs
        how = {"hidden_layer_sizes": (30,), "learning_rate_init": 0.005, "tol": 1e-3, "random_state": seed}
        pair = (MLPClassifier, theirs.MLPClassifier) if classes else (MLPRegressor, theirs.MLPRegressor)
        epochs += [Model(**how, max_iter=600).fit(X, y > 0 if classes else y).n_iter_ for Model in pair]
    assert epochs[0] == pytest.approx(epochs[1], rel=0.5)
    slow = {"solver": "sgd", "learning_rate_init": 1e-12, "max_iter": 1, "alpha": 0.0}
    model = MLPRegressor((30,), **slow).fit(X, y)
    assert model.loss_ == pytest.approx(np.mean((model.predict(X) - y) ** 2) / 2, rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", [*DIFFERENTIABLE, "one per layer"])
def test_one_step_with_any_activation_is_autograds(name: str, dtype: Any) -> None:
    _, _, X, y = data("ten classes")
    X, alpha, lr = X.astype(dtype), 2.0, 0.1
    activation = ["leaky_relu", manual.LeakyReLU(0.3)] if name == "one per layer" else name
    model = MLPClassifier(
        (6, 5), activation, solver="sgd", momentum=0.0, alpha=alpha, batch_size=len(X), learning_rate_init=lr,
        max_iter=1, warm_start=True, random_state=1,
    )  # fmt: skip
    model.fit(X, y)
    before = [torch.tensor(a.astype(float), requires_grad=True) for a in model.coefs_ + model.intercepts_]
    model.fit(X, y)
    after = model.coefs_ + model.intercepts_
    first, second = (twin(manual.activation(phi)) for phi in (activation if name == "one per layer" else [name, name]))
    W, b = before[:3], before[3:]
    h = second(first(torch.tensor(X, dtype=torch.float64) @ W[0] + b[0]) @ W[1] + b[1])
    loss = F.cross_entropy(h @ W[2] + b[2], torch.tensor(y)) + alpha / 2 / len(X) * sum((w * w).sum() for w in W)
    loss.backward()
    assert model.loss_ == pytest.approx(loss.item(), rel=64 * float(np.finfo(dtype).eps))
    for old, new in zip(before, after, strict=True):
        truth = (old - lr * old.grad).detach().numpy()
        assert new.dtype == dtype
        assert np.abs(new - truth).max() <= 64 * np.finfo(dtype).eps * max(1, np.abs(truth).max())


@pytest.mark.parametrize("kind", KINDS)
def test_to_torch_is_the_same_network(kind: str) -> None:
    _, Ours, X, y = data(kind)
    for dtype in (np.float64, np.float32):
        model = Ours((6, 5), ["leaky_relu", "gelu"], dropout=0.5, max_iter=3).fit(X.astype(dtype), y)
        kept = model.coefs_[0].copy()
        module = model.to_torch()
        z = module(torch.tensor(X.astype(dtype)))
        assert z.dtype == getattr(torch, np.dtype(dtype).name)
        if kind == "ten classes":
            z, truth = torch.softmax(z, 1), model.predict_proba(X.astype(dtype))
        elif kind == "two classes":
            z, truth = torch.sigmoid(z[:, 0]), model.predict_proba(X.astype(dtype))[:, 1]
        else:
            z, truth = z.reshape(y.shape), model.predict(X.astype(dtype))
        np.testing.assert_allclose(z.detach().numpy(), truth, atol=64 * np.finfo(dtype).eps)
        with torch.no_grad():
            module[0].weight.zero_()
        np.testing.assert_array_equal(model.coefs_[0], kept)
        assert all(p.requires_grad for p in module.parameters())


def test_to_torch_says_what_is_missing_and_then_works() -> None:
    code = """
import sys, numpy as np
from manual.sklearn import MLPRegressor
model = MLPRegressor((2,), max_iter=1).fit(np.eye(4), np.arange(4.0))
assert "torch" not in sys.modules
try:
    model.to_torch()
except ImportError as error:
    print(error)
import torch_ref
print(type(model.to_torch()).__name__)
"""
    run = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["to_torch makes a module of PyTorch: import torch_ref first", "Chain"]


def test_params_and_network_are_manuals_own() -> None:
    _, _, X, y = data("one number")
    model = MLPRegressor((4,), "tanh", max_iter=2).fit(X, y)
    p = manual.gradients(model.network_, model.params_, X, y[:, None], manual.HalfSquaredError())
    np.testing.assert_array_equal(p.y[:, 0], model.predict(X))
    assert p["W1"].T.shape == model.coefs_[0].shape == (10, 4)


def test_it_learns_as_well_as_scikit_learns() -> None:
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0)
    ours = MLPClassifier(max_iter=60, random_state=0).fit(X, y).score(X_test, y_test)
    sk = theirs.MLPClassifier(max_iter=60, random_state=0).fit(X, y).score(X_test, y_test)
    assert ours > 0.96
    assert abs(ours - sk) < 0.015


def test_no_hidden_layer_is_a_linear_model() -> None:
    _, _, X, y = data("one number")
    model = MLPRegressor(
        (),
        alpha=0,
        batch_size=len(X),
        learning_rate_init=0.05,
        max_iter=1000,
        tol=0,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    A = np.column_stack([X, np.ones(len(X))])
    w = np.linalg.lstsq(A, y, rcond=None)[0]
    np.testing.assert_allclose(model.fit(X, y).predict(X), A @ w, atol=1e-3)


def test_import_manual_does_not_import_scikit_learn() -> None:
    code = "import sys, manual; print('sklearn' in sys.modules, 'manual.sklearn' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    assert run.stdout.split() == ["False", "False"]
