"""What is asked of the arguments of verify_function before anything runs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from handgrad.arrays.precision import dtype_name, to64
from handgrad.judge.ladder import Rung
from handgrad.judge.settings import check_slack
from handgrad.subjects.function.form import Arguments
from handgrad.subjects.function.kept import list_read, owner_of
from handgrad.subjects.function.nests import is_float_array, is_shape
from handgrad.subjects.function.signatures import plain_forward, signature

DTYPES = ("float64", "float32", "bfloat16", "float16")


def check_callables(forward: Any, backward: Any, reference: Any) -> None:
    """Raise TypeError for what cannot be called."""
    if not callable(forward):
        raise TypeError(f"forward: got {type(forward).__name__}, expected a callable")
    if reference is not None and not callable(reference):
        raise TypeError(
            f"reference: got {type(reference).__name__}, expected a callable, or None; inputs go by name: inputs=[...]"
        )
    if backward is not None and not callable(backward):
        raise TypeError(f"backward: got {type(backward).__name__}, expected a callable, or None for torch code")
    if backward is not None and isinstance(forward, type) and issubclass(forward, torch.autograd.Function):
        raise TypeError(
            f"backward: got one, but forward is {forward.__name__}, a torch.autograd.Function, which brings its own; "
            "give the torch function that it equals as reference="
        )


def check_arguments(forward: Any, reference: Any, given: Arguments, slack: float, dtype: str | None) -> None:
    """Raise TypeError or ValueError for inputs that cannot be judged."""
    check_slack(slack)
    if dtype is not None and dtype not in DTYPES:
        raise ValueError(f"dtype: got {dtype!r}, expected one of {', '.join(DTYPES)}")
    values = given.values
    floats = {n: dtype_name(v) for n, v in values.items() if is_float_array(v)}
    for n, dtype in floats.items():
        if dtype not in DTYPES:
            raise TypeError(f"inputs: {n} is {dtype}, expected one of {', '.join(DTYPES)}")
        if dtype == "float16" and not isinstance(values[n], torch.Tensor):
            raise TypeError(
                f"inputs: {n} is float16 of another library than torch, which may round every addition of a sum; "
                "give torch tensors, which sum in float32, or float32"
            )
    for n in floats:
        lost = int((~np.isfinite(to64(values[n]))).sum())
        if lost:
            raise ValueError(f"inputs: {n} has {lost} values that are not finite, expected finite ones")
    own = isinstance(forward, torch.nn.Module) and any(p.is_floating_point() for p in forward.parameters())
    own = own or (reference is None and any(list_read(owner_of(forward))))  # an embedding takes whole numbers alone
    if not own and not floats and not any(is_shape(v) for n, v in values.items() if n not in given.literal):
        raise ValueError("inputs: no floating-point array or shape among them, so there is no gradient to judge")
    check_counts(forward, reference, given)


def check_inputs(inputs: Any, kwargs: Any) -> None:
    """Raise TypeError where the inputs are no list or dict, or the keyword arguments no dict by name."""
    if inputs is None:
        raise TypeError("inputs: got none, expected a list of arrays or shapes, one per argument of forward")
    if not isinstance(inputs, Mapping | list | tuple) or (is_shape(inputs) and inputs):
        raise TypeError(
            f"inputs: got {inputs if isinstance(inputs, tuple) else type(inputs).__name__}, expected a list of arrays "
            "or shapes, one per argument of forward; wrap a single one in a list"
        )
    if not isinstance(kwargs, Mapping):
        raise TypeError(f"kwargs: got {type(kwargs).__name__}, expected a dict of forward's keyword arguments")


def check_counts(forward: Any, reference: Any, given: Arguments) -> None:
    """Raise TypeError where forward or the reference does not take as many arguments as there are inputs."""
    parameters = sum(1 for _ in forward.parameters()) if isinstance(forward, torch.nn.Module) else 0
    more = 0 if isinstance(reference, torch.nn.Module) else parameters
    for label, called, extra, form in (
        ("forward", forward, 0, given.form),
        ("reference", reference, more, given.reference),
    ):
        if called is None:
            continue
        try:
            takes = signature(plain_forward(called))
        except (TypeError, ValueError):  # some builtins have none
            continue
        try:
            takes.bind(*form.by_position, *range(extra), **form.by_keyword)
        except TypeError as error:
            and_more = f" and {extra} parameters of forward" if extra else ""
            raise TypeError(
                f"inputs: got {len(form.nests)} ({', '.join(form.nests)}){and_more}, but {label} takes "
                f"{takes}: {error}; give one input per argument"
            ) from error


def check_constants(constants: Sequence[str], known: Collection[str]) -> tuple[str, ...]:
    """The arguments that are meant to have no gradient. Raises TypeError or ValueError for what is none."""
    if isinstance(constants, str):
        raise TypeError(f"constants: got the string {constants!r}, expected a tuple of names: ({constants!r},)")
    if strange := [name for name in constants if name not in known]:
        raise ValueError(f"constants: got {', '.join(map(str, strange))}, expected some of {', '.join(known)}")
    return tuple(constants)


def check_overwrites(may_overwrite: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The declared names. Raises TypeError or ValueError for what is not dy, an input or the cache."""
    if isinstance(may_overwrite, str):
        raise TypeError(
            f"may_overwrite: got the string {may_overwrite!r}, expected a tuple of names: ({may_overwrite!r},)"
        )
    known = ("dy", *names, "cache")
    if strange := [name for name in may_overwrite if name not in known]:
        raise ValueError(f"may_overwrite: got {', '.join(map(str, strange))}, expected some of {', '.join(known)}")
    return tuple(may_overwrite)


def check_precision(precision: str | None) -> None:
    """Raise ValueError where it is no step of the precision ladder."""
    steps = [rung.value for rung in Rung if rung is not Rung.OWN]
    if precision is not None and precision not in steps:
        raise ValueError(f"precision: got {precision!r}, expected one of {', '.join(map(repr, steps))}")
