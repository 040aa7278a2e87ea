"""scikit-learn's face: MLPClassifier and MLPRegressor, trained by the gradients derived by hand. Needs scikit-learn.

Arguments and attributes have scikit-learn's names, meanings and defaults (`clone`, pipelines and searches work), with
what its own perceptrons do not have:

activation    any of ACTIVATIONS by name ("logistic" is "sigmoid"), a layer such as LeakyReLU(0.2), or a list with one
              per hidden layer
dropout       the probability to drop a hidden unit in training, or a list with one per hidden layer
to_torch      the trained network as an nn.Module, once torch_ref is imported
network_, params_   the trained network as every other part of `manual` takes it

All other arguments are as there, and so are sample_weight, rows with several labels, and sparse X, which is written
out: docs/sklearn.md has each of them. Different on purpose:

- the loss of several outputs is half the sum of their squared errors, the one whose gradient is followed (there
  loss_curve_ shows their mean, and the gradient is the sum's);
- Adam's epsilon is added to the root of the corrected mean square, as torch has it;
- lbfgs has a loss_curve_ too, of its iterations;
- a training that diverges raises NonFiniteLossError at that step, with the likely reason.

>>> import numpy as np
>>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
>>> net = MLPClassifier((8, 4), ["leaky_relu", "tanh"], alpha=0, learning_rate_init=0.1, random_state=0)
>>> net.fit(x, ["same", "other", "other", "same"]).predict(x).tolist()
['same', 'other', 'other', 'same']
"""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d, validate_data

from manual.layers.sigmoid import sigmoid
from manual.layers.softmax import Softmax
from manual.layers.softplus import softplus
from manual.losses.binary_cross_entropy import BinaryCrossEntropy
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.losses.squared_error import HalfSquaredError
from manual.sklearn.base import FLOATS, SPARSE, MultilayerPerceptron, Problem, dense
from manual.types import Array


def takes_steps(model: Any) -> bool:
    """Whether a training can go on by one pass: lbfgs goes its own way, over all samples."""
    return bool(model.solver != "lbfgs")


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron for classes: softmax cross-entropy, for two classes the cross-entropy of one logit.

    Arguments: see the module. Attributes: classes_, coefs_ (n_in, n_out), intercepts_, loss_curve_, loss_, best_loss_,
    n_iter_, t_ (samples seen), n_layers_, n_outputs_, out_activation_, n_features_in_, with early_stopping
    validation_scores_ (accuracy).
    """

    _sparse_labels: bool

    @available_if(takes_steps)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """One pass over these samples. The first call must name all classes there will be.

        The optimizer's state lives on from call to call, while solver and dropout stay what they are.
        """
        go_on = hasattr(self, "coefs_")
        if not go_on:
            if classes is None:
                raise ValueError("classes: is None, but the first call to partial_fit must be given all classes")
            self.classes_ = np.unique(classes)
        elif classes is not None and not np.array_equal(self.classes_, np.unique(classes)):
            raise ValueError(f"classes: are {np.unique(classes)}, but they were {self.classes_} in an earlier call")
        return self._train(X, y, sample_weight, go_on=go_on, once=True)

    def predict(self, X: Any) -> Any:
        """The most probable class of every row, (N,); of several labels (N, C), which are there: 1, else 0.

        Labels are sparse where those of the last training were. Raises NotFittedError before fit.
        """
        p = self.predict_proba(X)
        if self._has_labels():
            labels = np.asarray(p > 0.5, dtype=np.int64)
            return csr_matrix(labels) if self._sparse_labels else labels
        return np.asarray(self.classes_[np.argmax(p, axis=1)])

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of every class or label, (N, C), as classes_ lists them. Raises NotFittedError before fit."""
        z = self._output(X)
        if self._has_labels():
            return np.asarray(sigmoid(z))
        if z.shape[1] == 1:
            return np.hstack([sigmoid(-z), sigmoid(z)])
        return np.asarray(Softmax().forward({}, z)[0])

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Their logarithms, (N, C), finite also where a probability is 0. Raises NotFittedError before fit."""
        z = self._output(X)
        if self._has_labels():
            return np.asarray(-softplus(-z))
        z = np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z
        z = z - z.max(axis=1, keepdims=True)
        return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))

    def _has_labels(self) -> bool:
        """Whether a row may have several labels, or none."""
        return bool(self.out_activation_ == "logistic" and self.n_outputs_ > 1)

    def _problem(self, X: Any, y: Any, *, go_on: bool, once: bool) -> Problem:
        how: dict[str, Any] = {"accept_sparse": SPARSE, "multi_output": True, "dtype": FLOATS, "reset": not go_on}
        X, y = validate_data(self, X, y, **how)
        self._sparse_labels, X, y = issparse(y), dense(X), dense(y)
        check_classification_targets(y)
        if y.ndim == 2 and y.shape[1] > 1:
            return self._labels(X, y, go_on=go_on or once)
        y = column_or_1d(y, warn=True)
        if not (go_on or once):
            self.classes_ = np.unique(y)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            raise ValueError(f"y: has the classes {unknown}, expected some of {self.classes_}, those of the first call")
        C, codes = len(self.classes_), np.searchsorted(self.classes_, y)
        if C < 2:
            raise ValueError(f"y: has one class only, {self.classes_.tolist()[0]!r}, expected two or more")
        self.out_activation_ = "logistic" if C == 2 else "softmax"
        if C == 2:
            return Problem(X, codes[:, None], 1, BinaryCrossEntropy("batch mean"), codes)
        return Problem(X, codes, C, SoftmaxCrossEntropy(), codes)

    def _labels(self, X: Any, y: NDArray[Any], *, go_on: bool) -> Problem:
        """Rows with several labels or none: y (N, C), 1 where label k is there, else 0."""
        C = y.shape[1]
        if not go_on:
            self.classes_ = np.arange(C)
        if type_of_target(y) != "multilabel-indicator":
            raise ValueError(f"y: has {C} columns with more than two values, expected 0 and 1: which labels a row has")
        if len(self.classes_) != C:
            raise ValueError(f"y: has {C} labels, expected {len(self.classes_)}, those of the first call")
        self.out_activation_ = "logistic"
        return Problem(X, y, C, BinaryCrossEntropy("batch mean"), None)

    def _score(self, y: Array, target: Array, weights: Array | None) -> float:
        if self.out_activation_ == "logistic":
            return float(accuracy_score(target > 0, y > 0, sample_weight=weights))
        labels = target if target.ndim == 1 else target.argmax(1)
        return float(accuracy_score(labels, y.argmax(1), sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, MultilayerPerceptron):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron for numbers, one or several a sample: half the squared error, outputs as they are.

    Arguments: see the module. Attributes: coefs_ (n_in, n_out), intercepts_, loss_curve_, loss_, best_loss_, n_iter_,
    t_ (samples seen), n_layers_, n_outputs_, out_activation_, n_features_in_, with early_stopping validation_scores_
    (R^2).
    """

    out_activation_ = "identity"

    @available_if(takes_steps)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """One pass over these samples, X (N, n_in), y (N,) or (N, n_out).

        The optimizer's state lives on from call to call, while solver and dropout stay what they are.
        """
        return self._train(X, y, sample_weight, go_on=hasattr(self, "coefs_"), once=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The outputs, (N,) where there is one, else (N, n_out). Raises NotFittedError before fit."""
        y = self._output(X)
        return y[:, 0] if y.shape[1] == 1 else y

    def _problem(self, X: Any, y: Any, *, go_on: bool, once: bool) -> Problem:
        how: dict[str, Any] = {"accept_sparse": SPARSE, "multi_output": True, "dtype": FLOATS, "reset": not go_on}
        X, y = map(dense, validate_data(self, X, y, y_numeric=True, **how))
        target = column_or_1d(y, warn=True)[:, None] if y.ndim == 1 or y.shape[1] == 1 else y
        return Problem(X, target, target.shape[1], HalfSquaredError("batch mean"), None)

    def _score(self, y: Array, target: Array, weights: Array | None) -> float:
        return float(r2_score(target, y, sample_weight=weights))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
