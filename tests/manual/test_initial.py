"""Initial weights: seeded, with the variance their sources promise, and equal on every array library."""

from importlib.util import find_spec
from math import sqrt
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

import manual
from manual.initial import constant, initial, normal, uniform

N_IN, N_OUT = 300, 200
SHAPE = (N_OUT, N_IN)

# name: (bound that no value passes, or None; variance)
EXPECTED = {
    "zeros": (0.0, 0.0),
    "uniform": (0.5, 1 / 12),
    "normal": (None, 1.0),
    "xavier_uniform": (sqrt(6 / (N_IN + N_OUT)), 2 / (N_IN + N_OUT)),
    "xavier_normal": (None, 2 / (N_IN + N_OUT)),
    "he_uniform": (sqrt(6 / N_IN), 2 / N_IN),
    "he_normal": (None, 2 / N_IN),
}


def test_table_is_complete() -> None:
    assert set(EXPECTED) == set(manual.INITIALS)


@pytest.mark.parametrize("name", EXPECTED)
def test_statistics(name: str) -> None:
    """Mean and variance of 60,000 values within five standard errors, every value in bounds."""
    bound, variance = EXPECTED[name]
    values = initial("weights", name)(np.random.default_rng(0), SHAPE)
    assert values.shape == SHAPE
    assert values.dtype == np.float64
    assert abs(values.mean()) <= 5 * sqrt(variance / values.size)
    assert abs(values.var() - variance) <= 5 * variance * sqrt(2 / values.size)
    if bound is not None:
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() >= 0.99 * bound
    elif variance:
        assert np.abs(values).max() > 3.5 * sqrt(variance), "a normal distribution reaches further"


def test_functions_with_parameters() -> None:
    rng = np.random.default_rng(0)
    assert constant(3)(rng, (2, 2)).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    values = uniform(2.0, 4.0)(rng, SHAPE)
    assert values.min() >= 2
    assert values.max() < 4
    assert normal(0.01)(rng, SHAPE).std() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("name", [name for name in EXPECTED if name != "zeros"])
def test_seeded(name: str) -> None:
    net = manual.mlp([4, 3, 2])
    one, again, other = (net.init(seed, name, "normal") for seed in (7, 7, 8))
    for i, key in [(0, "W"), (0, "b"), (2, "W"), (2, "b")]:
        assert one[i][key].tobytes() == again[i][key].tobytes()
        assert one[i][key].tobytes() != other[i][key].tobytes()


def test_a_generator_continues_where_it_stands() -> None:
    rng, net = np.random.default_rng(7), manual.mlp([4, 3])
    first, second = net.init(rng), net.init(rng)
    assert first[0]["W"].tobytes() == net.init(7)[0]["W"].tobytes()
    assert first[0]["W"].tobytes() != second[0]["W"].tobytes()


def test_defaults_and_shapes() -> None:
    net = manual.Network(
        (manual.Linear(4, 3), manual.BatchNorm1d(3), manual.LayerNorm(3), manual.Linear(3, 2, bias=False))
    )
    params = net.init(0)
    assert tuple({k: v.shape for k, v in p.items()} for p in params) == net.param_shapes
    assert not params[0]["b"].any()
    for p in params[1:3]:
        assert (p["gamma"] == 1).all()
        assert (p["beta"] == 0).all()
    assert np.abs(params[0]["W"]).max() <= sqrt(6 / 7)


def libraries() -> list[Any]:
    found = [np, torch, array_api_strict]
    if find_spec("jax") is not None:
        import jax

        found.append(jax.numpy)
    return found


@pytest.mark.parametrize("xp", libraries(), ids=lambda xp: xp.__name__)
def test_the_same_numbers_on_every_array_library(xp: Any) -> None:
    net = manual.mlp([4, 3, 2])
    expected = net.init(3, "he_normal", "uniform", dtype="float32")
    found = net.init(3, "he_normal", "uniform", dtype="float32", xp=xp)
    for layer, right in zip(found, expected, strict=True):
        for key, value in layer.items():
            assert isinstance(value, type(xp.zeros(1)))
            assert value.dtype == xp.float32
            assert np.array_equal(np.from_dlpack(value), right[key])


def test_unknown_names_and_wrong_shapes() -> None:
    with pytest.raises(
        ValueError, match=r"unknown initial values 'xavier'; known: zeros, uniform, .*he_normal, or a function"
    ):
        manual.mlp([2, 1]).init(0, weights="xavier")
    with pytest.raises(ValueError, match=r"weight matrices \(n_out, n_in\), got shape \(2,\)"):
        manual.mlp([3, 2]).init(0, biases="he_normal")
