"""Inputs drawn from shapes: ordinary ones, and the special ones at which backward passes often go wrong."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import dtype_name, like
from handgrad.judge.isolation import attempt
from handgrad.subjects.function.case import Case, Kind
from handgrad.subjects.function.reference import Reference

Float = NDArray[np.float64]
Shape = tuple[int, ...]
Draw = Callable[[np.random.Generator, Shape], Float]


def one_hot(rng: np.random.Generator, shape: Shape) -> Float:
    """A single one in every row."""
    out = np.zeros(shape)
    if shape:
        np.put_along_axis(out, rng.integers(shape[-1], size=(*shape[:-1], 1)), 1.0, axis=-1)
    return out


def kinks(draw: Draw, rng: np.random.Generator, shape: Shape) -> Float:
    """Half of the entries where functions have their kinks: 0, -1 and 1 in turn, in random places."""
    values = rng.normal(size=int(np.prod(shape)))
    half = -(-values.size // 2)
    values[:half] = np.resize((0.0, -1.0, 1.0), half)
    return np.asarray(rng.permutation(values).reshape(shape))


# What an input may look like when nobody says; the first that the reference accepts is the ordinary one.
ORDINARY: dict[str, Draw] = {
    "ordinary": lambda rng, shape: rng.normal(size=shape),
    "between 0 and 1": lambda rng, shape: rng.uniform(0.05, 0.95, size=shape),
    "positive": lambda rng, shape: rng.uniform(0.5, 3, size=shape),
}
# Special inputs, from the ordinary draw where they can stay in its domain.
SPECIAL: dict[str, Callable[[Draw, np.random.Generator, Shape], Float]] = {
    "tiny (1e-30)": lambda draw, rng, shape: 1e-30 * draw(rng, shape),
    "large (1e4)": lambda draw, rng, shape: 1e4 * draw(rng, shape),
    "zeros": lambda draw, rng, shape: np.zeros(shape),
    "ties": lambda draw, rng, shape: rng.choice(draw(rng, (3,)), size=shape),
    "kinks": kinks,
    "saturated": lambda draw, rng, shape: rng.choice((-1, 1), size=shape) * rng.uniform(20, 800, size=shape),
    "one-hot": lambda draw, rng, shape: one_hot(rng, shape),
    "sparse": lambda draw, rng, shape: draw(rng, shape) * (rng.random(shape) < 0.2),
}


def sizes(shapes: Mapping[str, Shape]) -> Iterator[tuple[str, dict[str, Shape]]]:
    """The same shapes at other sizes: all different, all equal, batch 1, a batch of more than twice the size.

    A size keeps its role; a size of 1 stays.
    """
    found = sorted({n for shape in shapes.values() for n in shape if n > 1})
    first = next((shape[0] for shape in shapes.values() if shape), 1)
    ways = {
        "sizes all different": dict(zip(found, range(len(found) + 1, 1, -1), strict=True)),
        "sizes all equal": dict.fromkeys(found, 3),
        "batch 1": {first: 1},
        f"batch {2 * first + 1}": {first: 2 * first + 1} if first > 1 else {},
    }
    for name, becomes in ways.items():
        new = {key: tuple(becomes.get(n, n) for n in shape) for key, shape in shapes.items()}
        if new != dict(shapes):
            yield name, new


def is_shape(value: Any) -> bool:
    """A tuple of positive integers; () is the shape of a scalar."""
    return isinstance(value, tuple) and all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in value)


def is_float_array(value: Any) -> bool:
    """An array of floating-point numbers of any library; a Python float is a constant."""
    return hasattr(value, "dtype") and hasattr(value, "shape") and "float" in dtype_name(value)


def cases(
    given: Mapping[str, Any], constants: Mapping[str, Any], model: Any, reference: Reference, rng: np.random.Generator
) -> Iterator[Case]:
    """The inputs as given; or, for shapes, an ordinary draw, every special one, and other sizes."""
    arrays = {n: v for n, v in given.items() if is_float_array(v)}
    shapes: dict[str, Shape] = {n: v for n, v in given.items() if is_shape(v)}

    def case(name: str, draws: Mapping[str, Any], kind: Kind, shapes: Mapping[str, Shape] = shapes) -> Case:
        drawn = {n: like(draws[n](rng, shape), model) for n, shape in shapes.items()}
        return Case(name, {n: drawn.get(n, arrays.get(n)) for n in given if n not in constants}, kind)

    if not shapes:
        yield Case("given", arrays, Kind.GIVEN)
        return
    draws = ordinary_draws(shapes, arrays, reference, rng)
    yield case("ordinary", draws, Kind.ORDINARY)
    for name, special in SPECIAL.items():
        kind = Kind.KINKS if special is kinks else Kind.SPECIAL
        yield case(name, {n: partial(special, draw) for n, draw in draws.items()}, kind)
    if not arrays and not any(hasattr(v, "dtype") for v in constants.values()):
        for name, others in sizes(shapes):
            words = "; ".join("x".join(map(str, s)) or "scalar" for s in others.values())
            yield case(f"{name}: {words}", draws, Kind.SIZES, others)


def ordinary_draws(
    shapes: Mapping[str, Shape], arrays: Mapping[str, Any], reference: Reference, rng: np.random.Generator
) -> dict[str, Any]:
    """What each input looks like: normal deviates, or the first other kind the reference has a finite answer for."""
    *first, last = shapes
    ways = [dict.fromkeys(shapes, draw) for draw in ORDINARY.values()]
    ways[1:1] = [dict.fromkeys(first, ORDINARY["ordinary"]) | {last: draw} for draw in list(ORDINARY.values())[1:]]
    for draws in ways:
        values = {n: np.asarray(draws[n](rng, shape)) for n, shape in shapes.items()}
        whole = {**{n: np.asarray(v, float) for n, v in arrays.items()}, **values}
        y = attempt(reference.value, whole).value
        if y is not None and np.isfinite(y).all():
            return draws
    return ways[0]
