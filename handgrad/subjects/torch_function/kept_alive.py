"""Leaks: what a forward and a backward pass make is freed with their results, not later and not never."""

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from handgrad.judge.promises import Contract, Promise
from handgrad.subjects.torch_function.call import (
    TorchCall,
    draw_like,
    gradients,
    is_written_by_hand,
    list_nodes,
    list_tensors,
)

UNNOTICED = "{} keeps an input past save_for_backward: a write into it before backward goes unnoticed"


class Run(NamedTuple):
    """One run of both passes: what it made, and the attributes of ctx that hold its results, or its inputs."""

    made: list[Any]  # weak references
    results: list[str]
    inputs: list[str]


def keeps_nothing(call: TorchCall) -> Contract:
    """No tensor made by one run lives on after its results are gone and another run has been made.

    A circle through ctx is a leak, as torch's manual has it; any other that Python collects is a note. What every run
    puts in the place of the last one (a buffer, a picture of the attention) does not grow, and is no leak; what was
    made at an earlier call (a table of sines) is not made again.
    """
    with without_collector():
        run_once(call)
        ran = run_once(call)
        run_once(call)
        count = count_alive(ran)
    if count == 0:
        return Contract(Promise.FREED, True, note=UNNOTICED.format(", ".join(ran.inputs)) if ran.inputs else "")
    gc.collect()
    forever = count_alive(ran) > 0
    when = "for ever" if forever else "until the garbage collector runs"
    detail = f"{count} tensor{'s' * (count != 1)} of a run live{'s' * (count == 1)} on {when}"
    if ran.results:
        words = f"keeps {' and '.join(ran.results)} alive after its result is gone"
        return Contract(Promise.FREED, False, f"{detail}; ctx.save_for_backward keeps a result without a circle", words)
    if forever:
        return Contract(Promise.FREED, False, detail, "keeps what it makes alive after its result is gone")
    return Contract(Promise.FREED, None, detail, note=f"{Promise.FREED}: no, {detail}")


def count_alive(ran: Run) -> int:
    """How many of its tensors are still there."""
    return sum(made() is not None for made in ran.made)


def run_once(call: TorchCall) -> Run:
    """Both passes, of which nothing is kept."""
    with Noting() as noting:
        leaves = call.leaves()
        y = [t for t in list_tensors(call.run(leaves)) if t.requires_grad]
        results, inputs = (list_attributes(y, held) for held in (y, [*leaves.values()]))
        for t in y:
            gradients(t, leaves, draw_like(t), retain_graph=True)
    return Run([*noting.made, *map(weakref.ref, y)], results, inputs)


def list_attributes(y: list[torch.Tensor], held: list[torch.Tensor]) -> list[str]:
    """The attributes of ctx that hold one of these tensors, of every Function behind the results."""
    nodes = [node for t in y for node in list_nodes(t) if is_written_by_hand(node)]
    return sorted({f"ctx.{n}" for node in nodes for n, v in vars(node).items() if any(v is t for t in held)})


class Noting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every tensor that an operation gives, without keeping it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.made: list[Any] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled in here; torch's default imports its whole compiler, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        self.made += [weakref.ref(t) for t in list_tensors(out)]
        return out


@contextmanager
def without_collector() -> Iterator[None]:
    """Python's collector of circles stands still, so that what dies here dies by itself."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
