"""Code that writes into its inputs: torch's own word for it is ctx.mark_dirty, and it must be true."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from handgrad.judge.isolation import attempt, contents, duplicate
from handgrad.judge.promises import Contract, Promise
from handgrad.subjects.torch_function.call import TorchCall

REFUSED = "leaf Variable that requires grad"  # is being written into
ELSEWHERE = -7.25  # times the inputs: what is left as it is there too was not written into


def on_copies(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function; one that marks an input dirty gets copies, for torch lets nobody write into a leaf."""

    def call(*args: Any) -> Any:
        before = [duplicate(a) for a in args]
        try:
            return function(*args)
        except RuntimeError as error:
            if REFUSED not in str(error):
                raise
        with torch.no_grad():
            for arg, old in zip(args, before, strict=True):
                if isinstance(arg, torch.Tensor):
                    arg.copy_(old)
        return function(*(a.clone() if isinstance(a, torch.Tensor) else a for a in args))

    return call


def name_the_mark(contract: Contract) -> Contract:
    """A broken promise to leave the inputs alone, with torch's word for code that means to write into them."""
    return replace(contract, detail=f"{contract.detail}; ctx.mark_dirty would say so") if contract.detail else contract


def marks_what_it_writes(call: TorchCall) -> Contract:
    """An input that is marked dirty is written into. What is written into without a mark breaks another promise."""
    marked = [n for n in call.tensors if all(n in found and not found[n] for found in at_two_places(call))]
    if not marked:
        return Contract(Promise.MARKS_WRITTEN, True)
    words = f"marks {', '.join(marked)} dirty without writing into it"
    return Contract(Promise.MARKS_WRITTEN, False, f"forward {words}", words)


def at_two_places(call: TorchCall) -> list[dict[str, bool]]:
    """Where every input is marked, whether it is written into: at the inputs, and at others where forward takes any."""
    other = call.at({n: ELSEWHERE * t for n, t in call.tensors.items()})
    return [list_marked(call), *filter(None, [attempt(list_marked, other).value])]


def list_marked(call: TorchCall) -> dict[str, bool]:
    """The inputs that forward marks dirty, and whether it writes into them.

    torch counts a mark as one write; what is written by its own operations it counts as one more.
    """
    given = {n: leaf.clone() for n, leaf in call.leaves().items()}
    before = {n: (contents(t), t.grad_fn, t._version) for n, t in given.items()}
    call.run(given)
    return {
        n: contents(t) != before[n][0] or t._version > before[n][2] + 1
        for n, t in given.items()
        if t.grad_fn is not before[n][1]
    }
