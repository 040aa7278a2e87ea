"""Mistakes in the linear layer, ours or somebody else's: that a stage is one is read off its values."""

from collections.abc import Iterator
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np

from handgrad.explain.catalogue.upstream import closest_term
from handgrad.explain.failed_trial import EPS, Case, Mistake
from handgrad.judge.compare import Float

MOST_INPUTS = 16  # up to here every pair of them is tried


class LinearStage(NamedTuple):
    """y = x (W o M)^T + b; turned where the code keeps W as (n_in, n_out)."""

    name: str
    W: Float
    M: Float
    b: str | None
    turned: bool


def linear_stage(case: Case) -> LinearStage | None:
    """The stage as a linear layer, if its values say that it is one."""
    x, y = case.x, case.y
    if x.ndim != 2 or y.ndim != 2:
        return None
    given = {k: v for k, v in case.inputs.items() if k != case.x_name}
    b = next((k for k, v in given.items() if v.shape == y.shape[1:]), None)
    mask = getattr(case.stage.subject, "mask", None)
    for name, value in given.items():
        for turned, W in ((False, value), (True, value.T)):
            if value.ndim == 2 and W.shape == (y.shape[1], x.shape[1]):
                M = np.ones_like(W) if mask is None else np.asarray(mask, dtype=float)
                z = x @ (W * M).T + (given[b] if b else 0.0)
                most = np.abs(x) @ np.abs(W * M).T + (np.abs(given[b]) if b else 0.0)
                if np.all(np.abs(y - z) <= 4 * (x.shape[1] + 2) * EPS * most):
                    return LinearStage(name, W, M, b, turned)
    return None


def linear(case: Case) -> Iterator[Mistake]:
    """dx = dz (W o M), dW = dz^T x o M, db = sum dz, each with what goes wrong in it."""
    stage = linear_stage(case)
    if stage is None:
        return
    name, W, M, b, turned = stage
    x, dz, dx_name, dW_name = case.x, case.dy, f"d{case.x_name}", f"d{name}"
    V, right = W * M, case.right[dW_name].T if turned else case.right[dW_name]

    def put(v: Float) -> Float:
        return v.T if turned else v

    if not M.all():
        why = "The connection mask leaves weights out in the forward pass, but not in the backward pass."
        yield Mistake(
            "the mask is forgotten", why, {dx_name: dz @ W, dW_name: put(dz.T @ x), "y": case.y + x @ (W - V).T}
        )
    if V.shape[0] == V.shape[1]:
        why = "dx = dz W^T where dz W belongs; the matrix is square, so no shape tells."
        yield Mistake("W^T stands where W belongs", why, {dx_name: dz @ V.T})
        why = "dW = dz^T y where dz^T x belongs: the output was kept in place of the input."
        yield Mistake("the output stands where the input belongs", why, {dW_name: put(dz.T @ case.y)})
        yield Mistake("W^T stands where W belongs", "z = x W where x W^T belongs.", {"y": case.y + x @ (V - V.T)})
    dW = {"the right": right}
    given = case.hand[dW_name].T if turned else case.hand[dW_name]
    if dW_name in case.failing and given.shape == right.shape:
        dW["the given"] = given
    for which, G in dW.items():
        yield Mistake(
            "dW stands where W belongs", f"dx = dz dW, with {which} dW, where dz W belongs.", {dx_name: dz @ G}
        )
    yield from chain(_added(case, dx_name, -(dz @ right), "update"), _added(case, dW_name, put(W), "decay"))
    for k, A, B in ((dx_name, dz, V),):
        wrong = case.hand[k] - case.right[k] if k in case.same_shape else None
        if wrong is None or not np.isfinite(wrong).all() or A.shape[1] < 2:
            continue
        u, o = closest_term(-wrong, A, B), closest_term(case.hand[k], A, B)
        why = f"dx sums over all {A.shape[1]} units above; the path through unit {{}} is {{}}."
        lost = np.outer(A[:, u], B[u])
        yield Mistake(
            f"the path through unit {u} is not summed", why.format(u, "missing"), {k: case.right[k] - lost},
            {k: case.hand[k] + lost}, "adding that path",
        )  # fmt: skip
        yield Mistake(
            f"only the path through unit {o} is used", why.format(o, "the only one"), {k: np.outer(A[:, o], B[o])}
        )
    only_sum = np.broadcast_to(dz.sum(axis=0)[:, None], W.shape)
    yield Mistake(
        "the factor x is missing", "dW holds sum dz in every column: x was not multiplied in.", {dW_name: put(only_sum)}
    )
    if b is not None:
        total = np.full(case.right[f"d{b}"].shape, dz.sum())
        yield Mistake("the bias gradient is summed over the units as well", "Every unit has its own.", {f"d{b}": total})
        if len(dz) == dz.shape[1]:
            why = "db was summed along the units; it belongs summed over the samples."
            yield Mistake("the bias gradient is summed over the wrong axis", why, {f"d{b}": dz.sum(axis=1)})
        yield Mistake("the bias is forgotten", "z = x W^T without b.", {"y": case.y - case.inputs[b]})


def wrong_products(case: Case) -> Iterator[Mistake]:
    """z = x W^T + b and dx = dz W with another product, without a factor, or with the inputs in another order."""
    stage = linear_stage(case)
    if stage is None:
        return
    name, W, M, b, turned = stage
    x, dz, V, k = case.x, case.dy, W * M, f"d{case.x_name}"
    n_out, n_in = V.shape
    if k in case.same_shape:
        u = int(np.argmin(np.abs(dz - case.hand[k][:, :1]).sum(axis=0)))
        why = "dx sums dz W over the units above; W is not multiplied in."
        yield Mistake("the factor W is missing", why, {k: np.repeat(dz.sum(axis=1, keepdims=True), n_in, axis=1)})
        if n_out > 1:
            alone = f"the factor W is missing, and only the path through unit {u} is used"
            yield Mistake(alone, why, {k: np.repeat(dz[:, [u]], n_in, axis=1)})
    why = "The product was taken entry by entry, and broadcasting made the shapes fit."
    for key, A, B in ((k, dz, V), (k, dz, V.T), (f"d{name}", dz.T, x), (f"d{name}", dz, x)):
        wanted = V.shape if key != k else x.shape
        if len(A) in (1, len(B)) and A.shape[1] in (1, B.shape[1]) and B.shape == wanted:
            made = (A * B).T if turned and key != k else A * B
            yield Mistake("the elementwise product stands where the matrix product belongs", why, {key: made})
    if "y" not in case.same_shape:
        return
    if b is not None:
        why = "z = sum (x W + b): the bias is added once for every input, and so is its gradient."
        inside = {"y": case.y + (n_in - 1) * case.inputs[b], f"d{b}": n_in * case.right[f"d{b}"]}
        yield Mistake("the bias is inside the sum over the inputs", why, inside)
    right = case.right[f"d{name}"].T if turned else case.right[f"d{name}"]
    for words, order in orders(n_in):
        dW = right[:, order].T if turned else right[:, order]
        why = "Every weight meets another input than its own, as if W had its columns in another order."
        y = case.y + (x[:, order] - x) @ V.T
        yield Mistake(f"the {words}", why, {"y": y, f"d{name}": dW, k: case.right[k][:, order]})


def orders(n: int) -> Iterator[tuple[str, list[int]]]:
    """Two inputs exchanged, all reversed, all shifted by one."""
    rest = list(range(n))
    if n <= MOST_INPUTS:
        for i, j in combinations(rest, 2):
            yield f"inputs {i} and {j} are exchanged", [j if m == i else i if m == j else m for m in rest]
    if n > 3:
        yield "inputs are in reverse order", rest[::-1]
    if n > 2:
        yield "inputs are shifted by one", [*rest[1:], 0]
        yield "inputs are shifted by one", [n - 1, *rest[:-1]]


def _added(case: Case, k: str, term: Float, what: str) -> Iterator[Mistake]:
    """right + c * term for a number c read off the given result."""
    found = fitted(case, k, term)
    if found is None:
        return
    c, e = short(*found), case.evidence[k]
    name, why = {
        "update": (
            f"the weights were updated before the gradient was passed back (by {c:.6g} dW)",
            f"dx = dz (W - {c:.6g} dW): the gradient must go back through the weights the forward pass used.",
        ),
        "decay": (f"{c:.6g} W is added to dW", "A weight-decay term was put into the gradient of the loss."),
    }[what]
    undone = {k: e.hand - c * term}
    yield Mistake(name, why, {k: e.reference + c * term}, undone, "taking that term off", freedom=1)


def fitted(case: Case, k: str, term: Float) -> tuple[float, float] | None:
    """The c of hand = right + c * term at the term's largest entry, and how far rounding may have carried it."""
    if k not in case.same_shape or not term.any():
        return None
    e = case.evidence[k]
    at = np.unravel_index(int(np.argmax(np.abs(term))), term.shape)
    c = float((e.hand[at] - e.reference[at]) / term[at])
    slop = 4 * float(e.bound[at]) / abs(float(term[at])) + 2.0**-40 * abs(c)
    return (c, slop) if np.isfinite(c) and slop < abs(c) else None


def short(c: float, slop: float) -> float:
    """The number with the fewest digits within slop of c: the one somebody typed."""
    return next((s for d in range(1, 16) if abs((s := float(f"{c:.{d}g}")) - c) <= slop), c)


def bias_in_a_block(case: Case) -> Iterator[Mistake]:
    """A parameter of the shape of one output row: a bias, in a stage that may be more than a linear layer."""
    if case.dy.ndim != 2:
        return
    like = [
        k for k in case.same_shape if k not in ("y", f"d{case.x_name}") and case.right[k].shape == case.dy.shape[1:]
    ]
    why = "The bias gradient is the sum of the upstream gradient: the factor f'(z) on its way is missing."
    yield Mistake("f'(z) is missing in the bias gradient", why, {k: case.dy.sum(axis=0) for k in like})
    for value, what in ((float(case.N), "the batch size"), (1.0, "1")):
        why = f"Every entry is {what}: dz/db = 1 was taken for the whole gradient."
        yield Mistake(
            "dz/db = 1 stands for the whole gradient", why, {k: np.full(case.right[k].shape, value) for k in like}
        )


LINEAR = (linear, wrong_products, bias_in_a_block)
