"""An error that has no name, described: how much of it there is, and what holds of it on every draw of numbers.

What is counted is counted on the numbers at hand. What is claimed (a place, a rank, a sign, a ratio) is claimed only
where the bound is far below the error, and where fresh draws of the inputs and the upstream gradient bear it out.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Evidence
from handgrad.judge.constants import CLEAR, LARGEST_SVD, RATIO_ENTRIES

# What is claimed, and the words; the words may hold numbers that another draw has otherwise.
Claim = tuple[str, str]


def describe(name: str, trial: FailedTrial, fresh: Sequence[FailedTrial]) -> str:
    """Sentences on the error of one tensor. fresh: the same code on other numbers."""
    e = trial.evidence[name]
    hand, S = e.hand, e.reference
    if hand.shape != S.shape:
        return f"{name} has shape {hand.shape}, expected {S.shape}."
    lost, wrong = ~np.isfinite(hand), find_wrong(e)
    sentences = [f"{int(wrong.sum())} of {wrong.size} entries of {name} are outside their bound"]
    if lost.any():
        sentences.append(f"{int(lost.sum())} are nan or infinite, the first at {write_first(lost)}")
        return ". ".join(sentences) + "."
    if 0 < wrong.sum() < wrong.size and S.ndim != 2:
        sentences.append(f"the first at {write_first(wrong)}")
    sentences += confirm(e, [other.evidence[name] for other in fresh])
    return ". ".join(s[0].upper() + s[1:] for s in sentences) + "."


def confirm(e: Evidence, fresh: Sequence[Evidence]) -> list[str]:
    """The claims on this error that hold on every fresh draw as well; none where the code cannot be run again."""
    others = [{what for what, _ in claims(other)} for other in fresh if find_wrong(other).any()]
    return [words for what, words in claims(e) if others and all(what in other for other in others)]


def claims(e: Evidence) -> Iterator[Claim]:
    """All that may be said of an error beyond its size, each with what must be the same on a fresh draw."""
    wrong = find_wrong(e)
    if not np.isfinite(e.hand).all() or e.hand.shape != e.reference.shape or not is_clear(e, wrong):
        return
    if e.hand.ndim == 2:
        yield from claim_places(wrong)
        yield from claim_rank(e)
    clear = wrong & (e.bound <= CLEAR * np.abs(e.reference))
    turned = clear & (np.abs(e.hand + e.reference) <= e.bound)
    if turned.any():
        yield "sign", f"{int(turned.sum())} have the right size and the wrong sign"
    yield from claim_zeros(e, wrong, clear)
    if (ratio := claim_one_ratio(e, wrong)) is not None:
        yield ratio
    elif e.hand.ndim == 2:
        yield from claim_ratio(e, 0, "column (index of axis 1)")
        yield from claim_ratio(e, 1, "row (index of axis 0)")


def find_wrong(e: Evidence) -> Any:
    """Where the given result is not finite, or outside a bound that is."""
    if e.hand.shape != e.reference.shape:
        return np.ones(1, bool)
    judged = np.isfinite(e.reference) & np.isfinite(e.bound)
    return ~np.isfinite(e.hand) | (judged & ~(np.abs(e.hand - e.reference) <= e.bound))


def is_clear(e: Evidence, wrong: Any) -> bool:
    """Whether the bound is far below most of the errors."""
    error = np.abs(e.hand - e.reference)[wrong]
    return bool(error.size) and bool(np.median(e.bound[wrong] / error) <= CLEAR)


def claim_places(wrong: Any) -> Iterator[Claim]:
    """The rows and columns that hold all wrong entries."""
    for axis, what in ((0, "rows"), (1, "columns")):
        found = np.flatnonzero(wrong.any(axis=1 - axis))
        if len(found) < wrong.shape[axis]:
            yield f"{what} {found.tolist()}", f"all in {what} {write_list(found)}"


def claim_rank(e: Evidence) -> Iterator[Claim]:
    """The rank of the error, where it is not the full one."""
    largest = min(e.hand.shape)
    if not (np.isfinite(e.reference) & np.isfinite(e.bound)).all() or not 1 < largest <= LARGEST_SVD:
        return
    # Weyl: rounding moves no singular value by more than the Frobenius norm of the bound.
    sizes, rounding = np.linalg.svd(e.hand - e.reference, compute_uv=False), np.linalg.norm(e.bound)
    rank = int(np.sum(sizes > rounding))
    if rank < largest and rank and rounding <= CLEAR * sizes[rank - 1]:
        yield f"rank {rank}", f"the error has rank {rank} of {largest}"


def claim_zeros(e: Evidence, wrong: Any, clear: Any) -> Iterator[Claim]:
    """Entries that are zero, and entries that belong zero: what a mask does that is missing, or another one."""
    zero, belongs = clear & (e.hand == 0), wrong & (e.reference == 0) & (e.bound <= CLEAR * np.abs(e.hand))
    alone = "" if wrong.all() else ", and the others are right"
    if not (wrong == (zero | belongs)).all():
        if zero.any():
            yield "zero", f"{int(zero.sum())} are zero"
    elif zero.any() and belongs.any():
        words = f"{int(zero.sum())} are zero, and {int(belongs.sum())} belong zero{alone}: as if another mask were used"
        yield "another mask", words
    elif zero.any():
        yield "all zero", f"all of them are zero{alone}"
    else:
        yield "all belong zero", f"all of them belong zero{alone}: as if a mask were missing"


def claim_one_ratio(e: Evidence, wrong: Any) -> Claim | None:
    """Whether hand / reference is one number wherever an entry is wrong."""
    S, hand, bound = e.reference[wrong], e.hand[wrong], e.bound[wrong]
    at = int(np.argmax(np.abs(S))) if S.size else 0
    if S.size < RATIO_ENTRIES or not S.all() or not hand[at]:
        return None
    ratio = hand[at] / S[at]
    allowed = max(1.0, abs(ratio)) * (bound + bound[at])
    told = (bound <= CLEAR * np.abs(S)) & (allowed <= CLEAR * np.abs((1 - ratio) * S))
    if told.sum() < RATIO_ENTRIES or not np.all(np.abs(hand - ratio * S) <= allowed):
        return None
    return f"ratio {ratio:.3g}", f"hand / reference is {ratio:.3g} in every one of them"


def claim_ratio(e: Evidence, axis: int, what: str) -> Iterator[Claim]:
    """Whether hand / reference is one constant along `axis`, another for each slice."""
    size = np.abs(e.reference)
    at = np.expand_dims(np.argmax(size, axis=axis), axis)
    ratio, bound = (np.take_along_axis(a, at, axis) for a in (e.hand / e.reference, e.bound))
    allowed = np.maximum(1, np.abs(ratio)) * (e.bound + bound)
    told = (e.bound <= CLEAR * size) & (allowed <= CLEAR * np.abs((1 - ratio) * e.reference))  # this entry could differ
    other = ~(np.abs(e.hand - e.reference) <= e.bound).all(axis=axis, keepdims=True)  # the slices that are wrong
    enough = (told.sum(axis=axis, keepdims=True) >= RATIO_ENTRIES) | ~other
    if np.isfinite(ratio).all() and enough.all() and np.all(np.abs(e.hand - ratio * e.reference) <= allowed):
        low, high = float(ratio.min()), float(ratio.max())
        yield what, f"hand / reference is constant in each {what}, from {low:.3g} to {high:.3g}"


def write_first(where: Any) -> str:
    return str(tuple(int(i) for i in np.argwhere(where)[0]))


def write_list(indices: Any) -> str:
    return ", ".join(map(str, indices[:5])) + (f" and {len(indices) - 5} more" if len(indices) > 5 else "")
