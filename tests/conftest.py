"""What every test finds: Hypothesis draws the same examples everywhere, Ctrl-C arrives."""

import signal

import setuptools  # noqa: F401  # torch's compiler imports it, and then it must be before distutils
from hypothesis import settings

# The same examples on every machine, and no deadline on a slow one.
settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("repeatable")

# Where the suite is started in the background, shells have SIGINT ignored, by it and by all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
