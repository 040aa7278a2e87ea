"""What the classifier and the regressor share: arguments, training and the way to torch."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from manual.lent import borrow
from manual.network import Network
from manual.sklearn.fit import SteadyHand, as_params, perceptron, start_params
from manual.sklearn.lbfgs import minimise
from manual.sklearn.parameters import check_parameters, hidden_layers, optimizer
from manual.sklearn.watch import Watch, falling_rate
from manual.sklearn.weights import Weighted, WeightedHand, with_weights
from manual.training.hand import Hand
from manual.training.loop import train
from manual.training.plan import make_plan
from manual.training.settings import Settings
from manual.training.state import Training
from manual.tree import shapes
from manual.types import Array, Loss, Params

SPARSE = ("csr", "csc")
FLOATS = (np.float64, np.float32)  # both stay what they are, anything else becomes float64


class Problem(NamedTuple):
    """What is to be learnt, and how its error is measured."""

    x: Array  # (N, n_in)
    target: Array  # as the loss takes it
    n_out: int
    loss: Loss
    strata: Array  # (N,) classes, of which validation takes equal shares; None for numbers


class MultilayerPerceptron(BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn has no types
    """Arguments and training. A subclass turns (X, y) into a Problem, and outputs into predictions."""

    t_: int
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    _optimizer_state: Any
    _watch: Watch | None  # of the last training, whose best and whose rate the next one goes on from
    _seed: int  # of the last training; the next one that goes on from it takes the next number

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        dropout: Any = 0.0,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.power_t = power_t
        self.shuffle = shuffle
        self.max_fun = max_fun
        self.max_iter = max_iter
        self.dropout = dropout
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change

    @property
    def params_(self) -> tuple[Params, ...]:
        """coefs_ and intercepts_ as `network_` takes them: one dictionary per layer, W (n_out, n_in). Views."""
        return as_params(self.network_, self.coefs_, self.intercepts_)

    def to_torch(self) -> Any:
        """The same network with the same weights as an nn.Module in evaluation mode. Needs `import torch_ref` before.

        The module gives what `predict` gives for a regressor, and logits for a classifier (of one column for two
        classes). It keeps the dtype and shares no memory with the estimator. Raises NotFittedError before fit,
        ImportError where nothing has imported torch_ref yet.
        """
        check_is_fitted(self)
        return borrow("to_module", "to_torch makes a module of PyTorch")(self.network_, self.params_)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Trains for max_iter epochs, or until nothing improves. With warm_start, from the weights there are.

        Shapes: X (N, n_in), also sparse, y (N,) or (N, n_out), sample_weight (N,). Raises ValueError for arguments and
        data that do not fit, NonFiniteLossError where training diverges; warns (ConvergenceWarning) where max_iter ends
        it.
        """
        return self._train(X, y, sample_weight, go_on=self.warm_start and hasattr(self, "coefs_"))

    def _output(self, X: Any) -> NDArray[Any]:
        """The last linear layer's output (N, n_out)."""
        check_is_fitted(self)
        X = dense(validate_data(self, X, accept_sparse=SPARSE, dtype=FLOATS, reset=False))
        return np.asarray(self.network_.forward(self.params_, X)[0])

    @abstractmethod
    def _problem(self, X: Any, y: Any, *, go_on: bool, once: bool) -> Problem:
        """What y asks for, after scikit-learn's own checks."""

    @abstractmethod
    def _score(self, y: Array, target: Array, weights: Array | None) -> float:
        """The score early_stopping goes by: higher is better."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _train(self, X: Any, y: Any, sample_weight: Any, *, go_on: bool, once: bool = False) -> Self:
        """From new weights, or from those there are; `once` makes one pass and keeps the optimizer's state for more."""
        if once and self.early_stopping:
            raise ValueError("early_stopping: partial_fit makes one pass and holds nothing back; set it to False")
        check_parameters(self)
        hidden = hidden_layers(self)
        problem = self._problem(X, y, go_on=go_on, once=once)
        self._seed = self._seed + 1 if go_on else int(check_random_state(self.random_state).randint(2**31 - 1))
        network = perceptron(problem.x.shape[1], hidden, problem.n_out)
        if go_on:
            params = as_params(network, self.coefs_, self.intercepts_)
            problem = problem._replace(x=problem.x.astype(self.coefs_[0].dtype, copy=False))
        else:
            params = start_params(network, self._seed, problem.x.dtype.name)
        if sample_weight is not None:
            weights = _check_sample_weight(sample_weight, problem.x)
            loss, target = with_weights(problem.loss, problem.target, problem.n_out, weights)
            problem = problem._replace(loss=loss, target=target)
        if problem.target.ndim > 1:
            problem = problem._replace(target=problem.target.astype(problem.x.dtype, copy=False))
        train = self._minimise if self.solver == "lbfgs" else self._descend
        train(network, params, problem, go_on=go_on, once=once)
        return self

    def _descend(self, network: Network, params: Any, problem: Problem, *, go_on: bool, once: bool) -> None:
        """Steps along the gradients of batches, for max_iter epochs at most."""
        descent, (x, target, _, loss, strata) = optimizer(self), problem
        watch = self._begin_watch(descent.lr, go_on=go_on, once=once)
        if self.early_stopping:
            x, target, watch.measure = self._split(x, target, strata, network, loss)
        epochs = 1 if once else int(self.max_iter)
        batch_size = self._batch_size(len(x))
        power = self.power_t if self._rate("invscaling") else 0.0
        before = self.t_ if go_on else 0
        schedule = falling_rate(watch, power, before, len(x), -(-len(x) // int(batch_size)), once=once)
        settings = Settings(
            epochs=epochs, batch_size=batch_size, seed=self._seed, schedule=schedule, callbacks=(watch,),
            shuffle=bool(self.shuffle),
        )  # fmt: skip
        state = descent.initial(params)
        if once and go_on and shapes(self._optimizer_state) == shapes(state):  # else another solver, or other dropout
            state = self._optimizer_state
        start = Training(params, (None,) * len(params), state, (), 0, 0, self._seed)
        plan = make_plan(network, params, x, target, loss, descent, settings, start)
        training = train(self._side(network, loss, descent, plan.start), plan)
        curve = [record["loss"] for record in training.history]
        params = watch.best if self.early_stopping else training.params
        self._keep(network, params, curve, [] if not go_on else self.loss_curve_)
        self._optimizer_state, self._watch = training.optimizer_state, replace(watch, measure=None)
        if watch.scores:
            self.validation_scores_, self.best_validation_score_ = list(watch.scores), max(watch.scores)
        self.t_ = before + self.n_iter_ * len(x)  # samples seen
        if training.epoch < epochs and not watch.ended:
            warnings.warn("fit: interrupted, the weights are those of the last step", stacklevel=4)
        elif not (once or watch.ended):
            warnings.warn(
                f"max_iter: {epochs} epochs were made before the loss settled; raise it, or tol", ConvergenceWarning, 4
            )

    def _minimise(self, network: Network, params: Any, problem: Problem, *, go_on: bool, once: bool) -> None:
        """L-BFGS on all samples at once; nothing is held back."""
        x, target, _, loss, _ = problem
        start = Training(params, (None,) * len(params), (), (), 0, 0, self._seed)
        limits: dict[str, Any] = {"max_iter": int(self.max_iter), "max_fun": int(self.max_fun), "tol": float(self.tol)}
        found = minimise(self._side(network, loss, None, start), x, target, **limits, verbose=bool(self.verbose))
        self._keep(network, found.params, found.curve, [] if not go_on else self.loss_curve_)
        self.t_ = (self.t_ if go_on else 0) + self.n_iter_ * len(x)
        self._optimizer_state, self._watch = (), None
        if not found.settled:
            warnings.warn(
                f"max_iter: lbfgs ended after {self.n_iter_} iterations, before the loss settled ({found.words}); "
                "raise it, or tol",
                ConvergenceWarning,
                4,
            )

    def _begin_watch(self, lr: float, *, go_on: bool, once: bool) -> Watch:
        """A new one, or that of the last training with what it has seen; a new fit begins at the whole rate."""
        watch = Watch(self.tol, self.n_iter_no_change, lr, self._rate("adaptive"), bool(self.verbose))
        kept = self._watch if go_on else None
        if kept is None or bool(kept.scores) != self.early_stopping:
            return watch
        factor = kept.factor if once else 1.0
        return replace(watch, lowest=kept.lowest, best=kept.best, scores=kept.scores, waited=kept.waited, factor=factor)

    def _batch_size(self, samples: int) -> int:
        if self.batch_size == "auto":
            return min(200, samples)
        if self.batch_size > samples:
            warnings.warn(
                f"batch_size: is {self.batch_size}, more than the {samples} samples, which are taken", stacklevel=5
            )
        return min(int(self.batch_size), samples)

    def _rate(self, kind: str) -> bool:
        """Whether that is how the learning rate of plain descent changes; Adam has its own."""
        return self.solver == "sgd" and self.learning_rate == kind

    def _side(self, network: Network, loss: Loss, descent: Any, start: Training) -> Hand:
        kind = WeightedHand if isinstance(loss, Weighted) else SteadyHand
        return kind(network, loss, descent, start, alpha=self.alpha)

    def _split(
        self, x: Array, target: Array, strata: Array, network: Network, loss: Loss
    ) -> tuple[Array, Array, Callable[[Sequence[Params]], float]]:
        """The samples to train on, and the score of parameters on those to validate on."""
        x, x_val, target, target_val = train_test_split(
            x, target, test_size=self.validation_fraction, stratify=strata, random_state=self._seed
        )
        if len(x_val) < 2:
            raise ValueError(
                f"validation_fraction: {self.validation_fraction} holds one sample back, expected two or more"
            )
        weights = None
        if isinstance(loss, Weighted):
            target_val, weights = target_val[:, :-1], target_val[:, -1]
        return x, target, lambda params: self._score(network.forward(params, x_val)[0], target_val, weights)

    def _keep(self, network: Network, params: Sequence[Params], curve: list[float], before: list[float]) -> None:
        """The attributes that scikit-learn's users look for, and what training goes on from."""
        weights = [p for p in params if p]
        self.network_ = network
        self.coefs_ = [p["W"].T for p in weights]  # (n_in, n_out)
        self.intercepts_ = [p["b"] for p in weights]
        self.n_layers_, self.n_outputs_ = len(weights) + 1, len(weights[-1]["b"])
        self.n_iter_, self.loss_, self.loss_curve_ = len(curve), curve[-1], before + curve
        self.best_loss_ = None if self.early_stopping else min(self.loss_curve_)
        self.validation_scores_ = self.best_validation_score_ = None


def dense(X: Any) -> Any:
    """X (N, n_in) with its zeros written out: layers take no others."""
    return X.toarray() if issparse(X) else X
