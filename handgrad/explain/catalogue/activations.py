"""Mistakes in the derivative of an activation: any elementwise stage.

h = f(z)        so      dz = dh f'(z), D = f'(z)
"""

from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np

import manual
from handgrad.explain.catalogue.mistake import Fitted, Mistake, Row, mistakes
from handgrad.explain.catalogue.typed_number import quotient, typed
from handgrad.explain.recognise.elementwise import Elementwise, F, recognise_elementwise, run_backward
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float

DROPOUT: tuple[Row[Elementwise], ...] = (
    Row("the dropout mask is not applied", "dx = dy: dropped units get a gradient.",
        "dz", lambda c: c.dh),
    Row("the dropout mask is not applied, its scale is", "dx = dy / (1 - p).",
        "dz", lambda c: c.dh * c.D.max(initial=0)),
)  # fmt: skip

ANY: tuple[Row[Elementwise], ...] = (
    Row("the factor f'(z) is missing",
        "dz = dh where dh f'(z) belongs: the gradient passes through as if the activation were not there.",
        "dz", lambda c: c.dh,
        undo=lambda c: ("multiplying by f'(z)", c.given_dz * c.D, 1.0), bound=lambda c: c.bound),
    Row("the derivative is taken at the output", "f' is taken at the output h = f(z); it belongs at the input z.",
        "dz", lambda c: c.backward_at(c.h)),
    Row("the factor f'(z) is squared", "dz = dh f'(z)^2: the derivative was multiplied in twice.",
        "dz", lambda c: c.dh * c.D * c.D,
        undo=lambda c: divide(c.given_dz, c.D), bound=lambda c: c.bound),
    Row("divided by f'(z)", "dz = dh / f'(z) where dh f'(z) belongs.",
        "dz", lambda c: c.dh / c.D),
    Row("f'(z) is added", "dz = dh + f'(z) where the product belongs.",
        "dz", lambda c: c.dh + c.D),
    Row("the activation stands where its derivative belongs",
        "dz = dh f(z) where dh f'(z) belongs: the derivative was not taken.",
        "dz", lambda c: None if c.is_its_own_slope else c.dh * c.h),
    Row("the derivative is not 0 where the function is constant",
        "dz = dh f(z) everywhere; that is right where f' = f, and where f is cut off the slope is 0.",
        "dz", lambda c: c.dh * c.h if c.is_its_own_slope else None),
)  # fmt: skip

# The mistakes that belong to the formula of one f, under its name in manual.ACTIVATIONS.
OF: Mapping[tuple[str, ...], tuple[Row[Elementwise], ...]] = {
    ("tanh",): (
        Row("the square is missing", "dz = dh (1 - h) where dh (1 - h^2) belongs.",
            "dz", lambda c: c.dh * (1 - c.h)),
        Row("the sign of h^2 is turned", "dz = dh (1 + h^2) where dh (1 - h^2) belongs.",
            "dz", lambda c: c.dh * (1 + c.h * c.h)),
        Row("the derivative's formula is given z, not h",
            "1 - h^2 was computed with the input z in place of the output h.",
            "dz", lambda c: c.dh * (1 - c.z * c.z)),
        Row("the sigmoid's derivative is used for tanh", "h (1 - h) is the sigmoid's derivative; tanh has 1 - h^2.",
            "dz", lambda c: c.dh * (c.h * (1 - c.h))),
    ),
    ("sigmoid",): (
        Row("the factor h is missing", "dz = dh (1 - h) where dh h (1 - h) belongs.",
            "dz", lambda c: c.dh * (1 - c.h)),
        Row("the sign of h is turned", "dz = dh h (1 + h) where dh h (1 - h) belongs.",
            "dz", lambda c: c.dh * c.h * (1 + c.h)),
        Row("a square too many", "dz = dh h (1 - h^2) where dh h (1 - h) belongs.",
            "dz", lambda c: c.dh * c.h * (1 - c.h * c.h)),
        Row("the derivative's formula is given z, not h",
            "h (1 - h) was computed with the input z in place of the output h.",
            "dz", lambda c: c.dh * (c.z * (1 - c.z))),
        Row("the derivative of tanh is used for the sigmoid",
            "1 - h^2 is the derivative of tanh; the sigmoid has h (1 - h).",
            "dz", lambda c: c.dh * (1 - c.h * c.h)),
    ),
    # h = z g(z): f'(z) = g(z) + z g'(z), so that z g'(z) = D - g(z)
    ("silu", "gelu", "gelu_tanh"): (
        Row("a term of the product rule is missing",
            "h = z g(z) has the derivative g(z) + z g'(z); only g(z) is there.",
            "dz", lambda c: c.dh * c.g),
        Row("a term of the product rule is missing",
            "h = z g(z) has the derivative g(z) + z g'(z); only z g'(z) is there.",
            "dz", lambda c: c.dh * (c.D - c.g), bound=lambda c: c.bound + c.cancelled),
        Row("a factor of the product rule is missing", "g(z) + g'(z) where g(z) + z g'(z) belongs.",
            "dz", lambda c: c.dh * (c.g + np.where(c.z == 0, np.nan, (c.D - c.g) / c.z))),
    ),
}  # fmt: skip


def activations(trial: FailedTrial) -> Iterator[Mistake]:
    """The tables that apply to this f, and what is no formula: another f, the kink, the slope below it."""
    parts = recognise_elementwise(trial)
    if parts is None:
        return
    dropout, given = isinstance(trial.stage.subject, manual.Dropout), parts.names["dz"] in trial.same_shape
    if given:
        tables = (DROPOUT,) if dropout else (ANY, *(table for names, table in OF.items() if parts.is_(*names)))
        yield from mistakes(chain(*tables), parts)
    if not dropout:
        yield from another_activation(trial, parts)
    if given and parts.z.size:
        yield from kink(parts)
        yield from slope_below_zero(parts)


def divide(dz: Float, D: Float) -> tuple[str, Float, Float]:
    """dz / f'(z), which makes the rounding 1 / f'(z) times as large."""
    safe = np.where(D == 0, 1, D)
    return "dividing by f'(z)", dz / safe, np.maximum(1, 1 / np.abs(safe))


def another_activation(trial: FailedTrial, c: Elementwise) -> Iterator[Mistake]:
    """Forward and backward of two different activations, or both of the wrong one."""
    for name, f in F.items():
        if isinstance(trial.stage.subject, type(f)):
            continue  # the very code under judgement: it says nothing about itself
        value = f.forward({}, c.z)[0]
        if c.is_(name):
            continue
        dz = run_backward(f, c.z, c.dh)
        if name != "identity" and not (name == "softplus" and c.is_("sigmoid")):  # a missing f', an f for f'
            why = f"The forward pass is not that of {name}, but the backward pass is {name}'s."
            yield Mistake(f"the backward pass is that of {name}", why, {c.names["dz"]: dz})
        if "y" in trial.failing:
            why = f"The layer computes {name}; the reference computes something else."
            yield Mistake(f"the forward pass is that of {name}", why, {"y": value, c.names["dz"]: dz})


def kink(c: Elementwise) -> Iterator[Mistake]:
    """Another value of f' at z = 0 than the reference's, from between the two slopes beside it."""
    at_kink = c.z == 0
    if not at_kink.any():
        return
    left, right = (c.backward_at(np.where(at_kink, t, c.z), np.ones_like(c.dh)) for t in (-1e-300, 1e-300))
    if left is None or right is None:
        return
    low, high = float(left[at_kink][0]), float(right[at_kink][0])
    used = float((c.given_dz / c.dh)[at_kink][np.argmax(np.abs(c.dh[at_kink]))])
    if min(low, high) <= used <= max(low, high) and low != high:
        why = (
            f"The function has a kink at 0, with slope {low:.6g} on its left and {high:.6g} on its right; "
            f"here {used:.6g} is used, by convention of the reference {float(c.D[at_kink][0]):.6g}."
        )
        yield Mistake("another value at the kink", why, {c.names["dz"]: np.where(at_kink, used * c.dh, c.dz)})


def slope_below_zero(c: Elementwise) -> Iterator[Mistake]:
    """f'(z) is 1 above zero and one number below it, as of a leaky ReLU: another number there."""
    below = c.z <= 0
    if not below.any() or below.all() or np.any(c.D[c.z < 0] != c.D[below][0]) or np.any(c.D[c.z > 0] != 1):
        return
    found = quotient(c.given_dz, np.where(below, c.dh, 0), c.trial.evidence[c.names["dz"]].bound)
    if found is not None:
        slope = typed(*found)
        why = f"Below zero the slope is {slope:.6g} where {float(c.D[below][0]):.6g} belongs."
        dz = np.where(below, slope * c.dh, c.dz)
        yield Mistake(f"the slope below zero is {slope:.6g}", why, {c.names["dz"]: dz}, fitted=Fitted(numbers=1))


ACTIVATIONS = (activations,)
