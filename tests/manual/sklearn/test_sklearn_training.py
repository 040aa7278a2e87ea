"""Training behind scikit-learn's face: passes, seeds, dropout, when it ends, and what does not fit."""

import pickle
import signal
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

import manual
from manual.sklearn import MLPClassifier, MLPRegressor
from manual.sklearn import base as sklearn_base

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


def diabetes() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_diabetes(return_X_y=True)
    return 10 * X, (y - y.mean()) / y.std()


def test_passes_by_partial_fit_are_epochs_of_fit() -> None:
    """Full batches, so that the order does not matter; Adam, whose state must live from call to call."""
    X, y = digits()
    model = MLPClassifier((6,), batch_size=len(X), max_iter=4, random_state=2).fit(X, y)
    passes = MLPClassifier((6,), batch_size=len(X), random_state=2)
    for _ in range(4):
        passes.partial_fit(X, y, classes=range(10))
    np.testing.assert_allclose(passes.loss_curve_, model.loss_curve_, rtol=1e-10)
    for a, b in zip(passes.coefs_, model.coefs_, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-10)


def test_partial_fit_learns_classes_that_come_later() -> None:
    X, y = digits()
    model = MLPClassifier((40,), learning_rate_init=0.01, random_state=0)
    order = np.argsort(y % 5, kind="stable")
    for _ in range(30):
        for part in np.array_split(order, 3):  # parts of other sizes and of other classes
            model.partial_fit(X[part], y[part], classes=np.arange(10))
    assert model.score(X, y) > 0.95
    assert len(model.loss_curve_) == 90
    assert model.n_iter_ == 1


def test_the_same_seed_gives_the_same_weights_and_another_gives_others() -> None:
    X, y = diabetes()
    fits = [MLPRegressor(dropout=0.2, max_iter=3, random_state=s).fit(X, y).coefs_[0] for s in (5, 5, 6)]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.allclose(fits[0], fits[2])


def test_dropout_drops_hidden_units_in_training_only() -> None:
    X, y = digits()
    model = MLPClassifier((8, 9), dropout=[0.5, 0.0], max_iter=2, random_state=0).fit(X, y)
    kinds = [type(layer) for layer in model.network_.layers]
    assert kinds == [manual.Linear, manual.ReLU, manual.Dropout, manual.Linear, manual.ReLU, manual.Linear]
    assert model.network_.layers[2] == manual.Dropout(0.5)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    without = MLPClassifier((8, 9), max_iter=2, random_state=0).fit(X, y)
    assert not np.allclose(without.coefs_[1], model.coefs_[1])
    assert model.loss_curve_[0] > without.loss_curve_[0]


def test_solver_and_dropout_may_change_between_passes() -> None:
    X, y = digits()
    model = MLPClassifier((6,), random_state=0).partial_fit(X, y, classes=range(10))
    for change in ({"dropout": 0.5}, {"solver": "sgd"}, {"momentum": 0.0}, {"activation": "gelu"}):
        model.set_params(**change).partial_fit(X, y)
    assert len(model.loss_curve_) == 5
    with pytest.raises(ValueError, match=r"W1: shape is \(6, 64\), expected \(7, 64\)"):
        model.set_params(hidden_layer_sizes=(7,)).partial_fit(X, y)
    assert model.predict(X).shape == y.shape


def test_every_pass_draws_its_own_masks() -> None:
    """At a rate of almost 0 nothing but the masks can change the loss from pass to pass."""
    X, y = diabetes()
    model = MLPRegressor(dropout=0.5, learning_rate_init=1e-12, batch_size=len(X), random_state=0)
    losses = [model.partial_fit(X, y).loss_ for _ in range(3)]
    assert np.ptp(losses) > 1e-4
    without = model.set_params(dropout=0.0)
    assert np.ptp([without.partial_fit(X, y).loss_ for _ in range(3)]) < 1e-8


def test_what_is_said_and_counted_is_scikit_learns(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = digits()
    how: dict[str, Any] = {"hidden_layer_sizes": (6,), "max_iter": 3, "verbose": True, "warm_start": True}
    for model in (MLPClassifier(**how), theirs.MLPClassifier(**how)):
        model.fit(X, y).fit(X, y)
        lines = [f"Iteration {k % 3 + 1}, loss = {loss:.8f}" for k, loss in enumerate(model.loss_curve_)]
        assert capsys.readouterr().out.splitlines() == lines
        assert (model.t_, model.best_loss_) == (6 * 300, min(model.loss_curve_))
    assert MLPClassifier(max_iter=1, early_stopping=True).fit(X, y).best_loss_ is None
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("classes", [10, 2])
def test_logarithms_of_probabilities_are_finite(classes: int) -> None:
    X, y = digits()
    X, y = X[y < classes], y[y < classes]
    model = MLPClassifier((8,), max_iter=5, random_state=0).fit(X, y)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(model.predict_proba(X)), rtol=1e-12, atol=1e-14)
    model.coefs_[-1] *= 1e5
    p = model.predict_proba(X)
    assert (p == 0).any()
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_early_stopping_keeps_the_best_weights() -> None:
    X, y = digits()
    how: dict[str, Any] = {"learning_rate_init": 0.02, "early_stopping": True, "n_iter_no_change": 3, "random_state": 4}
    model = MLPClassifier((20,), max_iter=200, tol=1e-3, **how).fit(X, y)
    scores = model.validation_scores_
    best = int(np.argmax(scores))
    assert len(scores) == model.n_iter_ < 200
    assert best < len(scores) - 1, "the example must go on after its best epoch"
    assert model.best_validation_score_ == scores[best]
    until = MLPClassifier((20,), max_iter=best + 1, tol=1e-3, **how).fit(X, y)
    for a, b in zip(model.coefs_ + model.intercepts_, until.coefs_ + until.intercepts_, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("Model", [MLPClassifier, MLPRegressor])
def test_early_stopping_scores_what_it_holds_back(Model: type, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = digits() if Model is MLPClassifier else diabetes()
    seen = []

    def spy(*arrays: Any, **how: Any) -> Any:
        seen.append(train_test_split(*arrays, **how))
        return seen[-1]

    monkeypatch.setattr(sklearn_base, "train_test_split", spy)
    model = Model(max_iter=1, early_stopping=True, validation_fraction=0.2).fit(X, y)
    [(x, x_val, _, target_val)] = seen
    assert len(x_val) == -(-len(X) // 5) == len(X) - len(x)
    assert model.validation_scores_ == [pytest.approx(model.score(x_val, target_val.ravel()), abs=1e-12)]
    if Model is MLPClassifier:  # every class is held back in its share
        np.testing.assert_allclose(np.bincount(target_val) / 60, np.bincount(y) / 300, atol=1 / 60)


def test_a_training_ends_when_the_loss_settles_or_warns() -> None:
    X, y = diabetes()
    with pytest.warns(ConvergenceWarning, match="max_iter: 3 epochs"):
        MLPRegressor(max_iter=3).fit(X, y)
    model = MLPRegressor(max_iter=500, tol=1e9, n_iter_no_change=4).fit(X, y)  # nothing ever betters the loss so much
    assert model.n_iter_ == 6  # the first epoch has nothing to be compared with; more than four after it
    sk = theirs.MLPRegressor(max_iter=500, tol=1e9, n_iter_no_change=4).fit(X, y)
    assert model.n_iter_ == sk.n_iter_


def test_ctrl_c_leaves_a_trained_network_and_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = diabetes()

    class Interrupting(sklearn_base.Watch):
        def __call__(self, training: Any) -> bool:
            if training.epoch == 2:
                signal.raise_signal(signal.SIGINT)
            return super().__call__(training)

    monkeypatch.setattr(sklearn_base, "Watch", Interrupting)
    with pytest.warns(UserWarning, match="interrupted"):
        model = MLPRegressor(batch_size=100, max_iter=50).fit(X, y)
    assert model.n_iter_ < 5
    assert model.predict(X).shape == y.shape


def test_pipelines_searches_and_pickles() -> None:
    X, y = digits()
    pipe = make_pipeline(StandardScaler(), MLPClassifier((10,), max_iter=5, random_state=0))
    search = GridSearchCV(pipe, {"mlpclassifier__activation": ["relu", ["leaky_relu"], manual.LeakyReLU(0.2)]}, cv=2)
    search.fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    again = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"solver": "newton"}, "solver: is 'newton', expected 'adam', 'sgd' or 'lbfgs'"),
        ({"learning_rate": "cosine"}, "learning_rate: is 'cosine', expected 'constant', 'invscaling' or 'adaptive'"),
        ({"power_t": -1}, "power_t: is -1"),
        ({"max_fun": 0}, "max_fun: is 0"),
        ({"shuffle": 2}, "shuffle: is 2, expected True or False"),
        ({"warm_start": "no"}, "warm_start: is 'no', expected True or False"),
        ({"early_stopping": 5}, "early_stopping: is 5, expected True or False"),
        ({"nesterovs_momentum": None}, "nesterovs_momentum: is None, expected True or False"),
        ({"solver": "lbfgs", "dropout": 0.5}, "dropout: is 0.5, but lbfgs needs the same loss at every step"),
        ({"alpha": -1}, "alpha: is -1"),
        ({"batch_size": 0}, "batch_size: is 0"),
        ({"learning_rate_init": 0}, "learning_rate_init: is 0"),
        ({"max_iter": 1.5}, "max_iter: is 1.5"),
        ({"tol": float("nan")}, "tol: is nan"),
        ({"momentum": 1.1, "solver": "sgd"}, "momentum: is 1.1"),
        ({"n_iter_no_change": 0}, "n_iter_no_change: is 0"),
        ({"validation_fraction": 1.0}, "validation_fraction: is 1.0"),
        ({"hidden_layer_sizes": (3, 0)}, r"hidden_layer_sizes: is \(3, 0\)"),
        ({"activation": "swish"}, "activation: is 'swish', expected one of identity, sig.*gelu_tanh, logistic, or a"),
        ({"activation": ["relu", "tanh"]}, "activation: has 2 entries, expected 1, one per hidden layer"),
        ({"dropout": 1.0}, "dropout: is 1.0"),
        ({"dropout": [0.1, 0.2]}, "dropout: has 2 entries, expected 1"),
        ({"beta_1": 1.0}, "betas"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "validation_fraction: 0.001 holds one sample back"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], message: str) -> None:
    X, y = diabetes()
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**arguments).fit(X, y)


def test_a_step_has_no_gradient_and_a_number_is_no_activation() -> None:
    X, y = diabetes()
    with pytest.raises(manual.NotDifferentiableError, match="not differentiable"):
        MLPRegressor(activation="sign").fit(X, y)
    with pytest.raises(TypeError, match="activation: got 3") as told:
        MLPRegressor(activation=3).fit(X, y)
    assert "step" not in str(told.value)
    assert "sign" not in str(told.value).replace("sigmoid", "")


def test_classes_that_do_not_fit() -> None:
    X, y = digits()
    with pytest.raises(ValueError, match="y: has one class only, 7, expected two"):
        MLPClassifier().fit(X, np.full(len(X), 7))
    with pytest.raises(ValueError, match="first call to partial_fit must be given all classes"):
        MLPClassifier().partial_fit(X, y)
    model = MLPClassifier(max_iter=1, warm_start=True).partial_fit(X, y, classes=range(10))
    with pytest.raises(ValueError, match=r"y: has the classes \[11\]"):
        model.partial_fit(X, np.where(y == 3, 11, y))
    with pytest.raises(ValueError, match=r"y: has the classes \[11\]"):
        model.fit(X, np.where(y == 3, 11, y))
    with pytest.raises(ValueError, match="classes: are"):
        model.partial_fit(X, y, classes=range(9))
    with pytest.raises(ValueError, match="early_stopping: partial_fit"):
        model.set_params(early_stopping=True).partial_fit(X, y)


def test_nothing_is_there_before_fit() -> None:
    model = MLPClassifier()
    for use in (lambda: model.predict(np.eye(2)), lambda: model.to_torch()):
        with pytest.raises(NotFittedError):
            use()
    assert not hasattr(model, "params_")


def test_a_rate_too_large_is_named() -> None:
    X, y = diabetes()
    with pytest.raises(ArithmeticError, match="learning rate"):
        MLPRegressor(solver="sgd", learning_rate_init=1e6).fit(X, y)


def test_a_column_is_read_as_one_number_a_sample_with_a_warning() -> None:
    X, y = diabetes()
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = MLPRegressor(max_iter=1).fit(X, y[:, None])
    assert model.predict(X).shape == y.shape
    assert get_tags(model).target_tags.multi_output
