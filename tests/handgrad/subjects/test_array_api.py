"""Array API code that takes its functions from a module, not from its arrays, is judged on that module's arrays."""

from typing import Any

import array_api_strict as xp
import pytest

from handgrad import Verdict, verify_function


def norm(x: Any) -> Any:
    r = xp.sqrt(xp.sum(x * x, axis=1, keepdims=True))
    return x / r, (x, r)


def norm_back(dy: Any, cache: Any, power: int = 3) -> Any:
    x, r = cache
    return dy / r - x * xp.sum(x * dy, axis=1, keepdims=True) / r**power


@pytest.mark.parametrize("given", [(3, 4), xp.reshape(xp.arange(1.0, 13.0), (3, 4))], ids=["a shape", "an array"])
def test_right_and_wrong(given: Any) -> None:
    report = verify_function(norm, norm_back, inputs=[given], seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.library == "array_api_strict"
    wrong = lambda dy, cache: norm_back(dy, cache, 2)  # noqa: E731
    assert verify_function(norm, wrong, inputs=[given], seed=0, mend=0).verdict is Verdict.REFUTED
