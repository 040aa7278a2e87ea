"""Whether a function of a submission computes with numbers that differentiate by themselves.

A complex step has every digit of the derivative, and a difference quotient has them in long double. A variable that
holds such numbers when its function returns is found; what no variable holds is not.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np

WORDS = "it computes with complex numbers, or with more than 64 bits; the gradients are to be derived by hand"


@contextmanager
def watched(file: str) -> Iterator[list[str]]:
    """The names of variables found in the functions of this file, while the block runs."""
    found: list[str] = []

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "return" and frame.f_code.co_filename == file and not found:
            found.extend(name for name, value in frame.f_locals.items() if is_precise(value))

    sys.setprofile(look)
    try:
        yield found
    finally:
        sys.setprofile(None)


def is_precise(value: Any) -> bool:
    """Whether it is a complex number, a number of more than 64 bits, or an array of such."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind == "c" or (value.dtype.kind == "f" and value.dtype.itemsize > 8)
    return isinstance(value, complex)
