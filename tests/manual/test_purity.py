"""Nothing passed in is changed, nothing handed out is what was passed in, and the same call gives the same bits."""

from typing import Any

import numpy as np
import pytest

import manual


def arrays(value: Any) -> list[np.ndarray]:
    """All arrays in tuples, dictionaries and named tuples."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return [a for item in value for a in arrays(item)]
    return [value] if isinstance(value, np.ndarray) else []


def frozen(value: Any) -> list[bytes]:
    return [a.tobytes() for a in arrays(value)]


def run(it: Any, inputs: Any, upstream: Any) -> tuple[Any, Any, Any]:
    """Output, cache and gradients of a layer or a loss."""
    y, cache = it.forward(*inputs)
    given = (inputs[0], cache) if isinstance(inputs[0], dict) else (cache,)
    return y, cache, it.backward(*given, upstream)


@pytest.fixture(scope="session", params=["layers", "losses"])
def cases(request: pytest.FixtureRequest, tools: Any) -> Any:
    return tools.LAYERS if request.param == "layers" else tools.LOSSES


def test_nothing_passed_in_is_changed(cases: Any, dtype: str, tools: Any) -> None:
    for case in cases:
        for sizes in tools.SIZES:
            it, inputs, upstream = tools.draw(case, sizes, dtype)
            before = frozen((inputs, upstream))
            _, cache = it.forward(*inputs)
            kept = frozen(cache)
            given = (inputs[0], cache) if isinstance(inputs[0], dict) else (cache,)
            it.backward(*given, upstream)
            assert frozen((inputs, upstream)) == before, f"{case.name} changed what it was given"
            assert frozen(cache) == kept, f"the backward pass of {case.name} changed its cache"


def test_outputs_share_no_memory_with_inputs(cases: Any, dtype: str, tools: Any) -> None:
    for case in cases:
        it, inputs, upstream = tools.draw(case, (4, 3, 5), dtype)
        y, _, gradients = run(it, inputs, upstream)
        for output in arrays((y, gradients)):
            for given in arrays((inputs, upstream)):
                assert not np.shares_memory(output, given), f"{case.name} hands out what it was given"


def test_gradients_share_no_memory_with_each_other(cases: Any, tools: Any) -> None:
    for case in cases:
        found = arrays(run(*tools.draw(case, (4, 3, 5)))[2])
        for i, one in enumerate(found):
            assert not any(np.shares_memory(one, other) for other in found[:i]), case.name


def test_repeatable_bit_for_bit(cases: Any, dtype: str, tools: Any) -> None:
    for case in cases:
        example = tools.draw(case, (4, 3, 5), dtype)
        first, again = run(*example), run(*example)
        assert frozen(first) == frozen(again)
        fresh = tools.draw(case, (4, 3, 5), dtype)  # another instance of the layer, equal numbers
        assert frozen(run(*fresh)) == frozen(first), f"{case.name} depends on something besides its arguments"


def test_dtype_is_kept(cases: Any, dtype: str, tools: Any) -> None:
    for case in cases:
        y, cache, gradients = run(*tools.draw(case, (4, 3, 5), dtype))
        assert {np.asarray(y).dtype.name, *(a.dtype.name for a in arrays(gradients))} == {dtype}, case.name
        kinds = {a.dtype.name for a in arrays(cache)}
        assert kinds <= {dtype, "int64"}, f"{case.name} caches another precision"  # class indices stay integers


def test_zero_in_zero_out_and_linear_in_the_upstream_gradient(cases: Any, tools: Any) -> None:
    for case in cases:
        it, inputs, upstream = tools.draw(case, (4, 3, 5))
        once, twice, none = (arrays((run(it, inputs, c * upstream)[2],)) for c in (1.0, -2.0, 0.0))
        for a, b, zero in zip(once, twice, none, strict=True):
            assert np.array_equal(-2.0 * a, b), f"{case.name} is not linear in its upstream gradient"  # exact: times 2
            assert not zero.any(), f"{case.name} makes a gradient out of nothing"


CACHES = {
    manual.Linear: lambda layer, params, x: {"x": x},
    manual.Sigmoid: lambda layer, params, x: {"h": 1 / (1 + np.exp(-x))},
    manual.Tanh: lambda layer, params, x: {"h": np.tanh(x)},
    manual.ReLU: lambda layer, params, x: {"h": np.maximum(x, 0)},
    manual.LeakyReLU: lambda layer, params, x: {"z": x},
    manual.Softplus: lambda layer, params, x: {"h": np.log1p(np.exp(x))},
    manual.SiLU: lambda layer, params, x: {"z": x},
    manual.GELU: lambda layer, params, x: {"z": x},
    manual.Softmax: lambda layer, params, x: {"p": np.exp(x) / np.exp(x).sum(1, keepdims=True)},
    manual.LayerNorm: lambda layer, params, x: {
        "xhat": (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + layer.eps),
        "s": np.sqrt(x.var(1, keepdims=True) + layer.eps),
    },
    manual.BatchNorm1d: lambda layer, params, x: {
        "xhat": (x - x.mean(0)) / np.sqrt(x.var(0) + layer.eps),
        "s": np.sqrt(x.var(0) + layer.eps),
        "mean": x.mean(0),
        "var": x.var(0),
    },
}


@pytest.mark.parametrize("cls", CACHES)
def test_cache_is_what_it_says(cls: Any, tools: Any) -> None:
    case = next(case for case in tools.LAYERS if isinstance(case.make(3, 5), cls))
    layer, (params, x), _ = tools.draw(case, (4, 3, 5))
    cache = layer.forward(params, x)[1]
    expected = CACHES[cls](layer, params, x)
    assert set(cache._fields) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(cache, name), value, rtol=1e-13, atol=1e-13)


def test_sgd_gives_new_parameters() -> None:
    params = ({"W": np.ones((2, 3)), "b": np.ones(2)}, {})
    before = frozen(params)
    new = manual.sgd(params, ({"dW": np.full((2, 3), 2.0), "db": np.full(2, 4.0)}, {}), 0.25)
    assert frozen(params) == before
    assert new[0]["W"].tolist() == [[0.5] * 3] * 2
    assert new[0]["b"].tolist() == [0.0, 0.0]
    assert new[1] == {}
