"""Arguments that stayed at a default of 0 or False: as a factor, such a number hides what backward does with it."""

import ast
import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from handgrad.subjects.file.guess import NOTHING, read_tree, uses
from handgrad.subjects.file.inputs import function_of
from handgrad.subjects.file.instances import arguments_of
from handgrad.subjects.file.pairs import Pair
from handgrad.subjects.function.signatures import parameters

NO_FACTOR = re.compile(r"\w*(seed|state|verbose|debug)")
OTHERS = {"int": "1", "float": "0.1", "bool": "True"}


def say_zeros(pair: Pair, given: Collection[str]) -> str:
    """What was judged at zero alone, and how to ask for another value; empty where nothing was.

    given: the arguments that got a value.
    """
    tree = read_tree(inspect.unwrap(function_of(pair.forward))) or NOTHING
    found = list(list_zeros(parameters(pair.forward) or {}, given, tree))
    if pair.makes is not None:
        made = read_tree(pair.makes.__init__) or NOTHING  # type: ignore[misc]
        found += list_zeros(arguments_of(pair.makes), pair.drawn, made)
    if not found:
        return ""
    names, values = ", ".join(name for name, _ in found), ", ".join(repr(value) for _, value in found)
    asked = " ".join(f"{name}={OTHERS[type(value).__name__]}" for name, value in found)
    if len(found) == 1:
        return f"{names} was its default {values} alone; --inputs {asked} judges another value"
    return f"{names} were their defaults {values} alone; --inputs {asked} judges other values"


def list_zeros(
    taken: Mapping[str, inspect.Parameter], given: Collection[str], tree: ast.AST
) -> Iterator[tuple[str, Any]]:
    """Every argument whose default is 0, 0.0 or False, which got no other value, and which the code uses."""
    for name, p in taken.items():
        is_zero = type(p.default) in (int, float, bool) and p.default == 0
        if is_zero and name not in given and not NO_FACTOR.fullmatch(name) and any(uses(tree, name)):
            yield name, p.default
