"""An error that has no name, described: where it is, its rank, its sign, its ratio to the right result."""

from typing import Any

import numpy as np

from handgrad.judge.compare import Evidence
from handgrad.judge.constants import LARGEST_SVD


def describe(name: str, e: Evidence) -> str:
    """Sentences on the error of one tensor, each derived from its bound, none from a chosen threshold."""
    hand, S, bound = e.hand, e.reference, e.bound
    if hand.shape != S.shape:
        return f"{name} has shape {hand.shape}, expected {S.shape}."
    lost = ~np.isfinite(hand)
    judged = np.isfinite(S) & np.isfinite(bound)
    wrong = lost | (judged & ~(np.abs(hand - S) <= bound))
    sentences = [f"{int(wrong.sum())} of {wrong.size} entries of {name} are outside their bound"]
    if lost.any():
        sentences.append(f"{int(lost.sum())} are nan or infinite, the first at {write_first(lost)}")
        return ". ".join(sentences) + "."
    sentences += describe_places(e, wrong)
    turned = wrong & (np.abs(hand + S) <= bound)
    if turned.any():
        sentences.append(f"{int(turned.sum())} have the right size and the wrong sign")
    zero = wrong & (hand == 0)
    if zero.any():
        sentences.append(f"{int(zero.sum())} are zero")
    if S.ndim == 2:
        ratios = (describe_ratios(e, axis, what) for axis, what in ((0, "column (unit)"), (1, "row (sample)")))
        sentences += [text for text in ratios if text]
    size = float(np.median(np.abs(hand - S)[wrong]))
    usual = float(np.median(np.abs(S)[judged])) if judged.any() else 0.0
    sentences.append(f"the error is typically {size:.2g}, the right entries {usual:.2g}")
    return ". ".join(s[0].upper() + s[1:] for s in sentences) + "."


def describe_places(e: Evidence, wrong: Any) -> list[str]:
    """The rows and columns that hold all wrong entries, and the rank of the error."""
    S, bound = e.reference, e.bound
    if S.ndim != 2:
        return [f"the first at {write_first(wrong)}"] if 0 < wrong.sum() < wrong.size else []
    rows, columns, found = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0)), []
    if len(rows) < S.shape[0]:
        found.append(f"all in rows {write_list(rows)}")
    if len(columns) < S.shape[1]:
        found.append(f"all in columns {write_list(columns)}")
    if (np.isfinite(S) & np.isfinite(bound)).all() and 1 < min(S.shape) <= LARGEST_SVD:
        # Weyl: rounding moves no singular value by more than the Frobenius norm of the bound.
        rank = int(np.sum(np.linalg.svd(e.hand - S, compute_uv=False) > np.linalg.norm(bound)))
        found.append(f"the error has rank {rank} of {min(S.shape)}")
    return found


def describe_ratios(e: Evidence, axis: int, what: str) -> str:
    """Whether hand / reference is one constant along `axis`, another for each slice."""
    if e.hand.shape[axis] < 3:
        return ""
    at = np.expand_dims(np.argmax(np.abs(e.reference), axis=axis), axis)
    ratio = np.take_along_axis(e.hand, at, axis) / np.take_along_axis(e.reference, at, axis)
    allowed = np.maximum(1, np.abs(ratio)) * (e.bound + np.take_along_axis(e.bound, at, axis))
    if not np.isfinite(ratio).all() or not np.all(np.abs(e.hand - ratio * e.reference) <= allowed):
        return ""
    return f"hand / reference is constant in each {what}, from {ratio.min():.3g} to {ratio.max():.3g}"


def write_first(where: Any) -> str:
    return str(tuple(int(i) for i in np.argwhere(where)[0]))


def write_list(indices: Any) -> str:
    return ", ".join(map(str, indices[:5])) + (f" and {len(indices) - 5} more" if len(indices) > 5 else "")
