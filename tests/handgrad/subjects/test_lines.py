"""Lines that are found without a value that should be another: memory, None, nan; and two changes of one expression."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from handgrad import verify_function
from handgrad.report.report import Report


def square(x: Any) -> tuple[Any, Any]:
    return x * x, x


def by_assignment(dy: Any, x: Any) -> Any:
    dy *= x
    return 2 * dy


def by_out(dy: Any, x: Any) -> Any:
    np.multiply(dy, x, out=dy)
    dy *= 2
    return dy


def by_entries(dy: Any, x: Any) -> Any:
    dx = 2 * dy * x
    dy[0] = 0
    return dx


def into_the_cache(dy: Any, x: Any) -> Any:
    dx = dy.copy()
    x *= 2
    dx *= x
    return dx


def by_method(dy: Any, x: Any) -> Any:
    return dy.mul_(x).mul_(2)


def by_words(dy: Any, x: Any) -> Any:
    dx = 2 * dy * x
    np.multiply(dy, 0, **{"out": dy})
    return dx


def by_strides(dy: Any, x: Any) -> Any:
    same = np.lib.stride_tricks.as_strided(dy, x.shape, (x.shape[1] * x.itemsize, x.itemsize))
    return 2 * x * same


def by_view(dy: Any, x: Any) -> Any:
    return (2 * x.reshape(-1) * dy.view(-1)).reshape(x.shape)


def judged(backward: Callable[..., Any], *, in_torch: bool = False) -> Report:
    x = np.random.default_rng(0).standard_normal((4, 3))
    return verify_function(square, backward, inputs=[torch.tensor(x) if in_torch else x], seed=1)


@pytest.mark.mends
@pytest.mark.parametrize(
    ("backward", "before", "after"),
    [
        (by_assignment, "dy *= x", "dy = dy * x"),
        (by_out, "np.multiply(dy, x, out=dy)", "dy = np.multiply(dy, x)"),
        (by_entries, "dy[0] = 0", "dy = dy.copy()\n    dy[0] = 0"),
        (into_the_cache, "x *= 2", "x = x * 2"),
        (by_strides, "np.lib.stride_tricks.as_strided(dy, x.shape, (x.shape[1] * x.itemsize, x.itemsize))", "dy"),
    ],
)
def test_the_line_and_the_change(backward: Callable[..., Any], before: str, after: str) -> None:
    report = judged(backward)
    assert report.gradients.value == "CERTIFIED"
    assert report.broken
    assert report.change is not None
    assert [(r.before, r.after) for r in report.change.replacements] == [(before, after)]


@pytest.mark.mends
def test_of_torch() -> None:
    change = judged(by_method, in_torch=True).change
    assert change is not None
    assert change.after == "dy.mul(x)"
    read = judged(by_view, in_torch=True).change
    assert read is not None
    assert (read.before, read.after) == ("dy.view(-1)", "dy.reshape(-1)")


@pytest.mark.mends
def test_a_line_that_no_edit_mends_is_named() -> None:
    report = judged(by_words)
    assert report.change is None
    assert report.place is not None
    assert report.place.text.strip().startswith("np.multiply(dy, 0")
    assert "this line writes into dy, which belongs to whoever calls" in str(report)
    assert "another value" not in str(report)


def scaled(x: Any, gamma: Any) -> tuple[Any, Any]:
    return x * gamma, (x, gamma)


def without_gamma(dy: Any, cache: Any) -> Any:
    _x, gamma = cache
    return dy * gamma, None


@pytest.mark.mends
def test_none_for_a_gradient_is_named_by_its_line() -> None:
    report = verify_function(scaled, without_gamma, inputs=[(4, 3), (3,)], seed=1)
    place = report.place
    assert place is not None
    assert place.text.strip() == "return dy * gamma, None"
    assert place.words == "dgamma: None is returned, and the gradient is not zero"
    assert str(report).count("None") == 3  # the line, its words, the number's


def product(x: Any) -> tuple[Any, Any]:
    return np.prod(x, axis=1), x


def by_division(dy: Any, x: Any) -> Any:
    y = np.prod(x, axis=1)
    of_others = y[:, None] / x
    return dy[:, None] * of_others


@pytest.mark.mends
def test_the_first_nan_is_named_by_its_line() -> None:
    report = verify_function(product, by_division, inputs=[(4, 3)], seed=1)
    assert report.place is not None
    assert report.place.text.strip() == "of_others = y[:, None] / x"
    assert "at zeros this line gives nan" in str(report)


def masked_log(x: Any) -> tuple[Any, Any]:
    t = np.where(x > 0, x, np.nan)
    return np.where(x > 0, np.log(np.abs(x)), 0), (x, t)


def back_through_nan(dy: Any, cache: Any) -> Any:
    _x, t = cache
    return dy / t


@pytest.mark.mends
def test_nan_that_forward_hands_on_is_no_line_of_backward() -> None:
    report = verify_function(masked_log, back_through_nan, inputs=[(4, 3)], seed=1, mend=2)
    assert report.verdict.value == "REFUTED"
    assert "this line gives nan" not in str(report)


def of_the_first(dy: Any, x: Any) -> Any:
    return 2 * x * dy[0]


def rows(x: Any) -> tuple[Any, Any]:
    return np.sum(x * x, axis=1), x


def normed(x: Any) -> tuple[Any, Any]:
    s = np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-6)
    return x / s + x, (x, s)


def back_through_norm(dy: Any, x: Any, s: Any) -> Any:
    return dy / s - x * np.mean(dy * x, axis=1, keepdims=True) / s**3


def skip_through_norm(dy: Any, cache: Any) -> Any:
    x, s = cache
    return back_through_norm(dy + dy, x, s)


@pytest.mark.mends
def test_the_first_entry_for_all_and_a_sum_before_its_call() -> None:
    spread = verify_function(rows, of_the_first, inputs=[(4, 3)], seed=1).change
    assert spread is not None
    assert (spread.before, spread.after) == ("dy[0]", "dy[:, None]")
    moved = verify_function(normed, skip_through_norm, inputs=[(4, 3)], seed=1).change
    assert moved is not None
    assert moved.after == "back_through_norm(dy, x, s) + dy"


def weighed(x: Any, gamma: Any) -> tuple[Any, Any]:
    return x * gamma, (x, gamma)


def summed_in_bfloat16(dy: Any, cache: Any) -> Any:
    x, gamma = cache
    dgamma = torch.zeros_like(gamma)
    for row in dy * x:
        dgamma = dgamma + row
    return dy * gamma, dgamma


@pytest.mark.mends
def test_a_sum_that_is_too_narrow() -> None:
    asked: dict[str, Any] = {"inputs": [(64, 2), (2,)], "dtype": "bfloat16", "precision": "float32 inside"}
    change = verify_function(weighed, summed_in_bfloat16, **asked, seed=1).change
    assert change is not None
    assert (change.before, change.after) == ("torch.zeros_like(gamma)", "torch.zeros_like(gamma, dtype=torch.float32)")
    assert change.words == "bfloat16 is too narrow for this sum"


def test_what_keeps_its_promises_has_no_line() -> None:
    report = judged(lambda dy, x: 2 * dy * x)
    assert report.verdict.value == "CERTIFIED"
    assert report.place is None
