"""Arrays in nested tuples, named tuples and dictionaries: parameters, states, a whole training."""

from collections.abc import Callable
from typing import Any

from manual.types import Array


def map_arrays(f: Callable[[Array], Array], tree: Any) -> Any:
    """The same tuples, named tuples and dictionaries with f of every array; numbers, strings and None stay.

    >>> import numpy as np
    >>> map_arrays(lambda a: a + 1, ({"W": np.float64(1.0)}, None, 3))
    ({'W': np.float64(2.0)}, None, 3)
    """
    if isinstance(tree, dict):
        return {key: map_arrays(f, item) for key, item in tree.items()}
    if isinstance(tree, tuple):
        items = [map_arrays(f, item) for item in tree]
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    return f(tree) if hasattr(tree, "dtype") else tree


def shapes(tree: Any) -> Any:
    """Kind, names and shapes of everything in it, to be compared and read."""
    if isinstance(tree, dict):
        return {key: shapes(item) for key, item in tree.items()}
    if hasattr(tree, "_asdict"):
        return type(tree).__name__, {name: shapes(item) for name, item in tree._asdict().items()}
    if isinstance(tree, list | tuple):
        return [shapes(item) for item in tree]
    return tuple(tree.shape) if hasattr(tree, "shape") and tree.shape else None
