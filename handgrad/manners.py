"""What a backward pass must not do besides being wrong: write into what it is given, remember another call, alias, vary."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils._pytree import tree_leaves

from handgrad.calling import Code, Outputs, call_word
from handgrad.precision import like, to64
from handgrad.quiet import duplicate, quiet
from handgrad.stage import Arrays

Float = NDArray[np.float64]


def offences(code: Code, inputs: Arrays, dy: Any) -> tuple[str, ...]:
    """What the code does that would spoil a network although its values are right."""
    with quiet():
        return (*written(code, inputs, dy), *remembered(code, inputs, dy))


def written(code: Code, inputs: Arrays, dy: Any) -> list[str]:
    """Inputs, upstream gradient and cache that another reader would find changed."""
    args, upstream = code.arguments(duplicate(inputs)), duplicate(dy)
    before = [numbers(arg) for arg in args]
    y, cache = code.run_forward(args)
    found = [f"forward writes into its input {n}" for n in changed(code.names, before, args)]
    before, kept, given = [numbers(arg) for arg in args], numbers(y), numbers(upstream)
    first = duplicate(code.run_backward(args, y, cache, upstream))
    found += [f"backward writes into the input {n} of forward" for n in changed(code.names, before, args)]
    if not same(kept, numbers(y)):
        found.append("backward writes into y, the output of forward")
    if not same(given, numbers(upstream)):
        found.append("backward writes into its upstream gradient dy, which other branches of a network still need")
    again = code.run_backward(args, y, cache, duplicate(dy))
    if not found and not same(numbers(first), numbers(again)):
        found.append("a second backward pass from the same cache gives another result: it writes into its cache or varies")
    return found


def remembered(code: Code, inputs: Arrays, dy: Any) -> list[str]:
    """A backward pass that belongs to the forward pass called last, not to the cache it is given; and one that varies."""
    first, again = fresh(code, inputs, dy), fresh(code, inputs, dy)
    if not same(numbers(first), numbers(again)):
        return ["the same call gives another result each time: it is random, or reads memory nobody wrote"]
    args = code.arguments(duplicate(inputs))
    y, cache = code.run_forward(args)
    if call_word(code, bool(cache)) == "state":
        return []  # an object that keeps its state has only the last call to go back through
    others = {name: like(0.5 * to64(value) + 0.25, value) for name, value in inputs.items()}
    try:
        code.run_forward(code.arguments(others))
    except Exception:
        return []
    try:
        late = numbers(code.run_backward(args, y, cache, duplicate(dy)))
    except Exception:
        late = []
    if same(numbers(first), late):
        return []
    return ["stale cache: after forward has run on other inputs, backward of the first ones gives another result"]


def aliases(code: Code, inputs: Arrays, dy: Any) -> tuple[str, ...]:
    """Gradients that share memory with the upstream gradient or with an input: right, but to be written into by nobody."""
    with quiet():
        args, upstream = code.arguments(duplicate(inputs)), duplicate(dy)
        y, cache = code.run_forward(args)
        grads = code.run_backward(args, y, cache, upstream)
    owners = {"dy": upstream, **dict(zip(code.names, args, strict=True))}
    return tuple(
        f"{name} shares its memory with {owner}"
        for name, grad in grads.items()
        for owner, array in owners.items()
        if isinstance(grad, np.ndarray) and isinstance(array, np.ndarray) and np.shares_memory(grad, array)
    )


def fresh(code: Code, inputs: Arrays, dy: Any) -> Outputs:
    """The gradients of one forward and backward pass on copies."""
    args = code.arguments(duplicate(inputs))
    y, cache = code.run_forward(args)
    return code.run_backward(args, y, cache, duplicate(dy))


def numbers(value: Any) -> list[Float]:
    """A copy of every array in a tuple, list or dictionary."""
    return [np.array(to64(leaf)) for leaf in tree_leaves(value) if hasattr(leaf, "dtype") and hasattr(leaf, "shape")]


def same(a: Sequence[Float], b: Sequence[Float]) -> bool:
    """Bit for bit."""
    return len(a) == len(b) and all(x.shape == y.shape and x.tobytes() == y.tobytes() for x, y in zip(a, b, strict=True))


def changed(names: Sequence[str], before: Sequence[Any], args: Sequence[Any]) -> list[str]:
    """The names of the arguments that are not what they were."""
    return [n for n, old, arg in zip(names, before, args, strict=True) if not same(old, numbers(arg))]
