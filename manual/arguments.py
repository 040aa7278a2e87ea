"""The numbers that layers, losses and optimizers are built with, checked when they are built."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np


def check_sizes(owner: Any, *names: str) -> None:
    """Makes the fields Python ints. ValueError for all but whole numbers of at least 1."""
    for name in names:
        value = getattr(owner, name)
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or value < 1:
            raise ValueError(f"{type(owner).__name__}: {name} is {value!r}, expected a whole number, 1 or more")
        object.__setattr__(owner, name, int(value))


def check_number(owner: Any, name: str, expected: str, fits: Callable[[float], bool]) -> None:
    """Makes the field a Python float (NumPy's make float32 float64). ValueError unless it is finite and fits."""
    value = getattr(owner, name)
    number = isinstance(value, int | float | np.integer | np.floating)
    if not (number and isfinite(value) and fits(value)):
        raise ValueError(f"{type(owner).__name__}: {name} is {value!r}, expected {expected}")
    object.__setattr__(owner, name, float(value))
