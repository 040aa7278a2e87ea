"""The reference where none is given: the code's own forward pass, differentiated by autograd.

NumPy and array API code runs on arrays that look like NumPy's and are torch tensors beneath, torch code as it is, JAX
code under jax.vjp. What comes out is held against the forward pass as it stands: its values must be the same, and its
gradient must be what a difference quotient says, or nothing is judged by it.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch

from handgrad.arrays.imitated_jax import is_jax
from handgrad.arrays.on_torch.array import OnTorch, array, following, to_tensor
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.arrays.on_torch.methods import CannotFollow
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.constants import QUOTIENT_BEND, QUOTIENT_ERROR, QUOTIENT_ROUNDINGS, QUOTIENT_STEP
from handgrad.judge.isolation import attempt, duplicate, quiet
from handgrad.judge.repeats import difference_words
from handgrad.subjects.function.calling import Code, Ran
from handgrad.subjects.function.kept import Kept, owner_of
from handgrad.subjects.function.nests import rebuild
from handgrad.subjects.function.outputs import Outputs
from handgrad.subjects.function.reference import NO_VIEWS, Float, Reference, View
from handgrad.subjects.function.through_jax import through_jax

OWN = "no reference given: whether forward is what you meant was not checked"


class CannotDifferentiate(TypeError):
    """The forward pass as autograd sees it is not the forward pass as it runs; the message says where they differ."""


@dataclass(frozen=True, eq=False)
class OwnForward(Reference):
    """forward is the code's own, and returns y or (y, cache).

    model: an array of the library in which it is to run; results: 0 where it returns no cache, draws: the seed of what
    it draws itself, kept: names that its object keeps (calling.py)
    """

    model: Any = None
    results: int | None = None
    draws: int | None = None
    kept: Mapping[str, Kept] = field(default_factory=dict)
    own = True
    what = "forward, run so that autograd sees it,"
    advice = "give a reference: the same function in torch"

    def on(self, model: Any) -> Self:
        """The same for code that runs on arrays like this one."""
        return replace(super().on(model), model=model)

    def value(self, inputs: Mapping[str, Float]) -> Float:
        """y. Raises CannotDifferentiate where the forward pass as it stands gives another one."""
        with following():
            y = super().value(inputs)
        ran = None if is_jax(self.model) else attempt(self.run_plainly, inputs).value
        if ran is None or not difference_words(ran.y, y):
            return y
        wide = self.in_float64()
        with following():
            seen = y if wide is self else super(OwnForward, wide).value(inputs)
        if words := difference_words(ran.y, seen):
            raise CannotDifferentiate(f"y{words} are its values as it stands and as autograd sees it")
        return y

    def gradients(self, inputs: Mapping[str, Float], dy: Float, views: Mapping[str, View] = NO_VIEWS) -> dict[str, Any]:
        """{"y": ..., "dx": ..., ...}."""
        with following():
            return super().gradients(inputs, dy, views)

    def eager(self, inputs: Mapping[str, Any], dy: Any) -> dict[str, Float]:
        """The same in the precision of the inputs."""
        with following():
            return super().eager(inputs, dy)

    def in_float64(self) -> Self:
        """The same where the code is told that its arrays are float64, as they are when it runs plainly."""
        other = isinstance(self.model, np.ndarray | np.generic) and self.model.dtype != np.float64
        return replace(self, model=np.zeros(())) if other else self

    def outputs(self, inputs: Mapping[str, Float]) -> Outputs:
        """What y is made of."""
        return self.run_plainly(inputs).outputs

    def run_plainly(self, inputs: Mapping[str, Float]) -> Ran:
        """The forward pass as it stands, in float64, on a copy of the object that it belongs to."""
        forward = attempt(copy.deepcopy, self.forward).value or self.forward
        wide = torch.zeros((), dtype=torch.float64) if isinstance(self.model, torch.Tensor) else np.zeros(())
        arrays = {n: like(a, wide) for n, a in duplicate(inputs).items()}
        with quiet():
            return self.run_forward(forward, arrays)

    def check(self, inputs: Mapping[str, Float]) -> None:
        """Raise CannotDifferentiate where a difference quotient of the forward pass shows that autograd misses a part.

        A detached or no_grad part, a compiled kernel, a hand-written backward pass within: all that is no gradient of
        the forward pass. A quotient that is not sure of itself says nothing.
        """
        if is_jax(self.model) or (ran := attempt(self.run_plainly, inputs).value) is None:
            return
        wide = self.in_float64()
        rng = np.random.default_rng(0)
        shape = ran.outputs.shape
        dy = rng.choice((-1, 1), size=shape) * rng.uniform(0.25, 2, size=shape)
        seen = attempt(wide.gradients, inputs, dy).value
        moving = {n: a for n, a in inputs.items() if n not in self.detached}
        for name, at in moving.items() if seen is not None else ():
            along = rng.choice((-1, 1), size=at.shape) * rng.uniform(0.25, 2, size=at.shape)
            found = slope(partial(self.moved, inputs, name, along, dy), at)
            assert seen is not None
            if found and found[1] < QUOTIENT_ERROR * abs(float(np.sum(seen[f"d{name}"] * along)) - found[0]):
                raise CannotDifferentiate(
                    f"autograd sees another dependence on {name} than there is: something detaches it, or brings a "
                    "backward pass of its own"
                )

    def moved(self, inputs: Mapping[str, Float], name: str, along: Float, dy: Any, step: float) -> Any:
        """dy y, with one input moved."""
        return dy * to64(self.run_plainly({**inputs, name: inputs[name] + step * along}).y)

    def each_result(self, leaves: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """y, in which several results stand one after the other."""
        return self.run(leaves)

    def run(self, leaves: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """y of tensors by name, as autograd sees it."""
        leaves = self.without_gradient(leaves)
        if is_jax(self.model):
            y = through_jax(self._call, list(leaves.values()), list(leaves))
        elif isinstance(self.model, torch.Tensor):
            y = self._call({n: leaf.clone() for n, leaf in leaves.items()}, self.forward)
        else:
            dtype = np.dtype(dtype_name(self.model))
            arrays = {n: OnTorch(leaf.clone(), dtype) for n, leaf in leaves.items()}
            y = to_tensor(self._call(arrays, WithoutLists(on_torch(self.forward))))
        if not isinstance(y, torch.Tensor) or not y.is_floating_point():
            y = torch.as_tensor(np.asarray(y, float))  # a constant
        return y

    def _call(self, arrays: Mapping[str, Any], forward: Callable[..., Any] | None = None) -> Any:
        ran = attempt(self.run_forward, forward or self.forward, arrays)
        if ran.error is not None:
            raise cannot_follow(ran.error) or ran.error
        assert ran.value is not None
        return ran.value.y

    def run_forward(self, forward: Callable[..., Any], arrays: Mapping[str, Any]) -> Ran:
        """The forward pass run. Raises WrongReturn where forward returns neither y nor (y, cache)."""
        values = {**duplicate(self.constants), **arrays}
        code = Code(forward, None, self.names, form=self.form, results=self.results, draws=self.draws, kept=self.kept)
        return code.run_forward([values[n] for n in self.names])


class WithoutLists:
    """A forward pass that gives an array for y where it returns a list of numbers."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self.__wrapped__, self.__self__ = run, owner_of(run)

    def __call__(self, *args: Any, **named: Any) -> Any:
        return without_lists(self.__wrapped__(*args, **named))


def without_lists(out: Any) -> Any:
    """What forward returned, with an array for y where it is a list of numbers."""
    if isinstance(out, list):
        return out if any(np.ndim(part) for part in out if not isinstance(part, list)) else array(out)
    return rebuild(out, [without_lists(out[0]), *out[1:]]) if isinstance(out, tuple) and out else out


def cannot_follow(error: BaseException | None) -> BaseException | None:
    """The CannotFollow that this error was raised from: NumPy wraps one in an error of its own at `buffer[i] = ...`."""
    while error is not None and not isinstance(error, CannotFollow):
        error = error.__cause__
    return error


def slope(terms: Callable[[float], Any], at: Float) -> tuple[float, float] | None:
    """The derivative of sum(terms(step)) at 0 and how far it may be off; None at a kink, or where it is not finite."""
    eps = float(np.finfo(float).eps)
    h = eps**QUOTIENT_STEP * float(np.max(np.abs(at), initial=0.0) or 1.0)
    values = attempt(lambda: {k: terms(k * h) for k in (-2, -1, -0.5, 0, 0.5, 1, 2)}).value
    if values is None or not all(np.isfinite(v).all() for v in values.values()):
        return None
    y = {k: float(np.sum(v)) for k, v in values.items()}
    noise = QUOTIENT_ROUNDINGS * eps * float(np.sum(np.abs(values[0]))) / h

    def bend(k: float) -> float:
        return float(abs(y[k] - 2 * y[0] + y[-k]) / (k * h))

    if bend(0.5) > QUOTIENT_BEND * bend(1) + noise or bend(1) > QUOTIENT_BEND * bend(2) + noise:
        return None
    coarse = (8 * (y[1] - y[-1]) - (y[2] - y[-2])) / (12 * h)
    fine = (8 * (y[0.5] - y[-0.5]) - (y[1] - y[-1])) / (6 * h)
    return fine, abs(fine - coarse) + noise


class Context:
    """What the forward of a torch.autograd.Function is given in place of its ctx: it keeps what it is told."""

    def __init__(self, count: int) -> None:
        self.needs_input_grad = (True,) * count

    def save_for_backward(self, *tensors: Any) -> None:
        """Nothing is needed later."""

    save_for_forward = mark_dirty = mark_non_differentiable = set_materialize_grads = save_for_backward


def forward_of(function: type[torch.autograd.Function]) -> Callable[..., Any]:
    """The forward of a torch.autograd.Function as plain torch code."""
    if function.setup_context is not torch.autograd.Function.setup_context:
        return function.forward
    return lambda *args: function.forward(Context(len(args)), *args)
