"""scikit-learn's face: MLPClassifier and MLPRegressor, trained by the gradients derived by hand. Needs scikit-learn.

Arguments and attributes have scikit-learn's names, meanings and defaults (`clone`, pipelines and searches work), with
what its own perceptrons do not have:

activation    any of ACTIVATIONS by name ("logistic" is "sigmoid"), a layer such as LeakyReLU(0.2), or a list with one
              per hidden layer
dropout       the probability to drop a hidden unit in training, or a list with one per hidden layer
to_torch      the trained network as an nn.Module, once torch_ref is imported
network_, params_   the trained network as every other part of `manual` takes it

hidden_layer_sizes, solver ("adam", "sgd"), alpha (L2 penalty of the weights), batch_size, learning_rate_init, max_iter,
random_state, tol, n_iter_no_change, verbose, warm_start, momentum, nesterovs_momentum, early_stopping,
validation_fraction, beta_1, beta_2 and epsilon are as there. There is no lbfgs, no learning-rate schedule, no sparse X,
no sample_weight and no multilabel y; samples are always shuffled. Different on purpose:

- a start weight is uniform in +-sqrt(6 / (n_in + n_out)) as there, a start bias is 0;
- the loss of several outputs is half the sum of their squared errors, the one whose gradient is followed (there
  loss_curve_ shows their mean, and the gradient is the sum's);
- Adam's epsilon is added to the root of the corrected mean square, as torch has it;
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
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d, validate_data

from manual.layers.sigmoid import sigmoid
from manual.layers.softmax import Softmax
from manual.losses.binary_cross_entropy import BinaryCrossEntropy
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.losses.squared_error import HalfSquaredError
from manual.sklearn.base import FLOATS, MultilayerPerceptron, Problem
from manual.training.metrics import Metric, accuracy
from manual.types import Loss


class MLPClassifier(ClassifierMixin, MultilayerPerceptron):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron for classes: softmax cross-entropy, for two classes the cross-entropy of one logit.

    Arguments: see the module. Attributes: classes_, coefs_ (n_in, n_out), intercepts_, loss_curve_, loss_, best_loss_,
    n_iter_, t_ (samples seen), n_layers_, n_outputs_, out_activation_, n_features_in_, with early_stopping
    validation_scores_ (accuracy).
    """

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:
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
        return self._train(X, y, go_on=go_on, once=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of every row, (N,). Raises NotFittedError before fit."""
        p = self.predict_proba(X)
        return np.asarray(self.classes_[np.argmax(p, axis=1)])

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """The probability of every class, (N, C), in the order of classes_. Raises NotFittedError before fit."""
        z = self._output(X)
        if z.shape[1] == 1:
            return np.hstack([sigmoid(-z), sigmoid(z)])
        return np.asarray(Softmax().forward({}, z)[0])

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Their logarithms, (N, C), finite also where a probability is 0. Raises NotFittedError before fit."""
        z = self._output(X)
        z = np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z
        z = z - z.max(axis=1, keepdims=True)
        return np.asarray(z - np.log(np.exp(z).sum(axis=1, keepdims=True)))

    def _problem(self, X: Any, y: Any, *, go_on: bool, once: bool) -> Problem:
        X, y = validate_data(self, X, y, dtype=FLOATS, reset=not go_on)
        check_classification_targets(y)
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

    def _metric(self, loss: Loss) -> Metric:
        return accuracy(loss)


class MLPRegressor(RegressorMixin, MultilayerPerceptron):  # type: ignore[misc]  # scikit-learn has no types
    """A multilayer perceptron for numbers, one or several a sample: half the squared error, outputs as they are.

    Arguments: see the module. Attributes: coefs_ (n_in, n_out), intercepts_, loss_curve_, loss_, best_loss_, n_iter_,
    t_ (samples seen), n_layers_, n_outputs_, out_activation_, n_features_in_, with early_stopping validation_scores_
    (R^2).
    """

    out_activation_ = "identity"

    def partial_fit(self, X: Any, y: Any) -> Self:
        """One pass over these samples, X (N, n_in), y (N,) or (N, n_out).

        The optimizer's state lives on from call to call, while solver and dropout stay what they are.
        """
        return self._train(X, y, go_on=hasattr(self, "coefs_"), once=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The outputs, (N,) where there is one, else (N, n_out). Raises NotFittedError before fit."""
        y = self._output(X)
        return y[:, 0] if y.shape[1] == 1 else y

    def _problem(self, X: Any, y: Any, *, go_on: bool, once: bool) -> Problem:
        X, y = validate_data(self, X, y, dtype=FLOATS, multi_output=True, y_numeric=True, reset=not go_on)
        target = column_or_1d(y, warn=True)[:, None] if y.ndim == 1 or y.shape[1] == 1 else y
        return Problem(X, target, target.shape[1], HalfSquaredError("batch mean"), None)

    def _metric(self, loss: Loss) -> Metric:
        return lambda y, target: float(r2_score(target, y))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
