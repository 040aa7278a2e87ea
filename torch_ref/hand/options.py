"""What torch's modules look up at every call, so that a script may set it later: ours follow, or say why not.

A test holds the table to the forward passes of torch's modules. Parameters, running statistics, `training`, `momentum`
and `track_running_stats` stand nowhere here: a call reads them, as torch's does.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn, TypeAlias

import torch

from manual import (
    GELU,
    BatchNorm1d,
    BinaryCrossEntropy,
    Dropout,
    GELUTanh,
    Layer,
    LayerNorm,
    LeakyReLU,
    Linear,
    Loss,
    ReLU,
    SiLU,
    Softmax,
    SoftmaxCrossEntropy,
    Softplus,
    SquaredError,
)
from manual.losses.binary_cross_entropy import WEIGH

Subject: TypeAlias = Layer | Loss
Option: TypeAlias = Callable[[Any, str, Any], Subject]  # of the layer, torch's name and the value


def follow(subject: Subject, name: str, value: Any) -> Subject:
    """The layer or loss with what torch's module calls `name` set to the value; itself where torch reads no such name.

    Raises ValueError for a value that it cannot have.
    """
    options = next((OPTIONS[kind] for kind in type(subject).__mro__ if name in OPTIONS.get(kind, {})), None)
    return subject if options is None else options[name](subject, name, value)


def field(own: str) -> Option:
    """What is a field of ours too, called `own`."""
    return lambda subject, name, value: replace(subject, **{own: value})


def fixed(expected: Any, way: str) -> Option:
    """What ours has in one way only."""

    def check(subject: Any, name: str, value: Any) -> Subject:
        if value is not expected and (hasattr(value, "shape") or value != expected):  # a tensor compares entry by entry
            raise ValueError(f"{name}: got {value!r}, expected {expected!r} with {subject}; {way}")
        return subject  # type: ignore[no-any-return]

    return check


def normalized_shape(layer: LayerNorm, name: str, value: Any) -> Layer:
    """The shape over which a layer norm goes, always that of its parameters."""
    return fixed((layer.n,), "put nn.LayerNorm(shape) in its place")(layer, name, tuple(value))  # type: ignore[return-value]


def approximate(layer: GELU | GELUTanh, name: str, value: Any) -> Layer:
    """Which of the two formulas."""
    kinds = {"none": GELU, "tanh": GELUTanh}
    if value not in kinds:
        raise ValueError(f"{name}: got {value!r}, expected 'none' or 'tanh'")
    return layer if isinstance(layer, kinds[value]) else kinds[value]()


def weight(loss: SoftmaxCrossEntropy, name: str, value: Any) -> Loss:
    """A tensor (C,) of one weight per class."""
    return replace(loss, class_weights=None if value is None else tuple(value.tolist()))


def fit(layer: Linear, name: str, param: torch.Tensor) -> Linear:
    """A linear layer as wide as the weight it is given, with a bias where it is given one."""
    if name == "bias" and not layer.bias:
        return replace(layer, bias=True)
    if name == "weight" and param.ndim == 2 and tuple(param.shape) != (layer.n_out, layer.n_in):
        return replace(layer, n_out=param.shape[0], n_in=param.shape[1])
    return layer


def refuse_quantisation(name: str) -> NoReturn:
    """Torch exchanges modules of its exact classes, and would leave ours as they are without a word."""
    raise TypeError(
        f"{name}: a HandModule is not quantised; load its state_dict into an nn.Sequential of torch's own layers and "
        "quantise that"
    )


INPLACE = {"inplace": fixed(False, "ours writes into no input; leave it, or put torch's own module in its place")}
REDUCTION = {"reduction": field("reduction")}
KEEP = "leave out what is to be ignored: keep = t != -100, E(z[keep], t[keep])"
OPTIONS: dict[type, dict[str, Option]] = {
    Dropout: {"p": field("p"), **INPLACE},
    BatchNorm1d: {"eps": field("eps")},
    LayerNorm: {"eps": field("eps"), "normalized_shape": normalized_shape},
    ReLU: INPLACE,
    LeakyReLU: {"negative_slope": field("slope"), **INPLACE},
    SiLU: INPLACE,
    GELU: {"approximate": approximate},
    GELUTanh: {"approximate": approximate},
    Softplus: {
        "beta": fixed(1.0, "put nn.Softplus(beta) in its place"),
        "threshold": fixed(40.0, "ours is exact everywhere; put nn.Softplus(beta, threshold) in its place"),
    },
    Softmax: {"dim": fixed(-1, "ours is that of each row; put nn.Softmax(dim) in its place")},
    SquaredError: REDUCTION,
    BinaryCrossEntropy: {**REDUCTION, "weight": fixed(None, WEIGH), "pos_weight": fixed(None, WEIGH)},
    SoftmaxCrossEntropy: {
        **REDUCTION,
        "label_smoothing": field("label_smoothing"),
        "weight": weight,
        "ignore_index": fixed(-100, KEEP),
    },
}
NAMES = {name for options in OPTIONS.values() for name in options}
