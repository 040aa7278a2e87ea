"""How a user's forward and backward pass are called, in each of the ways in which they are written.

    y, cache = forward(*inputs)        grads = backward(dy, cache)
    y        = forward(*inputs)        grads = backward(dy, *inputs), or backward(dy) of an object that keeps its state
    y, cache = forward(*inputs)        grads = backward(cache, dy), as jax.custom_vjp has it

A backward pass that takes no upstream gradient (of a loss, of an activation) is multiplied by dy here.
"""

import copy
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

import numpy as np
import torch

from handgrad.arrays.base import JudgedArray
from handgrad.arrays.precision import plain
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.stage import Arrays
from handgrad.subjects.torch_function.in_place import on_copies
from handgrad.subjects.torch_function.registration import is_operator

Outputs = dict[str, Any]
# How people call what comes from above: whole words, for data is none.
UPSTREAM = re.compile(
    r"d[a-z]?|d_?(out|outputs?|values?|next|loss|upstream)|d[a-z]_?d[a-z]+|g|g[a-z]|g_?out(put)?|grads?|gradients?|"
    r"(\w+_)?grad(s|ient)?(_\w+)?|up|upstream(_\w+)?|deltas?|delta_\w+|cotangents?|ct"
)


class Way(Enum):
    """How a backward pass is called."""

    FULL = "with dy, and the cache or the inputs"
    CACHE_FIRST = "with the cache, and dy behind it"
    NO_UPSTREAM = "without dy, by which its result is multiplied here"
    STATE = "with dy alone, for it keeps its state in an object"


class WrongReturn(Exception):
    """What the code returned, or how it can be called, is itself the mistake; the message says which."""


@dataclass(frozen=True, eq=False)
class Code:
    """A forward and a backward pass by the names of their inputs.

    names      all arguments of forward, in order
    constants  those of them that have no gradient: integers, booleans, anything that is no floating-point array
    graph      of torch code that brings its own backward pass: the function that autograd differentiates
    may_overwrite, not_linear  what its author declares: arguments it writes into, and that it is not linear in dy
    numbers    that stand in its lines, where it may bend
    precision  the step of the precision ladder that is asked for
    compiled   whether what torch.compile makes of it is asked for as well
    parameters those of the names that a module keeps itself, in memory of its own
    reading    which of the ways to call backward that its signature allows, the likeliest first
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    names: tuple[str, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)
    graph: Callable[..., Any] | None = None
    may_overwrite: tuple[str, ...] = ()
    not_linear: bool = False
    numbers: tuple[float, ...] = ()
    precision: str | None = None
    compiled: bool = False
    parameters: tuple[str, ...] = ()
    reading: int = 0

    @property
    def variables(self) -> tuple[str, ...]:
        """The inputs that have a gradient."""
        return tuple(name for name in self.names if name not in self.constants)

    def arguments(self, inputs: Arrays) -> list[Any]:
        """All arguments in order; the judge's own arrays take the constants as plain NumPy."""
        judged = any(isinstance(value, JudgedArray) for value in inputs.values())
        own = duplicate(self.constants)  # code that writes into them must not spoil the next run
        return [inputs[n] if n in inputs else _plain(own[n]) if judged else own[n] for n in self.names]

    def copy_object(self) -> "Code":
        """The same code on a copy of the object it belongs to, if to any, so that nothing a run leaves there stays."""
        copied = attempt(lambda: copy.deepcopy((self.forward, self.backward))).value
        if copied is None:  # an object that cannot be copied is used as it is
            return self
        return replace(self, forward=copied[0], backward=copied[1])

    def run_forward(self, args: Sequence[Any]) -> tuple[Any, tuple[Any, ...]]:
        """y, and a tuple that holds the cache if forward returns one."""
        out = self.forward(*args)
        if isinstance(out, Mapping) or (isinstance(out, list) and not _numbers(out)):
            kind = type(out).__name__
            raise WrongReturn(f"forward returned a {kind} of {len(out)}, expected an array y or the tuple (y, cache)")
        if isinstance(out, tuple) and len(out) != 2:
            raise WrongReturn(f"forward returned {len(out)} values, expected y or (y, cache)")
        y, cache = (out[0], (out[1],)) if isinstance(out, tuple) else (out, ())
        if y is None:
            raise WrongReturn(
                f"forward returned {'(None, cache)' if cache else None}, expected an array y or (y, cache)"
            )
        return y, cache

    def run_backward(self, args: Sequence[Any], shape: tuple[int, ...], cache: tuple[Any, ...], dy: Any) -> Outputs:
        """{"dx": ..., ...}, without the inputs whose gradient is None; shape: that of forward's result."""
        assert self.backward is not None
        rest = cache or tuple(args)
        way = find_way(self, cached=bool(cache))
        if way is Way.NO_UPSTREAM:
            grads = self._by_name(self.backward(*rest))
            shapes = {tuple(g.shape) for g in grads.values()}
            if shape != () and (len(grads) != 1 or shapes != {shape}):
                raise WrongReturn(
                    f"backward takes no upstream gradient and y has shape {shape}: expected backward(dy, cache); "
                    "without dy only the gradient of a scalar or the derivative of an elementwise function is judged"
                )
            return {name: g * dy for name, g in grads.items()}
        called = {Way.STATE: (dy,), Way.CACHE_FIRST: (*rest, dy)}.get(way, (dy, *rest))
        return self._by_name(self.backward(*called))

    def _by_name(self, grads: Any) -> Outputs:
        variables = self.variables
        if isinstance(grads, Mapping):
            missing = [n for n in variables if n not in grads and f"d{n}" not in grads]
            if missing:
                raise WrongReturn(
                    f"backward returned no gradient for {', '.join(missing)} (keys: {', '.join(map(str, grads))}); "
                    "give None where it is zero"
                )
            found = {n: grads[f"d{n}"] if f"d{n}" in grads else grads[n] for n in variables}
        elif isinstance(grads, tuple | list) and not (len(variables) == 1 and _array_of_lists(grads)):
            names = self.names if len(grads) == len(self.names) else variables
            if len(grads) != len(names):
                raise WrongReturn(
                    f"backward returned {len(grads)} gradients, expected {len(names)}, for {', '.join(names)}; "
                    "give None where it is zero"
                )
            found = {n: g for n, g in zip(names, grads, strict=True) if n in variables}
        else:
            found = {variables[0]: grads}
        return {f"d{n}": np.asarray(g) if isinstance(g, list) else g for n, g in found.items() if g is not None}


def find_way(code: Code, *, cached: bool) -> Way:
    """Which way backward is called: the first that its signature allows, or a later one that `code.reading` asks for.

    Raises WrongReturn where none fits.
    """
    if ways := list_ways(code, cached=cached):
        return ways[min(code.reading, len(ways) - 1)]
    assert code.backward is not None
    taken = len(inspect.signature(code.backward).parameters)
    expected = "backward(dy, cache)" if cached else f"backward(dy, {', '.join(code.names)})"
    raise WrongReturn(f"backward takes {taken} arguments, expected {expected}")


def list_ways(code: Code, *, cached: bool) -> list[Way]:
    """Every way in which backward could be called, the likeliest first.

    That is the one whose first argument has the name of an upstream gradient, or the second behind the cache; then one
    that fills exactly the arguments without a default: in mse_grad(y, t, scale=1.0) the last is no room for dy.
    """
    assert code.backward is not None
    n = 1 if cached else len(code.names)
    try:
        kinds = inspect.signature(code.backward).parameters.values()
    except (TypeError, ValueError):  # some builtins have none
        return [Way.FULL]
    positional = [p for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    most = float("inf") if any(p.kind is p.VAR_POSITIONAL for p in kinds) else len(positional)
    upstream = [p.name not in code.names and UPSTREAM.fullmatch(p.name.lower()) is not None for p in positional]
    takes = {Way.FULL: n + 1, Way.STATE: 1, Way.NO_UPSTREAM: n}
    fitting = [way for way, count in takes.items() if needed <= count <= most and not (cached and way is Way.STATE)]
    if upstream[:1] == [True]:
        return fitting
    if cached and upstream == [False, True]:
        return [Way.CACHE_FIRST, *fitting]
    return sorted(fitting, key=lambda way: (takes[way] != needed, way is Way.STATE))


def by_autograd(forward: Callable[..., Any], names: tuple[str, ...], constants: Mapping[str, Any]) -> Code:
    """Torch code as forward and backward: the cache is the graph, the backward pass whatever autograd finds in it.

    It gets the very memory it is called with, so that what it writes there is seen.
    """

    def run(*args: Any) -> tuple[Any, Any]:
        leaves = [a.detach().requires_grad_() if n not in constants else a for n, a in zip(names, args, strict=True)]
        y = on_copies(forward)(*leaves)
        if not isinstance(y, torch.Tensor):
            raise WrongReturn(f"forward returned a {type(y).__name__}, expected one torch.Tensor")
        return y, [leaf for n, leaf in zip(names, leaves, strict=True) if n not in constants]

    def backward(dy: Any, cache: tuple[Any, Any]) -> Any:
        y, leaves = cache
        if not y.requires_grad:
            raise WrongReturn("the result of forward does not require a gradient: the graph is cut inside")
        return torch.autograd.grad(y, leaves, dy.reshape(y.shape), retain_graph=True, allow_unused=True)

    def both(*args: Any) -> tuple[Any, Any]:
        y, leaves = run(*args)
        return y.detach().clone(), (y, leaves)  # a view of an input is autograd's own affair

    return Code(both, backward, names, constants, forward)


def input_names(forward: Callable[..., Any], count: int) -> tuple[str, ...]:
    """The names of forward's first `count` arguments: x, W, b, so that gradients are dx, dW, db."""
    try:
        kinds = list(signature(forward).parameters.values())
    except (TypeError, ValueError):
        kinds = []
    named = [p.name for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    if len(named) < count:
        named = ["x"] if count == 1 else [f"x{i}" for i in range(count)]
    return tuple(named)


def plain_forward(forward: Any) -> Callable[..., Any]:
    """What is called: the apply of a torch.autograd.Function, else the thing itself."""
    if isinstance(forward, type) and issubclass(forward, torch.autograd.Function):
        return forward.apply
    return forward.forward if isinstance(forward, torch.nn.Module) else forward


def signature(called: Callable[..., Any]) -> inspect.Signature:
    """What it takes; of the apply of a torch.autograd.Function what its forward takes, without ctx; of an operator of
    torch.library.custom_op what the function takes that was registered.

    Raises TypeError or ValueError where that is not known (some builtins).
    """
    if is_operator(called):
        return inspect.signature(called._init_fn)
    own = getattr(called, "__self__", None)
    if not (isinstance(own, type) and issubclass(own, torch.autograd.Function)):
        return inspect.signature(called)
    given = list(inspect.signature(own.forward).parameters.values())
    without_ctx = own.setup_context is not torch.autograd.Function.setup_context
    return inspect.Signature(given if without_ctx else given[1:])


def _plain(constant: Any) -> Any:
    return (
        plain(constant) if hasattr(constant, "dtype") and str(constant.dtype).rpartition(".")[2] != "bool" else constant
    )


def _numbers(value: Any) -> bool:
    """Whether a nest of lists holds plain numbers only: an array written as lists."""
    return all(_numbers(v) for v in value) if isinstance(value, list) else isinstance(value, int | float | np.number)


def _array_of_lists(grads: Any) -> bool:
    """Whether what came for a single input is its gradient as lists, and not a list of one gradient."""
    return _numbers(grads) and (len(grads) != 1 or isinstance(grads[0], list))
