"""What can be said about an error that has no name: where it is, its rank, its sign, its ratio to the right result."""

from typing import Any

import numpy as np

from handgrad.judge.compare import Evidence

LARGEST_SVD = 300


def describe(name: str, e: Evidence) -> str:
    """Sentences on the error of one tensor, each derived from its bound, none from a chosen threshold."""
    hand, S, bound = e.hand, e.reference, e.bound
    if hand.shape != S.shape:
        return f"{name} has shape {hand.shape}, expected {S.shape}."
    lost = ~np.isfinite(hand)
    judged = np.isfinite(S) & np.isfinite(bound)
    wrong = lost | (judged & ~(np.abs(hand - S) <= bound))
    said = [f"{int(wrong.sum())} of {wrong.size} entries of {name} are outside their bound"]
    if lost.any():
        said.append(f"{int(lost.sum())} are nan or infinite, the first at {_first(lost)}")
        return ". ".join(said) + "."
    if S.ndim == 2:
        rows, columns = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
        if len(rows) < S.shape[0]:
            said.append(f"all in rows {_list(rows)}")
        if len(columns) < S.shape[1]:
            said.append(f"all in columns {_list(columns)}")
        if judged.all() and min(S.shape) > 1 and min(S.shape) <= LARGEST_SVD:
            # Weyl: rounding moves no singular value by more than the Frobenius norm of the bound.
            rank = int(np.sum(np.linalg.svd(hand - S, compute_uv=False) > np.linalg.norm(bound)))
            said.append(f"the error has rank {rank} of {min(S.shape)}")
    elif 0 < wrong.sum() < wrong.size:
        said.append(f"the first at {_first(wrong)}")
    turned = wrong & (np.abs(hand + S) <= bound)
    if turned.any():
        said.append(f"{int(turned.sum())} have the right size and the wrong sign")
    zero = wrong & (hand == 0)
    if zero.any():
        said.append(f"{int(zero.sum())} are zero")
    said += [
        text
        for axis, what in ((0, "column (unit)"), (1, "row (sample)"))
        if S.ndim == 2 and (text := _ratios(e, axis, what))
    ]
    size = float(np.median(np.abs(hand - S)[wrong]))
    usual = float(np.median(np.abs(S)[judged])) if judged.any() else 0.0
    said.append(f"the error is typically {size:.2g}, the right entries {usual:.2g}")
    return ". ".join(s[0].upper() + s[1:] for s in said) + "."


def _ratios(e: Evidence, axis: int, what: str) -> str:
    """Whether hand / reference is one constant along `axis`, another for each slice."""
    if e.hand.shape[axis] < 3:
        return ""
    at = np.expand_dims(np.argmax(np.abs(e.reference), axis=axis), axis)
    ratio = np.take_along_axis(e.hand, at, axis) / np.take_along_axis(e.reference, at, axis)
    allowed = np.maximum(1, np.abs(ratio)) * (e.bound + np.take_along_axis(e.bound, at, axis))
    if not np.isfinite(ratio).all() or not np.all(np.abs(e.hand - ratio * e.reference) <= allowed):
        return ""
    return f"hand / reference is constant in each {what}, from {ratio.min():.3g} to {ratio.max():.3g}"


def _first(where: Any) -> str:
    return str(tuple(int(i) for i in np.argwhere(where)[0]))


def _list(indices: Any) -> str:
    return ", ".join(map(str, indices[:5])) + (f" and {len(indices) - 5} more" if len(indices) > 5 else "")
