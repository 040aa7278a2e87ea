"""Random numbers that code draws itself, a dropout mask: the same in every run, so that two runs can be compared.

Forward and backward each begin with numbers of their own, so a mask that backward draws anew is another than forward's.
Afterwards every generator goes on from where it was.
"""

import functools
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch

from handgrad.judge.isolation import attempt
from handgrad.source.libraries import is_library, is_users
from handgrad.source.program import cells_of, names_in

MOST_LOOKED_AT = 500  # things in which a generator is looked for


def drawing(seed: int | None, called: Callable[..., Any], *, back: bool = False) -> AbstractContextManager[None]:
    """Until it ends, what `called` draws follows from the seed. back: for a backward pass. None: nothing is done."""
    return nullcontext() if seed is None else seeded([seed, int(back)], called)


@contextmanager
def seeded(seed: list[int], called: Callable[..., Any]) -> Iterator[None]:
    """Every generator that it can reach starts anew, each with numbers of its own, and is put back."""
    shared, own = np.random.mtrand._rand, generators_of(called)
    olds = [g for g in (shared, *own) if isinstance(g, np.random.RandomState)]
    news = [g for g in own if isinstance(g, np.random.Generator)]
    before = [g.get_state() for g in olds], [dict(g.bit_generator.state) for g in news]
    torch_state, python_state = torch.default_generator.get_state(), random.getstate()
    try:
        for i, old in enumerate(olds):
            old.seed([*seed, i])
        for i, new in enumerate(news):
            new.bit_generator.state = type(new.bit_generator)([*seed, len(olds) + i]).state
        torch.default_generator.manual_seed(2 * seed[0] + seed[1])
        random.seed(str(seed))
        yield
    finally:
        for old, state in zip(olds, before[0], strict=True):
            old.set_state(state)
        for new, state in zip(news, before[1], strict=True):
            new.bit_generator.state = state
        torch.default_generator.set_state(torch_state)
        random.setstate(python_state)


def generators_of(called: Any) -> list[Any]:
    """NumPy's generators that a function, its helpers, and the object it belongs to have at hand."""
    found: dict[int, Any] = {}
    seen: dict[int, Any] = {}
    waiting = [called]
    while waiting and len(seen) < MOST_LOOKED_AT:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen[id(one)] = one
        if isinstance(one, np.random.Generator | np.random.RandomState):
            found[id(one)] = one
        waiting += held_by(one)
    found.pop(id(np.random.mtrand._rand), None)
    return list(found.values())


def held_by(value: Any) -> list[Any]:
    """What something of somebody's own reaches directly."""
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, functools.partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, FunctionType):
        cells = [attempt(getattr, cell, "cell_contents").value for cell in cells_of(value).values()]
        scope = {} if is_library(value.__code__.co_filename) else value.__globals__
        defaults = [*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()]
        return cells + defaults + [scope[name] for name in names_in(value.__code__) if name in scope]
    if callable(value) and hasattr(value, "__wrapped__"):
        return [value.__wrapped__]
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, dict):
        return list(value.values())
    return list(vars(value).values()) if is_users(type(value)) and hasattr(value, "__dict__") else []
