"""What the estimators' arguments mean. They are checked when training begins, as scikit-learn wants it."""

from collections.abc import Iterable
from math import inf, isfinite
from typing import Any

import numpy as np

from manual.layers.activations import ACTIVATIONS, NOT_DIFFERENTIABLE
from manual.optimizers.adam import Adam
from manual.optimizers.sgd import SGD
from manual.types import Layer

NAMES = {**ACTIVATIONS, "logistic": ACTIVATIONS["sigmoid"]}  # scikit-learn's name beside ours
SWITCHES = ("shuffle", "warm_start", "nesterovs_momentum", "early_stopping")
RATES = ("constant", "invscaling", "adaptive")
TRAINABLE = ", ".join(name for name, layer in NAMES.items() if not isinstance(layer, NOT_DIFFERENTIABLE))


def check_parameters(model: Any) -> None:
    """ValueError for the first argument that does not fit, with what was expected."""
    patience, fraction = model.n_iter_no_change, model.validation_fraction
    for name, fits, expected in (
        ("solver", model.solver in ("adam", "sgd", "lbfgs"), "'adam', 'sgd' or 'lbfgs'"),
        ("learning_rate", model.learning_rate in RATES, "'constant', 'invscaling' or 'adaptive'"),
        ("power_t", _number(model.power_t), "a finite number, 0 or more"),
        ("max_fun", _whole(model.max_fun), "an integer, 1 or more"),
        *((name, isinstance(getattr(model, name), bool | np.bool_), "True or False") for name in SWITCHES),
        ("alpha", _number(model.alpha), "a finite number, 0 or more"),
        ("batch_size", model.batch_size == "auto" or _whole(model.batch_size), "'auto' or an integer, 1 or more"),
        ("learning_rate_init", _number(model.learning_rate_init, above=True), "a finite number above 0"),
        ("max_iter", _whole(model.max_iter), "an integer, 1 or more"),
        ("tol", _number(model.tol), "a finite number, 0 or more"),
        ("momentum", _number(model.momentum) and model.momentum <= 1, "a number from 0 to 1"),
        ("n_iter_no_change", patience == inf or _whole(patience), "an integer, 1 or more, or inf"),
        ("validation_fraction", _number(fraction, above=True) and fraction < 1, "a number between 0 and 1"),
    ):
        if not fits:
            raise ValueError(f"{name}: is {getattr(model, name)!r}, expected {expected}")
    if model.solver == "lbfgs" and np.any(model.dropout):
        raise ValueError(f"dropout: is {model.dropout!r}, but lbfgs needs the same loss at every step; set it to 0")


def hidden_layers(model: Any) -> list[tuple[int, Layer, float]]:
    """Width, activation and rate of dropout of every hidden layer. ValueError and TypeError for what does not fit."""
    sizes = model.hidden_layer_sizes
    sizes = list(sizes) if isinstance(sizes, Iterable) else [sizes]
    if not all(_whole(n) for n in sizes):
        raise ValueError(
            f"hidden_layer_sizes: is {model.hidden_layer_sizes!r}, expected integers, 1 or more: one per hidden layer"
        )
    activations = per_layer("activation", model.activation, len(sizes))
    rates = per_layer("dropout", model.dropout, len(sizes))
    return [(int(n), _activation(a), _rate(rate)) for n, a, rate in zip(sizes, activations, rates, strict=True)]


def optimizer(model: Any) -> SGD | Adam:
    """Adam, or gradient descent with momentum. What is wrong with beta_1, beta_2 and epsilon, Adam says."""
    if model.solver == "adam":
        return Adam(model.learning_rate_init, (model.beta_1, model.beta_2), model.epsilon)
    nesterov = bool(model.nesterovs_momentum and model.momentum)  # without momentum there is nothing to look ahead by
    return SGD(model.learning_rate_init, model.momentum, nesterov=nesterov)


def per_layer(name: str, given: Any, count: int) -> list[Any]:
    """One for every hidden layer, or the same for all. Raises ValueError where their number is another."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [given] * count
    if len(found := list(given)) != count:
        raise ValueError(
            f"{name}: has {len(found)} entries, expected {count}, one per hidden layer, or one alone for all of them"
        )
    return found


def _activation(given: Any) -> Any:
    if isinstance(given, str):
        if given not in NAMES:
            raise ValueError(f"activation: is {given!r}, expected one of {TRAINABLE}, or a layer such as ReLU()")
        return NAMES[given]
    if type(given) not in {type(layer) for layer in ACTIVATIONS.values()}:
        raise TypeError(f"activation: got {given!r}, expected one of {TRAINABLE}, or a layer such as ReLU()")
    return given


def _rate(given: Any) -> float:
    if not (_number(given) and given < 1):
        raise ValueError(f"dropout: is {given!r}, expected a probability in [0, 1), or one per hidden layer")
    return float(given)


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


def _number(value: Any, *, above: bool = False) -> bool:
    """A finite number, 0 or more; with `above`, above 0."""
    number = isinstance(value, int | float | np.number) and isfinite(value)
    return number and bool(value > 0 if above else value >= 0)
