"""The hand-derived side compiled by torch: one step is one graph."""

import warnings
from collections.abc import Callable, Sequence
from functools import cache
from math import isfinite
from types import FunctionType
from typing import Any

import numpy as np

from manual.namespace import know_torch
from manual.training.batches import Samples, outputs
from manual.training.compiled import Compiled, Floats, Rows
from manual.types import Array


class TorchSteps(Compiled):
    """Hand whose step, from the gathered batch to the new parameters, is one graph."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        import torch

        super().__init__(*args, **kwargs)
        know_torch()
        self.as_tensor = torch.asarray
        self.one = program(self.without_arrays())
        self.count = torch.float64  # of steps: a product with an integer would be of float32

    def run(
        self, samples: Samples, rows: Rows, lrs: Floats, states: Sequence[Any] | None, most: float | None
    ) -> tuple[Floats, Floats]:
        """One step after the other."""
        like = next(a for layer in self.params for a in layer.values())
        kept = self.params, self.running, self.state._replace(step=self.as_tensor(self.state.step, dtype=self.count))
        ats, rates = self.as_tensor(rows, device=like.device), self.as_tensor(lrs, dtype=like.dtype)
        made = np.full((len(rows), 2), np.nan)
        with warnings.catch_warnings():  # of a cache in array_api_compat, which compiling goes through once more
            warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`", UserWarning)
            for i, (at, lr, own) in enumerate(zip(ats, rates, states or [None] * len(rows), strict=True)):
                x, target = samples.x.index_select(0, at), samples.target.index_select(0, at)
                new, E, norm = self.one(kept, x, target, own, lr, most)
                made[i] = found = E.item(), norm.item()
                if not isfinite(sum(found)):
                    break
                kept = new
        self.params, self.running, state = kept
        self.state = state._replace(step=int(state.step))
        return made[:, 0], made[:, 1]

    def outputs(self, samples: Samples, size: int) -> tuple[Array, Array]:
        return outputs(self.output, samples, size)


@cache
def program(what: TorchSteps) -> Any:
    """The step as torch compiles it: once for all trainings of a process that are equal."""
    import torch

    return torch.compile(with_own_code(what.one_step), fullgraph=True, dynamic=False)


def with_own_code(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with a code object of its own: of one, torch keeps eight programs and makes no ninth."""

    def call(*args: Any) -> Any:
        return f(*args)

    return FunctionType(call.__code__.replace(), call.__globals__, closure=call.__closure__)
