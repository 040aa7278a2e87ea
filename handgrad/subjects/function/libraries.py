"""Which libraries a function's code speaks of: what the names in it, and in its helpers, mean."""

import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any


def speaks_of(library: str, *functions: Any) -> bool:
    """Whether a name in the code of one of them is a thing of that library.

    >>> import math
    >>> speaks_of("math", lambda x: math.exp(x)), speaks_of("numpy", lambda x: math.exp(x))
    (True, False)
    """
    return any(
        home.partition(".")[0] == library
        for value in names_used(functions)
        for home in (str(getattr(value, "__name__", "")), str(getattr(value, "__module__", "")), type(value).__module__)
    )


def names_used(functions: Any) -> Iterator[Any]:
    """What the names in their code mean, as far as their files say, and in that of the functions these call."""
    seen: set[Any] = set()
    waiting = [inspect.unwrap(f) for f in functions if f is not None]
    while waiting:
        function = waiting.pop()
        if not isinstance(function, FunctionType) or function in seen:
            continue
        seen.add(function)
        used = [function.__globals__[n] for n in function.__code__.co_names if n in function.__globals__]
        yield from used
        waiting += [f for f in used if getattr(f, "__module__", None) == function.__module__]
