"""The numbers that a ledger is kept on: inputs and dy, and every value of the forward pass there with its gradient."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.mend.constants import RIGHT, ROUNDINGS
from handgrad.mend.draw import wrong_names
from handgrad.source.program import Passes
from handgrad.source.steps import Notes
from handgrad.source.taps import Tapped
from handgrad.subjects.function.adjoints import Knowns, find_knowns
from handgrad.subjects.function.beside_kinks import move_aside
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import Case, draw_upstream
from handgrad.subjects.function.mending import double
from handgrad.subjects.function.own_forward import OwnForward
from handgrad.subjects.function.reference import Float
from handgrad.subjects.function.through_autograd import with_passes
from handgrad.subjects.function.ways import WITHOUT_DY

NOISE = 1024  # roundings of the largest gradient: as much as sums of so many terms may leave where they cancel


@dataclass(frozen=True, eq=False)
class LedgerDraw:
    """Inputs and dy in the library of the code.

    right  the gradients of the inputs
    room   of a tensor's largest entry, within which two are the same
    noise  what rounding may leave of a gradient that is zero
    """

    code: Code
    inputs: Mapping[str, Any]
    dy: Any
    knowns: Knowns
    right: Mapping[str, Float]
    room: float
    noise: float

    def outputs(self, passes: Passes, notes: Notes) -> dict[str, Float] | None:
        """{"dx": ..., ...} in float64, with the backward pass noted; None if the code raises."""

        def run() -> dict[str, Float]:
            code = with_passes(self.code, passes)
            args = [duplicate(a) for a in code.arguments(self.inputs)]
            ran = code.run_forward(args)
            notes.on = True
            grads = code.run_backward(args, ran.outputs, ran.cache, duplicate(self.dy))
            return {n: to64(g) for n, g in grads.items()}

        return attempt(run).value

    def bound(self, true: Float) -> float:
        """How far a value may be from the true one."""
        return self.room * float(np.max(np.abs(true), initial=0.0)) + self.noise

    def same(self, value: Float, true: Float) -> bool:
        """Whether two arrays are the same up to rounding, and not both zero."""
        if value.shape != true.shape or not np.max(np.abs(true), initial=0.0) > self.noise:
            return False
        return bool(np.max(np.abs(value - true)) <= self.bound(true))

    def wrong(self, outputs: Mapping[str, Float] | None) -> frozenset[str]:
        """The names of the gradients that are not right; of all where the code raised. None is no wrong number."""
        bound = {n: np.full(v.shape, self.bound(v)) for n, v in self.right.items()}
        wrong = wrong_names(outputs, self.right, bound)
        return wrong if outputs is None else wrong & outputs.keys()


def choose_draw(code: Code, own: OwnForward, tapped: Tapped, case: Case, seed: int, *, certified: bool) -> LedgerDraw:
    """The inputs of a case, in float64 if the code is wrong there as well; of certified code where it is right.

    At a kink both sides are right, and autograd knows one of them: then the inputs are moved a little.
    Raises what autograd, or the forward pass under it, raises.
    """
    rng = np.random.default_rng(seed)
    own_model = next(iter(case.inputs.values()))
    models = ([double(own_model)] if dtype_name(own_model) != "float64" else []) + [own_model]
    tried = [(model, case.inputs) for model in models]
    if certified:
        tried.insert(1, (models[0], move_aside(case.inputs, rng)))
    found = None
    for model, inputs in tried:
        found = make_draw(code, own, tapped, {n: to64(a) for n, a in inputs.items()}, model, rng)
        if certified is not bool(found.wrong(found.outputs(tapped.program.passes, Notes()))):
            return found
    assert found is not None
    return found


def make_draw(
    code: Code, own: OwnForward, tapped: Tapped, exact: Mapping[str, Float], model: Any, rng: np.random.Generator
) -> LedgerDraw:
    """One draw. A backward pass that takes no dy gives derivatives: there dy is one."""
    inputs = {n: like(a, model) for n, a in exact.items()}
    rounded = {n: to64(a) for n, a in inputs.items()}
    here = own.on(model)
    y = here.value(rounded)
    ran = code.run_forward([duplicate(a) for a in code.arguments(inputs)])
    alone = code.graph is None and code.way(ran) in WITHOUT_DY
    dy = like(np.ones(y.shape) if alone else draw_upstream(rng, y.shape), model)
    knowns = find_knowns(here, tapped, rounded, to64(dy))
    moving = {name: k.gradient for k in knowns.values for name in k.names if k.gradient is not None}
    right = {f"d{n}": moving.get(n, np.zeros(a.shape)) for n, a in rounded.items()}
    unit = Arithmetic.of(dtype_name(model)).u
    noise = NOISE * unit * max((float(np.max(np.abs(g), initial=0.0)) for g in moving.values()), default=0.0)
    return LedgerDraw(code, inputs, dy, knowns, right, max(RIGHT, ROUNDINGS * unit), noise)
