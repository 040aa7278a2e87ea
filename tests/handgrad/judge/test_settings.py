"""A slack and a seed are refused in the same words by every way in."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from handgrad import assert_verified, verify, verify_function
from handgrad.experiment.compare_training import compare_training
from manual import MeanSquaredError, mlp

NET = mlp([3, 2])
POINT = (NET.init(0), np.ones((4, 3)), np.ones((4, 2)), MeanSquaredError())
FUNCTION = (lambda x: (2 * x, None), lambda dy, _: 2 * dy, lambda x: x + x, [(3,)])
WAYS: dict[str, Callable[..., Any]] = {
    "verify": lambda **given: verify(NET, *POINT, **given),
    "verify_function": lambda **given: verify_function(*FUNCTION, **given),
    "assert_verified": lambda **given: assert_verified(*FUNCTION, **given),
}
SLACK = "expected a finite number, 1 (the derived bound) or more"
SEED = "expected a whole number, 0 or more"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"slack": "2"}, TypeError, f"slack is '2' (str), {SLACK}"),
        ({"slack": True}, TypeError, f"slack is True (bool), {SLACK}"),
        ({"slack": torch.tensor(2.0)}, TypeError, f"slack is tensor(2.) (Tensor), {SLACK}"),
        ({"slack": 0.5}, ValueError, f"slack is 0.5, {SLACK}"),
        ({"slack": float("inf")}, ValueError, f"slack is inf, {SLACK}"),
        ({"slack": float("nan")}, ValueError, f"slack is nan, {SLACK}"),
        ({"seed": -1}, ValueError, f"seed is -1, {SEED}"),
        ({"seed": 1.5}, TypeError, f"seed is 1.5 (float), {SEED}, or None for a fresh one"),
    ],
    ids=str,
)
def test_refused(way: str, given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=f"^{re.escape(words)}$"):
        WAYS[way](**given)


def test_taken_as_they_are() -> None:
    report = verify_function(*FUNCTION, slack=np.float32(2), seed=np.int64(7))
    assert (report.slack, report.seed) == (2, 7)
    assert verify_function(*FUNCTION).seed != verify_function(*FUNCTION).seed


def test_a_comparison_of_two_runs_refuses_such_seeds_too() -> None:
    with pytest.raises(ValueError, match=rf"^seed is -1, {SEED}$"):
        compare_training(NET, POINT[0], [POINT[1:3]], POINT[3], 0.1, seed=-1)
