"""JAX code with NumPy in place of jax.numpy: the same lines, in float64, which the search for a change can follow."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import FunctionType
from typing import Any

import numpy as np

from handgrad.arrays.imitated_jax import is_jax
from handgrad.arrays.precision import to64
from handgrad.judge.isolation import attempt
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.own_forward import OwnForward
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.searchable import Searchable
from handgrad.subjects.function.tries import any_wrong, try_models

NOTE = "line and change were looked for with NumPy in place of jax.numpy, in float64"


def as_numpy(code: Code, reference: Reference, given: Mapping[str, Any], seed: int, slack: float) -> Searchable | None:
    """The same in NumPy; None where that does not run, or is not wrong there."""
    if not isinstance(code.forward, FunctionType) or not isinstance(code.backward, FunctionType):
        return None
    turn, models = Turned(), [np.zeros(())]
    twin = replace(code, forward=turn(code.forward), backward=turn(code.backward))
    if isinstance(reference, OwnForward):
        reference = replace(reference, forward=turn.of(reference.forward))
    arrays = {name: to64(value) if is_jax(value) else value for name, value in given.items()}
    found = attempt(try_models, twin, reference, arrays, models, seed, slack).value
    if found is None or not any_wrong(found.tried) or any(t.error is not None for t in found.tried[:1]):
        return None
    return Searchable(twin, reference.on(models[0]), arrays, models, found.tried)


class Turned:
    """Functions of one file whose names mean NumPy where they meant jax.numpy, each made once."""

    def __init__(self) -> None:
        self.made: dict[FunctionType, FunctionType] = {}
        self.files: dict[int, dict[str, Any]] = {}

    def __call__(self, function: FunctionType) -> FunctionType:
        """The function with its file's names turned."""
        if function not in self.made:
            names = function.__globals__
            if id(names) not in self.files:
                self.files[id(names)] = own = dict(names)
                own |= {n: self.of(v) for n, v in names.items() if getattr(v, "__globals__", None) is names}
                own |= {n: np for n, v in names.items() if v is sys.modules["jax.numpy"]}
            if function not in self.made:
                self.made[function] = self.copy(function, self.files[id(names)])
        return self.made[function]

    def copy(self, function: FunctionType, names: dict[str, Any]) -> FunctionType:
        made = FunctionType(function.__code__, names, function.__name__, function.__defaults__, function.__closure__)
        made.__kwdefaults__, made.__module__, made.__qualname__ = (
            function.__kwdefaults__, function.__module__, function.__qualname__,
        )  # fmt: skip
        return made

    def of(self, value: Callable[..., Any]) -> Callable[..., Any]:
        """A function turned; anything else as it is."""
        return self(value) if isinstance(value, FunctionType) else value
