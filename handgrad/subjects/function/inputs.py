"""Inputs drawn from shapes: ordinary ones, and the special ones at which backward passes often go wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.constants import (
    EQUAL_NUMBERS,
    EQUAL_ROWS,
    MAGNITUDE_STEP,
    MAGNITUDES_16,
    MAGNITUDES_32,
    MAGNITUDES_64,
)
from handgrad.judge.isolation import attempt
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, Kind, repeat_first
from handgrad.subjects.function.kinks import draw_at, slope_jumps
from handgrad.subjects.function.nests import is_shape
from handgrad.subjects.function.outputs import Outputs, single
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.sizes import (
    Shape,
    block_edges,
    follow,
    keeps_multiples,
    more_sizes,
    resize,
    shape_words,
    usual_sizes,
)

Float = NDArray[np.float64]
Draw = Callable[[np.random.Generator, Shape], Float]
Change = Callable[[Draw], Draw]
MAGNITUDES = {"float64": MAGNITUDES_64, "float32": MAGNITUDES_32, "bfloat16": MAGNITUDES_32, "float16": MAGNITUDES_16}


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
ORDINARY: tuple[Draw, ...] = (
    lambda rng, shape: rng.normal(size=shape),
    lambda rng, shape: rng.uniform(0.05, 0.95, size=shape),
    lambda rng, shape: rng.uniform(0.5, 3, size=shape),
)


class Special(NamedTuple):
    """Special inputs, from the ordinary draw where they can stay in its domain; what they are called in a sentence."""

    called: str
    draw: Callable[[Draw, np.random.Generator, Shape], Float]


SPECIAL: dict[str, Special] = {
    "tiny (1e-30)": Special("inputs near 1e-30", lambda draw, rng, shape: 1e-30 * draw(rng, shape)),
    "large (1e4)": Special("inputs near 1e4", lambda draw, rng, shape: 1e4 * draw(rng, shape)),
    "zeros": Special("zeros", lambda draw, rng, shape: np.zeros(shape)),
    "ties": Special("inputs with ties", lambda draw, rng, shape: rng.choice(draw(rng, (3,)), size=shape)),
    "kinks": Special("inputs at kinks (0, 1, -1)", kinks),
    "saturated": Special(
        "inputs that saturate (20 to 800)",
        lambda draw, rng, shape: rng.choice((-1, 1), size=shape) * rng.uniform(20, 800, size=shape),
    ),
    "one-hot": Special("one-hot inputs", lambda draw, rng, shape: one_hot(rng, shape)),
    "sparse": Special(
        "inputs that are mostly zero", lambda draw, rng, shape: draw(rng, shape) * (rng.random(shape) < 0.2)
    ),
}


# What a narrower precision cannot square; its ladder of magnitudes ends before.
NOT_IN = {
    "float32": ("tiny (1e-30)",),
    "bfloat16": ("tiny (1e-30)",),
    "float16": ("tiny (1e-30)", "large (1e4)", "saturated"),
}


@dataclass(frozen=True, eq=False)
class Drawing:
    """How inputs are drawn: the shapes, what each looks like, the arrays given beside them, in the order of names."""

    names: tuple[str, ...]
    shapes: Mapping[str, Shape]
    draws: Mapping[str, Draw]
    arrays: Mapping[str, Any]
    model: Any
    rng: np.random.Generator

    def case(self, name: str, kind: Kind, change: Change = lambda draw: draw, **more: Any) -> Case:
        """Inputs from the draws, each changed."""
        return self.at(self.shapes, name, kind, change, **more)

    def at(
        self, shapes: Mapping[str, Shape], name: str, kind: Kind, change: Change = lambda draw: draw, **more: Any
    ) -> Case:
        """The same at other shapes."""
        drawn = {n: like(change(self.draws[n])(self.rng, shape), self.model) for n, shape in shapes.items()}
        return Case(name, {n: drawn.get(n, self.arrays.get(n)) for n in self.names}, kind, **more)


def cases(
    given: Mapping[str, Any], code: Code, model: Any, reference: Reference, rng: np.random.Generator
) -> Iterator[Case]:
    """The inputs as given; or, for shapes, an ordinary draw, every special one, other sizes, and other magnitudes."""
    moving = {n: v for n, v in given.items() if n not in code.constants}
    arrays = {n: like(np.asarray(v), model) if n in code.scalars else v for n, v in moving.items() if not is_shape(v)}
    shapes: dict[str, Shape] = {n: v for n, v in moving.items() if is_shape(v)}
    if not shapes:
        yield Case("given", arrays, Kind.GIVEN, called="the inputs given")
        return
    drawing = Drawing(tuple(moving), shapes, ordinary_draws(shapes, arrays, reference, rng), arrays, model, rng)
    yield (first := drawing.case("ordinary", Kind.ORDINARY, called="the first inputs drawn"))
    for name, special in SPECIAL.items():
        if name not in NOT_IN.get(dtype_name(model), ()):
            kind = Kind.KINKS if special.draw is kinks else Kind.SPECIAL
            yield drawing.case(name, kind, partial(partial, special.draw), called=special.called)
    exact = {n: to64(v) for n, v in first.inputs.items()}
    fixed = constant_inputs(drawing, reference, first)
    yield from at_bends(drawing, (*code.numbers, *slope_jumps(reference, exact)), fixed)
    outputs = attempt(find_results, reference, exact).value
    fixed_sizes = any(map(np.ndim, arrays.values())) or any(hasattr(v, "dtype") for v in code.constants.values())
    if outputs is not None and not fixed_sizes:
        yield from at_other_sizes(drawing, outputs)
        if not outputs.several:
            yield from at_equal_rows(drawing, outputs.shape)
    yield from at_other_magnitudes(drawing, fixed)
    if outputs is not None and not fixed_sizes:
        yield from at_block_edges(drawing, outputs)


def at_bends(drawing: Drawing, points: Sequence[float], fixed: Sequence[str]) -> Iterator[Case]:
    """All inputs at and around the numbers at which the function may bend."""
    if points:
        moved = {n: draw_at(tuple(points)) for n in drawing.draws if n not in fixed}
        words = ", ".join(dict.fromkeys(f"{abs(p):.4g}" for p in points))
        called = f"inputs around {words}, where it bends"
        there = replace(drawing, draws={**drawing.draws, **moved})
        yield there.case(f"where it bends: {words}", Kind.KINKS, called=called)


def at_equal_rows(drawing: Drawing, y: Shape) -> Iterator[Case]:
    """In low precision: many equal rows, whose sum shows how sums are rounded."""
    first = next((shape[0] for shape in drawing.shapes.values() if shape), 1)
    if Arithmetic.of(dtype_name(drawing.model)).coarse and first > 1 and y[:1] == (first,):
        rows = EQUAL_ROWS
        while rows > first and count_numbers(resize(drawing.shapes, {first: rows})) > EQUAL_NUMBERS:
            rows //= 2  # other axes of the same size grow with it
        shapes, expected = resize(drawing.shapes, {first: rows}), follow(y, drawing.shapes, {first: rows})
        name = f"{rows} equal rows: {shape_words(shapes)}"
        yield drawing.at(shapes, name, Kind.SIZES, partial(equal_rows, rows), y_shape=expected, equal=True)


def count_numbers(shapes: Mapping[str, Shape]) -> int:
    """How many numbers all inputs have together."""
    return sum(int(np.prod(shape)) for shape in shapes.values())


def equal_rows(rows: int, draw: Draw) -> Draw:
    """The first row throughout, where there are so many."""
    return lambda rng, shape: repeat_first(draw(rng, shape)) if shape[:1] == (rows,) else draw(rng, shape)


def at_other_sizes(drawing: Drawing, outputs: Outputs) -> Iterator[Case]:
    """The usual ones first, and then every size in every role, to be compared only."""
    for name, becomes in usual_sizes(drawing.shapes):
        if all(keeps_multiples(drawing.shapes, part.shape, becomes) for part in outputs.parts):
            shapes = resize(drawing.shapes, becomes)
            expected = follow_sizes(outputs, drawing, becomes)
            words = shape_words(shapes)
            called = f"inputs of {name} ({words})"
            yield drawing.at(shapes, f"{name}: {words}", Kind.SIZES, y_shape=expected, called=called)
    for becomes in more_sizes(drawing.shapes):
        if all(keeps_multiples(drawing.shapes, part.shape, becomes) for part in outputs.parts):
            shapes = resize(drawing.shapes, becomes)
            expected = follow_sizes(outputs, drawing, becomes)
            name = f"sizes {shape_words(shapes)}"
            yield drawing.at(shapes, name, Kind.SIZES, y_shape=expected, probe=True, called=f"inputs of {name}")


def follow_sizes(outputs: Outputs, drawing: Drawing, becomes: Mapping[int, int]) -> tuple[int | None, ...] | None:
    """The shape of y at other sizes; of several results one after the other, the length, if it is known of each."""
    expected = [follow(part.shape, drawing.shapes, becomes) for part in outputs.parts]
    if not outputs.several:
        return expected[0]
    lengths = [None if None in shape else int(np.prod(shape)) for shape in expected]  # type: ignore[arg-type]
    return None if None in lengths else (sum(n for n in lengths if n is not None),)


def find_results(reference: Reference, exact: Mapping[str, Float]) -> Outputs:
    """What y is made of, by the reference."""
    return attempt(reference.outputs, exact).value or single(reference.value(exact).shape)


def at_block_edges(drawing: Drawing, outputs: Outputs) -> Iterator[Case]:
    """Sizes for opaque code, to be compared only. Drawn apart: no other case has other numbers because of them."""
    apart = replace(drawing, rng=drawing.rng.spawn(1)[0])
    for becomes in block_edges(drawing.shapes):
        shapes, expected = resize(drawing.shapes, becomes), follow_sizes(outputs, drawing, becomes)
        kept = all(keeps_multiples(drawing.shapes, part.shape, becomes) for part in outputs.parts)
        if kept and count_numbers(shapes) <= EQUAL_NUMBERS:
            name = f"sizes {shape_words(shapes)}"
            yield apart.at(shapes, name, Kind.BLOCK_EDGES, y_shape=expected, probe=True, called=f"inputs of {name}")


def at_other_magnitudes(drawing: Drawing, constant: Sequence[str]) -> Iterator[Case]:
    """All inputs at once on a ladder without a gap, in both signs where the ordinary ones have both."""
    lowest, highest = MAGNITUDES[dtype_name(drawing.model)]
    alone = all(np.prod(shape) == 1 for shape in drawing.shapes.values())
    step = MAGNITUDE_STEP ** (0.5 if alone else 1)  # a single number stands anywhere on its rung
    for k in range(1 + int(np.log(highest / lowest) / np.log(step))):
        for sign in (1, -1) if alone else (1,):
            rung = lowest * step**k
            moved = {n: partial(on_rung, d, sign * rung, step) for n, d in drawing.draws.items() if n not in constant}
            there = replace(drawing, draws={**drawing.draws, **moved})
            name = f"magnitude {rung:.0e}"
            yield there.case(name, Kind.MAGNITUDES, probe=True, called=f"inputs of {name}")
    if dtype_name(drawing.model) == "float16":  # which ends at 65504: a product with dy overflows, and y does not
        for n in [n for n in drawing.draws if n not in constant and len(drawing.draws) > 1]:
            alone_large = replace(
                drawing, draws={**drawing.draws, n: partial(on_rung, drawing.draws[n], highest, step)}
            )
            name = f"magnitude {highest:.0e} of {n} alone"
            yield alone_large.case(name, Kind.MAGNITUDES, probe=True, called=f"inputs of {name}")


def on_rung(draw: Draw, rung: float, step: float, rng: np.random.Generator, shape: Shape) -> Float:
    """Magnitudes spread from this rung of the ladder to the next; both signs if the draw has both and there is room."""
    n = int(np.prod(shape))
    both = (draw(rng, (2**5,)) < 0).any()  # enough to see a negative one
    signs = rng.permutation(np.resize((1.0, -1.0) if both else (1.0,), n))
    spread = rng.permutation((np.arange(n) + rng.random(n)) / n)
    return np.asarray((rung if both else abs(rung)) * signs * step**spread).reshape(shape)


def constant_inputs(drawing: Drawing, reference: Reference, first: Case) -> list[str]:
    """The inputs without a gradient: they are data, and stay as they are drawn."""
    exact = {n: to64(v) for n, v in first.inputs.items()}
    found = attempt(lambda: reference.gradients(exact, drawing.rng.uniform(0.5, 2, size=reference.value(exact).shape)))
    return [n for n in exact if found.value is not None and not found.value[f"d{n}"].any()]


def ordinary_draws(
    shapes: Mapping[str, Shape], arrays: Mapping[str, Any], reference: Reference, rng: np.random.Generator
) -> dict[str, Any]:
    """What each input looks like: normal deviates, or the first other kind the reference has a finite answer for."""
    *first, last = shapes
    ways = [dict.fromkeys(shapes, draw) for draw in ORDINARY]
    ways[1:1] = [dict.fromkeys(first, ORDINARY[0]) | {last: draw} for draw in ORDINARY[1:]]
    for draws in ways:
        values = {n: np.asarray(draws[n](rng, shape)) for n, shape in shapes.items()}
        whole = {**{n: to64(v) for n, v in arrays.items()}, **values}
        y = attempt(reference.value, whole).value
        if y is not None and np.isfinite(y).all():
            return draws
    return ways[0]
