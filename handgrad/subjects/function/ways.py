"""The ways in which people write a backward pass: with dy before the rest or behind it, without dy, one dy for each.

Its signature tells which of them can be meant.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from handgrad.subjects.function.outputs import Outputs

# How people call what comes from above: whole words, for data is none.
UPSTREAM = re.compile(
    r"d[a-z]?|d[a-z]s|d_?(out|outputs?|values?|scores?|logits?|next(_\w+)?|loss|upstream)|(output_|out_)?err(or)?s?|d[a-z]_?d[a-z]+|g|g[a-z]|g_?out(put)?|grads?|gradients?|"
    r"(\w+_)?grad(s|ient)?(_\w+)?|up|upstream(_\w+)?|deltas?|delta_\w+|cotangents?|ct"
)


class Way(Enum):
    """How a backward pass is called."""

    FULL = "with dy, and the cache or the inputs"
    EACH = "with one dy for each floating-point result, and the cache or the inputs"
    EVERY = "with one dy for each result, None where it has none, and the cache or the inputs"
    LAST = "with the cache or the inputs, and dy behind them"
    NO_UPSTREAM = "without dy, by which its result is multiplied here"
    STATE = "with dy alone, for it keeps its state in an object"
    ALONE = "without arguments, for it keeps its state in an object; its result is multiplied by dy here"


WITHOUT_DY = (Way.NO_UPSTREAM, Way.ALONE)


def list_ways(
    backward: Callable[..., Any], names: Sequence[str], given: int, outputs: Outputs, *, cached: bool
) -> list[Way]:
    """Every way in which backward could be called, the likeliest first.

    names: of forward's arguments, which are no upstream gradient; given: how many arguments it gets besides dy.

    That is the one whose first argument has the name of an upstream gradient, or the last behind the cache or the
    inputs; then one that fills exactly the arguments without a default: in mse_grad(y, t, scale=1.0) the last is no
    room for dy. An argument that is called dy gets dy and nothing else; one that is called g may be data. In
    backward(dy, retain_grads=True) the last keeps its default value: forward has no such input.
    """
    n = given
    if (kinds := parameters_of(backward)) is None:
        return [Way.FULL]
    positional = [p for p in kinds if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = sum(p.default is p.empty for p in positional)
    if kinds == []:
        return [Way.ALONE]
    most = float("inf") if any(p.kind is p.VAR_POSITIONAL for p in kinds) else len(positional)
    upstream = [is_upstream(p.name, names) for p in positional]
    takes = {Way.FULL: n + 1, Way.STATE: 1, Way.NO_UPSTREAM: n}
    if len(outputs.names) > 1:
        first = Way.EACH if len(outputs.parts) == 1 else Way.FULL
        each = {Way.FULL: n + 1, Way.EACH: n + len(outputs.parts), Way.STATE: 1}
        every = {Way.EVERY: n + len(outputs.names)} if outputs.left_out else {}
        takes = {first: each[first], **each, **every}
    fitting = [way for way, count in takes.items() if needed <= count <= most and not (cached and way is Way.STATE)]
    if upstream[:1] == [True]:
        named = len(positional[0].name) > 1
        fitting = [way for way in fitting if not (named and way is Way.NO_UPSTREAM)]
        options = needed == 1 and not {p.name for p in positional} & {*names}
        return sorted(fitting, key=lambda way: options and way is not Way.STATE)
    if upstream == [False] * n + [True]:
        return [Way.LAST, *fitting]
    return sorted(fitting, key=lambda way: (takes[way] != needed, way is Way.STATE))


def names_tell(backward: Callable[..., Any], names: Sequence[str]) -> bool:
    """Whether an argument of backward has the name of an upstream gradient: then nobody can mean another."""
    return any(is_upstream(p.name, names) for p in parameters_of(backward) or ())


def is_upstream(name: str, names: Sequence[str]) -> bool:
    """names: of forward's arguments."""
    return name not in names and UPSTREAM.fullmatch(name.lower()) is not None


def parameters_of(backward: Callable[..., Any]) -> list[inspect.Parameter] | None:
    """None where nobody knows: some builtins have no signature."""
    try:
        return list(inspect.signature(backward).parameters.values())
    except (TypeError, ValueError):
        return None
