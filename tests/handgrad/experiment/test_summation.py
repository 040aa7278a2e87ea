"""The order of summation is recovered from results alone."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.experiment.summation import Dot, find_order


def dots(n: int, dtype: type, bias: bool, seed: int = 0) -> list[Dot]:
    rng = np.random.default_rng(seed)
    draw = lambda *shape: rng.normal(size=shape).astype(dtype)  # noqa: E731
    return [Dot(draw(n), draw(n), draw()[()] if bias else None) for _ in range(20)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("first", [True, False])
def test_left_to_right_with_a_bias(dtype: type, first: bool) -> None:
    given, values = dots(9, dtype, bias=True), []
    for a, b, start in given:
        s = dtype(start) if first else dtype(0)
        for u, v in zip(a, b, strict=True):
            s = s + u * v
        values.append(float(s if first else s + start))
    assert find_order(given, values) == f"left to right, bias {'first' if first else 'last'}"


def test_four_lanes() -> None:
    given = dots(23, np.float32, bias=False)
    values = []
    for a, b, _ in given:
        lanes = [np.float32(0)] * 4
        for k in range(len(a)):
            lanes[k % 4] = lanes[k % 4] + a[k] * b[k]
        values.append(float((lanes[0] + lanes[2]) + (lanes[1] + lanes[3])))
    assert find_order(given, values) == "in 4 lanes"


def test_fused_multiply_add_against_the_machines_own() -> None:
    """math.fma would be the reference, but it is new; a product exact in float64 rounds once in float32."""
    given, values = dots(7, np.float32, bias=False), []
    for a, b, _ in given:
        s = np.float32(0)
        for u, v in zip(a.astype(np.float64), b.astype(np.float64), strict=True):
            s = np.float32(math.fsum([u * v, float(s)]))  # the product is exact: only this rounding and one more
        values.append(float(s))
    assert find_order(given, values) == "left to right, fused"


def test_an_order_it_does_not_know() -> None:
    given = dots(40, np.float64, bias=False)
    assert find_order(given, [math.fsum(a * b) for a, b, _ in given]) == ""


@given(st.integers(2, 40), st.integers(0, 10**6))
def test_changing_one_result_is_noticed(n: int, seed: int) -> None:
    given = dots(n, np.float64, bias=False, seed=seed)
    values = []
    for a, b, _ in given:
        s = 0.0
        for u, v in zip(a, b, strict=True):
            s = s + float(u * v)
        values.append(s)
    assert find_order(given, values) == "left to right"
    values[3] = float(np.nextafter(values[3], np.inf))
    assert find_order(given, values) != "left to right"
