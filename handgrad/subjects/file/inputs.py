"""The inputs of one forward pass: what was asked for, else what its type hints say, else what its words describe.

A default value stays.

An object whose __init__ has type hints is made here too, with arrays of sizes that fit these inputs.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name
from handgrad.subjects.file.asked import take_number
from handgrad.subjects.file.described import read_described
from handgrad.subjects.file.draws import draw
from handgrad.subjects.file.guess import (
    LABELS,
    MASK,
    NOTHING,
    draws,
    guess_inputs,
    guess_kind,
    is_used_as_index,
    read_tree,
    with_gradient,
)
from handgrad.subjects.file.hints import read_hint
from handgrad.subjects.file.instances import arguments_of, is_needed, make, own_arrays
from handgrad.subjects.file.pairs import Pair
from handgrad.subjects.file.shapes import Asked, Constant, Drawn, Kind
from handgrad.subjects.file.sizes import SIZES, Shape, choose_sizes, is_computed, size_named
from handgrad.subjects.file.words import list_words
from handgrad.subjects.function.kept import list_read, owner_of
from handgrad.subjects.function.libraries import speaks_of
from handgrad.subjects.function.signatures import parameters, plain_forward


class Chosen(NamedTuple):
    """What `verify_function` takes: inputs by name, the precision that the hints ask for, what has no gradient.

    pair      with its object made
    letters   how many names the sizes have
    in_words  the inputs of which only the author's words tell the shape
    problem   what forward raised at the sizes that were chosen before these
    """

    inputs: dict[str, Any]
    precision: str | None
    constants: tuple[str, ...]
    pair: Pair
    letters: int
    in_words: tuple[str, ...] = ()
    problem: str = ""


def choose_inputs(pair: Pair, given: Mapping[str, Asked], seed: int, order: Sequence[int] = SIZES) -> Chosen:
    """The inputs of one pair; the precision is None where hints do not agree on one.

    jax computes in float32 unless it is told otherwise, so its code is judged in that; so is an object that keeps
    parameters in it, as torch makes them.
    order: the sizes of the names, as they come.
    Raises ValueError for an argument of which nothing is known, and where the object of the pair cannot be made.
    """
    taken = parameters(pair.forward)
    if taken is None:
        raise ValueError("the names of its arguments are not known (*args, or a builtin); wrap it in a function")
    hints, in_words = read_shapes(pair, taken, given)
    known: dict[str, Asked] = {**hints, **given}
    if missing := [p for name, p in taken.items() if is_needed(p) and name not in known]:
        raise ValueError(say_what_is_missing(pair, missing, hints))
    asked = {
        name: take_number(known[name], p.default) if is_number(p) else known[name]
        for name, p in taken.items()
        if name in known
    }
    drawn = {name: a for name, a in asked.items() if isinstance(a, Drawn)}
    kept = {f"self.{name}": a for name, a in pair.drawn.items() if isinstance(a, Drawn)}
    shapes = choose_sizes({**drawn, **kept}, {name: h for name, h in hints.items() if name in drawn}, order)
    in_torch = any(a.in_torch for a in (*drawn.values(), *kept.values(), *hints.values())) or (
        isinstance(pair.forward, type) or written_in(pair, "torch")
    )
    smallest = min((size for shape in shapes.values() for size in shape), default=1)
    rng = np.random.default_rng(seed)
    inputs: dict[str, Any] = {}
    for name, a in asked.items():
        if isinstance(a, Drawn):
            below = size_named(a.below, (drawn, hints), shapes) if isinstance(a.below, str) else a.below
            inputs[name] = draw(a, shapes[name], below or smallest, rng, in_torch=in_torch)
        elif isinstance(a, Constant):
            inputs[name] = a.value
    pair = make_object(pair, shapes, smallest, rng, in_torch=in_torch) if pair.drawn else pair
    in_jax = written_in(pair, "jax") and not sys.modules["jax"].config.jax_enable_x64
    usual = "float32" if in_jax or keeps_float32(pair) else None
    precisions = {a.precision for a in hints.values() if a.kind is Kind.FLOAT} - {None}
    constants = tuple(name for name, a in drawn.items() if a.kind is Kind.DATA)
    precision = precisions.pop() if len(precisions) == 1 else usual
    letters = {axis for d in (*drawn.values(), *kept.values()) for axis in d.axes if isinstance(axis, str)}
    return Chosen(inputs, precision, constants, pair, len(letters), in_words)


def read_shapes(
    pair: Pair, taken: Mapping[str, inspect.Parameter], given: Mapping[str, Asked]
) -> tuple[dict[str, Drawn], tuple[str, ...]]:
    """The shapes of type hints, and of words where there is no hint; and of which arguments only words tell one."""
    hints = dict(read_hints(pair.forward, taken, given))
    described = describe(pair, tuple(name for name, p in taken.items() if is_needed(p) and not is_number(p)))
    in_words = tuple(name for name in taken if name in described and name not in hints and name not in given)
    named = {name: a.value for name, a in {**given, **pair.drawn}.items() if isinstance(a, Constant)}
    sizes = {name: value for name, value in named.items() if type(value) is int and value > 0}
    return {name: d.at(sizes) for name, d in {**described, **hints}.items()}, in_words


@lru_cache(maxsize=1)  # the same for all sizes that are tried
def describe(pair: Pair, names: tuple[str, ...]) -> dict[str, Drawn]:
    """The shapes that docstrings and comments tell; what stands in an index is whole numbers, whatever they call it."""
    forward, backward = function_of(pair.forward), function_of(pair.backward)
    owner: Any = owner_of(pair.forward) if not isinstance(pair.forward, type) else pair.forward
    if isinstance(owner, type) and issubclass(owner, torch.autograd.Function):
        forward, backward = owner.forward, owner.backward
    tree, back = (read_tree(inspect.unwrap(f)) or NOTHING for f in (forward, backward))
    written = owner if isinstance(owner, type) or owner is None else type(owner)
    moving = with_gradient(back, names)
    found = read_described(list_words(forward, backward, written), names, moving)
    floats = [name for name, drawn in found.items() if drawn.kind is Kind.FLOAT]
    kinds = {name: guess_kind(tree, name) for name in floats if name not in moving or is_used_as_index(tree, name)}
    usual = {LABELS: Kind.INT, MASK: Kind.BOOL}
    return found | {name: replace(found[name], kind=usual[kind]) for name, kind in kinds.items() if kind in usual}


def make_object(
    pair: Pair, shapes: Mapping[str, Shape], smallest: int, rng: np.random.Generator, *, in_torch: bool
) -> Pair:
    """The pair with a new object in place of the empty one, its arrays drawn."""
    given: dict[str, Any] = {name: a.value for name, a in pair.drawn.items() if isinstance(a, Constant)}
    arrays = {name: a for name, a in pair.drawn.items() if isinstance(a, Drawn)}
    for name, a in arrays.items():
        shape = shapes[f"self.{name}"]
        below = a.below if isinstance(a.below, int) else size_named(str(a.below), (arrays,), shapes) or smallest
        value = draw(a, shape, below, rng, in_torch=in_torch)
        if value is shape:
            numbers = torch.from_numpy(rng.normal(size=shape)).to(getattr(torch, a.precision or "float64"))
            value = numbers if in_torch else numbers.numpy()
        given[name] = value
    made = make(type(owner_of(pair.forward)), given)
    return replace(pair, forward=made.forward, backward=made.backward, own=own_arrays(made), drawn={})


def keeps_float32(pair: Pair) -> bool:
    """Whether the object of a pair keeps parameters, all of them in float32."""
    owner = owner_of(pair.forward)
    kept = {dtype_name(slot.get(owner)) for _, slot in list_read(owner)}
    return kept == {"float32"}


def say_what_is_missing(pair: Pair, missing: Sequence[inspect.Parameter], hints: Mapping[str, Drawn]) -> str:
    """What to give for arguments of which nothing is known; of a random generator, to make it a default value."""
    tree, back = (read_tree(inspect.unwrap(function_of(f))) or NOTHING for f in (pair.forward, pair.backward))
    names = [p.name for p in missing]
    for name in names:
        if draws(tree, name):
            return f"{name} draws random numbers; give it a default value: {name}=np.random.default_rng(0)"
    plain = {n: h.axes for n, h in hints.items() if h.kind is Kind.FLOAT and not any(map(is_computed, h.axes))}
    guessed = guess_inputs(tree, [p.name for p in missing if not is_number(p)], plain, back)
    guessed |= {p.name: "2" for p in missing if is_number(p)}
    given = ((name, guessed[name]) for name in parameters(pair.forward) or {} if name in guessed)
    example = " ".join(f'{name}="{word}"' if "<" in word else f"{name}={word}" for name, word in given)
    words = "has no type hint with a shape" if len(missing) == 1 else "have no type hints with shapes"
    own = 'your own shapes; labels y="4:int<3", numbers reg=0.1 or k==2, masks m=4x3:bool'
    own += ', or type hints such as y: "n:int<3"' if len(missing) < len(parameters(pair.forward) or ()) else ""
    return f"{', '.join(names)} {words}; give --inputs {example} ({own})"


def is_number(p: inspect.Parameter) -> bool:
    """Whether its type hint, or its default value, says that it is a single number."""
    return p.annotation in (int, "int") or type(p.default) in (int, float, bool)


def read_hints(
    forward: Any, taken: Mapping[str, inspect.Parameter], given: Mapping[str, Asked]
) -> Iterator[tuple[str, Drawn]]:
    """The hints that have a shape, of arguments without a default value, or that are asked for."""
    scope = getattr(inspect.unwrap(function_of(forward)), "__globals__", {})
    for name, p in taken.items():
        if p.annotation is p.empty or not (is_needed(p) or name in given):
            continue
        try:
            found = read_hint(p.annotation, scope)
        except ValueError as error:
            if name not in given:
                raise ValueError(f"{name}: {error}; give --inputs {name}=4x3") from None
            continue
        if found is not None:
            yield name, found


def argument_names(pairs: Sequence[Pair]) -> list[str]:
    """The names by which inputs can be asked for: those of all arguments, and function.argument.

    Of a class of which a new object is made, those of its __init__ too.
    """
    taken = [(pair.names, [*(parameters(pair.forward) or {}), *arguments_of(pair.makes)]) for pair in pairs]
    plain = [name for _, names in taken for name in names]
    return list(dict.fromkeys(plain)) + [
        f"{f}.{name}" for functions, names in taken for f in functions for name in names
    ]


def written_in(pair: Pair, library: str) -> bool:
    """Whether its code speaks of a library."""
    return speaks_of(library, function_of(pair.forward), function_of(pair.backward))


def function_of(forward: Any) -> Any:
    """The function behind a method, or behind the apply of a torch.autograd.Function."""
    called = plain_forward(forward)
    own = getattr(called, "__self__", None)
    if isinstance(own, type) and issubclass(own, torch.autograd.Function):
        return own.forward
    return getattr(called, "__func__", called)
