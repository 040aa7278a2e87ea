"""The array library of an array. It is asked for at every call: one network runs on NumPy, torch and jax, and on the
judge's own arrays. A search costs as much as an operation, so the types of some are known at sight.
"""

from importlib import import_module
from typing import Any

import array_api_compat
import numpy as np
from array_api_compat import numpy as numpy_namespace

from manual.types import Array

KNOWN: dict[type, Any] = {np.ndarray: numpy_namespace}


def know_torch() -> None:
    """torch's arrays are known at sight from here on. torch 2.11 does not compile the search for their library.

    Never called during a pass: torch.compile would see another table, and compile again.
    """
    xp: Any = import_module("array_api_compat.torch")
    KNOWN.update(dict.fromkeys((xp.Tensor, xp.nn.Parameter), xp))


def array_namespace(x: Array) -> Any:
    """The array API namespace of x. Raises TypeError for what is no array.

    >>> array_namespace(np.zeros(3)).sum(np.ones(3))
    np.float64(3.0)
    """
    found = KNOWN.get(type(x))
    return array_api_compat.array_namespace(x) if found is None else found


def at_hand(x: Array) -> Array:
    """NumPy's view of a JAX array that lies on the CPU, any other array as it is: for what one asks of it only once.

    JAX compiles every operation by itself, for every shape, before it answers.
    """
    if type(x) in KNOWN or not array_api_compat.is_jax_array(x):
        return x
    return np.asarray(x) if all(place.platform == "cpu" for place in x.devices()) else x
