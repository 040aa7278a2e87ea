"""A size is written as the code writes it, or as that of a name: len(t), dy.shape[0], not (dy * d).shape[0]."""

import numpy as np
import pytest

from tests.handgrad.mend.own_draws import after, make_draw

pytestmark = pytest.mark.mends


def spread(x):
    s = np.sqrt((x**2).mean(axis=0))
    return x / s, (x, s)


def spread_backward(dy, cache):
    x, s = cache
    ds = -(dy * x).sum(0) / s**2
    return dy / s + ds * x / s / x.shape[0]


def without_the_size(dy, cache):
    x, s = cache
    ds = -(dy * x).sum(0) / s**2
    return dy / s + ds * x / s


def without_the_size_it_has(dy, cache):
    x, s = cache
    print(len(x))
    ds = -(dy * x).sum(0) / s**2
    return dy / s + ds * x / s


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [(without_the_size, "ds * x / s / dy.shape[0]"), (without_the_size_it_has, "ds * x / s / len(x)")],
)
def test_a_size_is_that_of_a_name_or_one_that_the_code_counts(wrong, meant):
    draws = [make_draw(spread, spread_backward, {"x": shape}, seed) for seed, shape in ((0, (4, 3)), (1, (6, 5)))]
    assert after(spread, wrong, draws) == meant
