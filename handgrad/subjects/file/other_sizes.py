"""Other sizes for the letters of hints and words, where forward raises at the first: a kernel above its image."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from math import prod
from typing import Any

import numpy as np
import torch

from handgrad.judge.isolation import Outcome, attempt, leaves
from handgrad.subjects.file.inputs import Chosen, choose_inputs
from handgrad.subjects.file.pairs import Pair
from handgrad.subjects.file.shapes import Asked
from handgrad.subjects.function.kept import list_read, owner_of
from handgrad.subjects.function.nests import is_shape
from handgrad.subjects.function.signatures import plain_forward, signature

TRIES = 200


def choose_running_inputs(pair: Pair, given: Mapping[str, Asked], seed: int) -> Chosen:
    """The inputs of one pair, at sizes at which its forward pass runs; at the usual ones if it never does.

    What was asked for (`given`) stays as it is. Raises ValueError as `choose_inputs` does, and where it never runs at
    shapes that were read from its author's words: these may be read wrongly, and must not accuse right code.
    """
    first = choose_inputs(pair, given, seed)
    searched = first.in_words or (first.letters and not first.inputs.keys() & given.keys())
    error = call_forward(first).error if searched else None
    if error is None:
        return first
    orders = list_orders(first.letters, sizes_of_object(first.pair))
    others = [c for order in orders if (c := attempt(choose_inputs, pair, given, seed, order).value) is not None]
    results = ((other, call_forward(other)) for other in others)
    ranks = ((rank(c, r.value, first), i, c) for i, (c, r) in enumerate(results) if r.error is None)
    running = min(ranks, default=None)
    if running is None:
        if first.in_words:
            raise ValueError(say_words_do_not_run(first, error))
        return first
    words = f"forward does not run ({type(error).__name__}) with {describe_inputs(first.inputs)}"
    return running[2]._replace(problem=words)


def say_words_do_not_run(first: Chosen, error: Exception) -> str:
    """What was read, and what to give instead."""
    example = " ".join(f"{name}={say_shape(first.inputs[name])}" for name in first.in_words)
    return (
        f"forward raises {type(error).__name__} with {describe_inputs(first.inputs)}, shapes as its words have them, "
        f"and at all other sizes that were tried: {error}; give --inputs {example} (your own shapes)"
    )


def say_shape(value: Any) -> str:
    """
    >>> say_shape((4, 3)), say_shape(np.zeros(4, int))
    ('4x3', '4:int')
    """
    shape = value if is_shape(value) else value.shape
    kind = "" if is_shape(value) else ":bool" if "bool" in str(value.dtype) else ":int"
    return ("x".join(map(str, shape)) or "scalar") + kind


def sizes_of_object(pair: Pair) -> set[int]:
    """The sizes of the arrays of its object, which its inputs have to fit: of Block(5, 7)'s W1."""
    arrays = (slot.get(owner_of(pair.forward)) for _, slot in list_read(owner_of(pair.forward)))
    return {size for array in arrays for size in np.shape(array) if size > 1}


def list_orders(letters: int, known: Collection[int] = ()) -> Iterator[Sequence[int]]:
    """Sizes of so many letters, small ones and those that are known: all different, in any order; and all equal.

    >>> list(list_orders(3))[-1]
    [6, 6, 6]
    """
    rng = np.random.default_rng(0)
    small = np.arange(2, letters + 3)
    every = np.array(sorted({*small.tolist(), *known}))
    for i in range(TRIES):
        yield rng.choice(every if i % 2 else small, letters, replace=False).tolist()
    yield from ([size] * letters for size in (4, 6))


def rank(chosen: Chosen, result: Any, first: Chosen) -> tuple[bool, bool, int, int, int]:
    """What is taken first: sizes that are all different, no size 1 in the result, few that are other ones than those
    first drawn, and there and in the inputs few numbers.

    At a size of 1 a stride shows nothing; the judge runs the code hundreds of times.
    """
    shapes = [value for value in chosen.inputs.values() if is_shape(value)]
    usual = [value for value in first.inputs.values() if is_shape(value)]
    sizes = {size for shape in shapes for size in shape}
    others = sum(n != m for shape, own in zip(shapes, usual, strict=True) for n, m in zip(shape, own, strict=True))
    y = np.shape(next(leaves(result), 0.0))
    return len(sizes) < chosen.letters, 1 in y, others, prod(y), sum(map(prod, shapes))


def call_forward(chosen: Chosen) -> Outcome[Any]:
    """What forward gives on arrays of NumPy, else of torch, or raises on those of its library; its object is copied."""
    forward = plain_forward(attempt(deepcopy, chosen.pair.forward).value or chosen.pair.forward)
    rng = np.random.default_rng(0)
    arrays = {name: rng.normal(size=value) if is_shape(value) else value for name, value in chosen.inputs.items()}
    in_torch = {n: torch.as_tensor(a) if is_shape(chosen.inputs[n]) else a for n, a in arrays.items()}
    outcomes = [attempt(call_by_name, forward, each) for each in (arrays, in_torch)]
    outcomes = [Outcome(o.value, o.error or find_empty(o.value)) for o in outcomes]
    return min(outcomes, key=lambda o: o.error is not None and 1 + isinstance(o.error, TypeError | AttributeError))


def call_by_name(forward: Any, given: Mapping[str, Any]) -> Any:
    """The apply of a torch.autograd.Function takes no keywords, so that all arguments go into their places."""
    bound = signature(forward).bind(**given)
    bound.apply_defaults()
    return forward(*bound.args, **bound.kwargs)


def find_empty(result: Any) -> Exception | None:
    """An exception where an array of the result has no entries: a window that fits nowhere."""
    return ValueError("an empty result") if any(0 in np.shape(a) for a in leaves(result)) else None


def describe_inputs(inputs: Mapping[str, Any]) -> str:
    """
    >>> describe_inputs({"x": (4, 3), "s": (), "axis": 1})
    'x 4x3, s scalar, axis 1'
    """
    shapes = {name: getattr(value, "shape", value) for name, value in inputs.items()}
    words = {n: ("x".join(map(str, s)) or "scalar") if isinstance(s, tuple) else str(s) for n, s in shapes.items()}
    return ", ".join(f"{name} {word}" for name, word in words.items())
