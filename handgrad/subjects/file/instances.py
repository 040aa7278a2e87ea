"""An object of a class that has a forward and a backward pass: one that the file has made, or a new one."""

import ast
import inspect
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from handgrad.judge.isolation import attempt
from handgrad.subjects.file.hints import read_hint
from handgrad.subjects.file.load import Loaded
from handgrad.subjects.file.shapes import Drawn
from handgrad.subjects.function.kept import list_parameters, list_read, places_of_gradient


def computes(file: Loaded, found: type, method: str) -> bool:
    """Whether a class has the method, itself or from a class of the file, and it returns something.

    What only raises NotImplementedError, or is empty, belongs to a base class.
    """
    owner = next((base for base in found.__mro__ if method in vars(base)), None)
    node = file.defined.get(f"{owner.__name__}.{method}") if owner else None
    returns = (n for n in ast.walk(node) if isinstance(n, ast.Return)) if node else ()
    return any(n.value is not None for n in returns) and not inspect.isabstract(found)


def find_instance(file: Loaded, found: type) -> Any:
    """The first object of the class among the file's variables; None if there is none."""
    return next((value for value in vars(file.module).values() if type(value) is found), None)


def new_instance(found: type) -> tuple[Any, str]:
    """A new object, and why it cannot be made.

    Where __init__ must be given something, the object is empty: `make` makes it when that is known. Arrays of which
    `read_hinted` knows the shape are no problem.
    """
    needed = [name for name, p in arguments_of(found).items() if is_needed(p)]
    if needed:
        missing = [name for name in needed if name not in read_hinted(found)]
        return object.__new__(found), say_needed(found, missing) if missing else ""
    outcome = attempt(found)
    if outcome.error is not None:
        return object.__new__(found), f"{found.__name__}() raises {type(outcome.error).__name__}: {outcome.error}"
    return outcome.value, ""


def say_needed(found: type, missing: Sequence[str]) -> str:
    """Two ways to make an object of a class whose __init__ must be given something."""
    example = " ".join(f"{name}={size}" for name, size in zip(missing, count(3)))
    name = found.__name__
    words = (
        f"it cannot be made without {', '.join(missing)}; give --inputs {example} (your own numbers), or make one at"
    )
    return f"{words} the top level of the file: {name.lower()} = {name}(...)"


def arguments_of(found: type | None) -> dict[str, inspect.Parameter]:
    """What __init__ takes by name; nothing where that is not known, or where there is no class."""
    taken = attempt(lambda: inspect.signature(found).parameters).value if found is not None else None
    return {n: p for n, p in (taken or {}).items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def read_hinted(found: type) -> dict[str, Drawn]:
    """The arrays that __init__ must be given, by its type hints."""
    scope = getattr(found.__init__, "__globals__", {})  # type: ignore[misc]
    needed = {name: p.annotation for name, p in arguments_of(found).items() if is_needed(p)}
    hints = {
        n: attempt(read_hint, hint, scope).value for n, hint in needed.items() if hint is not inspect.Parameter.empty
    }
    return {name: drawn for name, drawn in hints.items() if drawn is not None and drawn.axes}


def make(found: type, given: Mapping[str, Any]) -> Any:
    """A new object of the class. Raises ValueError with what the class says against it."""
    outcome = attempt(found, **given)
    if outcome.error is not None:
        words = {n: "x".join(map(str, v.shape)) if hasattr(v, "shape") else repr(v) for n, v in given.items()}
        shapes = ", ".join(f"{name} {word}" for name, word in words.items())
        raise ValueError(f"{found.__name__}({shapes}) raises {type(outcome.error).__name__}: {outcome.error}")
    return outcome.value


def is_needed(p: inspect.Parameter) -> bool:
    """Whether an argument must be given."""
    return p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)


def own_arrays(made: Any) -> tuple[str, ...]:
    """The names under which an object keeps arrays that its forward pass reads: parameters, most likely."""
    if hasattr(made, "named_parameters"):
        return tuple(name for name, _ in made.named_parameters())
    gradients = {place for _, slot in list_parameters(made) for place in places_of_gradient(slot)}
    return tuple(name for name, slot in list_read(made) if slot not in gradients)
