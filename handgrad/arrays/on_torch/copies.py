"""A function as it would run if `np` meant arrays on torch: a copy of it, of its helpers, and of the object it keeps.

Nothing that belongs to the user is changed: functions, classes, objects and containers are copied, and the arrays that
they hold become arrays on torch. Random generators are shared, so that a random function is seen to be one.
"""

import copy
import functools
import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from handgrad.arrays.on_torch.array import constant
from handgrad.arrays.on_torch.stand_in import BUILTINS, each, replace

LIBRARIES = {"numpy", "scipy", "torch", "jax", "array_api_compat", "handgrad", *sys.stdlib_module_names} - {"__main__"}


def own_name(value: Any) -> bool:
    """Whether a function, class or module is the user's, and no library's."""
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return str(name).partition(".")[0] not in LIBRARIES


# handgrad/source/program.py has copies of another kind: they give new trees to the functions whose source was read, and
# leave the rest as it runs. Here NumPy must mean something else in all that is reached, whether it has a source or not.
class Copies:
    """Copies of what a function reaches, each made once, with arrays on torch in place of NumPy's."""

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        self.kept: list[Any] = []  # so that no other object gets the address of one that was copied

    def of(self, value: Any) -> Any:
        """The copy, or the thing itself where nothing in it needs one."""
        if id(value) in self.made:
            return self.made[id(value)]
        if (other := replace(value)) is not value:
            return other
        if isinstance(value, types.FunctionType) and own_name(value):
            return self.function(value)
        if isinstance(value, types.MethodType):
            return self.method(value)
        if isinstance(value, types.ModuleType) and hasattr(value, "__array_api_version__"):
            return replace(np)  # array_api_strict, array_api_compat.numpy: the same functions by the same names
        if isinstance(value, types.ModuleType):
            return self.keep(value, ModuleCopy(value, self)) if own_name(value) else value
        if isinstance(value, functools.partial):
            return functools.partial(self.of(value.func), *map(self.of, value.args), **self.of(value.keywords))
        if isinstance(value, np.vectorize):
            return each(self.of(value.pyfunc))
        if isinstance(value, np.ndarray):
            return self.keep(value, constant(value.copy()))
        if type(value) in (list, dict):
            return self.container(value)
        if isinstance(value, tuple):
            parts = [self.of(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts) if type(value) is tuple else value
        if hasattr(value, "__wrapped__") and callable(value) and own_name(value.__wrapped__):
            return self.of(value.__wrapped__)  # behind functools.cache, whose memory must not hold our arrays
        if isinstance(value, type):
            return self.mirror(value) if own_name(value) else value
        return self.object(value) if hasattr(value, "__dict__") and own_name(type(value)) else value

    def keep(self, value: Any, made: Any) -> Any:
        """Remember the copy before its parts are made: they may lead back to it."""
        self.kept.append(value)
        self.made[id(value)] = made
        return made

    def function(self, value: types.FunctionType) -> Any:
        scope = self.made.get(id(value.__globals__)) or self.keep(
            value.__globals__, {**value.__globals__, "__builtins__": BUILTINS}
        )
        cells = tuple(types.CellType() for _ in value.__closure__ or ())
        made = types.FunctionType(value.__code__, scope, value.__name__, None, cells or None)
        self.keep(value, made)
        made.__qualname__, made.__dict__ = value.__qualname__, dict(value.__dict__)
        made.__defaults__ = self.of(value.__defaults__)
        made.__kwdefaults__ = self.of(value.__kwdefaults__)
        for new, old in zip(cells, value.__closure__ or (), strict=True):
            if not empty(old):
                new.cell_contents = self.of(old.cell_contents)
        for name in names_in(value.__code__):
            if name in value.__globals__:
                scope[name] = self.of(value.__globals__[name])
        return made

    def method(self, value: types.MethodType) -> Any:
        if not isinstance(value.__func__, types.FunctionType):
            return value
        return types.MethodType(self.of(value.__func__), self.of(value.__self__))

    def container(self, value: Any) -> Any:
        made = self.keep(value, type(value)())
        if isinstance(value, dict):
            made.update((key, self.of(part)) for key, part in value.items())
        else:
            made.extend(self.of(part) for part in value)
        return made

    def object(self, value: Any) -> Any:
        """A copy of an object whose class is the user's, with copies of its attributes and methods."""
        made = self.keep(value, copy.copy(value))
        for name, part in vars(value).items():
            object.__setattr__(made, name, self.of(part))
        with suppress(TypeError):  # another layout: its methods stay as they are
            object.__setattr__(made, "__class__", self.of(type(value)))
        return made

    def mirror(self, value: type) -> Any:
        """A class derived from it whose methods are copies; its bases are mirrors too, so that super() finds them."""
        bases = dict.fromkeys([m for b in value.__bases__ if (m := self.of(b)) is not b])
        try:
            made = type(value)(value.__name__, (*bases, value), {"__module__": value.__module__})
        except TypeError:
            return self.keep(value, value)
        self.keep(value, made)
        for name, part in vars(value).items():
            if isinstance(part, types.FunctionType):
                setattr(made, name, self.of(part))
            elif isinstance(part, staticmethod | classmethod):
                setattr(made, name, type(part)(self.of(part.__func__)))
            elif isinstance(part, property):
                setattr(made, name, property(*(self.of(f) if f else None for f in (part.fget, part.fset, part.fdel))))
            elif isinstance(part, np.ndarray | list | dict):
                setattr(made, name, self.of(part))
        return made


class ModuleCopy:
    """A module of the user's: what is asked of it is copied then. What is written into it stays here."""

    def __init__(self, module: types.ModuleType, copies: Copies) -> None:
        self._module, self._copies = module, copies

    def __getattr__(self, name: str) -> Any:
        return self._copies.of(getattr(self._module, name))


def empty(cell: types.CellType) -> bool:
    """Whether nothing was put into it yet."""
    try:
        return cell.cell_contents is cell
    except ValueError:
        return True


def names_in(code: types.CodeType) -> Iterator[str]:
    """Every name that a function's lines use, and those of the functions written inside it."""
    yield from code.co_names
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from names_in(part)


def on_torch(function: Any) -> Any:
    """The function, method or object as it runs on arrays on torch; of a builtin of NumPy, itself."""
    return Copies().of(function)
