"""A dict of inputs goes by name, whatever its order: to forward, and to a reference that has the same names."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from handgrad.subjects.function.calling import plain_forward, signature


@dataclass(frozen=True)
class NamedCall:
    """A function that is given its arguments in the order of `names`, and takes them by name."""

    called: Callable[..., Any]
    names: tuple[str, ...]

    def __call__(self, *args: Any) -> Any:
        return self.called(**dict(zip(self.names, args, strict=True)))

    @property
    def __signature__(self) -> inspect.Signature:
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in self.names])


def order_by_name(forward: Any, reference: Any, inputs: Mapping[str, Any]) -> tuple[Any, Any, dict[str, Any]]:
    """Forward, the reference, and the inputs in the order of forward's arguments.

    A reference with other names gets them in that order. Raises TypeError for a name that forward does not have.
    """
    known = parameters(forward)
    if known is None:
        return forward, reference, dict(inputs)
    strange = [name for name in inputs if name not in known]
    if strange:
        raise TypeError(
            f"inputs: forward has no argument {', '.join(strange)}; it takes {', '.join(known)}; "
            "give a dict by these names, or a list in their order"
        )
    given = {name: inputs[name] for name in known if name in inputs}
    theirs = parameters(reference)
    same = theirs is not None and all(name in theirs for name in given)
    return call_by_name(forward, tuple(given)), call_by_name(reference, tuple(given)) if same else reference, given


def parameters(called: Any) -> dict[str, inspect.Parameter] | None:
    """The arguments by name; None where they are not known, or where any are taken."""
    try:
        found = dict(signature(plain_forward(called)).parameters)
    except (TypeError, ValueError):
        return None
    open_ended = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return None if any(p.kind in open_ended for p in found.values()) else found


def call_by_name(called: Any, names: tuple[str, ...]) -> Any:
    """As it is where its first arguments have these names in this order, else a function that has."""
    found = parameters(called) or {}
    first = [n for n, p in found.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY][: len(names)]
    return called if first == list(names) or plain_forward(called) is not called else NamedCall(called, names)
