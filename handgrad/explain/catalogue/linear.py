"""Mistakes in the linear layer.

z = x V^T + b, V = W o M        so      dx = dz V,  dW = dz^T x o M,  db = sum dz
"""

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from handgrad.explain.catalogue.mistake import Fitted, Mistake, Row, Undo, mistakes
from handgrad.explain.catalogue.typed_number import typed_multiple
from handgrad.explain.catalogue.upstream import closest_term
from handgrad.explain.recognise.equal import same
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.explain.recognise.linear import Linear, recognise_linear
from handgrad.judge.compare import Float
from handgrad.judge.constants import TRIED_INPUTS

ENTRYWISE = "the elementwise product stands where the matrix product belongs"
BROADCAST = "The product was taken entry by entry, and broadcasting made the shapes fit."

TABLE: tuple[Row[Linear], ...] = (
    Row("the mask is forgotten",
        "The connection mask leaves weights out in the forward pass, but not in the backward pass.",
        "dx dW z", lambda s: None if s.M.all() else (s.dz @ s.W, s.kept(s.dz.T @ s.x), s.z + s.x @ (s.W - s.V).T)),
    Row("W^T stands where W belongs", "dx = dz W^T where dz W belongs. W is square, so no shape tells.",
        "dx", lambda s: s.dz @ s.V.T if s.square and not s.turned else None),
    Row("W stands where W^T belongs", "dx = dz W where dz W^T belongs. W is square, so no shape tells.",
        "dx", lambda s: s.dz @ s.V.T if s.square and s.turned else None),
    Row("the output stands where the input belongs",
        "dW is made of dz and the output; it should be made of dz and the input x, which was not kept.",
        "dW", lambda s: s.kept(s.dz.T @ s.z) if s.square else None),
    Row("W stands where W^T belongs", "z = x W where x W^T belongs.",
        "z", lambda s: s.z + s.x @ (s.V - s.V.T) if s.square and not s.turned else None),
    Row("W^T stands where W belongs", "z = x W^T where x W belongs.",
        "z", lambda s: s.z + s.x @ (s.V - s.V.T) if s.square and s.turned else None),
    Row("dW stands where W belongs", "dx is dz times the right dW; it should be dz times W.",
        "dx", lambda s: s.dz @ s.dW),
    Row("dW stands where W belongs", "dx is dz times the given dW; it should be dz times W.",
        "dx", lambda s: None if s.given_dW is None else s.dz @ s.given_dW),
    Row("the factor x is missing", "All inputs of a unit have the same gradient, the sum of its dz: x is not in it.",
        "dW", lambda s: s.kept(np.broadcast_to(s.dz.sum(axis=0)[:, None], s.W.shape))),
    Row("the bias gradient is summed over the units as well", "Every unit has a bias gradient of its own.",
        "db", lambda s: np.full(s.dz.shape[1], s.dz.sum())),
    Row("the bias gradient is summed over the wrong axis",
        "db is the sum over the units of each sample; it should be the sum over the samples of each unit.",
        "db", lambda s: s.dz.sum(axis=1) if s.dz.shape[0] == s.dz.shape[1] else None),
    Row("the bias is forgotten", "b is not added to z.",
        "z", lambda s: None if s.b is None else s.z - s.b),
    Row("the factor W is missing", "dx sums dz over the units above; each dz has to be multiplied by its weight first.",
        "dx", lambda s: np.repeat(s.dz.sum(axis=1, keepdims=True), s.x.shape[1], axis=1)),
    Row(ENTRYWISE, BROADCAST, "dx", lambda s: entrywise(s.dz, s.V, s.x)),
    Row(ENTRYWISE, BROADCAST, "dx", lambda s: entrywise(s.dz, s.V.T, s.x)),
    Row(ENTRYWISE, BROADCAST, "dW", lambda s: entrywise(s.kept(s.dz.T), s.kept(s.x), s.kept(s.V))),
    Row(ENTRYWISE, BROADCAST, "dW", lambda s: entrywise(s.kept(s.dz), s.kept(s.x), s.kept(s.V))),
)  # fmt: skip

# Where z itself is wrong: mistakes of the forward pass that the backward pass shares.
FORWARD: tuple[Row[Linear], ...] = (
    Row("the bias is inside the sum over the inputs",
        "z = sum (x W + b): the bias is added once for every input, and so is its gradient.",
        "z db", lambda s: None if s.b is None or s.db is None else
        (s.z + (s.x.shape[1] - 1) * s.b, s.x.shape[1] * s.db)),
)  # fmt: skip

# A term c times too many: the formula is the term, and c is read off the given result.
TERMS: tuple[Row[Linear], ...] = (
    Row("the weights were updated before the gradient was passed back (by {c:.6g} dW)",
        "dz is multiplied by W - {c:.6g} dW; it must go back through the weights that the forward pass used.",
        "dx", lambda s: -(s.dz @ s.dW)),
    Row("{c:.6g} W is added to dW", "A weight-decay term was put into the gradient of the loss.",
        "dW", lambda s: s.kept(s.W)),
)  # fmt: skip

# A parameter of the shape of one row of the result is a bias, in a stage that may be more than a linear layer.
BIAS: tuple[Row[FailedTrial], ...] = (
    Row("f'(z) is missing in the bias gradient",
        "The bias gradient is the plain sum of the upstream gradient, without the factor f'(z) that lies between.",
        "db", lambda t: t.dy.sum(axis=0)),
    Row("dz/db = 1 stands for the whole gradient",
        "Every entry is the batch size, the sum of dz/db = 1: the upstream gradient was not multiplied in.",
        "db", lambda t: np.full(t.dy.shape[1], float(t.N))),
    Row("dz/db = 1 stands for the whole gradient",
        "Every entry is dz/db = 1: neither was the upstream gradient multiplied in, nor was anything summed.",
        "db", lambda t: np.full(t.dy.shape[1], 1.0)),
)  # fmt: skip


def linear(trial: FailedTrial) -> Iterator[Mistake]:
    """The tables, and what is no formula: a term too many, one path of the sum, the inputs in another order."""
    parts = recognise_linear(trial)
    if parts is None:
        return
    yield from mistakes(TABLE, parts)
    yield from added_term(trial, parts)
    if parts.names["dx"] in trial.same_shape:
        yield from single_path(trial, parts)
    if "y" in trial.same_shape:
        yield from mistakes(FORWARD, parts)
        yield from other_order(trial, parts)


def entrywise(A: Float, B: Float, belongs: Float) -> Float | None:
    """A o B where broadcasting lets it pass as a result of the right shape."""
    fits = len(A) in (1, len(B)) and A.shape[1] in (1, B.shape[1]) and B.shape == belongs.shape
    return A * B if fits else None


def added_term(trial: FailedTrial, s: Linear) -> Iterator[Mistake]:
    """right + c term, for a number c read off the given result."""
    for row in TERMS:
        k, term = s.names[row.tensor], np.asarray(row.formula(s))
        e = trial.evidence[k]
        c = typed_multiple(e, term) if k in trial.same_shape else None
        if c is not None:
            name, why = row.name.format(c=c), row.why.format(c=c)
            undo = Undo("taking that term off", {k: e.hand - c * term})
            yield Mistake(name, why, {k: e.reference + c * term}, undo, Fitted(numbers=1))


def single_path(trial: FailedTrial, s: Linear) -> Iterator[Mistake]:
    """dx without the path through one unit above, or by that path alone."""
    k, n = s.names["dx"], s.dz.shape[1]
    hand, right = trial.hand[k], trial.right[k]
    if n < 2:
        return
    nearest = int(np.argmin(np.abs(s.dz - hand[:, :1]).sum(axis=0)))
    yield Mistake(
        f"the factor W is missing, and only the path through unit {nearest} is used",
        "dx sums dz over all units above, each multiplied by its weight first.",
        {k: np.repeat(s.dz[:, [nearest]], s.x.shape[1], axis=1)},
    )
    if not np.isfinite(hand - right).all():
        return
    lost, only = closest_term(right - hand, s.dz, s.V), closest_term(hand, s.dz, s.V)
    why = f"dx sums over all {n} units above; the path through unit {{}} is {{}}."
    path = np.outer(s.dz[:, lost], s.V[lost])
    yield Mistake(
        f"the path through unit {lost} is not summed",
        why.format(lost, "missing"),
        {k: right - path},
        Undo("adding that path", {k: hand + path}),
    )
    path = np.outer(s.dz[:, only], s.V[only])
    yield Mistake(f"only the path through unit {only} is used", why.format(only, "the only one"), {k: path})


def other_order(trial: FailedTrial, s: Linear) -> Iterator[Mistake]:
    """The inputs meet each other's weights."""
    why = "Every weight meets another input than its own, as if W had its columns in another order."
    for words, order in orders(s.x.shape[1]):
        z = s.z + (s.x[:, order] - s.x) @ s.V.T
        yield Mistake(
            f"the {words}",
            why,
            {s.names["z"]: z, s.names["dW"]: s.kept(s.dW[:, order]), s.names["dx"]: s.dx[:, order]},
        )


def orders(n: int) -> Iterator[tuple[str, list[int]]]:
    """Two inputs exchanged, all reversed, all shifted by one."""
    rest = list(range(n))
    if n <= TRIED_INPUTS:
        for i, j in combinations(rest, 2):
            yield f"inputs {i} and {j} are exchanged", [j if m == i else i if m == j else m for m in rest]
    if n > 3:
        yield "inputs are in reverse order", rest[::-1]
    if n > 2:
        yield "inputs are shifted by one", [*rest[1:], 0]
        yield "inputs are shifted by one", [n - 1, *rest[:-1]]


def bias_in_a_block(trial: FailedTrial) -> Iterator[Mistake]:
    """Every bias among the parameters, each of which makes the same mistake."""
    if trial.dy.ndim != 2:
        return
    parameters = (k for k in trial.same_shape if k not in ("y", f"d{trial.x_name}"))
    biases = [k for k in parameters if trial.right[k].shape == trial.dy.shape[1:] and not is_linear_in(trial, k)]
    for row in BIAS:
        yield Mistake(row.name, row.why, dict.fromkeys(biases, np.asarray(row.formula(trial))))


def is_linear_in(trial: FailedTrial, gradient: str) -> bool:
    """Whether a parameter is no bias inside an f but a factor: its right gradient is not the plain sum, whatever it is.

    f'(z + b) changes where b does; what multiplies gamma in gamma xhat + beta does not.
    """
    name, right = gradient[1:], trial.right[gradient]
    if same(right, trial.dy.sum(axis=0)):
        return False  # z = ... + b itself
    moved = trial.rerun(**{name: 1 - 2 * trial.inputs[name]}).get(gradient)
    return moved is not None and same(moved, right)


LINEAR = (linear, bias_in_a_block)
