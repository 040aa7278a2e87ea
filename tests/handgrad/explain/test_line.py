"""What is said of the value of one line, and what is not."""

from collections.abc import Callable

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.explain.line import describe_value
from handgrad.judge.compare import Float

PLACES = np.array([2, 4, 1, 0, 3])


def said(change: Callable[[Float], Float], shape: tuple[int, ...] = (7, 5)) -> str:
    """Of a line that gives change(needed)."""
    needed = [np.random.default_rng(seed).normal(size=shape) for seed in range(3)]
    return describe_value([change(value) for value in needed], needed)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: 0.37 * v, "every entry is 0.37 times the right one"),
        (lambda v: v / 5, "every entry is 0.2 times the right one (1 over the length of the last axis)"),
        (lambda v: -v, "every entry is -1 times the right one"),
        (lambda v: v[:, PLACES], "the columns are permuted"),
        (lambda v: v * (np.arange(7) != 4)[:, None], "all in rows 4; the error has rank 1 of 5; all of them are zero"),
        (lambda v: np.abs(v), "the sign is lost"),
        (lambda v: np.where(v > 0.3, 0, v), "all of them are zero, and the others are right"),
        (lambda v: v + np.outer(v[:, 0], v[0]), "the error has rank 1 of 5"),
        (lambda v: v + np.sin(v), ""),
        (lambda v: v * (1 - v), ""),
    ],
)
def test_what_is_wrong_with_the_value(change: Callable[[Float], Float], words: str) -> None:
    assert said(change).startswith(words)
    assert bool(said(change)) == bool(words)


def test_one_draw_proves_nothing() -> None:
    v = np.random.default_rng(0).normal(size=(5, 4))
    assert describe_value([2 * v], [v]) == ""


@pytest.mark.mends
def test_a_line_without_a_change_says_what_is_wrong_with_it() -> None:
    def forward(x):  # type: ignore[no-untyped-def]
        return 3 * x[:, PLACES], x

    def backward(dy, x):  # type: ignore[no-untyped-def]
        return 3 * dy[:, PLACES]

    report = verify_function(forward, backward, lambda x: 3 * x[:, PLACES], [(4, 5)], seed=0, mend=2)
    assert report.change is None
    assert report.suspect is not None
    assert report.suspect.words == "the result: the columns are permuted"
    assert "= the result: the columns are permuted" in report.text()
