"""One axis named in several calls, where another belongs in all of them: a group norm's two means."""

import ast

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.axes import same_axis_everywhere


def test_every_axis_that_is_named_in_place_of_one_that_stands_several_times() -> None:
    own = ast.parse("a = x.mean(axis=-1)\nb = np.sum(y, axis=-1)\nc = x.max(axis=0)")
    trees = [own, ast.parse("m = x.mean(axis=(1, 2))")]
    found = [[ast.unparse(new) for new in edits.values()] for edits in same_axis_everywhere(own, trees)]
    assert found == [["0", "0"], ["(1, 2)", "(1, 2)"]]


def norm(x):
    n = (x - x.mean(axis=(1, 2), keepdims=True)) / x.std(axis=(1, 2), keepdims=True)
    return n, (n, x.std(axis=(1, 2), keepdims=True))


def norm_back(dy, cache):
    n, s = cache
    m1 = dy.mean(axis=-1, keepdims=True)
    m2 = (dy * n).mean(axis=-1, keepdims=True)
    return (dy - m1 - n * m2) / s


@pytest.mark.mends
def test_the_change_is_found() -> None:
    report = verify_function(norm, norm_back, inputs=[(2, 3, 4)], seed=0)
    assert report.change is not None
    assert [(r.before, r.after) for r in report.change.replacements] == [("-1", "(1, 2)")] * 2


def log_softmax(s, axis):
    s = s - s.max(axis=axis, keepdims=True)
    return s - np.log(np.exp(s).sum(axis=axis, keepdims=True))


def pairs(u, w):
    """u, w (N, D): how likely row i of each is found among the rows of the other."""
    s = u @ w.T
    return np.diagonal(log_softmax(s, axis=1)).mean() + np.diagonal(log_softmax(s, axis=0)).mean(), (u, w, s)


def pairs_back(dy, cache):
    u, w, s = cache
    p = np.exp(log_softmax(s, axis=1)) + np.exp(log_softmax(s, axis=1))
    ds = dy * (2 * np.eye(len(s)) - p) / len(s)
    return ds @ w, ds.T @ u


@pytest.mark.mends
def test_the_axis_of_an_own_function_where_forward_takes_sizes_that_backward_does_not() -> None:
    report = verify_function(pairs, pairs_back, inputs=[(3, 4), (3, 4)], seed=1)
    assert report.change is not None
    assert [(r.before, r.after) for r in report.change.replacements] == [("1", "0")]
