"""Which functions and classes of a file are a forward pass and its backward pass, told by their names or by a mark.

name, name_backward        and name_bwd, name_grad; name_forward or name_fwd for name; the words before the name;
                           forward and backward alone
name                       that returns (y, backward): the function inside it is its backward pass
class: forward, backward   an object of it, or the class itself of a torch.autograd.Function
@gradient_of(forward)      whatever the two are called
name_reference             a torch function that the forward pass should equal
"""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from handgrad.subjects.file.asked import take_number
from handgrad.subjects.file.instances import (
    arguments_of,
    computes,
    find_instance,
    is_needed,
    new_instance,
    own_arrays,
    read_hinted,
    say_needed,
)
from handgrad.subjects.file.load import Loaded
from handgrad.subjects.file.pullbacks import find_pullback, list_returned, pull_back_of
from handgrad.subjects.file.shapes import Asked
from handgrad.subjects.function.signatures import parameters

FORWARD = ("forward", "fwd")
BACKWARD = ("backward", "bwd", "grad")
CLEAR = ("backward", "bwd")  # a function with one of these in its name is surely meant as a backward pass
RATE = re.compile(r"lr|eta|alpha|(learning_?|step_?)(rate|size)", re.IGNORECASE)  # of a step that backward makes
LOOKED_FOR = (
    "name and name_backward (or _bwd, _grad), a function that returns y and its backward pass, a class with forward "
    "and backward, a torch.autograd.Function, @handgrad.gradient_of(forward)"
)


@dataclass(frozen=True, eq=False)
class Pair:
    """A forward and a backward pass, or None for a torch.autograd.Function; `line` is that of the backward pass.

    name       of the backward pass, or of the class
    names      by which inputs can be asked for this pair alone
    own        arrays of the object, which are no inputs: their gradients are not judged
    problem    why it cannot be judged
    drawn      what __init__ is given, arrays to be drawn too: the object of forward and backward is empty until then
    makes      the class of which a new object is made; None where the file has made one
    """

    name: str
    line: int
    forward: Any
    backward: Callable[..., Any] | None
    reference: Callable[..., Any] | None = None
    names: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    problem: str = ""
    drawn: Mapping[str, Asked] = field(default_factory=dict)
    makes: type | None = None


def find_pairs(file: Loaded) -> list[Pair]:
    """All pairs, in the order of the file."""
    found = [pair for name in file.defined for pair in pairs_at(file, name)]
    return sorted(found, key=lambda pair: pair.line)


def caller_of(pair: Pair, pairs: Sequence[Pair]) -> str | None:
    """The backward pass of another pair that calls this one, and judges it with itself: silu_grad of silu."""
    for other in pairs:
        backward = other.backward or getattr(other.forward, "backward", None)  # that of a torch.autograd.Function
        code = getattr(inspect.unwrap(backward), "__code__", None) if backward else None
        if other is not pair and code is not None and pair.name in code.co_names:
            return other.name
    return None


def pairs_at(file: Loaded, name: str) -> Iterator[Pair]:
    """The pair whose backward pass, or whose class, has this name, if there is one."""
    value = file.find(name)
    if isinstance(value, type):
        if isinstance(file.defined[name], ast.ClassDef):  # and no second name of a class
            yield from pair_of_class(file, name, value)
        return
    forward, called = forward_of(file, name)
    if forward is not None:
        reference = find_reference(file, stem_of(called))
        yield Pair(name, file.defined[name].lineno, forward, value, reference, (name, called))
    elif callable(value) and (back := find_pullback(file.defined[name])):
        yield Pair(name, back.lineno, value, pull_back_of(value), find_reference(file, stem_of(name)), (name,))


def forward_of(file: Loaded, name: str) -> tuple[Any, str]:
    """The forward pass of a backward pass, by its mark or beside it by name, and what it is called; None if none."""
    value = file.find(name)
    marked = getattr(value, "__dict__", {}).get("gradient_of")
    if marked is not None:
        return marked, getattr(marked, "__name__", name)
    for other in forward_names(name) if callable(value) else ():
        forward = file.find(other)
        if callable(forward) and not isinstance(forward, type):
            return forward, other
    return None, ""


def forward_names(name: str) -> list[str]:
    """What the forward pass of a backward pass may be called, the likeliest first.

    >>> forward_names("tanh_backward")
    ['tanh_forward', 'tanh_fwd', 'tanh']
    >>> forward_names("_bwd_tanh"), forward_names("backward"), forward_names("tanh")
    (['_forward_tanh', '_fwd_tanh', '_tanh'], ['forward', 'fwd'], [])
    """
    plain = name.lstrip("_")
    under, words = name[: len(name) - len(plain)], "|".join(BACKWARD)
    if plain in BACKWARD:
        return [f"{under}{word}" for word in FORWARD]
    if found := re.fullmatch(rf"(\w+)_(?:{words})", plain):
        return [f"{under}{found[1]}_{word}" for word in FORWARD] + [under + found[1]]
    if found := re.fullmatch(rf"(?:{words})_(\w+)", plain):
        return [f"{under}{word}_{found[1]}" for word in FORWARD] + [under + found[1]]
    return []


def list_both_in_one(file: Loaded) -> list[tuple[str, int, str]]:
    """Functions that return gradients beside their result, loss, dW: name, line, the argument of the first gradient."""
    found = []
    for name, node in file.defined.items():
        if isinstance(node, ast.FunctionDef):
            arguments = {f"d{a.arg}": a.arg for a in node.args.args}
            returned = [value for value in list_returned(node) if isinstance(value, ast.Tuple)]
            names = (part.id for value in returned for part in value.elts[1:] if isinstance(part, ast.Name))
            found += [(name, node.lineno, arguments[n]) for n in names if n in arguments][:1]
    return found


def list_lonely(file: Loaded) -> list[tuple[str, int, list[str]]]:
    """Functions that are called a backward pass and have no forward pass: name, line, what that could be called."""
    functions = {n: node.lineno for n, node in file.defined.items() if callable(file.find(n)) and is_clear(n)}
    return [(n, line, forward_names(n)) for n, line in functions.items() if forward_of(file, n)[0] is None]


def is_clear(name: str) -> bool:
    """Whether a name surely means a backward pass: clip_grad is none."""
    return bool(forward_names(name)) and any(word in CLEAR for word in name.split("_"))


def pair_of_class(file: Loaded, name: str, found: type) -> Iterator[Pair]:
    """A torch.autograd.Function as it is; of another class with both methods an object."""
    reference = find_reference(file, name, re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    node = file.defined.get(f"{name}.backward", file.defined[name])
    if issubclass(found, torch.autograd.Function):
        if found.forward is not torch.autograd.Function.forward:
            yield Pair(name, node.lineno, found, None, reference, (name,))
        return
    if not (computes(file, found, "forward") and computes(file, found, "backward")):
        return
    own = find_instance(file, found)
    made, problem = (own, "") if own is not None else new_instance(found)
    drawn = read_hinted(found) if own is None else {}
    arrays = () if problem or drawn else own_arrays(made)
    problem, makes = problem or say_rate(made.backward), None if own is not None else found
    yield Pair(name, node.lineno, made.forward, made.backward, reference, (name,), arrays, problem, drawn, makes)


def with_object(pair: Pair, given: Mapping[str, Asked]) -> Pair:
    """The pair with what its new object is to be made with, where that is asked for: hidden_size=4 is the number 4."""
    taken = arguments_of(pair.makes)
    asked = {name: a if name in pair.drawn else take_number(a) for name, a in given.items() if name in taken}
    if pair.makes is None or not asked:
        return pair
    drawn = {**pair.drawn, **asked}
    if missing := [name for name, p in taken.items() if is_needed(p) and name not in drawn]:
        return replace(pair, problem=say_needed(pair.makes, missing))
    empty: Any = object.__new__(pair.makes)
    problem = say_rate(empty.backward)
    return replace(pair, forward=empty.forward, backward=empty.backward, own=(), problem=problem, drawn=drawn)


def say_rate(backward: Any) -> str:
    """What to do about a backward pass that must be given a learning rate, for it makes a step of its own."""
    taken = parameters(backward) or {}
    rate = next((name for name, p in taken.items() if is_needed(p) and RATE.fullmatch(name)), None)
    own = "; gradients of parameters are judged where it leaves them: self.dW or self.grads['W'] of self.W"
    return f"its backward must be given {rate}; give it a default value: {rate}=0.01{own}" if rate else ""


def stem_of(forward: str) -> str:
    """The name without the word for forward; nothing is left of that word alone.

    >>> stem_of("tanh_forward"), stem_of("fwd_tanh"), stem_of("tanh"), stem_of("forward")
    ('tanh', 'tanh', 'tanh', '')
    """
    words = "|".join(FORWARD)
    return re.sub(rf"^(?:{words})(?:_|$)|_(?:{words})$", "", forward)


def find_reference(file: Loaded, *stems: str) -> Callable[..., Any] | None:
    """stem_reference of the file, imported or not; `reference` alone where there is no stem."""
    for stem in stems:
        value = getattr(file.module, f"{stem}_reference" if stem else "reference", None)
        if callable(value):
            return value  # type: ignore[no-any-return]
    return None
