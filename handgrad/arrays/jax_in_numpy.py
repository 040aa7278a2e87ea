"""JAX code in NumPy: JAX compiles every operation anew for every shape, a twentieth of a second each.

What JAX writes down of the code, its jaxpr, is run one operation after the other; what is not in the table, in JAX.
Source: the operations of jax.lax, https://docs.jax.dev/en/latest/jax.lax.html
"""

from collections.abc import Callable, Mapping, Sequence
from string import ascii_letters
from typing import Any

import numpy as np

Params = Mapping[str, Any]


def elementwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operation of arrays alone."""
    return lambda params, *given: function(*given)


def reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    """An operation over the axes that its parameters name."""
    return lambda params, x: function(x, axis=tuple(params["axes"]))


def dot_general(params: Params, x: Any, y: Any) -> Any:
    """The product over the contracted axes; the batch's axes stand first in the result."""
    (of_x, of_y), (batch_x, batch_y) = params["dimension_numbers"]
    letters = iter(ascii_letters)
    left, right = [next(letters) for _ in range(x.ndim)], [next(letters) for _ in range(y.ndim)]
    for i, j in (*zip(of_x, of_y, strict=True), *zip(batch_x, batch_y, strict=True)):
        right[j] = left[i]
    batch = [left[i] for i in batch_x]
    rest = [c for i, c in enumerate(left) if i not in (*of_x, *batch_x)]
    rest += [c for j, c in enumerate(right) if j not in (*of_y, *batch_y)]
    return np.einsum(f"{''.join(left)},{''.join(right)}->{''.join(batch + rest)}", x, y)


def broadcast_in_dim(params: Params, x: Any, *_: Any) -> Any:
    """x along the named axes of the result, repeated along the others."""
    shape = [1] * len(params["shape"])
    for axis, size in zip(params["broadcast_dimensions"], x.shape, strict=True):
        shape[axis] = size
    return np.broadcast_to(x.reshape(shape), params["shape"])


def iota(params: Params) -> Any:
    """0, 1, 2, ... along one axis."""
    shape, axis = params["shape"], params["dimension"]
    numbers = np.arange(shape[axis], dtype=params["dtype"])
    return np.broadcast_to(numbers.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


def part(params: Params, x: Any) -> Any:
    """From the first to before the last index, by steps."""
    steps = params["strides"] or [1] * x.ndim
    return x[tuple(map(slice, params["start_indices"], params["limit_indices"], steps))]


def cumsum(params: Params, x: Any) -> Any:
    """Sums up to each entry, or from the other end."""
    x = np.flip(x, params["axis"]) if params["reverse"] else x
    sums = np.cumsum(x, params["axis"], dtype=x.dtype)
    return np.flip(sums, params["axis"]) if params["reverse"] else sums


SAME_NAME = (
    "abs", "cbrt", "ceil", "cos", "cosh", "exp", "exp2", "expm1", "floor", "log", "log1p", "sign", "sin", "sinh",
    "sqrt", "square", "tan", "tanh",
)  # fmt: skip
OPERATIONS: Mapping[str, Callable[..., Any]] = {
    **{name: elementwise(getattr(np, name)) for name in SAME_NAME},
    "add": elementwise(np.add), "add_any": elementwise(np.add), "sub": elementwise(np.subtract),
    "mul": elementwise(np.multiply), "div": elementwise(np.divide), "neg": elementwise(np.negative),
    "max": elementwise(np.maximum), "min": elementwise(np.minimum), "pow": elementwise(np.power),
    "rsqrt": elementwise(lambda x: 1 / np.sqrt(x)), "logistic": elementwise(lambda x: 1 / (1 + np.exp(-x))),
    "eq": elementwise(np.equal), "ne": elementwise(np.not_equal), "lt": elementwise(np.less),
    "le": elementwise(np.less_equal), "gt": elementwise(np.greater), "ge": elementwise(np.greater_equal),
    "and": elementwise(np.bitwise_and), "or": elementwise(np.bitwise_or), "not": elementwise(np.invert),
    "clamp": elementwise(lambda low, x, high: np.clip(x, low, high)),
    "reduce_sum": reduced(np.sum), "reduce_max": reduced(np.max), "reduce_min": reduced(np.min),
    "reduce_prod": reduced(np.prod), "reduce_or": reduced(np.any), "reduce_and": reduced(np.all),
    "integer_pow": lambda params, x: x ** params["y"],
    "convert_element_type": lambda params, x: x.astype(params["new_dtype"]),
    "transpose": lambda params, x: np.transpose(x, params["permutation"]),
    "reshape": lambda params, x: x.reshape(params["new_sizes"]),
    "squeeze": lambda params, x: np.squeeze(x, tuple(params["dimensions"])),
    "rev": lambda params, x: np.flip(x, params["dimensions"]),
    "concatenate": lambda params, *given: np.concatenate(given, params["dimension"]),
    "dot_general": dot_general, "broadcast_in_dim": broadcast_in_dim, "iota": iota, "slice": part, "cumsum": cumsum,
}  # fmt: skip


LOOPS = ("while", "scan", "cond")  # they hold a jaxpr that is not run once


def operate(line: Any, given: Sequence[Any]) -> list[Any]:
    """What the operation of a line of a jaxpr gives, of NumPy arrays."""
    name, types = line.primitive.name, [variable.aval.dtype for variable in line.outvars]
    if name == "select_n" and len(given) == 3:
        return [np.where(given[0], given[2], given[1])]
    if name in OPERATIONS:
        with np.errstate(all="ignore"):
            return [np.asarray(OPERATIONS[name](line.params, *given)).astype(types[0])]
    found = line.primitive.get_bind_params(line.params)
    functions, params = found if isinstance(found, tuple) else ((), found)  # as before JAX 0.10, or since
    results = line.primitive.bind(*functions, *given, **params)
    return [np.asarray(a) for a in (results if line.primitive.multiple_results else [results])]


Operate = Callable[[Any, Sequence[Any]], list[Any]]


def in_numpy(function: Callable[..., Any], *args: Any, operate: Operate = operate) -> Any:
    """function(*args), of JAX arrays alone, in NumPy. Raises TypeError where it asks for a value that it computed."""
    import jax

    traced, like = jax.make_jaxpr(function, return_shape=True)(*args)
    results = run(traced, list(map(np.asarray, jax.tree_util.tree_leaves(args))), operate)
    return jax.tree_util.tree_unflatten(jax.tree_util.tree_structure(like), results)


def run(traced: Any, args: Sequence[Any], operate: Operate) -> list[Any]:
    """The results of a jaxpr, which names every value once; one that stands in it, to be run once, is run as well."""
    jaxpr = traced.jaxpr
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, map(np.asarray, traced.consts), strict=True))
    values |= zip(jaxpr.invars, args, strict=True)

    def read(variable: Any) -> Any:
        return np.asarray(variable.val) if hasattr(variable, "val") else values[variable]

    for line in jaxpr.eqns:
        given, inner = list(map(read, line.invars)), inside(line)
        results = operate(line, given) if inner is None else run(inner, given, operate)
        values |= zip(line.outvars, results, strict=True)
    return list(map(read, jaxpr.outvars))


def inside(line: Any) -> Any:
    """The jaxpr of a function that an operation calls once, on its own arguments: under jit, or with its own rule."""
    found: Any = next((line.params[key] for key in ("jaxpr", "call_jaxpr", "fun_jaxpr") if key in line.params), None)
    if not hasattr(found, "consts") or line.primitive.name in LOOPS:
        return None
    return found if len(found.jaxpr.invars) == len(line.invars) else None
