"""The hand-derived side compiled by JAX: many steps are one program, and so is an evaluation."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from manual.training.batches import Samples
from manual.training.compiled import Compiled, Floats, Kept, Rows
from manual.tree import in_order
from manual.types import Array


class JaxSteps(Compiled):
    """Hand whose steps, and whose outputs, are one program each. What goes in besides the samples is NumPy's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.what = self.without_arrays()
        self.scan_program, self.outputs_program, self.loss_program = programs()

    def run(
        self, samples: Samples, rows: Rows, lrs: Floats, states: Sequence[Any] | None, most: float | None
    ) -> tuple[Floats, Floats]:
        """All steps as one program; where one is not finite, those before it once more, as their own."""
        layers = zip(*states, strict=True) if states else ()
        masks = [None if own[0] is None else np.stack(own) for own in layers] if states else None
        rates = lrs.astype(next(a.dtype for layer in self.params for a in layer.values()))
        kept = self.params, self.running, self.state._replace(step=np.int32(self.state.step))

        def run_first(count: int) -> tuple[Kept, Floats, Floats]:
            own = None if masks is None else [None if layer is None else layer[:count] for layer in masks]
            new, Es, norms = self.scan_program(
                self.what, kept, samples.x, samples.target, rows[:count], rates[:count], own, most=most
            )
            return new, np.asarray(Es, np.float64), np.asarray(norms, np.float64)

        new, Es, norms = run_first(len(rows))
        finite = np.isfinite(Es + norms)
        if not finite.all():
            good = int(finite.argmin())
            new = run_first(good)[0] if good else kept
        self.params, self.running, state = in_order(new, kept)  # JAX sorts the keys of dictionaries
        self.state = state._replace(step=int(state.step))
        return Es, norms

    def scan(
        self, kept: Kept, x: Array, target: Array, rows: Array, lrs: Array, masks: Any, most: float | None
    ) -> tuple[Kept, Array, Array]:
        """One jax.lax.scan, the batches gathered inside."""
        import jax

        def step(kept: Kept, each: Any) -> tuple[Kept, tuple[Array, Array]]:
            at, lr, own = each
            new, E, norm = self.one_step(kept, x[at], target[at], own, lr, most)
            return jax.tree.map(lambda a, b: a.astype(b.dtype), new, kept), (E, norm)

        kept, (Es, norms) = jax.lax.scan(step, kept, (rows, lrs, masks))
        return kept, Es, norms

    def outputs(self, samples: Samples, size: int) -> tuple[Array, Array]:
        """y in evaluation and target of all these samples, as one program."""
        found: tuple[Array, Array] = self.outputs_program(self.what, self.params, self.running, *samples, size=size)
        return found

    def all_outputs(
        self, params: Any, running: Any, x: Array, target: Array, rows: Array, size: int
    ) -> tuple[Array, Array]:
        """The same as a function of arrays: equal parts one after the other, the last filled up with the first rows."""
        import jax

        parts = -(-len(rows) // size)
        at = jax.numpy.resize(rows, (parts, -(-len(rows) // parts)))
        y = jax.lax.map(lambda at: self.network.forward(params, x[at], running)[0], at)
        return y.reshape(at.size, -1)[: len(rows)], target[rows]

    def loss(self, y: Array, target: Array) -> float:
        return float(self.loss_program(self.what, y, target))

    def loss_of(self, y: Array, target: Array) -> Array:
        return self.function.forward(y, target)[0]


@cache
def programs() -> tuple[Any, Any, Any]:
    """Steps, outputs and loss as JAX compiles them: once for all trainings of a process that are equal."""
    import jax

    return (
        jax.jit(JaxSteps.scan, static_argnums=0, static_argnames="most"),
        jax.jit(JaxSteps.all_outputs, static_argnums=0, static_argnames="size"),
        jax.jit(JaxSteps.loss_of, static_argnums=0),
    )
