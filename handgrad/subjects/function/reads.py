"""Which of its attributes a forward pass reads: its parameters are among them, momentum and running means are not."""

import dis
import functools
import inspect
from collections.abc import Iterator
from types import CodeType

BY_NAME = {"getattr", "vars", "__dict__"}  # reads that no name tells
READS = ("LOAD_ATTR", "LOAD_METHOD")


@functools.cache
def find_reads(kind: type) -> frozenset[str] | None:
    """The attributes that the forward pass of a class, and the methods it calls, read and never write.

    None where there is no forward pass, or where nobody can tell.
    """
    read: set[str] = set()
    written: set[str] = set()
    waiting, seen = ["forward"], set[str]()
    while waiting:
        name = waiting.pop()
        method = inspect.unwrap(found) if callable(found := getattr(kind, name, None)) else None
        if name in seen or not hasattr(method, "__code__"):
            continue
        seen.add(name)
        for code in codes_in(method.__code__):  # type: ignore[union-attr]
            if BY_NAME & {*code.co_names}:
                return None
            steps = [*dis.get_instructions(code)]
            read |= (new := {step.argval for step in steps if step.opname in READS})
            waiting += new
            written |= {step.argval for step in steps if step.opname == "STORE_ATTR"}
    return frozenset(read - written) if seen else None


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of every function and comprehension written inside it."""
    yield code
    for inside in code.co_consts:
        if isinstance(inside, CodeType):
            yield from codes_in(inside)
