"""What the classifier and the regressor share: arguments, training and the way to torch."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from manual.lent import borrow
from manual.network import Network
from manual.sklearn.fit import Watch, as_params, perceptron, print_epoch
from manual.sklearn.parameters import check_parameters, hidden_layers, optimizer
from manual.training.hand import Hand
from manual.training.loop import train
from manual.training.metrics import Metric
from manual.training.plan import make_plan
from manual.training.settings import Settings
from manual.training.state import Training
from manual.tree import shapes
from manual.types import Array, Loss, Params

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
    _seed: int  # of the last training; the next one that goes on from it takes the next number

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: Any = "auto",
        learning_rate_init: float = 0.001,
        max_iter: int = 200,
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
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
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

    def fit(self, X: Any, y: Any) -> Self:
        """Trains for max_iter epochs, or until nothing improves. With warm_start, from the weights there are.

        Shapes: X (N, n_in), y (N,), for a regressor also (N, n_out). Raises ValueError for arguments and data that do
        not fit, NonFiniteLossError where training diverges; warns (ConvergenceWarning) where max_iter ends it.
        """
        return self._train(X, y, go_on=self.warm_start and hasattr(self, "coefs_"))

    def _output(self, X: Any) -> NDArray[Any]:
        """The last linear layer's output (N, n_out)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=FLOATS, reset=False)
        return np.asarray(self.network_.forward(self.params_, X)[0])

    @abstractmethod
    def _problem(self, X: Any, y: Any, *, go_on: bool, once: bool) -> Problem:
        """What y asks for, after scikit-learn's own checks."""

    @abstractmethod
    def _metric(self, loss: Loss) -> Metric:
        """The score early_stopping goes by: higher is better."""

    def _train(self, X: Any, y: Any, *, go_on: bool, once: bool = False) -> Self:
        """From new weights, or from those there are; `once` makes one pass and keeps the optimizer's state for more."""
        if once and self.early_stopping:
            raise ValueError("early_stopping: partial_fit makes one pass and holds nothing back; set it to False")
        check_parameters(self)
        hidden, descent = hidden_layers(self), optimizer(self)
        x, target, n_out, loss, strata = self._problem(X, y, go_on=go_on, once=once)
        self._seed = self._seed + 1 if go_on else int(check_random_state(self.random_state).randint(2**31 - 1))
        network = perceptron(x.shape[1], hidden, n_out)
        params = network.init(self._seed, dtype=x.dtype.name)
        if go_on:
            params = as_params(network, self.coefs_, self.intercepts_)
            x = x.astype(self.coefs_[0].dtype, copy=False)
        target = target if target.ndim == 1 else target.astype(x.dtype, copy=False)
        watch = Watch(self.tol, self.n_iter_no_change)
        if self.early_stopping:
            x, target, watch.measure = self._split(x, target, strata, network, loss)
        epochs = 1 if once else int(self.max_iter)
        batch_size = min(200, len(x)) if self.batch_size == "auto" else self.batch_size
        callbacks = (print_epoch, watch) if self.verbose else (watch,)
        settings = Settings(epochs, batch_size, self._seed, None, (), None, None, None, callbacks, None)
        state = descent.initial(params)
        if once and go_on and shapes(self._optimizer_state) == shapes(state):  # else another solver, or other dropout
            state = self._optimizer_state
        start = Training(params, (None,) * len(params), state, (), 0, 0, self._seed)
        plan = make_plan(network, params, x, target, loss, descent, settings, start)
        training = train(Hand(network, loss, descent, plan.start, alpha=self.alpha), plan)
        self._keep(network, training, watch, [] if not go_on else self.loss_curve_)
        self.t_ = (self.t_ if go_on else 0) + self.n_iter_ * len(x)  # samples seen
        if training.epoch < epochs and not watch.ended:
            warnings.warn("fit: interrupted, the weights are those of the last step", stacklevel=3)
        elif not (once or watch.ended):
            warnings.warn(
                f"max_iter: {epochs} epochs were made before the loss settled; raise it, or tol", ConvergenceWarning, 3
            )
        return self

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
        score = self._metric(loss)
        return x, target, lambda params: score(network.forward(params, x_val)[0], target_val)

    def _keep(self, network: Network, training: Training, watch: Watch, before: list[float]) -> None:
        """The attributes that scikit-learn's users look for, and what training goes on from."""
        curve = [record["loss"] for record in training.history]
        weights = [p for p in watch.best or training.params if p]
        self.network_ = network
        self.coefs_ = [p["W"].T for p in weights]  # (n_in, n_out)
        self.intercepts_ = [p["b"] for p in weights]
        self.n_layers_, self.n_outputs_ = len(weights) + 1, len(weights[-1]["b"])
        self.n_iter_, self.loss_, self.loss_curve_ = len(curve), curve[-1], before + curve
        self.best_loss_ = None if self.early_stopping else min(self.loss_curve_)
        if watch.scores:
            self.validation_scores_, self.best_validation_score_ = watch.scores, max(watch.scores)
        self._optimizer_state = training.optimizer_state
