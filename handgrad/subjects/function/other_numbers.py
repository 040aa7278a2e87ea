"""Numbers that a change was not found on: each that the passes know beside their arrays, as another one.

A slope of 0.1 squared is 0.01, and a factor gamma of 2 is a square: what is right by such a chance is wrong here. A
number is moved only where the backward pass hears of it: otherwise what belongs there would be wrong as well.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from handgrad.arrays.precision import like
from handgrad.judge.isolation import attempt, duplicate
from handgrad.mend.edit import is_number
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.own_forward import OwnForward
from handgrad.subjects.function.variants import Variant, defaults_of, owner_of, shared_defaults

Movable = tuple[float, Callable[[float], Variant]]  # a number, and the variant with another one in its place


class Written(NamedTuple):
    """What stands in the source: names in the forward pass, names and numbers in the backward pass."""

    forward: frozenset[str]
    backward: frozenset[str]
    literals: frozenset[float]

    def may_move(self, name: str, value: float) -> bool:
        """Not where the number itself stands in a backward pass that has no name for it."""
        return name in self.backward or value not in self.literals


def read_written(forward: Iterable[ast.AST], backward: Iterable[ast.AST]) -> Written:
    """Of the trees of their functions."""
    trees = list(backward)
    defaults = {id(d) for tree in trees for d in default_nodes(tree)}
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return Written(
        frozenset(name for tree in forward for name in used_names(tree)),
        frozenset(name for tree in trees for name in used_names(tree)),
        frozenset(n.value for n in nodes if is_number(n.value) and id(n) not in defaults),
    )


def used_names(tree: ast.AST) -> Iterator[str]:
    """Of variables, arguments and attributes."""
    for node in ast.walk(tree):
        name = getattr(node, "id", getattr(node, "attr", getattr(node, "arg", None)))
        if isinstance(name, str):
            yield name


def default_nodes(tree: ast.AST) -> list[ast.expr | None]:
    """The defaults in a function's head."""
    args = getattr(tree, "args", None)
    return [*args.defaults, *args.kw_defaults] if isinstance(args, ast.arguments) else []


def other_numbers(first: Variant, fresh: Callable[[], Code], model: Any, written: Written) -> Iterator[Variant]:
    """Each number given, each default and each attribute of the object as another one, as far as forward takes it."""
    kinds = [given_numbers(first)]
    if first.code.graph is None:
        kinds += [moved_defaults(first, model, written), moved_attributes(first, model, written)]
    for value, at in chain.from_iterable(kinds):
        for numbers in others_of(value):
            if (found := next((v for v in map(at, numbers) if v.agrees(fresh(), model)), None)) is not None:
                yield found


def given_numbers(first: Variant) -> Iterator[Movable]:
    """The numbers among the inputs."""

    def at(name: str, number: float) -> Variant:
        constants = {**first.code.constants, name: number}
        code, reference = replace(first.code, constants=constants), replace(first.reference, constants=constants)
        return replace(first, code=code, reference=reference)

    for name, value in first.code.constants.items():
        if is_number(value):
            yield value, partial(at, name)


def moved_defaults(first: Variant, model: Any, written: Written) -> Iterator[Movable]:
    """The defaults of forward that backward has too, or that may come to it in a cache or an object."""
    keeps = owner_of(first.code) is not None or has_cache(first.code, first.inputs, model)
    shared = shared_defaults(first.code)
    for name, value in defaults_of(first.code.forward).items():
        if name not in first.code.names and (name in shared or keeps) and written.may_move(name, value):
            yield value, partial(with_default, first, model, name)


def moved_attributes(first: Variant, model: Any, written: Written) -> Iterator[Movable]:
    """The numbers that the object has; none if backward may have one by way of another.

    Where forward takes self.scale and backward 1 / self.dim, the two cannot be moved alone.
    """
    owner = owner_of(first.code)
    held = attempt(lambda: dict(vars(owner))).value if owner is not None else None
    numbers = {n: v for n, v in (held or {}).items() if is_number(v)}
    if any(n in written.backward and n not in written.forward for n in numbers):
        return
    for name, value in numbers.items():
        if name in written.forward and written.may_move(name, value):
            yield value, partial(with_attribute, first, model, name)


def with_default(first: Variant, model: Any, name: str, number: float) -> Variant:
    return by_own_forward(replace(first, defaults={name: number}), model)


def with_attribute(first: Variant, model: Any, name: str, number: float) -> Variant:
    return by_own_forward(replace(first, attributes={name: number}), model)


def by_own_forward(variant: Variant, model: Any) -> Variant:
    """The variant with its own forward pass, which gets the same numbers, as the reference."""
    code = variant.code
    own = variant.with_numbers(code).forward
    reference = OwnForward(
        own,
        code.names,
        code.constants,
        code.form,
        code.detached,
        model=model,
        results=code.results,
        draws=code.draws,
        kept=code.kept,
    )
    return replace(variant, reference=reference)


def has_cache(code: Code, inputs: Mapping[str, Any], model: Any) -> bool:
    """Whether forward hands on more than y."""
    args = [duplicate(a) for a in code.arguments({n: like(a, model) for n, a in inputs.items()})]
    ran = attempt(code.run_forward, args).value
    return ran is not None and bool(ran.cache)


def others_of(value: float) -> list[list[float]]:
    """Numbers near it, and some far from it, where a threshold leaves nothing as it was: of each list one is taken."""
    if isinstance(value, int):
        return [[value + 1, value - 1, 2 * value]]
    return [[1.3 * value, 0.7 * value], [3 * value, value / 3], [10 * value, value / 10]]
