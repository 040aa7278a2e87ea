"""A network, a loss or an optimizer as plain data, which JSON can hold, and back.

    Linear(3, 2)      {"Linear": {"n_in": 3, "n_out": 2, "bias": true}}
    Adam(1e-3)        {"Adam": {"lr": 0.001, "betas": [0.9, 0.999], "eps": 1e-08, "weight_decay": 0.0}}

The data name a kind and its numbers, never code: reading them can build nothing but what is listed here.
"""

from collections.abc import Sequence
from dataclasses import fields
from math import isfinite
from typing import Any, TypeAlias

import numpy as np

from manual.layers import LAYERS
from manual.losses import LOSSES
from manual.network import Network
from manual.optimizers.adam import Adam, AdamW
from manual.optimizers.sgd import SGD

Plain: TypeAlias = dict[str, dict[str, Any]]  # one kind, and its numbers by name

OPTIMIZERS: tuple[type, ...] = (SGD, Adam, AdamW)
NOT_FINITE = ("nan", "inf", "-inf")  # JSON has no such numbers; these words stand for them


def network_to_plain(network: Network) -> list[Plain]:
    """One entry per layer. Raises TypeError for a layer that is not one of LAYERS, naming it."""
    return [_to_plain(layer, LAYERS, f"layer {i}") for i, layer in enumerate(network.layers)]


def network_from_plain(plain: Sequence[Plain]) -> Network:
    """The network of `network_to_plain`. Raises ValueError for unknown kinds and for layers that cannot be."""
    if not isinstance(plain, list):
        raise ValueError(f"network: got {type(plain).__name__}, expected a list with one entry per layer")
    return Network(tuple(_from_plain(entry, LAYERS, f"layer {i}") for i, entry in enumerate(plain)))


def loss_to_plain(loss: Any) -> Plain:
    """A loss of LOSSES. Raises TypeError for any other, naming it."""
    return _to_plain(loss, LOSSES, "loss")


def loss_from_plain(plain: Plain) -> Any:
    """The loss of `loss_to_plain`. Raises ValueError for unknown kinds."""
    return _from_plain(plain, LOSSES, "loss")


def optimizer_to_plain(optimizer: Any) -> Plain:
    """An optimizer of OPTIMIZERS. Raises TypeError for any other, naming it.

    >>> optimizer_to_plain(SGD(0.1, momentum=0.9))["SGD"]["momentum"]
    0.9
    """
    return _to_plain(optimizer, OPTIMIZERS, "optimizer")


def optimizer_from_plain(plain: Plain) -> Any:
    """The optimizer of `optimizer_to_plain`. Raises ValueError for unknown kinds."""
    return _from_plain(plain, OPTIMIZERS, "optimizer")


def number_to_plain(name: str, value: Any) -> bool | int | float | str:
    """A number as JSON can hold it, exactly; nan and infinity become words. TypeError for what is no number."""
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, bool | int | float):
        raise TypeError(f"{name}: got {type(value).__name__}, expected a number")
    return str(value) if isinstance(value, float) and not isfinite(value) else value


def number_from_plain(value: Any) -> Any:
    """The number of `number_to_plain`; other words stay words.

    >>> number_from_plain(number_to_plain("slope", float("-inf")))
    -inf
    """
    return float(value) if isinstance(value, str) and value in NOT_FINITE else value


def _to_plain(thing: Any, kinds: tuple[type, ...], what: str) -> Plain:
    kind = type(thing)
    if kind not in kinds:
        raise TypeError(f"{what}: is {kind.__name__}, which no file can hold; known: {_names(kinds)}")
    numbers: dict[str, Any] = {}
    for field in fields(thing):
        name, value = field.name, getattr(thing, field.name)
        if name == "mask" and value is not None:
            numbers[name] = ["".join(map(str, row)) for row in np.asarray(value).astype(int).tolist()]
        elif isinstance(value, str):
            numbers[name] = value
        elif isinstance(value, Sequence | np.ndarray):
            numbers[name] = [number_to_plain(f"{what}, {name}", v) for v in value]
        elif value is not None:
            numbers[name] = number_to_plain(f"{what}, {name}", value)
    return {kind.__name__: numbers}


def _from_plain(plain: Any, kinds: tuple[type, ...], what: str) -> Any:
    if not (isinstance(plain, dict) and len(plain) == 1 and isinstance(next(iter(plain.values())), dict)):
        raise ValueError(f'{what}: expected one kind with its numbers, such as {{"{kinds[0].__name__}": {{...}}}}')
    ((name, numbers),) = plain.items()
    known = {kind.__name__: kind for kind in kinds}
    if name not in known:
        raise ValueError(f"{what}: unknown kind {name!r}; known: {_names(kinds)}")
    try:
        given = {key: _value(key, value) for key, value in numbers.items()}
        return known[name](**given)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: cannot be made: {error}") from error


def _value(name: str, value: Any) -> Any:
    if name == "mask":
        return np.array([[int(entry) for entry in row] for row in value])
    return tuple(map(number_from_plain, value)) if isinstance(value, list) else number_from_plain(value)


def _names(kinds: tuple[type, ...]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)
