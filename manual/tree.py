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


def in_order(tree: Any, like: Any) -> Any:
    """The same tree, the keys of its dictionaries in the order of those of `like`, a tree of the same kind.

    >>> in_order(({"W": 1, "b": 2}, None), ({"b": 3, "W": 4}, None))
    ({'b': 2, 'W': 1}, None)
    """
    if isinstance(tree, dict):
        return {key: in_order(tree[key], like[key]) for key in like}
    if isinstance(tree, tuple):
        items = [in_order(item, own) for item, own in zip(tree, like, strict=True)]
        return type(tree)(*items) if hasattr(tree, "_fields") else tuple(items)
    return tree


def shapes(tree: Any) -> Any:
    """Kind, names and shapes of everything in it, to be compared and read."""
    if isinstance(tree, dict):
        return {key: shapes(item) for key, item in tree.items()}
    if hasattr(tree, "_asdict"):
        return type(tree).__name__, {name: shapes(item) for name, item in tree._asdict().items()}
    if isinstance(tree, list | tuple):
        return [shapes(item) for item in tree]
    return tuple(tree.shape) if hasattr(tree, "shape") and tree.shape else None
