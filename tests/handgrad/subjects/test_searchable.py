"""A backward pass that leaves out the gradient of its data: the wrong one among the others is found all the same."""

import pytest

from handgrad import Verdict, verify_function


def loss(x, w, b):
    z = x @ w + b
    return (z * z).sum(), (x, z)


def loss_back(cache):
    """Gradients of the parameters alone, by name; that of the bias is not summed over the rows."""
    x, z = cache
    return {"w": x.T @ (2 * z), "b": (z * z).sum(0)}


@pytest.mark.mends
def test_the_change_is_found_and_what_is_left_out_is_still_told() -> None:
    report = verify_function(loss, loss_back, inputs=[(4, 3), (3, 2), (2,)], seed=0)
    assert report.verdict is Verdict.REFUTED
    assert report.change is not None
    assert [(r.before, r.after) for r in report.change.replacements] in ([("z * z", "2 * z")], [("z", "2")])
    assert [t.name for t in report.stages[0].isolated.tensors if "gives no gradient" in t.reason] == ["dx"]


@pytest.mark.mends
def test_right_code_that_leaves_it_out_stays_unresolved() -> None:
    right = lambda cache: {"w": cache[0].T @ (2 * cache[1]), "b": 2 * cache[1].sum(0)}  # noqa: E731
    assert verify_function(loss, right, inputs=[(4, 3), (3, 2), (2,)], seed=0).verdict is Verdict.UNRESOLVED
