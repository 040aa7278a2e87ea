"""A factor of full shape forgotten before a part that is summed: it has no value that is needed, the whole has."""

import numpy as np
import pytest

from tests.handgrad.mend.own_draws import after, make_draw

pytestmark = pytest.mark.mends


def normalised(x):
    xc = x - x.mean(axis=0)
    s = np.sqrt((xc**2).mean(axis=0))
    return xc / s, (xc / s, s)


def right(dy, cache):
    h, s = cache
    m = (dy * h).mean(axis=0)
    return (dy - dy.mean(axis=0) - h * m) / s


def without_the_factor(dy, cache):
    h, s = cache
    m = (dy * h).mean(axis=0)
    return (dy - dy.mean(axis=0) - m) / s


def of_a_sum_in_place(dy, cache):
    h, s = cache
    return (dy - dy.mean(axis=0) - (dy * h).mean(axis=0)) / s


@pytest.mark.parametrize(
    ("wrong", "meant"), [(without_the_factor, "h * m"), (of_a_sum_in_place, "h * (dy * h).mean(axis=0)")]
)
def test_the_factor_is_put_before_its_part(wrong, meant):
    draws = [make_draw(normalised, right, {"x": shape}, seed) for seed, shape in ((0, (4, 3)), (1, (6, 5)))]
    assert after(normalised, wrong, draws) == meant
