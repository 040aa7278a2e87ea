"""What the two passes returned: results and cache, and the gradients by the names of their inputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from handgrad.subjects.function.nests import names_in
from handgrad.subjects.function.outputs import is_nest, is_numbers


class WrongReturn(Exception):
    """What the code returned, or how it can be called, is itself the mistake; the message says which."""


def separate(out: Any, results: int | None) -> tuple[Any, tuple[Any, ...]]:
    """What forward returned as its results, and a tuple with the cache if there is one.

    results: how many there are by the reference. Where it is not known, a tuple of two is (y, cache); several results
    are a tuple or list in its first place, or a dict or named tuple. Raises WrongReturn for anything else.
    """
    if results == 0:
        return out, ()
    if hasattr(out, "_fields") or (isinstance(out, Mapping) and results != 1):
        return out, ()
    if isinstance(out, tuple | list) and (results or 0) > 1 and not (len(out) == 2 and is_nest(out[0])):
        if len(out) == results:
            return out, ()
        if isinstance(out, tuple) and len(out) == 1 + (results or 0):
            return out[:-1], out[-1:]
    if isinstance(out, Mapping) or (isinstance(out, list) and not is_numbers(out)):
        kind = type(out).__name__
        raise WrongReturn(f"forward returned a {kind} of {len(out)}, expected an array y or the tuple (y, cache)")
    if isinstance(out, tuple) and len(out) != 2:
        several = " (several results: ((y0, y1), cache))" if results is None else ""
        raise WrongReturn(f"forward returned {len(out)} values, expected y or (y, cache){several}")
    y, cache = (out[0], out[1:]) if isinstance(out, tuple) else (out, ())
    if y is None:
        raise WrongReturn(f"forward returned {'(None, cache)' if cache else None}, expected an array y or (y, cache)")
    return y, cache


DATA = "; what is data and has none is named by constants=, or by --inputs as in y=3:data"


def by_name(grads: Any, names: Sequence[str], variables: Sequence[str], scalars: Sequence[str]) -> dict[str, Any]:
    """{"dx": ..., ...} without the inputs whose gradient is None.

    names: all arguments of forward; variables: those with a gradient; scalars: those of them that need none.
    Raises WrongReturn where there are too few or too many.
    """
    if isinstance(grads, tuple | list) and all(g is None for g in grads[len(names) :]):
        grads = grads[: len(names)]  # None for an optional argument that was left out
    if isinstance(grads, Mapping):
        found = {n: entry(grads, n) for n in variables}
        if not any(has(grads, n) for n in variables):
            raise WrongReturn(
                f"backward returned no gradient for {', '.join(variables)} (keys: {', '.join(map(str, grads))})"
            )
    elif isinstance(grads, tuple | list) and not (len(variables) == 1 and _array_of_lists(grads)):
        if len(grads) != len(names):
            names = variables
        if len(grads) != len(names):
            raise WrongReturn(
                f"backward returned {len(grads)} gradients, expected {len(names)}, for {', '.join(names)}; "
                f"give None where it is zero{DATA}"
            )
        found = {n: g for n, g in zip(names, grads, strict=True) if n in variables}
    else:
        found = {variables[0]: grads}
    return {f"d{n}": np.asarray(g) if isinstance(g, list) else g for n, g in found.items() if g is not None}


def flat_gradients(nests: Mapping[str, Any], grads: Any) -> Iterator[tuple[str, Any]]:
    """Every gradient by the name of its input, where some arguments are lists: each is given a list of gradients.

    Those of an argument that is a dict may stand among the others, each by its key. Raises WrongReturn where what was
    returned does not have that form.
    """
    if isinstance(grads, Mapping):
        grads = {name: entry(grads, name) if has(grads, name) else among(grads, nests[name]) for name in nests}
    elif len(nests) == 1 and not (isinstance(grads, tuple) and len(grads) == 1):
        grads = dict(zip(nests, [grads], strict=True))
    elif isinstance(grads, tuple | list) and all(g is None for g in grads[len(nests) :]) and len(grads) >= len(nests):
        grads = dict(zip(nests, grads, strict=False))
    else:
        count = f"{len(grads)} gradients" if isinstance(grads, tuple | list) else f"one {type(grads).__name__}"
        raise WrongReturn(
            f"backward returned {count}, expected {len(nests)}, for {', '.join(nests)}; a list of gradients for a list"
            f"{DATA}"
        )
    for name, nest in nests.items():
        yield from match(name, nest, grads[name])


def match(name: str, nest: Any, grads: Any) -> Iterator[tuple[str, Any]]:
    """The gradients of one argument: of a nest that of each entry, None for all of it or for each."""
    if isinstance(nest, str) or grads is None:
        yield from ((leaf, grads) for leaf in names_in(nest))
        return
    same = isinstance(grads, Mapping) if isinstance(nest, Mapping) else isinstance(grads, tuple | list)
    if not same or len(grads) != len(nest) or (isinstance(nest, Mapping) and not all(has(grads, key) for key in nest)):
        what = f"a {type(grads).__name__}" + (f" of {len(grads)}" if same else "")
        raise WrongReturn(
            f"backward returned {what} for {name}, expected a {type(nest).__name__} of {len(nest)} gradients"
        )
    for key, part in nest.items() if isinstance(nest, Mapping) else enumerate(nest):
        yield from match(f"{name}[{key}]", part, entry(grads, key) if isinstance(grads, Mapping) else grads[key])


def has(grads: Mapping[Any, Any], name: Any) -> bool:
    """Whether there is a gradient of that name, be it None: "dW" or "W"."""
    return name in grads or f"d{name}" in grads


def entry(grads: Mapping[Any, Any], name: Any) -> Any:
    """The gradient of that name; None if there is none."""
    return grads[f"d{name}"] if f"d{name}" in grads else grads.get(name)


def among(grads: Mapping[Any, Any], nest: Any) -> Any:
    """The gradients of an argument that is a dict, from among those of all arguments; None where there is none."""
    if not isinstance(nest, Mapping) or not any(has(grads, key) for key in nest):
        return None
    return {key: entry(grads, key) for key in nest}


def _array_of_lists(grads: Any) -> bool:
    """Whether what came for a single input is its gradient as lists, and not a list of one gradient."""
    return is_numbers(grads) and (len(grads) != 1 or isinstance(grads[0], list))
