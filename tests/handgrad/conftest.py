"""Small networks and broken layers that several tests of the judge share."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from manual import Network, Params


@pytest.fixture(autouse=True)
def time_to_mend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests marked `mends` look for a change of refuted code: hundreds of others refute some.

    Those have so much time that on a busy machine too the search ends by what it finds, not by the clock.
    """
    seconds = 300.0 if request.node.get_closest_marker("mends") else 0.0
    monkeypatch.setattr("handgrad.judge.settings.MEND_SECONDS", seconds)


@pytest.fixture
def broken() -> Callable[..., Any]:
    """broken(layer, backward): the same layer with another backward pass."""

    def make(layer: Any, backward: Callable[..., Any]) -> Any:
        kind = type(type(layer).__name__, (type(layer),), {"backward": backward})
        return kind(**{f.name: getattr(layer, f.name) for f in (fields(layer) if is_dataclass(layer) else ())})

    return make


@pytest.fixture
def batch() -> Callable[..., tuple[tuple[Params, ...], Any, Any]]:
    """batch(network, N, dtype): seeded parameters, inputs and one-hot targets for it."""

    def make(network: Network, N: int = 7, dtype: str = "float64", seed: int = 0) -> Any:
        rng = np.random.default_rng(seed)
        params = network.init(rng, dtype=dtype)
        n_in, n_out = network.layers[0].n_in, [f.n_out for f in network.layers if hasattr(f, "n_out")][-1]  # type: ignore[attr-defined]
        labels = rng.integers(0, n_out, N)
        return params, rng.normal(size=(N, n_in)).astype(dtype), np.eye(n_out, dtype=dtype)[labels]

    return make
