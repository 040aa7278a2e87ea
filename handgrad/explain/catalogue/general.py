"""Mistakes that can be made in any gradient: factors, signs, order, rows left out."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations, permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.explain.catalogue.factors import name_factors
from handgrad.explain.catalogue.mistake import ABSENT, NOT_FITTED, Fitted, Mistake, Rounding, Undo
from handgrad.explain.catalogue.typed_number import decimals, quotient
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import CLEAR, NEAR_ONE


class Spoiled(NamedTuple):
    """One mistake in each tensor by itself: S becomes formula(S), or is not touched where that is None."""

    name: str
    why: str
    formula: Callable[[Float], Float | None]
    gradients_only: bool = False


SIGNS = (
    Spoiled("the sign is lost", "Every entry is the absolute value of the right one.", np.abs),
    Spoiled("only the sign is left", "Every entry is -1, 0 or 1: the sign of the right one.", np.sign,
            gradients_only=True),  # a loss that is always 1 is no sign
)  # fmt: skip
SPREAD = (
    Spoiled("the sum over the rows was taken where none belongs",
            "All rows hold the sum over the rows; each should keep its own gradient.",
            lambda S: spread(S.sum(axis=0, keepdims=True), S) if S.ndim == 2 else None),
    Spoiled("the mean over the rows was taken where none belongs",
            "All rows hold the mean over the rows; each should keep its own gradient.",
            lambda S: spread(S.mean(axis=0, keepdims=True), S) if S.ndim == 2 else None),
    Spoiled("the sum over the columns was taken where none belongs",
            "All columns hold the sum over the columns; each should keep its own gradient.",
            lambda S: spread(S.sum(axis=1, keepdims=True), S) if S.ndim == 2 else None),
    Spoiled("the mean over the columns was taken where none belongs",
            "All columns hold the mean over the columns; each should keep its own gradient.",
            lambda S: spread(S.mean(axis=1, keepdims=True), S) if S.ndim == 2 else None),
)  # fmt: skip


def spread(a: Float, S: Float) -> Float:
    return np.broadcast_to(a, S.shape)


def signs(trial: FailedTrial) -> Iterator[Mistake]:
    """The sign lost, or nothing but the sign."""
    yield from spoil(SIGNS, trial)


def spread_out(trial: FailedTrial) -> Iterator[Mistake]:
    """One row or column for all of them."""
    yield from spoil(SPREAD, trial)


def spoil(table: Iterable[Spoiled], trial: FailedTrial) -> Iterator[Mistake]:
    """Every row of the table on all failing tensors."""
    for row in table:
        names = [k for k in trial.same_shape if k != "y" or not row.gradients_only]
        wrong = {k: row.formula(trial.right[k]) for k in names}
        yield Mistake(row.name, row.why, {k: v for k, v in wrong.items() if v is not None})


def scale(trial: FailedTrial) -> Iterator[Mistake]:
    """Every entry times one number: one that has a name, or the shortest decimal that fits."""
    tried = {0.0, 1.0}
    for name in trial.same_shape:
        found = quotient(trial.hand[name], trial.right[name], trial.evidence[name].bound, scaled=True)
        if found is None or found[0] == 0:
            continue
        c, slop = found
        near = [f for f in name_factors(trial) if abs(f.value - c) <= slop]
        for value in dict.fromkeys(f.value for f in near if f.value not in tried):
            tried.add(value)
            which = [f for f in near if f.value == value]
            labels, why = ", or ".join(f.name for f in which), " Or: ".join(f.why for f in which)
            said = "" if labels == number(value) else f" ({labels})"
            yield times(trial, value, f"every entry is {number(value)} times the right one{said}", why)
        if slop < abs(c) / 16:  # where rounding is as large as c, no number can be read off
            typed = next((s for s in decimals(c, slop) if s not in tried), None)
            if typed is not None:
                tried.add(typed)
                near_one = abs(abs(typed) - 1) < NEAR_ONE
                why = (
                    "A constant was cut short, or a small number was added to a divisor."
                    if near_one
                    else "A learning rate, a loss scale or another constant has slipped in."
                )
                fitted = Fitted(numbers=1, vague=True)
                yield times(trial, typed, f"every entry is {number(typed)} times the right one", why, fitted)


def times(trial: FailedTrial, c: float, name: str, why: str, fitted: Fitted = NOT_FITTED) -> Mistake:
    """Every failing tensor times c, which dividing by c undoes."""
    given = {k: trial.hand[k] / c for k in trial.same_shape}
    undo = Undo(f"dividing by {number(c)}", given, max(1.0, 1 / abs(c)))
    scaled = {k: c * trial.right[k] for k in trial.same_shape}
    return Mistake(name, why, scaled, undo, fitted, Rounding(gain=max(1.0, abs(c))))


def number(c: float) -> str:
    """Six digits, or how far it is from 1 where that is small: 1 + 1e-07.

    >>> number(0.1), number(1 + 1e-7), number(-1 + 1e-9)
    ('0.1', '1 + 1e-07', '-1 + 1e-09')
    """
    short, one = f"{c:.6g}", float(np.sign(c))
    if abs(float(short) - c) <= 0.01 * abs(c - one):
        return short
    return f"{one:.0f} {'+' if c > one else '-'} {abs(c - one):.2g}"


def missing(trial: FailedTrial) -> Iterator[Mistake]:
    """No gradient at all."""
    why = "The backward pass returned None for it, or left it out."
    yield Mistake(ABSENT, why, {k: np.full_like(trial.right[k], np.nan) for k in trial.absent})
    # A tiny result is no zero, and where the right one is as small as this, a single product may have underflowed.
    lost = (k for k in trial.same_shape if not trial.hand[k].any() and np.abs(trial.right[k]).max() > trial.tiny**0.5)
    zero = {k: np.zeros_like(trial.right[k]) for k in lost}
    yield Mistake("the gradient is zero", "It was never computed, or its path was cut off.", zero)


def transposed(trial: FailedTrial) -> Iterator[Mistake]:
    """A square matrix the other way round."""
    matrices = [k for k in trial.same_shape if trial.right[k].ndim == 2]
    yield Mistake(
        "the gradient is transposed",
        "Rows and columns are exchanged; the matrix is square, so no shape tells.",
        {k: trial.right[k].T for k in matrices if trial.right[k].T.shape == trial.hand[k].shape},
        Undo("transposing it back", {k: trial.hand[k].T for k in matrices}),
    )


def permuted(trial: FailedTrial) -> Iterator[Mistake]:
    """The right rows or columns in the wrong places."""
    for axis, what in ((0, "rows"), (1, "columns")):
        moved: dict[str, Float] = {}
        back: dict[str, Float] = {}
        for k in trial.same_shape:
            S, hand = trial.right[k], trial.hand[k]
            if axis < S.ndim <= 2 and np.isfinite(hand).all():
                at = match_slices(hand, S, axis)
                moved[k], back[k] = np.take(S, at, axis), np.take(hand, np.argsort(at), axis)
        why = f"The {what} hold the right numbers of other {what}: they were exchanged or shifted."
        undo = Undo(f"putting the {what} back in order", back)
        yield Mistake(f"the {what} are permuted", why, moved, undo, Fitted(vague=True))


def match_slices(hand: Float, S: Float, axis: int) -> NDArray[np.intp]:
    """For each slice of `hand` the slice of S that it looks like, both sorted by one random combination of entries."""
    a, b = (np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1) for v in (hand, S))
    w = np.random.default_rng(0).normal(size=a.shape[1])
    at = np.empty(len(a), dtype=np.intp)
    at[np.argsort(a @ w, kind="stable")] = np.argsort(b @ w, kind="stable")
    return at


def exchanged(trial: FailedTrial) -> Iterator[Mistake]:
    """Two gradients, each in the other's place, or three in a circle."""
    given = [k for k in trial.failing if k != "y" and k not in trial.absent]
    for a, b in combinations(given, 2):
        why = f"{a} holds what belongs in {b}, and {b} what belongs in {a}."
        yield from in_other_places(trial, {a: b, b: a}, f"{a} and {b} are exchanged", why)
    for a, b, c in permutations(given, 3):
        if a == min(a, b, c):
            why = f"{a} holds what belongs in {b}, {b} what belongs in {c}, {c} what belongs in {a}."
            yield from in_other_places(trial, {a: b, b: c, c: a}, f"{a}, {b} and {c} are in each other's places", why)


def in_other_places(trial: FailedTrial, holds: Mapping[str, str], name: str, why: str) -> Iterator[Mistake]:
    """Each tensor holds the right numbers of another one: all of them, or nothing is exchanged."""
    if all(is_near(trial.hand[k], trial.right[other]) for k, other in holds.items()):
        bound = {}
        for k, other in holds.items():
            same = trial.hand[k].shape == trial.right[k].shape
            bound[k] = trial.evidence[other if same else k].bound  # of the numbers that it holds
        yield Mistake(name, why, {k: trial.right[other] for k, other in holds.items()}, rounding=Rounding(bound=bound))


def is_near(hand: Float, S: Float) -> bool:
    """Whether it is worth being compared."""
    return hand.shape == S.shape and bool(np.max(np.abs(hand - S), initial=0) <= CLEAR * np.max(np.abs(S), initial=0))


def clipped(trial: FailedTrial) -> Iterator[Mistake]:
    """Cut off at the largest size that the given result has."""
    for k in trial.same_shape:
        c = float(np.max(np.abs(trial.hand[k]), initial=0))
        cut, nonzero = np.sum(np.abs(trial.hand[k]) == c), np.sum(trial.right[k] != 0)
        if float(np.max(trial.evidence[k].bound, initial=0)) < c < np.inf and (trial.fresh or 1 < cut < nonzero):
            why = f"Entries beyond {c:.6g} are cut off there: gradient clipping has slipped in."
            wrong = {name: np.clip(trial.right[name], -c, c) for name in trial.same_shape}
            yield Mistake(f"the gradient is clipped at {c:.6g}", why, wrong, fitted=Fitted(numbers=1))


def left_out(trial: FailedTrial) -> Iterator[Mistake]:
    """Whole rows or columns of zeros where there should be numbers."""
    for axis, what in ((0, "row"), (1, "column")):
        kept: dict[str, Float] = {}
        lost: list[int] = []
        for k in trial.same_shape:
            S, hand = trial.right[k], trial.hand[k]
            if not axis < S.ndim <= 2:
                continue
            others = tuple(i for i in range(S.ndim) if i != axis)
            zero = ~hand.any(axis=others) & S.any(axis=others)
            if zero.any() and hand.any():
                kept[k] = S * np.expand_dims(~zero, others)
                lost += [int(i) for i in np.flatnonzero(zero) if int(i) not in lost]
        if kept:
            which = ", ".join(map(str, lost[:5])) + (" and others" if len(lost) > 5 else "")
            why = f"It is zero in {what} {which} and right everywhere else: a loop or a slice stops short."
            name = f"{what} {which} of the gradient is left out"
            yield Mistake(name, why, kept, fitted=Fitted(rows=tuple(sorted(lost))))


GENERAL = (scale, missing, transposed, permuted, exchanged, signs, clipped, left_out, spread_out)
