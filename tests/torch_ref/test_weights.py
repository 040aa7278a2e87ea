"""Weights both ways: bit for bit, own memory, torch's own keys, and errors that name what is wrong."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import manual
from torch_ref import from_torch, running_from_torch, to_torch, twin

NET = manual.Network(
    (manual.Linear(4, 3), manual.BatchNorm1d(3), manual.Tanh(), manual.LayerNorm(3), manual.Linear(3, 2))
)
MLP = manual.mlp([4, 3, 2])


def plain() -> nn.Sequential:
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh(), nn.LayerNorm(3), nn.Linear(3, 2))


def random_params(dtype: str = "float64") -> tuple[manual.Params, ...]:
    rng = np.random.default_rng(0)
    return tuple({k: rng.normal(size=s).astype(dtype) for k, s in layer.items()} for layer in NET.param_shapes)


def random_running() -> tuple[manual.Running | None, ...]:
    rng = np.random.default_rng(1)
    return (None, manual.Running(rng.normal(size=3), rng.uniform(1, 2, size=3)), None, None, None)


def arrays(params: Any) -> list[Any]:
    return [layer[name] for layer in params for name in sorted(layer)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_round_trip_from_manual_bit_for_bit(dtype: str) -> None:
    params = random_params(dtype)
    back = from_torch(NET, to_torch(NET, params))
    for a, b in zip(arrays(params), arrays(back), strict=True):
        assert a.dtype == b.dtype == dtype
        assert a.tobytes() == b.tobytes()


def test_round_trip_from_torch_bit_for_bit() -> None:
    module = plain().double()
    module(torch.randn(6, 4, dtype=torch.float64))  # moves the running statistics
    state = module.state_dict()
    back = to_torch(NET, from_torch(NET, state), running_from_torch(NET, state))
    assert list(back) == list(state)
    state["1.num_batches_tracked"] = torch.tensor(0)  # the one thing manual does not keep
    assert all(torch.equal(back[key], value) and back[key].dtype == value.dtype for key, value in state.items())


def test_a_plain_sequential_and_the_twin_load_it_and_compute_the_same() -> None:
    params, running = random_params(), random_running()
    x = np.random.default_rng(2).normal(size=(5, 4))
    y, _ = NET.forward(params, x, running)
    for module in (plain(), twin(NET)):
        module.double().load_state_dict(to_torch(NET, params, running), strict=True)
        np.testing.assert_allclose(module.eval()(torch.tensor(x)).detach().numpy(), y, rtol=1e-12, atol=1e-14)


def test_running_statistics_are_the_states_of_an_evaluation() -> None:
    running = random_running()
    back = running_from_torch(NET, to_torch(NET, random_params(), running))
    assert [r is None for r in back] == [True, False, True, True, True]
    assert np.array_equal(back[1].mean, running[1].mean)
    assert np.array_equal(back[1].var, running[1].var)


def test_without_running_statistics_they_are_torch_s_initial_ones() -> None:
    state, expected = to_torch(NET, random_params()), plain().double().state_dict()
    for key in ("1.running_mean", "1.running_var", "1.num_batches_tracked"):
        assert torch.equal(state[key], expected[key])


def test_nothing_shares_memory() -> None:
    for params in (random_params(), from_torch(NET, plain().state_dict(), xp=torch)):
        running = random_running()
        kept = [np.asarray(a).copy() for a in (*arrays(params), *running[1])]
        for tensor in to_torch(NET, params, running).values():
            tensor.fill_(7)
        assert all(np.array_equal(a, b) for a, b in zip((*arrays(params), *running[1]), kept, strict=True))
    for xp in (np, torch):
        module = plain()
        kept = {key: value.clone() for key, value in module.state_dict().items()}
        taken = running_from_torch(NET, module.state_dict(), xp=xp)[1]
        for array in (*arrays(from_torch(NET, module.state_dict(), xp=xp)), *taken):
            array[...] = 7
        assert all(torch.equal(value, kept[key]) for key, value in module.state_dict().items())


def test_awkward_numpy_arrays_go_over() -> None:
    W, b = np.arange(6.0).reshape(3, 2)[::-1, ::-1].T, np.array([1.0, 2.0])
    b.flags.writeable = False
    state = to_torch(manual.mlp([3, 2]), ({"W": W, "b": b},))
    assert state["0.weight"].tolist() == W.tolist()
    assert state["0.bias"].tolist() == [1.0, 2.0]


def test_other_array_libraries() -> None:
    strict = pytest.importorskip("array_api_strict")
    state = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).state_dict()
    back = to_torch(MLP, from_torch(MLP, state, xp=strict))
    assert all(torch.equal(back[key], value) for key, value in state.items())


def test_jax_keeps_the_dtype_or_refuses() -> None:
    jnp = pytest.importorskip("jax.numpy")
    state = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)).bfloat16().state_dict()
    back = to_torch(MLP, from_torch(MLP, state, xp=jnp))
    assert all(torch.equal(back[key], value) for key, value in state.items())
    if jnp.zeros(1).dtype == "float32":  # jax as it comes, without 64-bit numbers
        with pytest.raises(
            ValueError, match=r"is torch.float64, but jax.numpy made it torch.float32; .*jax_enable_x64"
        ):
            from_torch(MLP, {key: value.double() for key, value in state.items()}, xp=jnp)


def test_bfloat16_stays_in_torch() -> None:
    state = plain().bfloat16().state_dict()
    params = from_torch(NET, state, xp=torch)
    assert all(torch.equal(value, state[key]) for key, value in to_torch(NET, params).items())
    with pytest.raises(ValueError, match=r"bfloat16.*xp=torch"):
        from_torch(NET, state)


def state_of(**changes: Any) -> dict[str, torch.Tensor]:
    state = dict(plain().state_dict())
    for key, value in changes.items():
        key = key.removeprefix("_").replace("_", ".", 1)
        if value is None:
            del state[key]
        else:
            state[key] = value
    return state


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (state_of(_0_bias=None), r"missing \['0.bias'\], unexpected \[\]"),
        (state_of(_2_weight=torch.zeros(1)), r"missing \[\], unexpected \['2.weight'\]"),
        (state_of(_4_weight=torch.zeros(3, 2)), r"'4.weight'.*shape is \(3, 2\), expected \(2, 3\)"),
        ({f"module.{k}": v for k, v in plain().state_dict().items()}, r"missing \['0.weight'.*module.0.weight"),
    ],
    ids=("missing", "unexpected", "shape", "prefix"),
)
def test_wrong_state_dicts(state: dict[str, torch.Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_torch(NET, state)


def test_a_batch_norm_without_statistics_has_params_but_no_states() -> None:
    state = state_of(_1_running_mean=None, _1_running_var=None, _1_num_batches_tracked=None)
    assert len(from_torch(NET, state)) == 5
    with pytest.raises(ValueError, match=r"1\.running_mean"):
        running_from_torch(NET, state)


def test_wrong_params() -> None:
    good = random_params()
    with pytest.raises(ValueError, match="params"):
        to_torch(NET, good[:-1])
    with pytest.raises(ValueError, match="W"):
        to_torch(NET, (*good[:-1], {"b": good[-1]["b"]}))
    with pytest.raises(ValueError, match=r"\(3, 2\), expected \(2, 3\)"):
        to_torch(NET, (*good[:-1], {"W": good[-1]["W"].T, "b": good[-1]["b"]}))
    with pytest.raises(ValueError, match="running: 1 entries"):
        to_torch(NET, good, [None])
    with pytest.raises(ValueError, match=r"\(2,\), expected \(3,\)"):
        to_torch(NET, good, [None, manual.Running(np.zeros(2), np.ones(3)), None, None, None])
