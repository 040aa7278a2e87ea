"""How a user's forward and backward pass are called, in each of the ways in which they are written.

    y, cache = forward(*inputs)        grads = backward(dy, cache)
    y        = forward(*inputs)        grads = backward(dy, *inputs), or backward(dy) of an object that keeps its state
    y, cache = forward(*inputs)        grads = backward(cache, dy), as jax.custom_vjp has it, or backward(*inputs, dy)

Where y is several results, dy is the same tuple, list or dict of theirs, or backward takes one dy for each.

A backward pass that takes no upstream gradient (of a loss, of an activation) is multiplied by dy here.
"""

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.arrays.base import JudgedArray
from handgrad.arrays.precision import plain
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.stage import Arrays
from handgrad.subjects.function.form import Form
from handgrad.subjects.function.kept import Kept, owner_of
from handgrad.subjects.function.nests import fill, names_in
from handgrad.subjects.function.outputs import Outputs, find_outputs, put
from handgrad.subjects.function.returned import WrongReturn, by_name, flat_gradients, has, separate
from handgrad.subjects.function.same_draws import drawing
from handgrad.subjects.function.ways import WITHOUT_DY, Way, list_ways

Gradients = dict[str, Any]


class Ran(NamedTuple):
    """A forward pass that was run: y, a tuple that holds the cache if there is one, and what y is made of."""

    y: Any
    cache: tuple[Any, ...]
    outputs: Outputs


@dataclass(frozen=True, eq=False)
class Code:
    """A forward and a backward pass by the names of their inputs.

    names      all arguments of forward, in order, those in a list each by itself
    constants  those of them that have no gradient: integers, booleans, anything that is no floating-point array
    form       how forward is called with them; None: one after the other
    detached   floating-point inputs that have no gradient, by their author's word
    scalars    inputs with a gradient that are Python floats
    results    how many results forward returns; None where nobody knows, 0 where all that it returns are results
    graph      of torch code that brings its own backward pass: the function that autograd differentiates
    may_overwrite, not_linear  what its author declares: arguments it writes into, and that it is not linear in dy
    numbers    that stand in its lines, where it may bend
    precision  the step of the precision ladder that is asked for
    compiled   whether what torch.compile makes of it is asked for as well
    parameters those of the names that a module keeps itself, in memory of its own
    reading    which of the ways to call backward that its signature allows, the likeliest first
    draws      the seed of what the passes draw themselves (same_draws.py); None where they draw nothing
    kept       those of the names that the object keeps itself (kept.py), behind all arguments of forward
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    names: tuple[str, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)
    form: Form | None = None
    detached: tuple[str, ...] = ()
    scalars: tuple[str, ...] = ()
    results: int | None = None
    graph: Callable[..., Any] | None = None
    may_overwrite: tuple[str, ...] = ()
    not_linear: bool = False
    numbers: tuple[float, ...] = ()
    precision: str | None = None
    compiled: bool = False
    parameters: tuple[str, ...] = ()
    reading: int = 0
    draws: int | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict)

    @property
    def variables(self) -> tuple[str, ...]:
        """The inputs that have a gradient."""
        return tuple(name for name in self.names if name not in self.constants and name not in self.detached)

    def arguments(self, inputs: Arrays) -> list[Any]:
        """All arguments in order; the judge's own arrays take the constants as plain NumPy."""
        judged = any(isinstance(value, JudgedArray) for value in inputs.values())
        own = duplicate(self.constants)  # code that writes into them must not spoil the next run
        given = {n: as_number(a) if n in self.scalars else a for n, a in inputs.items()}
        return [given[n] if n in given else _plain(own[n]) if judged else own[n] for n in self.names]

    def call(self, passes: Callable[..., Any], args: Sequence[Any]) -> Any:
        """A forward pass as its author calls it, with all arguments in order."""
        values = dict(zip(self.names, args, strict=True))
        for name, kept in self.kept.items():
            kept.put(owner_of(passes), values.pop(name))
        with drawing(self.draws, passes):
            return passes(*values.values()) if self.form is None else self.form.call(passes, values)

    def copy_object(self) -> "Code":
        """The same code on a copy of the object it belongs to, if to any, so that nothing a run leaves there stays."""
        copied = attempt(lambda: copy.deepcopy((self.forward, self.backward))).value
        if copied is None:  # an object that cannot be copied is used as it is
            return self
        return replace(self, forward=copied[0], backward=copied[1])

    def run_forward(self, args: Sequence[Any]) -> Ran:
        """The forward pass with all arguments in order. Raises WrongReturn where it returns no y."""
        if self.graph is not None:
            with drawing(self.draws, self.forward):
                results, cache = self.forward(*args)
            cache = (cache,)
        else:
            results, cache = separate(self.call(self.forward, args), self.results)
        try:
            y, outputs = find_outputs(results)
        except TypeError as error:
            raise WrongReturn(f"forward returned {error}") from error
        if self.graph is not None:  # a view of an input is autograd's own affair
            y = y.detach().clone()
        return Ran(y, cache, outputs)

    def run_backward(self, args: Sequence[Any], outputs: Outputs, cache: tuple[Any, ...], dy: Any) -> Gradients:
        """{"dx": ..., ...}, without the inputs whose gradient is None; outputs: what forward returned."""
        rest = cache or self._given_back(args)
        for name, kept in self.kept.items():
            if kept.moved:  # by the backward pass of another run, perhaps
                kept.parameter.put(owner_of(self.backward), args[self.names.index(name)])
        way = self.way(Ran(None, cache, outputs))
        if way in WITHOUT_DY:
            grads = self.gradients_by_name(self._call_back(*(rest if way is Way.NO_UPSTREAM else ())))
            shapes = {tuple(g.shape) for g in grads.values()}
            if outputs.shape != () and (len(grads) != 1 or shapes != {outputs.shape}):
                raise WrongReturn(
                    f"backward takes no upstream gradient and y has shape {outputs.shape}: expected backward(dy, "
                    "cache); without dy only the gradient of a scalar or the derivative of an elementwise function "
                    "is judged"
                )
            return {name: g * dy for name, g in grads.items()}
        of_each = outputs.upstream(dy)
        upstream = {
            Way.EACH: tuple(of_each.values()),
            Way.EVERY: tuple(of_each.get(name) for name in outputs.names),
        }.get(way, (put(outputs.nest, of_each),))
        called = {Way.STATE: upstream, Way.LAST: (*rest, *upstream)}.get(way, (*upstream, *rest))
        grads = self._call_back(*called)
        outputs.write_back(dy, of_each)
        return self.gradients_by_name(grads)

    def _call_back(self, *args: Any) -> Any:
        assert self.backward is not None
        with drawing(self.draws, self.backward, back=True):
            return self.backward(*args)

    def ways(self, ran: Ran) -> list[Way]:
        """Every way in which backward could be called after that forward pass, the likeliest first."""
        assert self.backward is not None
        if self.graph is not None:
            return [Way.FULL]
        given = 1 if ran.cache else len(self.form.nests if self.form else self.names)
        return list_ways(self.backward, self.names, given, ran.outputs, cached=bool(ran.cache))

    def way(self, ran: Ran) -> Way:
        """Which of them is taken: the first, or a later one that `reading` asks for. Raises WrongReturn for none."""
        if ways := self.ways(ran):
            return ways[min(self.reading, len(ways) - 1)]
        taken = len(inspect.signature(self.backward).parameters)  # type: ignore[arg-type]
        expected = "backward(dy, cache)" if ran.cache else f"backward(dy, {', '.join(self.names)})"
        results = ran.outputs.names
        each = f", or one dy for each of {', '.join(results)}" if len(results) > 1 else ""
        raise WrongReturn(f"backward takes {taken} arguments, expected {expected}{each}")

    def gradients_by_name(self, grads: Any) -> Gradients:
        """What backward returned, and left in its object, as {"dx": ...}."""
        left_there = {name: kept for name, kept in self.kept.items() if not kept.returned}
        names, variables = ([n for n in each if n not in left_there] for each in (self.names, self.variables))
        own_names = set(self.names) - set(self.kept)
        nested = self.form is not None and self.graph is None and set(self.form.nests) != own_names
        if nested and self.form is not None:
            grads = dict(flat_gradients(self.nests_of(grads), grads))
        left = {f"d{name}": kept.gradient.get(owner_of(self.backward)) for name, kept in left_there.items()}
        left = {n: g for n, g in left.items() if g is not None}
        own = isinstance(grads, Mapping) and not any(has(grads, name) for name in variables)
        if left and (own or grads is None):  # those of the object's own parameters, which are left in it
            return left
        return by_name(grads, names, variables, self.scalars) | left

    def nests_of(self, grads: Any) -> Mapping[str, Any]:
        """The arguments that gradients were returned for: all, or those alone that have one, if there are as many."""
        assert self.form is not None
        nests = self.form.nests
        moving = {n: nest for n, nest in nests.items() if set(names_in(nest)) & set(self.variables)}
        count = len(grads) if isinstance(grads, tuple | list) else 1
        return moving if count == len(moving) and not isinstance(grads, Mapping) else nests

    def _given_back(self, args: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments of forward as backward gets them: one after the other, lists as lists."""
        if self.form is None or self.graph is not None:
            return tuple(args)
        values = dict(zip(self.names, args, strict=True))
        return tuple(fill(nest, values) for nest in self.form.nests.values())


def as_number(value: Any) -> Any:
    """A Python float of an array of NumPy or torch with one number; the judge's own arrays stay."""
    if type(value) in (np.ndarray, np.float64, np.float32) or isinstance(value, torch.Tensor):
        return value.item()
    return value


def _plain(constant: Any) -> Any:
    return (
        plain(constant) if hasattr(constant, "dtype") and str(constant.dtype).rpartition(".")[2] != "bool" else constant
    )
