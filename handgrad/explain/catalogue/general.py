"""Mistakes that can be made in any gradient: factors, signs, order, rows left out."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

import manual
from handgrad.explain.failed_trial import ABSENT, Case, Mistake
from handgrad.judge.compare import Float


def factors(case: Case) -> dict[str, tuple[float, str]]:
    """The factors that slip in, by name: value and what usually did it."""
    N, C = case.N, case.outputs
    named = {
        "2": (2.0, "A factor 2 slipped in: the 1/2 of the loss was forgotten, or the gradient was added up twice."),
        "1/2": (0.5, "A factor 1/2 slipped in: the loss has none, or the 2 of a square's derivative was forgotten."),
        "N, the batch size": (N, "The sum over the batch was taken where the mean belongs."),
        "1/N": (1 / N, "The mean over the batch was taken where the sum belongs, or it was averaged twice."),
        "the number of outputs": (C, "The sum over the outputs was taken where the mean belongs."),
        "1 over the number of outputs": (1 / C, "The mean over the outputs was taken where the sum belongs."),
        "batch size times outputs": (N * C, "The sum over all entries was taken where the mean belongs."),
        "1 over batch size times outputs": (1 / (N * C), "The mean over all entries was taken where the sum belongs."),
        "-1": (-1.0, "The sign is turned: the step would climb the error instead of going down."),
    }
    if case.y.ndim == 0 and N > 1:
        named |= half_a_mean(case)
    if N > 1:
        named["N/(N-1)"] = (N / (N - 1), "The divisor is N - 1 where N belongs.")
        named["(N-1)/N"] = ((N - 1) / N, "The divisor is N where N - 1 belongs.")
    if case.x.ndim and set(case.failing) == {"db"}:
        why = "The bias was put inside the sum over the inputs, so its gradient is added up once per input."
        named["the number of inputs"] = (case.x.shape[-1], why)
    if isinstance(case.stage.subject, manual.Dropout):
        keep = 1 - case.stage.subject.p
        named["1 - p, the share of units kept"] = (keep, "The scale 1 / (1 - p) of inverted dropout was forgotten.")
        named["1 / (1 - p)"] = (1 / keep, "The scale 1 / (1 - p) of inverted dropout was applied twice.")
    turned = {f"-({k})": (-v, f"{why} And the sign is turned.") for k, (v, why) in named.items() if k != "-1"}
    return {k: (float(v), why) for k, (v, why) in {**named, **turned}.items() if v != 1 and (v != -1 or k == "-1")}


def half_a_mean(case: Case) -> dict[str, tuple[float, str]]:
    """1/2 sum and a mean mixed up: the divisor was taken for 2, or 2 for the divisor."""
    reduction = getattr(case.stage.subject, "reduction", None)
    sizes = {"N": (case.N, "samples")}
    if case.outputs > 1:
        sizes["batch size times outputs"] = (case.N * case.outputs, "entries")
    named = {}
    for label, (D, what) in sizes.items():
        if reduction != "sum":
            why = f"It is the gradient of 1/2 the sum; the loss is the mean over all {what}."
            named["N/2" if label == "N" else f"half of {label}"] = (D / 2, why)
        if reduction in (None, "sum"):
            why = f"It is the gradient of the mean over all {what}; the loss is 1/2 the sum."
            named["2/N" if label == "N" else f"2 over {label}"] = (2 / D, why)
    return named


def scale(case: Case) -> Iterator[Mistake]:
    """Every entry times one number; a number without a name only where entries enough agree on it."""
    names = case.same_shape
    tried: set[float] = set()
    for name in names:
        S, hand = case.right[name], case.hand[name]
        if not S.any():
            continue
        at = np.unravel_index(int(np.argmax(np.abs(S))), S.shape)
        c = float(hand[at] / S[at])
        if not np.isfinite(c) or c == 0:
            continue
        slop = 4 * float(case.evidence[name].bound[at]) / abs(float(S[at])) * max(1.0, abs(c)) + 2.0**-40 * abs(c)
        near = {label: found for label, found in factors(case).items() if abs(found[0] - c) <= slop}
        for v in dict.fromkeys(v for v, _ in near.values()):
            labels = {label: why for label, (w, why) in near.items() if w == v}
            if v not in tried:
                tried.add(v)
                name = f"every entry is {number(v)} times the right one ({', or '.join(labels)})"
                yield _times(case, v, name, " Or: ".join(labels.values()))
        # The shortest decimal that fits is what somebody typed: 0.1, not 0.10000001.
        for digits in range(1, 16 if slop < abs(c) / 16 else 1):  # where rounding is as large as c, no number is read
            short = float(f"{c:.{digits}g}")
            if abs(short - c) <= slop and short not in (*tried, 0.0, 1.0):
                tried.add(short)
                near_one = "A constant was cut short, or a small number was added to a divisor."
                why = "A learning rate, a loss scale or another constant has slipped in."
                why = near_one if abs(abs(short) - 1) < 1e-3 else why
                yield _times(case, short, f"every entry is {number(short)} times the right one", why, specific=False)
                break


def number(c: float) -> str:
    """Six digits, or what is left beyond 1: 1 + 1e-07.

    >>> number(0.1), number(1 + 1e-7), number(-1 + 1e-9)
    ('0.1', '1 + 1e-07', '-1 + 1e-09')
    """
    short, one = f"{c:.6g}", float(np.sign(c))
    if abs(float(short) - c) <= 0.01 * abs(c - one):
        return short
    return f"{one:.0f} {'+' if c > one else '-'} {abs(c - one):.2g}"


def _times(case: Case, c: float, name: str, why: str, *, specific: bool = True) -> Mistake:
    return Mistake(
        name,
        why,
        {k: c * case.right[k] for k in case.same_shape},
        {k: case.hand[k] / c for k in case.same_shape},
        f"dividing by {number(c)}",
        specific=specific,
        freedom=0 if specific else 1,
        gain=max(1.0, abs(c)),
        undone_gain=max(1.0, 1 / abs(c)),
    )


def missing(case: Case) -> Iterator[Mistake]:
    """No gradient at all."""
    why = "The backward pass returned None for it, or left it out."
    yield Mistake(ABSENT, why, {k: np.full_like(case.right[k], np.nan) for k in case.absent})
    # A tiny result is no zero, and where the right one is as small as this, a single product may have underflowed.
    lost = (k for k in case.same_shape if not case.hand[k].any() and np.abs(case.right[k]).max() > case.tiny**0.5)
    zero = {k: np.zeros_like(case.right[k]) for k in lost}
    yield Mistake("the gradient is zero", "It was never computed, or its path was cut off.", zero)


def order(case: Case) -> Iterator[Mistake]:
    """The right numbers in the wrong places."""
    square = {k: case.right[k].T for k in case.same_shape if case.right[k].ndim == 2}
    yield Mistake(
        "the gradient is transposed",
        "Rows and columns are exchanged; the matrix is square, so no shape tells.",
        {k: v for k, v in square.items() if v.shape == case.hand[k].shape},
        {k: case.hand[k].T for k in square},
        "transposing it back",
    )
    for axis, what in ((0, "rows"), (1, "columns")):
        moved: dict[str, Float] = {}
        back: dict[str, Float] = {}
        for k in case.same_shape:
            S, hand = case.right[k], case.hand[k]
            if S.ndim <= axis or S.ndim > 2 or not np.isfinite(hand).all():
                continue
            at = _matching(hand, S, axis)
            moved[k], back[k] = np.take(S, at, axis), np.take(hand, np.argsort(at), axis)
        why = f"The {what} hold the right numbers of other {what}: units or samples were exchanged or shifted."
        yield Mistake(f"the {what} are permuted", why, moved, back, f"putting the {what} back in order", specific=False)


def _matching(hand: Float, S: Float, axis: int) -> NDArray[np.intp]:
    """For each slice of `hand` the slice of S that it looks like, both sorted by one random combination of entries."""
    a, b = (np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1) for v in (hand, S))
    w = np.random.default_rng(0).normal(size=a.shape[1])
    at = np.empty(len(a), dtype=np.intp)
    at[np.argsort(a @ w, kind="stable")] = np.argsort(b @ w, kind="stable")
    return at


def signs(case: Case) -> Iterator[Mistake]:
    """The sign or the size of each entry is lost."""
    S = {k: case.right[k] for k in case.same_shape}
    gradients = {k: v for k, v in S.items() if k != "y"}  # a loss that is always 1 is no sign
    yield Mistake("the sign is lost", "Every entry is the absolute value of the right one.", _map(S, np.abs))
    yield Mistake(
        "only the sign is left", "Every entry is -1, 0 or 1: the sign of the right one.", _map(gradients, np.sign)
    )
    for k in S:
        c = float(np.max(np.abs(case.hand[k]), initial=0))
        cut, all_of = np.sum(np.abs(case.hand[k]) == c), np.sum(case.right[k] != 0)
        if float(np.max(case.evidence[k].bound, initial=0)) < c < np.inf and (case.fresh or 1 < cut < all_of):
            why = f"Entries beyond {c:.6g} are cut off there: gradient clipping has slipped in."
            clipped = {name: np.clip(v, -c, c) for name, v in S.items()}
            yield Mistake(f"the gradient is clipped at {c:.6g}", why, clipped, freedom=1)


def left_out(case: Case) -> Iterator[Mistake]:
    """Whole rows or columns of zeros where there should be numbers."""
    for axis, what in ((0, "row"), (1, "column")):
        kept: dict[str, Float] = {}
        lost: list[int] = []
        for k in case.same_shape:
            S, hand = case.right[k], case.hand[k]
            if S.ndim <= axis or S.ndim > 2:
                continue
            others = tuple(i for i in range(S.ndim) if i != axis)
            zero = ~hand.any(axis=others) & S.any(axis=others)
            if zero.any() and hand.any():
                kept[k] = S * np.expand_dims(~zero, others)
                lost += [int(i) for i in np.flatnonzero(zero) if int(i) not in lost]
        if kept:
            which = ", ".join(map(str, lost[:5])) + (" and others" if len(lost) > 5 else "")
            why = f"It is zero in {what} {which} and right everywhere else: a loop or a slice stops short."
            yield Mistake(f"{what} {which} of the gradient is left out", why, kept, rows=tuple(sorted(lost)))


def summed(case: Case) -> Iterator[Mistake]:
    """A sum or mean over an axis, spread back over it: every row (or column) the same."""
    for axis, what in ((0, "rows"), (1, "columns")):
        for op in ("sum", "mean"):
            S = {k: case.right[k] for k in case.same_shape if axis < case.right[k].ndim == 2}
            same = {k: np.broadcast_to(getattr(v, op)(axis=axis, keepdims=True), v.shape) for k, v in S.items()}
            why = f"All {what} hold the {op} over the {what}; each should keep its own gradient."
            yield Mistake(f"the {op} over the {what} was taken where none belongs", why, same)


def _map(tensors: Mapping[str, Float], op: Callable[[Float], Float]) -> dict[str, Float]:
    return {k: op(v) for k, v in tensors.items()}


GENERAL = (scale, missing, order, signs, left_out, summed)
