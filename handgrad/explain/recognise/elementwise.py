"""Is this stage elementwise, h = f(z)? What f is, is read off the numbers: f'(z), and whether f is tanh, say."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

import manual
from handgrad.arrays.arithmetic import EPS
from handgrad.explain.recognise.equal import same
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import DERIVATIVE_WITHIN, PRODUCT_ROUNDINGS

FORMULAS = {k: f for k, f in manual.ACTIVATIONS.items() if k not in ("identity", "step", "sign")}
F = {**FORMULAS, "identity": manual.Identity()}


class Elementwise(NamedTuple):
    """h = f(z), dz = dh f'(z), with D = f'(z)."""

    z: Float
    h: Float
    dh: Float
    D: Float
    trial: FailedTrial
    names: Mapping[str, str]

    @property
    def dz(self) -> Float:
        return self.trial.right[self.names["dz"]]

    @property
    def given_dz(self) -> Float:
        return self.trial.hand[self.names["dz"]]

    @property
    def bound(self) -> Float:
        """That of dz, and what autograd on ones and autograd on dh round differently where f' cancels."""
        return np.asarray(self.trial.evidence[self.names["dz"]].bound + np.abs(self.dz - self.dh * self.D))

    @property
    def g(self) -> Float:
        """The g of h = z g(z), as in SiLU and GELU."""
        return np.asarray(np.where(self.z == 0, self.D, self.h / self.z))

    @property
    def cancelled(self) -> Float:
        """How far rounding carries dh (D - g), where D and g are nearly equal."""
        return np.asarray(PRODUCT_ROUNDINGS * EPS * np.abs(self.dh) * (np.abs(self.D) + np.abs(self.g)))

    @property
    def is_its_own_slope(self) -> bool:
        """Whether f' = f wherever f' is not 0, as of e^min(z, 3): only where it is 0 are they told apart."""
        flat = self.D == 0
        return bool(flat.any() and not flat.all() and same(self.h[~flat], self.D[~flat]))

    def is_(self, *names: str) -> bool:
        """Whether f is one of these activations."""
        return any(same(self.h, F[name].forward({}, self.z)[0]) for name in names)

    def backward_at(self, z: Float, dh: Float | None = None) -> Float | None:
        """dh f' at other inputs; None where the reference refuses them."""
        found: Float | None = self.trial.rerun(dy=dh, **{self.trial.x_name: z}).get(self.names["dz"])
        return found


def recognise_elementwise(trial: FailedTrial) -> Elementwise | None:
    """One input, and each upstream entry reaches one gradient entry only.

    Zeros in the upstream gradient must come out as zeros, which no rounding can change.
    """
    z, h, dz = trial.x, trial.y, f"d{trial.x_name}"
    if len(trial.inputs) != 1 or h.shape != z.shape:
        return None
    D = trial.rerun(dy=np.ones_like(h)).get(dz)
    if D is None:
        return None
    half = np.random.default_rng(0).random(h.shape) < 0.5
    for zero in (half, ~half):
        masked = trial.rerun(dy=np.where(zero, 0.0, trial.dy)).get(dz)
        if masked is None or np.any(masked[zero]):
            return None
    if not np.allclose(trial.right[dz], trial.dy * D, rtol=DERIVATIVE_WITHIN, atol=0, equal_nan=True):
        return None
    return Elementwise(z, h, trial.dy, D, trial, {"h": "y", "dz": dz})


def run_backward(f: Any, z: Float, dh: Float) -> Float:
    """The dz of one of our activations."""
    return np.asarray(f.backward({}, f.forward({}, z)[1], dh)[0])
