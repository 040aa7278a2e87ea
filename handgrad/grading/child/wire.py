"""Numbers as JSON, which can say nothing but numbers: an array is its shape and its bytes, little-endian."""

import base64
import math
from typing import Any

import numpy as np

MOST_NUMBERS = 1_000_000
KINDS = {"f": "<f8", "i": "<i8", "u": "<i8", "b": "<i8"}


def to_wire(value: Any) -> Any:
    """An array, or a list of arrays and None."""
    if value is None:
        return None
    if isinstance(value, list):
        return [to_wire(item) for item in value]
    array = np.asarray(value)
    kind = KINDS[array.dtype.kind]
    return {"kind": kind, "shape": array.shape, "data": base64.b64encode(array.astype(kind).tobytes()).decode()}


def from_wire(value: Any) -> Any:
    """The same back; an array is float64 or int64. Raises ValueError, KeyError or TypeError for anything else."""
    if value is None:
        return None
    if isinstance(value, list):
        return [from_wire(item) for item in value]
    shape = tuple(value["shape"])
    if value["kind"] not in KINDS.values() or not all(type(n) is int and 0 <= n <= MOST_NUMBERS for n in shape):
        raise ValueError("not an array of numbers")
    if math.prod(shape) > MOST_NUMBERS:
        raise ValueError(f"more than {MOST_NUMBERS:,} numbers")
    return np.frombuffer(base64.b64decode(value["data"], validate=True), value["kind"]).reshape(shape).copy()
