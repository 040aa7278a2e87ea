"""What every optimizer keeps to: pure steps, any shape, one dtype, a state that outlives a file, no bad options."""

import io
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import manual
from manual import SGD, Adam, AdamW

OPTIMIZERS = (
    SGD(0.1),
    SGD(0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    SGD(0.1, momentum=0.9, nesterov=True),
    Adam(0.1, weight_decay=0.1),
    AdamW(0.1, betas=(0.5, 0.9)),
)
each_optimizer = pytest.mark.parametrize("opt", OPTIMIZERS, ids=str)
SHAPES = st.lists(st.dictionaries(st.sampled_from(["W", "b", "gamma"]), st.lists(st.integers(0, 4), max_size=3)))


def arrays(value: Any) -> list[Any]:
    """All arrays in tuples, dictionaries and named tuples."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        return [a for item in value for a in arrays(item)]
    return [] if isinstance(value, int) else [value]


def frozen(value: Any) -> list[bytes]:
    return [a.tobytes() for a in arrays(value)]


def problem(dtype: str = "float64", shapes: Any = ({"W": (3, 4), "b": (3,)}, {}, {"gamma": (2,)})) -> tuple[Any, Any]:
    """Random parameters, and a function that gives random gradients."""
    rng = np.random.default_rng(0)

    def like(prefix: str) -> Any:
        return tuple({prefix + k: rng.normal(size=s).astype(dtype) for k, s in layer.items()} for layer in shapes)

    return like(""), lambda: like("d")


@each_optimizer
def test_step_is_pure(opt: Any, dtype: str) -> None:
    params, gradients = problem(dtype)
    state = opt.step(params, gradients(), opt.initial(params))[1]
    given_ = (params, gradients(), state)
    before = frozen(given_)
    first, second = opt.step(*given_), opt.step(*given_)
    assert frozen(given_) == before
    assert frozen(first) == frozen(second)
    found = arrays(first)
    assert all(a.dtype == dtype for a in found)
    for i, a in enumerate(found):
        assert not any(np.shares_memory(a, b) for b in (*arrays(given_), *found[i + 1 :]))


@each_optimizer
def test_state_holds_arrays_by_the_names_of_the_parameters_and_a_count(opt: Any) -> None:
    params, gradients = problem()
    state = opt.initial(params)
    for count in range(3):
        assert type(state.step) is int
        assert state.step == count
        for kept in state[1:]:
            assert all(not layer or {k: a.shape for k, a in layer.items()} == {k: a.shape for k, a in p.items()}
                       for layer, p in zip(kept, params, strict=True))  # fmt: skip
        params, state = opt.step(params, gradients(), state)


@each_optimizer
def test_state_outlives_a_file(opt: Any, dtype: str, tools: Any) -> None:
    """By pickle, and as .npz, from which the count returns as NumPy's: not one bit and no dtype changes."""
    params, gradients = problem(dtype)
    state = opt.initial(params)
    for _ in range(3):
        params, state = opt.step(params, gradients(), state)
    file, leaves = io.BytesIO(), []
    tools.each(leaves.append, state)
    np.savez(file, *leaves)
    file.seek(0)
    with np.load(file) as stored:
        values = iter(stored.values())
        loaded = tools.each(lambda _: next(values), state)
    assert isinstance(loaded.step, np.ndarray)
    dparams = gradients()
    expected = opt.step(params, dparams, state)
    for again in (pickle.loads(pickle.dumps(state)), loaded, loaded._replace(step=loaded.step[()])):
        found = opt.step(params, dparams, again)
        assert type(found[1].step) is int
        assert found[1].step == 4
        assert [(a.dtype, a.tobytes()) for a in arrays(found)] == [(a.dtype, a.tobytes()) for a in arrays(expected)]


@given(SHAPES, st.sampled_from(OPTIMIZERS), st.sampled_from(["float32", "float64"]), st.integers(1, 4))
def test_any_shape_entry_by_entry(shapes: Any, opt: Any, dtype: str, steps: int) -> None:
    """Arrays of any shape, empty and of rank 0 too, are updated as their entries in one long row would be."""
    params, gradients = problem(dtype, shapes)
    row = ({"W": flat(params)},)
    state, row_state = opt.initial(params), opt.initial(row)
    for _ in range(steps):
        dparams = gradients()
        before = params
        params, state = opt.step(params, dparams, state)
        row, row_state = opt.step(row, ({"dW": flat(dparams)},), row_state)
        assert [set(p) for p in params] == [set(p) for p in before]
        assert all(a.shape == b.shape for a, b in zip(arrays(params), arrays(before), strict=True))
        assert all(a.dtype == dtype for a in arrays((params, state)))
    rounding = 8 * steps * np.finfo(dtype).eps  # NumPy's root of a single number may differ in the last place
    np.testing.assert_allclose(flat(params), row[0]["W"], rtol=rounding, atol=rounding)


def flat(tree: Any) -> Any:
    return np.concatenate([np.ravel(a) for a in arrays(tree)]) if arrays(tree) else np.zeros(0, "float32")


@each_optimizer
def test_gradients_of_another_network_are_refused(opt: Any) -> None:
    params, gradients = problem()
    with pytest.raises(ValueError, match="shorter"):
        opt.step(params, gradients()[:-1], opt.initial(params))
    with pytest.raises(KeyError, match="dW"):
        opt.step(params, ({}, *gradients()[1:]), opt.initial(params))


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW])
def test_numpy_numbers_as_options_keep_float32(kind: Any) -> None:
    options = {"momentum": np.float64(0.9)} if kind is SGD else {"betas": np.array([0.9, 0.99]).tolist()}
    opt = kind(np.float64(0.1), weight_decay=np.float32(0.5), **options)
    params, gradients = problem("float32")
    assert all(a.dtype == "float32" for a in arrays(opt.step(params, gradients(), opt.initial(params))))
    assert hash(opt) == hash(kind(0.1, weight_decay=0.5, **options)), "no static argument of a compiled step"


BAD: dict[str, tuple[type, dict[str, Any], str]] = {
    **{f"{kind.__name__}, lr {lr}": (kind, {"lr": lr}, f"{kind.__name__}: lr is {lr!r}, expected a finite")
       for kind in (SGD, Adam, AdamW) for lr in (0, -0.1, float("nan"), float("inf"), None)},
    "momentum": (SGD, {"lr": 1, "momentum": -0.1}, "SGD: momentum is -0.1, expected a finite number, 0 or more"),
    "dampening": (SGD, {"lr": 1, "dampening": float("inf")}, "SGD: dampening is inf"),
    "decay": (SGD, {"lr": 1, "weight_decay": -1}, "SGD: weight_decay is -1"),
    "Adam's decay": (Adam, {"weight_decay": -1}, "Adam: weight_decay is -1"),
    "Nesterov without momentum": (SGD, {"lr": 1, "nesterov": True}, "expected momentum above 0"),
    "Nesterov with dampening": (
        SGD, {"lr": 1, "momentum": 0.9, "dampening": 0.1, "nesterov": True}, "dampening=0.1, expected .* dampening 0"
    ),
    "eps": (AdamW, {"eps": -1e-8}, "AdamW: eps is -1e-08, expected a finite number, 0 or more"),
    "beta 1": (Adam, {"betas": (0.9, 1.0)}, r"Adam: betas is \(0.9, 1.0\), expected two numbers in \[0, 1\)"),
    "beta below 0": (AdamW, {"betas": (-0.1, 0.9)}, r"AdamW: betas is \(-0.1, 0.9\)"),
    "beta nan": (Adam, {"betas": (0.9, float("nan"))}, "Adam: betas is"),
    "a beta in words": (Adam, {"betas": ("a", 0.9)}, r"Adam: betas is \('a', 0.9\), expected two numbers"),
    "one beta": (Adam, {"betas": 0.9}, "Adam: betas is 0.9, expected two numbers"),
    "three betas": (Adam, {"betas": (0.9, 0.9, 0.9)}, "Adam: betas is"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_options_are_refused(what: str) -> None:
    kind, options, message = BAD[what]
    with pytest.raises(ValueError, match=message):
        kind(**options)


def test_the_first_adam_step_is_the_learning_rate_in_every_entry() -> None:
    """Its two means are the gradient and the gradient's square, so only the sign is left."""
    params, gradients = problem()
    dparams = gradients()
    new, _ = Adam(0.01, eps=0.0).step(params, dparams, Adam().initial(params))
    for p, q, d in zip(arrays(params), arrays(new), arrays(dparams), strict=True):
        np.testing.assert_allclose(p - q, 0.01 * np.sign(d), rtol=1e-12)


def test_sgd_without_options_is_the_lectures_update() -> None:
    params, gradients = problem()
    dparams, opt = gradients(), SGD(0.1)
    assert frozen(opt.step(params, dparams, opt.initial(params))[0]) == frozen(manual.sgd(params, dparams, 0.1))
