"""Beside scikit-learn's own perceptrons: weights of samples, labels, sparse inputs, rates that fall, order, lbfgs."""

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn import neural_network as theirs
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from manual.losses import BinaryCrossEntropy, HalfSquaredError, SoftmaxCrossEntropy
from manual.sklearn import MLPClassifier, MLPRegressor
from manual.sklearn.weights import Weighted, each

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(9)
KINDS = ("ten classes", "two classes", "labels", "one number", "three numbers")


def data(kind: str) -> tuple[type, type, np.ndarray, np.ndarray]:
    """Their class, ours, X and y: 200 rows."""
    X, y = load_diabetes(return_X_y=True) if "number" in kind else load_digits(return_X_y=True)
    X, y = X[:200], y[:200]
    if "number" in kind:
        y = (y - y.mean()) / y.std()
        several = np.column_stack([y, X[:, 2] * y, np.roll(y, 1)])
        return theirs.MLPRegressor, MLPRegressor, 10 * X, several if kind == "three numbers" else y
    targets = {"ten classes": y, "two classes": np.where(y > 4, "yes", "no"),
               "labels": np.column_stack([y % 2 == 0, y > 6, y % 3 == 1]).astype(int)}  # fmt: skip
    return theirs.MLPClassifier, MLPClassifier, X / 16, targets[kind]


def beside(kind: str, steps: int, weights: Any = None, **arguments: Any) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """Their perceptron and ours after `steps` epochs from the same random weights and biases, in one order."""
    Theirs, Ours, X, y = data(kind)
    how: dict[str, Any] = {"hidden_layer_sizes": (6,), "activation": "tanh", "warm_start": True, "shuffle": False}
    how |= {"alpha": 2.0, "batch_size": 64, "solver": "sgd", "learning_rate_init": 0.1} | arguments
    fitted = []
    for model in (Theirs(**how, max_iter=1), Ours(**how, max_iter=1)):
        model.fit(X, y)
        rng = np.random.default_rng(3)
        model.coefs_ = [rng.normal(size=W.shape) / len(W) ** 0.5 for W in model.coefs_]
        model.intercepts_ = [rng.normal(size=b.shape) for b in model.intercepts_]
        fitted.append(model.set_params(max_iter=steps).fit(X, y, sample_weight=weights))
    return *fitted, X, y


def assert_equal_weights(a: Any, b: Any, within: float = 1e-12) -> None:
    for p, q in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_, strict=True):
        assert p.shape == q.shape
        assert np.abs(p - q).max() <= within * max(1, np.abs(q).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighted", [False, True])
def test_batches_in_their_order_give_scikit_learns_weights(kind: str, weighted: bool) -> None:
    """The last of four batches is smaller; no labels, classes or numbers are left out."""
    weights = RNG.uniform(0.1, 3, 200) if weighted else None
    sk, ours, X, y = beside(kind, 3, weights)
    assert_equal_weights(ours, sk)
    assert (ours.n_outputs_, ours.out_activation_) == (sk.n_outputs_, sk.out_activation_)
    if "number" not in kind:
        np.testing.assert_allclose(ours.predict_proba(X), sk.predict_proba(X), atol=1e-12)
        np.testing.assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X), atol=1e-12)
        np.testing.assert_array_equal(ours.classes_, sk.classes_)
    np.testing.assert_allclose(*(m.predict(X) if "number" in kind else m.predict(X) == y for m in (ours, sk)))
    assert ours.score(X, y) == pytest.approx(sk.score(X, y), abs=1e-12)
    if kind != "three numbers":  # whose curve shows half their mean there
        np.testing.assert_allclose(ours.loss_curve_[1:], sk.loss_curve_[1:], rtol=1e-10)


@pytest.mark.parametrize("loss", [HalfSquaredError("sum"), BinaryCrossEntropy("sum"), SoftmaxCrossEntropy("sum")])
def test_a_weighted_loss_is_the_sum_of_its_samples(loss: Any) -> None:
    y, w = RNG.normal(size=(5, 3)), RNG.uniform(0.5, 2, 5)
    t = np.eye(3)[RNG.integers(0, 3, 5)]
    own = [float(loss.forward(y[i : i + 1], t[i : i + 1])[0]) for i in range(5)]
    np.testing.assert_allclose(each(loss, y, t), own, rtol=1e-12)
    packed, step = np.column_stack([t, w]), 1e-6
    E, cache = Weighted(loss).forward(y, packed)
    assert pytest.approx(np.average(own, weights=w)) == E
    dy, dE = Weighted(loss).backward(cache, 1.7), RNG.normal(size=y.shape)
    ahead, back = (Weighted(loss).forward(y + sign * step * dE, packed)[0] for sign in (1, -1))
    assert (dy * dE).sum() == pytest.approx(1.7 * (ahead - back) / (2 * step), rel=1e-7)
    nothing = np.column_stack([t, 0 * w])
    assert Weighted(loss).forward(y, nothing)[0] == 0


@pytest.mark.parametrize("how", [
    {"learning_rate": "invscaling"},
    {"learning_rate": "invscaling", "power_t": 0.2},
    {"learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 2},
    {"learning_rate": "adaptive", "tol": 1e9, "n_iter_no_change": 1, "learning_rate_init": 2e-5},
    {"learning_rate": "invscaling", "solver": "adam", "epsilon": 1e-100, "learning_rate_init": 0.01},
], ids=str)  # fmt: skip
def test_rates_fall_as_scikit_learns(how: dict[str, Any]) -> None:
    sk, ours, *_ = beside("ten classes", 12, **how)
    assert ours.n_iter_ == sk.n_iter_
    assert_equal_weights(ours, sk, 1e-11)


def test_a_rate_falls_from_pass_to_pass() -> None:
    Theirs, Ours, X, y = data("one number")
    how: dict[str, Any] = {"hidden_layer_sizes": (4,), "solver": "sgd", "learning_rate": "invscaling", "momentum": 0.0}
    models = [Model(**how, learning_rate_init=0.1, shuffle=False).partial_fit(X, y) for Model in (Theirs, Ours)]
    for ours, own in zip(
        models[1].coefs_ + models[1].intercepts_, models[0].coefs_ + models[0].intercepts_, strict=True
    ):
        ours[:] = own
    for model in models:
        model.partial_fit(X, y).partial_fit(X, y)
    assert_equal_weights(models[1], models[0])


@pytest.mark.parametrize("kind", KINDS)
def test_lbfgs_goes_scikit_learns_way(kind: str) -> None:
    weights = RNG.uniform(0.1, 3, 200) if kind in ("ten classes", "one number") else None
    sk, ours, *_ = beside(kind, 8, weights, solver="lbfgs", alpha=0.5)
    assert ours.n_iter_ == sk.n_iter_ == 8
    assert_equal_weights(ours, sk, 1e-6)
    if kind != "three numbers":
        assert ours.loss_ == pytest.approx(sk.loss_, rel=1e-8)
    assert ours.loss_curve_[1:] == sorted(ours.loss_curve_[1:], reverse=True)
    assert not hasattr(ours, "partial_fit")


def test_lbfgs_learns_a_small_table_by_heart() -> None:
    _, Ours, X, y = data("ten classes")
    model = Ours((20,), solver="lbfgs", random_state=0, max_iter=500).fit(X, y)
    assert model.score(X, y) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_sparse_inputs_are_the_same(kind: str) -> None:
    _, Ours, X, y = data(kind)
    fits = [Ours((5,), max_iter=3, random_state=1).fit(x, y) for x in (X, csr_matrix(X))]
    assert_equal_weights(*fits)
    np.testing.assert_array_equal(fits[0].predict(X), fits[1].predict(csr_matrix(X)))


def test_early_stopping_weighs_what_it_holds_back() -> None:
    for kind in ("labels", "ten classes", "one number"):
        _, Ours, X, y = data(kind)
        how: dict[str, Any] = {"max_iter": 4, "early_stopping": True, "random_state": 1, "learning_rate_init": 0.01}
        plain, ones = (Ours((8,), **how).fit(X, y, sample_weight=w) for w in (None, np.ones(200)))
        assert ones.validation_scores_ == pytest.approx(plain.validation_scores_, abs=1e-9)
        assert len(plain.validation_scores_) == 4
        assert plain.best_validation_score_ == max(plain.validation_scores_)


def test_labels_come_back_as_they_are() -> None:
    _, Ours, X, y = data("labels")
    model = Ours((30,), max_iter=150, learning_rate_init=0.01, random_state=0).fit(X, y)
    assert model.predict(X).shape == y.shape
    assert set(np.unique(model.predict(X))) == {0, 1}
    assert model.score(X, y) == accuracy_score(y, model.predict(X)) > 0.9
    passes = Ours((4,)).partial_fit(X, y, classes=range(3))
    with pytest.raises(ValueError, match="y: has 2 labels, expected 3"):
        passes.partial_fit(X, y[:, :2])


def test_sparse_labels_come_back_sparse() -> None:
    Theirs, Ours, X, y = data("labels")
    for Model in (Theirs, Ours):
        model = Model((5,), max_iter=2).fit(X, csr_matrix(y))
        assert isinstance(model.predict(X), csr_matrix)
        assert model.score(X, csr_matrix(y)) == accuracy_score(y, model.predict(X).toarray())
    assert isinstance(model.fit(X, y).predict(X), np.ndarray)


def test_a_weight_below_zero_counts_against() -> None:
    weights = np.where(np.arange(200) % 5, 1.0, -0.5)
    sk, ours, *_ = beside("ten classes", 3, weights)
    assert_equal_weights(ours, sk)


@pytest.mark.parametrize("Model", [MLPClassifier, MLPRegressor])
def test_outputs_are_arrays_as_scikit_learns_are(Model: type) -> None:
    """set_output is for transformers; in a pipeline it reaches those before, whose frames are taken."""
    _, _, X, y = data("ten classes")
    assert not hasattr(Model(), "set_output")
    pipe = make_pipeline(StandardScaler(), Model((3,), max_iter=1)).set_output(transform="default").fit(X, y)
    assert type(pipe.predict(X)) is np.ndarray
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel {k}" for k in range(64)])
    pipe.set_output(transform="pandas").fit(frame, y)
    assert pipe[-1].feature_names_in_.tolist() == list(frame.columns)
    assert type(pipe.predict(frame)) is np.ndarray
    with pytest.raises(ValueError, match="feature names should match"):
        pipe[-1].predict(frame[frame.columns[::-1]])
