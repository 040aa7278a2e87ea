"""Mistakes in the derivative of an activation: any elementwise stage, ours or somebody else's.

What f is, is read off the numbers: f'(z) from the reference, and whether f is tanh, say, from its values.
"""

from collections.abc import Iterator

import numpy as np

import manual
from handgrad.explain.failed_trial import EPS, Case, Mistake
from handgrad.judge.compare import Float
from manual.layers.sigmoid import sigmoid

FORMULAS = {k: f for k, f in manual.ACTIVATIONS.items() if k not in ("identity", "step", "sign")}


def derivative(case: Case) -> Iterator[Mistake]:
    """f'(z) missing, taken elsewhere, squared, or mixed up with f."""
    D, k = case.derivative, f"d{case.x_name}"
    if D is None or k not in case.same_shape:
        return
    z, h, dh = case.x, case.y, case.dy
    # float64 autograd on an upstream of ones and on dh rounds differently where f' cancels
    hand, bound = case.hand[k], {k: case.evidence[k].bound + np.abs(case.right[k] - dh * D)}
    if isinstance(case.stage.subject, manual.Dropout):
        yield Mistake("the dropout mask is not applied", "dx = dy: dropped units get a gradient.", {k: dh})
        yield Mistake("the dropout mask is not applied, its scale is", "dx = dy / (1 - p).", {k: dh * D.max(initial=0)})
        return
    why = "dz = dh where dh f'(z) belongs: the gradient passes through as if the activation were not there."
    yield Mistake("the factor f'(z) is missing", why, {k: dh}, {k: hand * D}, "multiplying by f'(z)", bound=bound)
    at_h = case.rerun(**{case.x_name: h}).get(k)
    if at_h is not None:
        why = "f' is taken at the output h = f(z); it belongs at the input z."
        yield Mistake("the derivative is taken at the output", why, {k: at_h})
    safe = np.where(D == 0, 1, D)
    yield Mistake(
        "the factor f'(z) is squared", "dz = dh f'(z)^2: the derivative was multiplied in twice.", {k: dh * D * D},
        {k: hand / safe}, "dividing by f'(z)", undone_gain=np.maximum(1, 1 / np.abs(safe)), bound=bound,
    )  # fmt: skip
    yield Mistake("divided by f'(z)", "dz = dh / f'(z) where dh f'(z) belongs.", {k: dh / D})
    yield Mistake("f'(z) is added", "dz = dh + f'(z) where the product belongs.", {k: dh + D})
    why = "dz = dh f(z) where dh f'(z) belongs: the derivative was not taken."
    yield Mistake("the activation stands where its derivative belongs", why, {k: dh * h})
    if same(h, np.tanh(z)):
        yield Mistake("the square is missing", "dz = dh (1 - h) where dh (1 - h^2) belongs.", {k: dh * (1 - h)})
        yield Mistake(
            "the sign of h^2 is turned", "dz = dh (1 + h^2) where dh (1 - h^2) belongs.", {k: dh * (1 + h * h)}
        )
        why = "1 - h^2 was computed with the input z in place of the output h."
        yield Mistake("the derivative's formula is given z, not h", why, {k: dh * (1 - z * z)})
        why = "h (1 - h) is the sigmoid's derivative; tanh has 1 - h^2."
        yield Mistake("the sigmoid's derivative is used for tanh", why, {k: dh * (h * (1 - h))})
    if same(h, sigmoid(z)):
        yield Mistake("the factor h is missing", "dz = dh (1 - h) where dh h (1 - h) belongs.", {k: dh * (1 - h)})
        yield Mistake("the sign of h is turned", "dz = dh h (1 + h) where dh h (1 - h) belongs.", {k: dh * h * (1 + h)})
        why = "dz = dh h (1 - h^2) where dh h (1 - h) belongs."
        yield Mistake("a square too many", why, {k: dh * h * (1 - h * h)})
        why = "h (1 - h) was computed with the input z in place of the output h."
        yield Mistake("the derivative's formula is given z, not h", why, {k: dh * (z * (1 - z))})
        why = "1 - h^2 is the derivative of tanh; the sigmoid has h (1 - h)."
        yield Mistake("the derivative of tanh is used for the sigmoid", why, {k: dh * (1 - h * h)})


def product_rule(case: Case) -> Iterator[Mistake]:
    """h = z g(z), such as SiLU and GELU: one of the two terms g(z) + z g'(z) is missing."""
    D, z, h, k = case.derivative, case.x, case.y, f"d{case.x_name}"
    if D is None or k not in case.same_shape:
        return
    if not any(same(h, FORMULAS[name].forward({}, z)[0]) for name in ("silu", "gelu", "gelu_tanh")):
        return
    g = np.where(z == 0, D, h / z)
    cancelled = 8 * EPS * np.abs(case.dy) * (np.abs(D) + np.abs(g))
    bound = {k: case.evidence[k].bound + np.abs(case.right[k] - case.dy * D) + cancelled}
    why = "h = z g(z) has the derivative g(z) + z g'(z); only {} is there."
    yield Mistake("a term of the product rule is missing", why.format("g(z)"), {k: case.dy * g})
    yield Mistake("a term of the product rule is missing", why.format("z g'(z)"), {k: case.dy * (D - g)}, bound=bound)
    yield Mistake("a factor of the product rule is missing", "g(z) + g'(z) where g(z) + z g'(z) belongs.",
                  {k: case.dy * (g + np.where(z == 0, np.nan, (D - g) / z))})  # fmt: skip


def another(case: Case) -> Iterator[Mistake]:
    """Forward and backward of two different activations, or both of the wrong one."""
    if case.derivative is None or isinstance(case.stage.subject, manual.Dropout):
        return
    k, z, h, dh = f"d{case.x_name}", case.x, case.y, case.dy
    for name, f in {**FORMULAS, "identity": manual.Identity()}.items():
        if isinstance(case.stage.subject, type(f)):
            continue  # the very code under judgement: it says nothing about itself
        value, cache = f.forward({}, z)
        if same(h, value):
            continue
        dz = f.backward({}, cache, dh)[0]
        if name != "identity" and not (name == "softplus" and same(h, sigmoid(z))):  # a missing f', an f for f'
            why = f"The forward pass is not that of {name}, but the backward pass is {name}'s."
            yield Mistake(f"the backward pass is that of {name}", why, {k: dz})
        if "y" in case.failing:
            why = f"The layer computes {name}; the reference computes something else."
            yield Mistake(f"the forward pass is that of {name}", why, {"y": value, k: dz})


def rectifier(case: Case) -> Iterator[Mistake]:
    """The value at the kink, and the slope below it."""
    D, z, dh = case.derivative, case.x, case.dy
    k = f"d{case.x_name}"
    if D is None or k not in case.same_shape or not z.size:
        return
    S, hand, kink = case.right[k], case.hand[k], z == 0
    if kink.any():
        sides = [
            case.rerun(**{case.x_name: np.where(kink, t, z)}, dy=np.ones_like(dh)).get(k) for t in (-1e-300, 1e-300)
        ]
        if all(side is not None for side in sides):
            low, high = (float(side[kink][0]) for side in sides if side is not None)
            v = float((hand / dh)[kink][np.argmax(np.abs(dh[kink]))])
            if min(low, high) <= v <= max(low, high) and low != high:
                why = (
                    f"The function has a kink at 0, with slope {low:.6g} on its left and {high:.6g} on its right; "
                    f"here {v:.6g} is used, by convention of the reference {float(D[kink][0]):.6g}."
                )
                at = {k: np.where(kink, v * dh, S)}
                yield Mistake("another value at the kink", why, at, specific=True)
    below = z <= 0
    if below.any() and not below.all() and np.all(D[z < 0] == D[below][0]) and np.all(D[z > 0] == 1):
        at_entry = np.argmax(np.where(below, np.abs(dh), -1))
        c = float(hand.flat[at_entry] / dh.flat[at_entry])
        if np.isfinite(c):
            slope = float(D[below][0])
            c = min((float(f"{c:.{d}g}") for d in range(1, 7)), key=lambda s: (abs(s - c) > 2e-7 * abs(c), len(str(s))))
            why = f"Below zero the slope is {c:.6g} where {slope:.6g} belongs."
            yield Mistake(f"the slope below zero is {c:.6g}", why, {k: np.where(below, c * dh, S)}, freedom=1)


def same(a: Float, b: Float) -> bool:
    """Equal up to the rounding of a few float64 operations."""
    return bool(np.all(np.abs(a - b) <= 64 * EPS * (np.abs(a) + np.abs(b))))


ACTIVATIONS = (derivative, product_rule, another, rectifier)
