"""A checkpoint gives back every bit it was given, or says what is wrong; what stood there before is never lost."""

import json
import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from math import inf, nan
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

import manual
from manual.files import checkpoint
from manual.files.architecture import LAYERS, network_from_plain, network_to_plain
from manual.files.checkpoint import Checkpoint, CheckpointError, load, save
from manual.training.state import Training

MASK = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]])
NET = manual.Network(
    (
        manual.Linear(3, 4, mask=MASK),
        manual.BatchNorm1d(4, eps=1e-4, momentum=0.3),
        manual.LeakyReLU(0.1),
        manual.Dropout(1 / 3),
        manual.Linear(4, 4, bias=False),
        manual.LayerNorm(4),
        manual.Tanh(),
        manual.Linear(4, 2),
    )
)
LOSS = manual.SoftmaxCrossEntropy("batch mean", label_smoothing=0.1, class_weights=(1 / 3, 2.0))
OPTIMIZER_CASES = {
    "sgd": manual.SGD(0.1),
    "momentum": manual.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=1 / 7),
    "adam": manual.Adam(1 / 3, betas=(0.8, 0.99)),
    "adamw": manual.AdamW(),
}
HISTORY = (
    {"epoch": 1, "step": 10, "loss": 0.1, "lr": 1 / 3, "grad_norm": 5e-324, "val_loss": inf, "accuracy": -0.0},
    {"epoch": 2, "step": 2**60 + 1, "loss": nan, "lr": 1.7976931348623157e308, "grad_norm": -inf},
)
EXTRA = {"classes": '["null", "eins", "zwölf"]', "": "line\r\nend \x00 \u2028 \U0001f600"}
Float = Callable[[tuple[int, ...]], Any]


def trained(net: manual.Network, optimizer: Any, draw: Float, **numbers: Any) -> Training:
    """A Training of random arrays."""

    def like(params: Any) -> tuple[dict[str, Any], ...]:
        return tuple({name: draw(a.shape) for name, a in p.items()} for p in params)

    params = like(net.init(0))
    first = optimizer.initial(params)
    state = first._replace(
        **{f: like(v) if isinstance(v, tuple) else 17 for f, v in first._asdict().items()},
    )
    running = tuple(
        manual.Running(draw((f.n,)), draw((f.n,))) if isinstance(f, manual.BatchNorm1d) else None for f in net.layers
    )
    return Training(**{"history": HISTORY, "epoch": 2, "step": 20, "seed": 2**70} | numbers, params=params,
                    running=running, optimizer_state=state)  # fmt: skip


def normal(dtype: str = "float64", seed: int = 0) -> Float:
    rng = np.random.default_rng(seed)
    return lambda shape: rng.normal(size=shape).astype(dtype)


def bits(tree: Any) -> Any:
    """The same tree with types, and arrays and floats by their bytes; every nan of a number counts as one."""
    if isinstance(tree, dict):
        return {key: bits(value) for key, value in tree.items()}
    if isinstance(tree, tuple):
        return type(tree).__name__, [bits(item) for item in tree]
    if isinstance(tree, np.ndarray):
        return tree.dtype.str, tree.shape, tree.tobytes()
    return type(tree).__name__, repr(tree)


TRAINING = trained(NET, OPTIMIZER_CASES["adam"], normal())
GOOD = Checkpoint(NET, LOSS, OPTIMIZER_CASES["adam"], TRAINING, EXTRA)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


@pytest.fixture
def good(path: Path) -> Path:
    save(path, *GOOD)
    return path


def files(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


# Round trip.


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("optimizer", OPTIMIZER_CASES.values(), ids=OPTIMIZER_CASES)
def test_everything_comes_back_bit_for_bit(path: Path, optimizer: Any, dtype: str) -> None:
    best = trained(NET, optimizer, normal(dtype, 1), epoch=1)
    training = trained(NET, optimizer, normal(dtype), best=best)
    before = bits(training)
    save(path, NET, LOSS, optimizer, training, EXTRA)
    assert bits(training) == before
    found = load(path, expect=NET)
    assert bits(found.training) == before
    assert type(found.training.optimizer_state) is type(optimizer.initial(NET.init(0)))
    assert (found.loss, found.optimizer, found.extra) == (LOSS, optimizer, EXTRA)
    assert network_to_plain(found.network) == network_to_plain(NET)
    np.testing.assert_array_equal(found.network.layers[0].mask, MASK)


def test_what_load_gives_save_takes(good: Path, path: Path) -> None:
    content = good.read_bytes()
    save(path, *load(good))
    assert path.read_bytes() == content


SIZES = st.integers(1, 4)


@st.composite
def networks(draw: Any) -> manual.Network:
    n, layers = draw(SIZES), []
    for kind in draw(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=5)):
        if kind is manual.Linear:
            n_in, n = n, draw(SIZES)
            ones = st.lists(st.lists(st.booleans(), min_size=n_in, max_size=n_in), min_size=n, max_size=n)
            layers.append(kind(n_in, n, draw(st.booleans()), draw(st.none() | ones)))
        elif kind in (manual.LayerNorm, manual.BatchNorm1d):
            layers.append(kind(n, draw(st.floats(1e-300, 1e300))))
        elif kind is manual.Dropout:
            layers.append(kind(draw(st.floats(0, 1, exclude_max=True))))
        else:
            layers.append(kind(draw(st.floats())) if kind is manual.LeakyReLU else kind())
    return manual.Network(tuple(layers))


RECORDS = st.lists(st.dictionaries(st.text(), st.floats() | st.integers() | st.booleans()), max_size=3).map(tuple)


@given(
    net=networks(),
    seeds=st.tuples(st.integers(0, 99), st.integers(0)),
    history=RECORDS,
    extra=st.dictionaries(st.text(), st.text(), max_size=3),
    optimizer=st.sampled_from(list(OPTIMIZER_CASES.values())),
    dtype=st.sampled_from(["float16", "float32", "float64"]),
)
def test_anything_comes_back(
    net: manual.Network, seeds: tuple[int, int], history: Any, extra: dict[str, str], optimizer: Any, dtype: str
) -> None:
    rng = np.random.default_rng(seeds[0])

    def any_bits(shape: tuple[int, ...]) -> Any:  # nan with a payload, infinity and the smallest numbers among them
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer(rng.bytes(size), dtype).reshape(shape)

    training = trained(net, optimizer, any_bits, history=history, seed=seeds[1])
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder) / "x", net, LOSS, optimizer, training, extra)
        found = load(Path(folder) / "x", expect=net)
    assert bits(found.training) == bits(training)
    assert (found.extra, repr(found.network.layers)) == (extra, repr(network_from_plain(network_to_plain(net)).layers))


def test_arrays_are_writable_and_apart(good: Path) -> None:
    first, second = load(good), load(good)
    first.training.params[0]["W"][:] = 0
    assert bits(second.training) == bits(TRAINING) == bits(load(good).training)


@pytest.mark.parametrize(
    "laid",
    [np.asfortranarray, lambda a: np.stack([a, a], -1)[..., 0], lambda a: a[::-1][::-1], lambda a: a.astype(">f8")],
    ids=["Fortran order", "with gaps", "backwards", "big-endian"],
)
def test_values_do_not_depend_on_the_memory(path: Path, laid: Callable[[Any], Any]) -> None:
    draw = normal()
    training = trained(NET, OPTIMIZER_CASES["adam"], lambda shape: laid(draw(shape)))
    save(path, NET, LOSS, OPTIMIZER_CASES["adam"], training)
    assert bits(load(path).training) == bits(TRAINING)


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("of", [torch.tensor, partial(torch.tensor, requires_grad=True), jnp.asarray],
                         ids=["torch", "torch with grad", "jax"])  # fmt: skip
def test_other_libraries_are_brought_to_numpy(path: Path, of: Callable[..., Any], dtype: str) -> None:
    if of is jnp.asarray and dtype == "float64":
        pytest.skip("jax halves float64 here")
    draw = normal(dtype)
    training = trained(NET, OPTIMIZER_CASES["adam"], lambda shape: of(draw(shape)))
    save(path, NET, LOSS, OPTIMIZER_CASES["adam"], training)
    assert bits(load(path).training) == bits(trained(NET, OPTIMIZER_CASES["adam"], normal(dtype)))


# The file, as others see it.


def test_keys_and_header_are_documented_ones(good: Path) -> None:
    with safetensors.safe_open(good, "np") as opened:
        header, keys = opened.metadata(), set(opened.keys())
    content = json.loads(header.pop("handgrad"))
    assert header == {}
    weights = {f"{i}.{name}" for i, p in enumerate(TRAINING.params) for name in p}
    assert {"0.W", "0.b", "1.gamma", "1.beta", "4.W", "5.gamma", "7.b"} < weights
    assert keys == {"running.1.mean", "running.1.var"} | {
        f"{group}.{name}" for group in ("params", "optimizer.m", "optimizer.v") for name in weights
    }
    assert content["format_version"] == 1
    assert content["network"][2] == {"LeakyReLU": {"slope": 0.1}}
    assert content["optimizer"]["Adam"]["betas"] == [0.8, 0.99]
    training = content["training"]
    assert (training["seed"], training["epoch"], training["step"], training["best"]) == (2**70, 2, 20, None)
    assert training["history"][1]["loss"] == "nan"
    assert training["optimizer"] == {"step": 17}
    assert content["extra"] == EXTRA
    assert content["handgrad_version"].count(".") == 2


def test_torch_reads_the_weights(good: Path) -> None:
    tensors = safetensors.torch.load_file(good)
    np.testing.assert_array_equal(tensors["params.0.W"].numpy(), TRAINING.params[0]["W"])


# Saving what cannot be saved.


class Tanh(manual.Tanh):
    """Someone's own, under a known name."""


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"network": manual.Network((Tanh(),))}, TypeError, "layer 0: is Tanh, which no file can hold; known: Linear"),
        ({"loss": manual.Tanh()}, TypeError, "loss: is Tanh, which no file can hold; known: SoftmaxCrossEntropy"),
        ({"optimizer": "adam"}, TypeError, "optimizer: is str, which no file can hold; known: SGD, Adam, AdamW"),
        ({"network": NET.layers}, TypeError, "network: got tuple, expected a Network"),
        ({"training": TRAINING.params}, TypeError, "training: got tuple, expected a Training"),
        ({"extra": {"a": 1}}, TypeError, r"extra\['a'\]: is int, expected text"),
        ({"optimizer": manual.SGD(1.0)}, TypeError, "optimizer_state: is AdamState, expected SGDState"),
        ({"training": TRAINING._replace(history=({"loss": "low"},))}, TypeError, "history, loss: got str, expected a"),
        ({"training": TRAINING._replace(running=(None,) * 8)}, ValueError, r"running.1.mean \(4,\) is missing in the"),
        ({"training": TRAINING._replace(params=NET.init(0)[:7])}, ValueError, r"params.7.W \(2, 4\) is missing"),
        ({"network": manual.mlp([3, 4])}, ValueError, r"params.1.gamma \(4,\) in the training is not expected"),
    ],
)
def test_what_no_file_can_hold_is_refused(good: Path, change: dict[str, Any], error: type, says: str) -> None:
    content = good.read_bytes()
    if isinstance(change.get("network"), manual.Network) and type(change["network"].layers[0]) is Tanh:
        change = {**change, "training": trained(change["network"], GOOD.optimizer, normal())}
    with pytest.raises(error, match=says):
        save(good, *GOOD._replace(**change))
    assert good.read_bytes() == content
    assert files(good.parent) == {good.name}


@pytest.mark.parametrize("array", [torch.zeros(4, 3, dtype=torch.bfloat16), jnp.zeros((4, 3), jnp.bfloat16),
                                   np.zeros((4, 3), "longdouble"), np.zeros((4, 3), int), [[0.0]]])  # fmt: skip
def test_other_dtypes_are_refused_by_name(path: Path, array: Any) -> None:
    training = TRAINING._replace(params=({**TRAINING.params[0], "W": array}, *TRAINING.params[1:]))
    with pytest.raises(
        TypeError, match=r"params.0.W: (dtype is (torch\.)?(bfloat16|longdouble|float128|int64)|got list)"
    ):
        save(path, NET, LOSS, GOOD.optimizer, training)


# Loading what is wrong.


def rewritten(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], Any]) -> None:
    """The file with its arrays and its JSON changed, and a digest that fits: as another program could have made it."""
    with safetensors.safe_open(path, "np") as opened:
        content = json.loads(opened.metadata()["handgrad"])
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    del content["sha256"]
    change(arrays, content)
    content["sha256"] = checkpoint._digest(arrays, content)
    safetensors.numpy.save_file(arrays, path, {"handgrad": json.dumps(content)})


def other(**layers: Any) -> manual.Network:
    return manual.Network(tuple(layers.get(f"l{i}", layer) for i, layer in enumerate(NET.layers)))


def in_header(entry: str, value: Any) -> Callable[[Any, dict[str, Any]], None]:
    return lambda arrays, content: content.update({entry: value})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda a, h: a.pop("params.4.W"), r"params\.4\.W \(4, 4\) is missing in the file$"),
        (lambda a, h: a.pop("optimizer.v.7.b"), r"optimizer\.v\.7\.b \(2,\) is missing in the file$"),
        (lambda a, h: a.pop("running.1.var"), r"running\.1\.var \(4,\) is missing in the file$"),
        (lambda a, h: a.update(more=a["params.0.b"]), r"more \(4,\) in the file is not expected$"),
        (
            lambda a, h: a.update({"params.7.b": a["params.0.b"]}),
            r"params\.7\.b is \(4,\) in the file, expected \(2,\)$",
        ),
        (lambda a, h: h.pop("training"), "has no entry 'training'"),
        (lambda a, h: h.pop("format_version"), "is damaged: its header cannot be read"),
        (in_header("format_version", 2), r"has format 2, written by handgrad .*reads up to format 1: install a newer"),
        (in_header("network", [{"Conv2d": {}}]), "layer 0: unknown kind 'Conv2d'; known: Linear"),
        (in_header("loss", {"Hinge": {}}), "loss: unknown kind 'Hinge'"),
        (in_header("optimizer", {"Lion": {}}), "optimizer: unknown kind 'Lion'"),
        (
            in_header("optimizer", {"SGD": {"lr": 1.0}}),
            "optimizer.m.0.W .* in the file is not expected; .*; and 12 more",
        ),
        (in_header("training", []), "run.safetensors: "),
        (in_header("training", {"seed": 1}), "has no entry '"),
    ],
)
def test_a_file_that_does_not_fit_itself(good: Path, change: Callable[[Any, Any], Any], says: str) -> None:
    rewritten(good, change)
    with pytest.raises(CheckpointError, match=says):
        load(good)


def test_rewriting_alone_changes_nothing(good: Path) -> None:
    rewritten(good, lambda arrays, header: None)
    assert bits(load(good).training) == bits(TRAINING)


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        (manual.mlp([3, 4]), r"network: .*params\.1\.gamma \(4,\) in the file is not expected"),
        (
            other(l7=manual.Linear(4, 3)),
            r"network: params\.7\.W is \(2, 4\) in the file, expected \(3, 4\); params\.7\.b is \(2,",
        ),
        (other(l7=manual.Linear(4, 2, bias=False)), r"network: params\.7\.b \(2,\) in the file is not expected$"),
        (other(l4=manual.Linear(4, 4)), r"network: params\.4\.b \(4,\) is missing in the file$"),
        (other(l6=manual.ReLU()), r"network: layer 6 is Tanh\(\) in the file, expected ReLU\(\)"),
        (
            other(l2=manual.LeakyReLU(0.2)),
            r"network: layer 2 is LeakyReLU\(slope=0\.1\) in the file, expected .*slope=0\.2\)",
        ),
        (
            other(l0=manual.Linear(3, 4, mask=1 - MASK)),
            r"network: layer 0 is Linear\(.*mask=\.\.\.\) in the file, expected",
        ),
        (manual.Network((*NET.layers, manual.Tanh())), r"network: it has 8 layers in the file, expected 9"),
        (
            manual.Network((manual.Linear(30, 40),) * 1),
            r"network: params\.0\.W is \(4, 3\) in the file, expected \(40, 30\)",
        ),
    ],
)
def test_another_network_is_told_by_keys_and_shapes(good: Path, expect: manual.Network, says: str) -> None:
    with pytest.raises(CheckpointError, match=f"run.safetensors: holds another {says}"):
        load(good, expect)


class Bomb:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is no safetensors file"),
        (b"abc", "is no safetensors file"),
        (b"some text, longer than a header's length\n" * 9, "is no safetensors file"),
        (bytes(1000), "is no safetensors file"),
        (safetensors.numpy.save({"w": np.ones(3)}), "is a safetensors file, but no checkpoint of handgrad's"),
        (safetensors.numpy.save({}, {"handgrad": "[]"}), "is damaged: its header cannot be read"),
        (safetensors.numpy.save({}, {"handgrad": "[" * 100_000}), "is damaged: its header cannot be read"),
        (safetensors.torch.save({"w": torch.ones(3, dtype=torch.bfloat16)}), "but no checkpoint of handgrad's"),
    ],
    ids=["empty", "short", "text", "zeros", "foreign", "other JSON", "deep JSON", "foreign bfloat16"],
)
def test_foreign_files(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        load(path)


def test_a_pickle_is_not_opened(path: Path, tmp_path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb(tmp_path / "trace")))
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        load(path)
    torch.save({"w": torch.ones(2)}, path)
    with pytest.raises(CheckpointError, match="is no safetensors file"):
        load(path)
    assert files(tmp_path) == {path.name}
    pickle.loads(pickle.dumps(Bomb(tmp_path / "trace")))  # that it would have
    assert files(tmp_path) == {path.name, "trace"}


def test_missing_file_and_folder(path: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file.*safetensors"):
        load(path)
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def test_cut_short_anywhere(good: Path) -> None:
    content = good.read_bytes()
    for length in [*range(200), *range(200, len(content), 37), len(content) - 1]:
        good.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match="cut short or damaged" if length > 8 else "is no safetensors file"):
            load(good)


def test_one_damaged_bit_anywhere(path: Path) -> None:
    """Whatever byte it is in, it is told, or (a blank, 1E-05 for 1e-05) it changes no value."""
    net, sgd = manual.Network((manual.Linear(2, 4, bias=False), manual.BatchNorm1d(4))), manual.SGD(0.1, momentum=0.9)
    right = Checkpoint(net, LOSS, sgd, trained(net, sgd, normal(), history=HISTORY[:1]), {"a": "b"})
    save(path, *right)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    silent = 0
    for i in rng.permutation(len(content))[:1000]:
        damaged = bytearray(content)
        damaged[i] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            found = load(path)
        except CheckpointError:
            continue
        silent += 1
        assert bits(tuple(found)[1:]) == bits(tuple(right)[1:])
    assert silent < 10


def test_saving_fails_where_writing_does(path: Path, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        save(tmp_path, *GOOD)
    with pytest.raises(FileNotFoundError):
        save(path / "in" / "nowhere", *GOOD)
