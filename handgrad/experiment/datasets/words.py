"""Columns of words in a table: each word becomes an input of its own, 1 in the rows where it stands and 0 elsewhere."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from handgrad.experiment.datasets.form import DataError, Float, Words

MOST = 20  # words of a column, or a tenth of the rows: more are names or dates, which tell a row and no kind of it


def one_hot(columns: NDArray[np.float64], words: Sequence[Words]) -> Float:
    """(N, n) numbers, and places in `words` where a column has some -> (N, n_in), a column for each word.

    >>> one_hot(np.array([[5.0, 0.0], [6.0, 1.0]]), [(), ("no", "yes")]).tolist()
    [[5.0, 1.0, 0.0], [6.0, 0.0, 1.0]]
    """
    parts = [
        np.eye(len(own))[columns[:, j].astype(np.int64)] if own else columns[:, j : j + 1]
        for j, own in enumerate(words)
    ]
    return np.concatenate(parts, axis=1)


def in_order(codes: NDArray[np.float64], found: Sequence[str]) -> tuple[NDArray[np.float64], Words]:
    """The places of words as they came -> their places in the alphabet, and the words in its order.

    >>> in_order(np.array([0.0, 1.0, 0.0]), ["yes", "no"])
    (array([1., 0., 1.]), ('no', 'yes'))
    """
    words = tuple(sorted(found))
    place = np.array([words.index(word) for word in found], dtype=np.float64)
    return place[codes.astype(np.int64)], words


def check_count(where: str, column: str, words: Words, rows: int) -> None:
    """DataError where nearly every row has a word of its own, from which nothing can be learned about others."""
    if len(words) > max(MOST, rows / 10) or len(words) == rows > 1:
        raise DataError(
            f"{where}: {len(words)} different words in {rows} rows, as many as names have; leave the column out "
            f"(--drop {column!r}; from Python: drop=)"
        )
