"""The mistakes in print are judged here; what change would mend them is what the scripts show."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def no_mending() -> Iterator[None]:
    """No test here looks for the change of refuted code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("handgrad.judge.settings.MEND_SECONDS", 0.0)
        yield
