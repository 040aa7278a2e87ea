"""What may stand among the inputs: arrays, shapes, and tuples, lists and dicts of them, each entry with a name."""

from collections.abc import Iterator, Mapping
from typing import Any

from handgrad.arrays.precision import dtype_name


def is_shape(value: Any) -> bool:
    """A tuple of positive integers; () is the shape of a scalar."""
    return isinstance(value, tuple) and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in value)


def is_float_array(value: Any) -> bool:
    """An array of floating-point numbers of any library; a Python float is a constant."""
    return hasattr(value, "dtype") and hasattr(value, "shape") and "float" in dtype_name(value)


def holds_arrays(value: Any) -> bool:
    """Whether it is a tuple, list or dict with floating-point arrays in it, or a list or dict of shapes alone."""
    if is_shape(value) or not isinstance(value, Mapping | list | tuple):
        return False
    parts = list(value.values() if isinstance(value, Mapping) else value)
    return any(is_float_array(p) or holds_arrays(p) for p in parts) or (bool(parts) and all(map(is_shape, parts)))


def spread(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every entry of a nest with its name; anything else is one value.

    >>> dict(spread("xs", [(4, 3), (2,)]))
    {'xs[0]': (4, 3), 'xs[1]': (2,)}
    """
    if not holds_arrays(value):
        yield name, value
        return
    for key, part in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield from spread(f"{name}[{key}]", part)


def nest_of(name: str, value: Any) -> Any:
    """The names of `spread`, each in the place of its entry.

    >>> nest_of("xs", [(4, 3), (2,)])
    ['xs[0]', 'xs[1]']
    """
    if not holds_arrays(value):
        return name
    if isinstance(value, Mapping):
        return {key: nest_of(f"{name}[{key}]", part) for key, part in value.items()}
    return rebuild(value, [nest_of(f"{name}[{i}]", part) for i, part in enumerate(value)])


def fill(nest: Any, values: Mapping[str, Any]) -> Any:
    """The nest with the value of each name in its place."""
    if isinstance(nest, str):
        return values[nest]
    if isinstance(nest, Mapping):
        return {key: fill(part, values) for key, part in nest.items()}
    return rebuild(nest, [fill(part, values) for part in nest])


def names_in(nest: Any) -> list[str]:
    """Every name of a nest."""
    if isinstance(nest, str):
        return [nest]
    return [name for part in (nest.values() if isinstance(nest, Mapping) else nest) for name in names_in(part)]


def rebuild(like: Any, parts: list[Any]) -> Any:
    """A list, tuple or named tuple of these parts."""
    return type(like)(*parts) if hasattr(like, "_fields") else type(like)(parts)
