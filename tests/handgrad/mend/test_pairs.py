"""Two things at hand that together with an expression give what is needed, the second found by its value."""

import ast

import numpy as np
import pytest

from handgrad.mend.expressions import Writing
from handgrad.mend.material import Item
from handgrad.mend.pairs import pairs

RNG = np.random.default_rng(3)
E, DZ, W, H, Z = (RNG.normal(size=shape) for shape in ((5, 4), (5, 3), (4, 3), (5, 4), (5, 4)))
VALUES = {"dz": DZ, "W": W, "h": H, "z": Z, "u": W[:, 0], "v": DZ[:, 0]}
ITEMS = [Item(ast.Name(name, ast.Load()), value, 0.0) for name, value in VALUES.items()]


def found(needed):
    writing = Writing("np", "axis", "keepdims")
    made = pairs(E, needed, ITEMS, writing)
    return {text.format(np="np", e="e", **{k: ast.unparse(v) for k, v in parts.items()}) for text, parts, _ in made}


@pytest.mark.parametrize(
    ("needed", "text"),
    [
        (E + DZ @ W.T, "e + dz @ W.T"),
        (E - DZ @ W.T, "e - dz @ W.T"),
        (DZ @ W.T, "dz @ W.T"),
        (E + H * (DZ @ W.T), "e + h * dz @ W.T"),
        (E + np.outer(DZ[:, 0], W[:, 0]), "e + np.outer(v, u)"),
        (H * (1 - np.exp(-Z)), "h * 1 - np.exp(-z)"),
        (E * H / Z, "e * h / z"),
        (E + H / Z, "e + h / z"),
        (E - H / Z, "e - h / z"),
    ],
)
def test_what_is_missing_is_found_by_its_value(needed, text):
    assert text in found(needed)


def test_nothing_is_found_for_what_nothing_makes():
    assert found(E + RNG.normal(size=E.shape)) == set()
