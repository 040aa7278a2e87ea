"""A line that is written otherwise than its neighbours is tried as they are written."""

import ast

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.siblings import list_as_siblings

T, H = 3, 2


def meant(block: str, i: int) -> list[str]:
    return [ast.unparse(new) for _, new in list_as_siblings(ast.parse(block).body, i)]


def test_what_the_neighbours_have_with_its_own_names() -> None:
    assert meant("dq = dq.T.copy()\ndk = dk.copy()", 1) == ["dk.T.copy()"]
    assert meant("db1 = dz1.sum(0)\ndb2 = dz2.sum(1)", 1) == ["dz2.sum(0)"]
    assert meant("dWq = x.T @ dq\ndWk = x.T @ dk", 1) == []  # so it is written already
    assert meant("a, b = f(x)\nc = g(x)\nreturn_ = 0", 0) == []
    assert meant("\n".join(["dq = f(dq)", *["n = 1"] * 4, "dk = g(dk)"]), 5) == []


def split(q, k):
    """q, k (T, 2 H) as heads (H, T, 2); the sum of their products."""
    q, k = (a.reshape(T, H, 2).transpose(1, 0, 2) for a in (q, k))
    return np.sum(q * k, 2), (q, k)


def split_back(dy, cache):
    q, k = cache
    dq, dk = dy[:, :, None] * k, dy[:, :, None] * q
    dq = dq.transpose(1, 0, 2).reshape(T, 2 * H)
    dk = dk.reshape(T, 2 * H)
    return dq, dk


@pytest.mark.mends
def test_the_change_is_found() -> None:
    report = verify_function(split, split_back, inputs=[(T, 2 * H)] * 2, seed=0)
    assert report.change is not None
    assert report.change.diff.count("+    dk = dk.transpose(1, 0, 2).reshape(T, 2 * H)") == 1
