"""Hypothesis is repeatable in every test: the same examples on every machine, and no deadline on a slow one."""

from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("repeatable")
