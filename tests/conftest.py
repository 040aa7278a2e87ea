"""What every test finds: Hypothesis draws the same examples everywhere, Ctrl-C arrives, JAX has its own precision."""

import signal
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The same examples on every machine, and no deadline on a slow one.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("repeatable")

# Where the suite is started in the background, shells have SIGINT ignored, by it and by all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def precision_of_jax() -> Iterator[None]:
    """A command that trains in float64 on JAX switches it on for its whole process, which here is that of all tests."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", False)
