"""All entries of a tensor by hand and by autograd; of a large one, the worst of each block."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from handgrad.judge.compare import Evidence, Float

MOST = 64  # rows, and columns, that are kept


@dataclass(frozen=True, eq=False)
class Entries:
    """Arrays of two axes, at most MOST by MOST: both sides, and their distance over the bound.

    ratio: inf where by hand is no number, nan where the right value or the bound is none.

    block: how many rows and columns of the tensor one entry stands for; all axes but the last are its rows.

    shape: the tensor's own.
    """

    hand: Float
    reference: Float
    ratio: Float
    shape: tuple[int, ...]
    block: tuple[int, int] = (1, 1)


def list_entries(evidence: Mapping[str, Evidence], names: Mapping[str, str]) -> dict[str, Entries]:
    """The entries of every tensor that has some. names: other names, of some of them."""
    found = ((names.get(name, name), pick_entries(e)) for name, e in evidence.items())
    return {name: entries for name, entries in found if entries is not None}


def pick_entries(e: Evidence) -> Entries | None:
    """The entries to show; None for a tensor of another shape than the right one, or with no entries."""
    if e.hand.shape != e.reference.shape or not e.hand.size:
        return None
    columns = e.hand.shape[-1] if e.hand.ndim else 1
    hand, right, bound = (np.broadcast_to(a, e.hand.shape).reshape(-1, columns) for a in (e.hand, e.reference, e.bound))
    with np.errstate(all="ignore"):
        apart = np.abs(hand - right)
        ratio = np.where(apart == 0, 0.0, np.nan_to_num(apart / bound, nan=np.inf))
        ratio = np.where(np.isfinite(right) & np.isfinite(bound), ratio, np.nan)
    block = (-(-hand.shape[0] // MOST), -(-columns // MOST))
    if block == (1, 1):
        return Entries(hand.copy(), right.copy(), ratio, e.hand.shape)
    worst = np.argmax(in_blocks(np.where(np.isnan(ratio), -1.0, ratio), block), axis=-1, keepdims=True)
    hand, right, ratio = (np.take_along_axis(in_blocks(a, block), worst, -1)[..., 0] for a in (hand, right, ratio))
    return Entries(hand, right, ratio, e.hand.shape, block)


def in_blocks(a: Float, block: tuple[int, int]) -> Float:
    """The entries of each block along a last axis; what a block at the edge lacks is less than any other."""
    (rows, columns), (r, c) = a.shape, block
    whole = np.pad(a, ((0, -rows % r), (0, -columns % c)), constant_values=-np.inf)
    return (
        whole.reshape(whole.shape[0] // r, r, whole.shape[1] // c, c)
        .swapaxes(1, 2)
        .reshape(whole.shape[0] // r, whole.shape[1] // c, r * c)
    )
