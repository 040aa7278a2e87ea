"""The bundled handwritten digits (UCI optical digits, Alpaydin and Kaynak 1998, CC BY 4.0; see data/README.md)."""

from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Digits(NamedTuple):
    x: NDArray[np.float64]  # (1797, 64), pixels in 0..1
    labels: NDArray[np.int64]  # (1797,), 0..9
    one_hot: NDArray[np.float64]  # (1797, 10)


def digits() -> Digits:
    """All 1,797 images of 8 x 8 pixels with their labels.

    >>> digits().x.shape, digits().labels[:5].tolist()
    ((1797, 64), [0, 1, 2, 3, 4])
    """
    with (files("handgrad.experiment.datasets") / "data/digits.npz").open("rb") as file, np.load(file) as data:
        x, labels = data["images"] / 16.0, data["labels"].astype(np.int64)
    return Digits(x, labels, np.eye(10)[labels])
