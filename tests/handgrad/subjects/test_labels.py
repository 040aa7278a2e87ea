"""Labels and other arrays without a gradient: a change is found beside them, and none that needs a chance of them."""

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.subjects.function.labels import other_labels

RNG = np.random.default_rng(0)
LABELS = np.eye(3)[[0, 2, 1, 1]]


@pytest.mark.parametrize("dtype", [float, int, bool])
@pytest.mark.parametrize("shape", [(5, 4), (4, 3), (1, 3)])
def test_labels_keep_a_single_one_in_every_row(dtype, shape):
    drawn = other_labels(LABELS.astype(dtype), shape, RNG)
    assert drawn.shape == shape
    assert drawn.dtype == dtype
    assert np.isin(drawn, (0, 1)).all()
    assert (drawn.sum(1) == 1).all()


def test_shares_still_sum_to_one_along_their_axis():
    shares = np.moveaxis(RNG.dirichlet(np.ones(3), size=(4, 2)), -1, 1)
    drawn = other_labels(shares, (5, 4, 2), RNG)
    assert drawn.sum(1) == pytest.approx(1)
    assert not np.isin(drawn, (0, 1)).any()


@pytest.mark.parametrize("array", [RNG.normal(size=(4, 3)), np.array([0, 2, 1]), np.ones((2, 3)), np.array(["a"])])
def test_other_arrays_are_no_labels(array):
    assert other_labels(array, array.shape, RNG) is None


def cross_entropy(x, t):
    e = np.exp(x - x.max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    return -(t * np.log(p)).sum() / len(x), (p, t)


def with_the_sign_turned(dy, cache):
    p, t = cache
    return dy * (t - p) / len(t)


def without_the_labels(dy, cache):
    p, t = cache
    return dy * p / len(t)


@pytest.mark.mends
@pytest.mark.parametrize("wrong", [with_the_sign_turned, without_the_labels])
def test_a_change_is_found_beside_labels_that_are_given(wrong):
    found = verify_function(
        cross_entropy, wrong, inputs=[RNG.normal(size=(4, 3)), LABELS], constants=["t"], seed=0, mend=5
    )
    assert found.change is not None
    assert found.change.after.strip("()") == "p - t"


@pytest.mark.mends
def test_a_change_is_found_where_backward_gives_none_for_a_gradient_of_zero():
    def forward(x, w):
        return x**2 + 0 * w, x

    found = verify_function(forward, lambda dy, x: (dy * x, None), inputs=[(3, 4), (3, 4)], seed=0, mend=5)
    assert found.change is not None
    assert found.change.after == "2 * (dy * x)"
