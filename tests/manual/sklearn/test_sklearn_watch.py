"""When a training ends, what it says, what the next one goes on from, where the first begins: as scikit-learn's."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from sklearn import neural_network as theirs
from sklearn.datasets import load_digits

from manual import sklearn as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = (part[:120] for part in load_digits(return_X_y=True))
X = X / 16
NEVER: dict[str, Any] = {"tol": 1e9, "n_iter_no_change": 2}  # nothing ever betters the loss so much
ADAPTIVE: dict[str, Any] = {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 3e-6}


def both(**how: Any) -> tuple[Any, Any]:
    """Their classifier and ours, not yet fitted."""
    return theirs.MLPClassifier((4,), random_state=0, **how), ours.MLPClassifier((4,), random_state=0, **how)


def without_numbers(said: str) -> list[str]:
    """The lines, without the losses and scores, which hang on the start."""
    return [line.rsplit(" ", 1)[0] if "= " in line or "score: " in line else line for line in said.splitlines()]


@pytest.mark.parametrize("how", [{}, {"early_stopping": True}, ADAPTIVE], ids=["loss", "score", "adaptive"])
def test_what_is_said_is_what_scikit_learn_says(how: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for model in both(verbose=True, max_iter=12, **NEVER, **how):
        model.fit(X, Y)
        said.append(without_numbers(capsys.readouterr().out))
    assert said[0] == said[1]
    assert "Stopping" in said[1][-1]


@pytest.mark.parametrize("held_out", [False, True])
def test_a_fit_goes_on_from_what_those_before_have_seen(held_out: bool) -> None:
    seen = []
    for model in both(warm_start=True, early_stopping=held_out, **NEVER):
        epochs = [model.fit(X, Y).n_iter_ for _ in range(3)]
        scores = model.validation_scores_
        seen.append((epochs, scores and len(scores), len(model.loss_curve_)))
        assert model.best_validation_score_ == (max(scores) if held_out else None)
    assert seen[0] == seen[1] == ([4, 1, 1], 6 if held_out else None, 6)


def test_the_best_weights_of_all_fits_are_kept() -> None:
    model = both(warm_start=True, early_stopping=True, learning_rate_init=0.02, max_iter=15)[1].fit(X, Y)
    before, best = [W.copy() for W in model.coefs_], model.best_validation_score_
    model.set_params(learning_rate_init=5.0, max_iter=2).fit(X, Y)  # spoils what was learnt
    assert max(model.validation_scores_[15:]) < best == model.best_validation_score_
    for kept, W in zip(model.coefs_, before, strict=True):
        np.testing.assert_array_equal(kept, W)


def test_scores_are_those_of_the_last_training() -> None:
    for model in both(max_iter=2, early_stopping=True):
        assert len(model.fit(X, Y).validation_scores_) == 2
        assert len(model.fit(X, Y).validation_scores_) == 2
        model.set_params(early_stopping=False).fit(X, Y)
        assert model.validation_scores_ is model.best_validation_score_ is None
    model = ours.MLPClassifier((4,), warm_start=True, max_iter=2, random_state=0).fit(X, Y)
    assert len(model.set_params(early_stopping=True).fit(X, Y).validation_scores_) == 2


def test_an_adaptive_rate_falls_from_pass_to_pass_and_a_new_fit_has_the_whole_one() -> None:
    how: dict[str, Any] = {**ADAPTIVE, "learning_rate_init": 1e-3, "momentum": 0.0, "shuffle": False, **NEVER}
    lengths = []
    for model in both(batch_size=len(X), max_iter=1, **how):
        weights = [model.partial_fit(X, Y, classes=range(10)).coefs_[0].copy() for _ in range(9)]
        step = [np.abs(b - a).max() for a, b in pairwise(weights)]
        lengths.append(np.array(step) / step[0])
        before = model.set_params(warm_start=True).coefs_[0].copy()
        assert np.abs(model.fit(X, Y).coefs_[0] - before).max() == pytest.approx(step[0], rel=0.2)
    np.testing.assert_allclose(*lengths, rtol=0.2)
    assert lengths[1][-1] < 1 / 20


@pytest.mark.parametrize("name", ["relu", "logistic", "tanh"])
def test_it_starts_where_scikit_learn_does(name: str) -> None:
    """The bounds of uniform numbers, of weights and of biases, are those of many."""
    bounds = []
    for model in (theirs.MLPClassifier, ours.MLPClassifier):
        start = model((400,), name, max_iter=1, learning_rate_init=1e-12, random_state=0).fit(X, Y)
        bounds.append([np.abs(a).max() for a in (*start.coefs_, start.intercepts_[0])])
    np.testing.assert_allclose(*bounds, rtol=0.02)


def test_each_layer_starts_by_its_own_activation() -> None:
    how: dict[str, Any] = {"max_iter": 1, "learning_rate_init": 1e-12, "random_state": 0}
    start = ours.MLPClassifier((300, 300), ["relu", "sigmoid"], **how).fit(X, Y)
    found = [np.abs(W).max() * sum(W.shape) ** 0.5 for W in start.coefs_]
    np.testing.assert_allclose(found, np.sqrt([6, 2, 2]), rtol=0.02)  # the output layer's by the one before it
    assert np.abs(ours.MLPClassifier((), **how).fit(X, Y).coefs_[0]).max() == pytest.approx((6 / 74) ** 0.5, rel=0.02)


def test_a_batch_larger_than_the_data_is_said() -> None:
    for model in both(batch_size=len(X) + 1, max_iter=1):
        with pytest.warns(UserWarning, match=r"clipped|batch_size: is 121, more than the 120 samples"):
            model.fit(X, Y)
