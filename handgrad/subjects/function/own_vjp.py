"""JAX code that brings its own backward pass, a jax.custom_vjp: jax.vjp runs it, under jit and vmap as well."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import wraps
from typing import Any

from handgrad.arrays.imitated_jax import is_jax
from handgrad.subjects.function.calling import Code


def by_vjp(code: Code) -> Code:
    """JAX code as forward and backward: the cache is what jax.vjp keeps, the backward pass whatever rule it finds."""
    forward, moving = code.forward, code.variables

    @wraps(forward, assigned=(), updated=())
    def both(*args: Any) -> tuple[Any, Any]:
        import jax

        given = dict(zip(code.names, args, strict=True))

        def of_variables(*values: Any) -> Any:
            moved = {**given, **dict(zip(moving, values, strict=True))}
            return code.call(forward, [moved[n] for n in code.names])

        return jax.vjp(of_variables, *(given[n] for n in moving))

    return replace(code, forward=both, backward=lambda dy, pull_back: pull_back(dy))


def in_jax(forward: Any, given: Mapping[str, Any]) -> bool:
    """Whether it is JAX code: a jax.custom_vjp, one under jit or vmap, or any function that is given arrays of JAX."""
    things = [*given.values(), *unwrapped(forward)]
    return "jax" in sys.modules and any(map(is_jax, things))


def unwrapped(forward: Any) -> Iterator[Any]:
    """The function, and what it wraps, from outside to inside."""
    while forward is not None:
        yield forward
        forward = getattr(forward, "__wrapped__", None)


def without_rule(forward: Any) -> Callable[..., Any] | None:
    """The forward pass of a jax.custom_vjp as plain JAX code; None where forward is not one itself."""
    return forward.__wrapped__ if type(forward).__name__ == "custom_vjp" else None


def model_in_jax(dtype: str | None) -> Any:
    """A JAX array of that precision; None: float64 if JAX is told to compute in it, else float32.

    Raises ValueError where JAX is not told to compute in float64, and that is asked for.
    """
    import jax

    wide = bool(jax.config.read("jax_enable_x64"))  # type: ignore[no-untyped-call]
    if dtype == "float64" and not wide:
        raise ValueError("dtype: got float64, which JAX computes in only inside `with jax.enable_x64(True):`")
    return jax.numpy.zeros((), dtype or ("float64" if wide else "float32"))
