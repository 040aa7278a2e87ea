"""The hand-derived side compiled: by JAX many steps as one program, by torch one step."""

import copy
import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from math import isfinite
from typing import Any

import numpy as np
from array_api_compat import is_jax_array, is_torch_array
from numpy.typing import NDArray

from manual.namespace import array_namespace
from manual.network import Network
from manual.optimizers.clipping import clip_by, squared_norm
from manual.training.batches import Samples
from manual.training.hand import Hand, Statistics
from manual.types import Array, Params

Kept = tuple[tuple[Params, ...], Statistics, Any]  # parameters, running statistics and optimizer state


class Compiled(Hand):
    """Hand with `run`, several steps at once. Raises ValueError for NumPy's arrays, which nothing compiles."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.like = next(a for layer in self.params for a in layer.values())
        if is_jax_array(self.like):
            import jax

            scan, forward = jax_programs()
            self.counter: Any = jax.numpy.int32
            self.steps: Any = partial(scan, self.without_arrays())
            self.forward: Any = partial(forward, self.network)
        elif is_torch_array(self.like):
            import torch

            self.one = torch.compile(self.one_step, fullgraph=True, dynamic=False)
            self.steps, self.forward, self.counter = self.loop, None, torch.float64  # else a product is of float32
        else:
            raise ValueError("compile: the parameters are NumPy's arrays, which nothing compiles; use JAX or torch")

    def without_arrays(self) -> "Compiled":
        """A copy that says what is computed: JAX keeps it, and compiles nothing again for an equal one."""
        new = copy.copy(self)
        new.params, new.running, new.next_running, new.state, new.like = (), (), (), None, None
        return new

    @property
    def says(self) -> tuple[Any, ...]:
        """All that decides the program."""
        return self.network, self.function, self.optimizer, self.alpha, self.train_biases

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Compiled) and self.says == other.says

    def __hash__(self) -> int:
        return hash(self.says) if all(isinstance(part, Hashable) for part in self.says) else id(self)

    def run(
        self, samples: Samples, rows: NDArray[np.int64], lrs: Sequence[float], states: Sequence[Any], most: float | None
    ) -> list[tuple[float, float]]:
        """As manual.training.loop.SeveralSteps says."""
        xp = array_namespace(self.like)
        rates = xp.asarray(lrs, dtype=self.like.dtype)
        kept = self.params, self.running, count(self.state, lambda step: xp.asarray(step, dtype=self.counter))
        (self.params, self.running, state), made = self.steps(
            kept, samples.x, samples.target, xp.asarray(rows), rates, states, most=most
        )
        self.state = count(state, int)
        return [(float(E), float(norm)) for E, norm in zip(*made, strict=True)]

    def scan(
        self, kept: Kept, x: Array, target: Array, rows: Array, lrs: Array, states: Any, most: float | None
    ) -> tuple[Kept, tuple[Array, Array]]:
        """All steps as one jax.lax.scan, the batches gathered inside. Steps that are not finite change nothing."""
        import jax

        masks = None if states[0] is None else jax.tree.map(lambda *m: jax.numpy.stack(m), *states)

        def step(kept: Kept, each: Any) -> tuple[Kept, tuple[Array, Array]]:
            at, lr, own = each
            new, E, norm = self.one_step(kept, x[at], target[at], own, lr, most)
            finite = jax.numpy.isfinite(E + norm)
            return jax.tree.map(lambda a, b: jax.numpy.where(finite, a, b).astype(b.dtype), new, kept), (E, norm)

        found: tuple[Kept, tuple[Array, Array]] = jax.lax.scan(step, kept, (rows, lrs, masks))
        return found

    def loop(
        self, kept: Kept, x: Array, target: Array, rows: Array, lrs: Array, states: Any, most: float | None
    ) -> tuple[Kept, tuple[list[float], list[float]]]:
        """One step after the other, of torch."""
        Es: list[float] = []
        norms: list[float] = []
        for at, lr, own in zip(rows, lrs, states, strict=True):
            with warnings.catch_warnings():  # of a cache in array_api_compat, which compiling goes through once more
                warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`", UserWarning)
                new, E, norm = self.one(kept, x[at], target[at], own, lr, most)
            Es.append(float(E))
            norms.append(float(norm))
            if not isfinite(Es[-1] + norms[-1]):
                break
            kept = new
        return kept, (Es, norms)

    def one_step(
        self, kept: Kept, x: Array, target: Array, states: Any, lr: Array, most: float | None
    ) -> tuple[Kept, Array, Array]:
        """What is kept after a step, with the loss before it and the norm of its gradient."""
        params, running, state = kept
        E, dparams, running = self.differentiate(params, running, x, target, states)
        norm = squared_norm(dparams) ** 0.5
        params, state = self.update(at_rate(self.optimizer, lr), params, clip_by(dparams, norm, most), state)
        return (params, running, state), E, norm

    def output(self, x: Array) -> Array:
        return super().output(x) if self.forward is None else self.forward(self.params, x, self.running)


@cache
def jax_programs() -> tuple[Any, Any]:
    """Compiled.scan and the forward pass as JAX compiles them: once for all trainings of a process that are equal."""
    import jax

    def forward(network: Network, params: Any, x: Array, running: Any) -> Array:
        return network.forward(params, x, running)[0]

    return jax.jit(Compiled.scan, static_argnums=0, static_argnames="most"), jax.jit(forward, static_argnums=0)


def at_rate(optimizer: Any, lr: Array) -> Any:
    """The optimizer with a learning rate that is an array: it would be refused where it is checked as a number."""
    new = copy.copy(optimizer)
    object.__setattr__(new, "lr", lr)
    return new


def count(state: Any, convert: Callable[[Any], Any]) -> Any:
    """The optimizer's state with its count of steps as an array, so that no step is compiled anew; or back."""
    return state._replace(step=convert(state.step))
