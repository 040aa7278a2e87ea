"""An object of a class that has a forward and a backward pass: one that the file has made, or a new one."""

import ast
import inspect
from collections.abc import Mapping
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


def find_instance(file: Loaded, found: type) -> tuple[Any, str]:
    """The first object of the class among the file's variables, or a new one; else None, and why there is none.

    Where `read_needed` knows what __init__ must be given, the object is empty: `make` makes it when sizes are chosen.
    """
    made = next((value for value in vars(file.module).values() if type(value) is found), None)
    if made is not None:
        return made, ""
    needed = [name for name, p in inspect.signature(found).parameters.items() if is_needed(p)]
    if read_needed(found):
        return object.__new__(found), ""
    if needed:
        words = f"it cannot be made without {', '.join(needed)}; make one at the top level of the file"
        return None, f"{words}: {found.__name__.lower()} = {found.__name__}(...)"
    outcome = attempt(found)
    if outcome.error is not None:
        return None, f"{found.__name__}() raises {type(outcome.error).__name__}: {outcome.error}"
    return outcome.value, ""


def read_needed(found: type) -> dict[str, Drawn]:
    """The arrays that __init__ must be given, by its type hints; none where it must be given anything else."""
    scope = getattr(found.__init__, "__globals__", {})  # type: ignore[misc]
    needed = {name: p.annotation for name, p in inspect.signature(found).parameters.items() if is_needed(p)}
    hints = {
        n: attempt(read_hint, hint, scope).value for n, hint in needed.items() if hint is not inspect.Parameter.empty
    }
    arrays = {name: drawn for name, drawn in hints.items() if drawn is not None and drawn.axes}
    return arrays if arrays.keys() == needed.keys() else {}


def make(found: type, given: Mapping[str, Any]) -> Any:
    """A new object of the class. Raises ValueError with what the class says against it."""
    outcome = attempt(found, **given)
    if outcome.error is not None:
        shapes = ", ".join(f"{name} {'x'.join(map(str, array.shape))}" for name, array in given.items())
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
