"""What a judgement is asked for besides numbers: slack, seed, seconds for a change. Checked in one place."""

from math import isfinite
from typing import Any

import numpy as np

from handgrad.judge.constants import MEND_SECONDS


def check_slack(slack: Any, name: str = "slack") -> None:
    """TypeError for what is no number, ValueError for less than 1 or without end.

    >>> check_slack(0.5)
    Traceback (most recent call last):
    ValueError: slack is 0.5, expected a finite number, 1 (the derived bound) or more
    """
    expected = "expected a finite number, 1 (the derived bound) or more"
    if isinstance(slack, bool) or not isinstance(slack, int | float | np.integer | np.floating):
        raise TypeError(f"{name} is {slack!r} ({type(slack).__name__}), {expected}")
    if not (isfinite(slack) and slack >= 1):
        raise ValueError(f"{name} is {float(slack):g}, {expected}")


def choose_seed(seed: Any, name: str = "seed") -> int:
    """The seed, or a fresh one for None. TypeError for what is no whole number, ValueError for less than 0.

    >>> choose_seed(3)
    3
    """
    expected = "expected a whole number, 0 or more"
    if seed is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
        raise TypeError(f"{name} is {seed!r} ({type(seed).__name__}), {expected}, or None for a fresh one")
    if seed < 0:
        raise ValueError(f"{name} is {seed}, {expected}")
    return int(seed)


def check_seconds(mend: Any, name: str = "mend") -> float:
    """How long a change of refuted code is looked for: MEND_SECONDS for None. ValueError for what is no time.

    >>> check_seconds(0)
    0
    """
    seconds: float = MEND_SECONDS if mend is None else mend
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{name}: got {mend!r}, expected a number of seconds, 0 for none")
    return seconds
