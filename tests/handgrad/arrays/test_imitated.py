"""Arrays that round at random: what rounds is moved by about its unit, what is exact stays; constants of the code."""

import numpy as np
import pytest

from handgrad.arrays.imitated import Dice, Imitated, base, imitate


def spread(compute, x, runs=300):
    """The relative standard deviation of every entry over many runs."""
    dice = Dice(np.random.default_rng(0), x.dtype.name)
    found = np.stack([np.asarray(base(compute(imitate(x, dice))), np.float64) for _ in range(runs)])
    return np.sqrt(np.mean((found - np.asarray(compute(x))) ** 2, axis=0)) / np.abs(compute(x))


X = np.random.default_rng(1).normal(size=(6, 5)).astype(np.float32)
U = 2.0**-24


@pytest.mark.parametrize(
    "compute",
    [
        np.exp,
        lambda x: x * x,
        lambda x: x / np.float32(3),
        lambda x: np.sum(np.exp(x), axis=1),
        lambda x: np.exp(x).sum(1, keepdims=True),
        lambda x: np.exp(x).mean(axis=0),
        lambda x: np.exp(x) @ np.exp(x).T,
        lambda x: np.einsum("ij,ij->i", x, x),
        lambda x: np.exp(x).dot(np.exp(x[0])),
        lambda x: np.linalg.norm(x, axis=1),
        lambda x: np.stack([np.exp(row) for row in x]),
        lambda x: np.cumsum(np.exp(x), axis=1)[:, 1:],
    ],
)
def test_what_rounds_is_moved_by_about_a_unit(compute):
    found = spread(compute, X)
    assert 0.2 * U < np.median(found) < 6 * U


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: 2 * x,
        lambda x: x + 0,
        lambda x: -np.abs(x),
        lambda x: np.maximum(x, 0.5),
        lambda x: x[::-1, [0, 2]],
        lambda x: np.where(x > 0, x, 0.25 * x),
        lambda x: np.sort(x, axis=1),
        lambda x: np.max(x, axis=1),
        lambda x: np.concatenate([x, x]).T.reshape(-1),
        lambda x: (x > 0).sum(1) + np.ones(6, np.float32),
    ],
)
def test_what_is_exact_stays(compute):
    with np.errstate(all="ignore"):
        assert (spread(compute, X, runs=20) == 0).all()


def test_what_is_written_in_place_is_moved():
    def compute(x):
        y = np.zeros_like(x)
        y[:] = x
        y *= x
        return y

    assert 0.2 * U < np.median(spread(compute, X)) < 2 * U


def test_one_entry_is_an_array_of_the_same_kind():
    x = imitate(X, Dice(np.random.default_rng(0), "float32"))
    assert isinstance(x[0, 0], Imitated)
    assert all(isinstance(v, Imitated) for row in x for v in row)
    assert float(x[0, 0]) == X[0, 0]


def test_a_constant_that_is_cut_short_may_be_off_by_half_a_unit():
    ones = np.ones((6, 3), np.float32)
    cut, short = np.array([0.1, 0.7, 1.3], np.float32), np.array([0.5, 2, 3], np.float32)
    assert (spread(lambda x: x * cut, ones) > 0.2 * U).all()
    assert (spread(lambda x: x * short, ones) == 0).all()


def test_a_coarser_precision_inside_excuses_nothing():
    x = X.astype(np.float64)
    found = spread(lambda x: np.exp(x.astype(np.float32)).astype(np.float64), x)
    assert (found < 2.0**-40).all()


def test_overflow_is_not_moved():
    dice = Dice(np.random.default_rng(0), "float32")
    with np.errstate(all="ignore"):
        assert np.isinf(base(np.exp(imitate(np.full(3, 90, np.float32), dice)))).all()
