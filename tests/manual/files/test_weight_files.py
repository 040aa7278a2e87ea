"""Weights alone: every bit comes back from .npz and from text, damage is told with its place, nothing is ever run."""

import io
import json
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import manual
from manual.files.architecture import network_to_plain
from manual.files.weight_files import Weights, load_npz, load_text, save_npz, save_text

NET = manual.Network(
    (
        manual.Linear(3, 4, mask=[[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]]),
        manual.BatchNorm1d(4),
        manual.LeakyReLU(0.1),
        manual.LayerNorm(4),
        manual.Linear(4, 2, bias=False),
    )
)
NAMES = ["W1", "b1", "gamma1", "beta1", "gamma1_2", "beta1_2", "W2", "running_mean1", "running_var1"]
BOTH = [(save_npz, load_npz), (save_text, load_text)]
both = pytest.mark.parametrize(("save", "load"), BOTH, ids=["npz", "text"])


def drawn(net: manual.Network, draw: Callable[[tuple[int, ...]], Any]) -> Weights:
    params = tuple({name: draw(shape) for name, shape in shapes.items()} for shapes in net.param_shapes)
    running = tuple(
        manual.Running(draw((f.n,)), draw((f.n,))) if isinstance(f, manual.BatchNorm1d) else None for f in net.layers
    )
    return Weights(net, params, running)


def normal(dtype: str = "float64") -> Callable[[tuple[int, ...]], Any]:
    rng = np.random.default_rng(0)
    return lambda shape: rng.normal(size=shape).astype(dtype)


def bits(weights: Weights) -> Any:
    found = [*(p.items() for p in weights.params), *(r._asdict().items() if r else () for r in weights.running)]
    return [[(name, a.dtype.str, a.shape, a.tobytes()) for name, a in each] for each in found]


WEIGHTS = drawn(NET, normal())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights"


@both
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_weights_come_back_bit_for_bit(path: Path, save: Any, load: Any, dtype: str) -> None:
    weights = drawn(NET, normal(dtype))
    save(path, *weights)
    found = load(path)
    assert bits(found) == bits(weights)
    assert network_to_plain(found.network) == network_to_plain(NET)
    save(path, *found)
    assert bits(load(path)) == bits(weights)


FINITE = {
    dtype: st.integers(0, 2 ** (8 * np.dtype(dtype).itemsize) - 1)
    .map(lambda bits, dtype=dtype: np.array(bits, f"u{np.dtype(dtype).itemsize}").view(dtype)[()])
    .filter(np.isfinite)
    for dtype in ("float16", "float32", "float64")
}


@given(data=st.data(), dtype=st.sampled_from(list(FINITE)), sizes=st.lists(st.integers(1, 4), min_size=2, max_size=4))
def test_any_finite_number_comes_back(
    tmp_path_factory: pytest.TempPathFactory, data: Any, dtype: str, sizes: list[int]
) -> None:
    """Every bit pattern that is a finite number: the smallest, the largest, minus zero."""
    path = tmp_path_factory.mktemp("any") / "weights"

    def draw(shape: tuple[int, ...]) -> Any:
        count = int(np.prod(shape))
        return np.array(data.draw(st.lists(FINITE[dtype], min_size=count, max_size=count)), dtype).reshape(shape)

    weights = drawn(manual.mlp(sizes, "relu", "softplus", bias=data.draw(st.booleans())), draw)
    for save, load in BOTH:
        save(path, *weights)
        assert bits(load(path)) == bits(weights)


@both
@pytest.mark.parametrize("laid", [np.asfortranarray, torch.tensor], ids=["Fortran order", "torch"])
def test_laid_otherwise_and_from_torch(path: Path, save: Any, load: Any, laid: Callable[[Any], Any]) -> None:
    draw = normal()
    save(path, *drawn(NET, lambda shape: laid(draw(shape))))
    assert bits(load(path)) == bits(WEIGHTS)


@both
def test_running_statistics_are_needed_with_batch_norm_only(path: Path, save: Any, load: Any) -> None:
    with pytest.raises(ValueError, match=r"running\.1\.mean \(4,\) is missing"):
        save(path, NET, WEIGHTS.params)
    assert not path.exists()
    net = manual.mlp([2, 1])
    save(path, net, net.init(0))
    assert load(path).running == (None,)


@both
@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"params": WEIGHTS.params[:4]}, ValueError, r"params\.4\.W \(2, 4\) is missing"),
        ({"network": manual.mlp([3, 4])}, ValueError, "is not expected"),
        ({"params": ({**WEIGHTS.params[0], "W": torch.zeros(4, 3, dtype=torch.bfloat16)}, *WEIGHTS.params[1:])},
         TypeError, r"params\.0\.W: dtype is torch\.bfloat16"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_written(
    path: Path, save: Any, load: Any, change: dict[str, Any], error: type, says: str
) -> None:
    save(path, *WEIGHTS)
    content = path.read_bytes()
    with pytest.raises(error, match=says):
        save(path, *WEIGHTS._replace(**change))
    assert path.read_bytes() == content
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@both
def test_a_missing_file(path: Path, save: Any, load: Any) -> None:
    with pytest.raises(FileNotFoundError):
        load(path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        save(path / "in" / "nowhere", *WEIGHTS)


# .npz


def test_numpy_reads_the_npz_by_the_lectures_names(path: Path) -> None:
    save_npz(path, *WEIGHTS)
    with np.load(path) as opened:
        assert opened.files == ["network", *NAMES]
        np.testing.assert_array_equal(opened["W2"], WEIGHTS.params[4]["W"])
        np.testing.assert_array_equal(opened["running_var1"], WEIGHTS.running[1].var)
        assert json.loads(str(opened["network"]))[2] == {"LeakyReLU": {"slope": 0.1}}


def test_npz_keeps_nan_and_infinity(path: Path) -> None:
    weights = drawn(NET, lambda shape: np.resize([np.nan, -np.inf, 1.0], shape))
    save_npz(path, *weights)
    assert bits(load_npz(path)) == bits(weights)


class Bomb:
    """Unpickled, it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


def entries() -> dict[str, Any]:
    net = manual.mlp([2, 1])
    return {
        "network": '[{"Linear": {"n_in": 2, "n_out": 1, "bias": true}}]',
        "W1": net.init(0)[0]["W"],
        "b1": np.ones(1),
    }


@pytest.mark.parametrize("name", ["W1", "network", "more"])
def test_objects_in_an_npz_are_never_unpickled(path: Path, name: str) -> None:
    trace = path.with_name("trace")
    with path.open("wb") as file:
        np.savez(file, **{**entries(), name: np.array([Bomb(trace)], dtype=object)})
    with pytest.raises(ValueError, match=r"weights: is no .npz of weights.*Object arrays cannot be loaded"):
        load_npz(path)
    path.write_bytes(pickle.dumps(Bomb(trace)))
    for load in (load_npz, load_text):
        with pytest.raises(ValueError, match="weights: "):
            load(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"W1": None}, r"W1 \(1, 2\) is missing in the file"),
        ({"network": None}, "is no .npz of weights"),
        ({"W1": np.ones((2, 1))}, r"W1 is \(2, 1\) in the file, expected \(1, 2\)"),
        ({"W3": np.ones(2)}, r"W3 \(2,\) in the file is not expected"),
        ({"W1": np.ones((1, 2), int)}, "W1: dtype is int64, expected float16"),
        ({"W1": np.array([["a", "b"]])}, "W1: dtype is "),
        ({"network": '[{"Conv": {}}]'}, "unknown kind 'Conv'; known: Linear"),
        ({"network": "no JSON"}, "weights: "),
        ({"network": "[" * 100_000}, "weights: "),
        ({"network": np.ones(3)}, "weights: "),
    ],
)
def test_an_npz_that_does_not_fit_itself(path: Path, change: dict[str, Any], says: str) -> None:
    with path.open("wb") as file:
        np.savez(file, **{name: a for name, a in (entries() | change).items() if a is not None})
    with pytest.raises(ValueError, match=f"weights: .*{says}" if says != "weights: " else says):
        load_npz(path)


def test_a_foreign_or_cut_npz(path: Path) -> None:
    save_npz(path, *WEIGHTS)
    content = path.read_bytes()
    array = io.BytesIO()
    np.save(array, np.ones(3))
    for bad in (b"", b"abc", b"text " * 100, array.getvalue(), *(content[:n] for n in range(0, len(content), 97))):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"weights: is no .npz of weights, or a damaged one \(no zip archive\)"):
            load_npz(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ValueError, match=r"weights: is no .npz of weights"):
        load_npz(path)


def test_a_damaged_bit_of_an_npz_changes_no_number(path: Path) -> None:
    save_npz(path, *WEIGHTS)
    content, rng, told = path.read_bytes(), np.random.default_rng(0), 0
    for i in rng.permutation(len(content))[:400]:
        damaged = bytearray(content)
        damaged[i] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            found = load_npz(path)
        except ValueError:
            told += 1
        else:
            assert bits(found) == bits(WEIGHTS)
    assert told > 200


# Text


XOR = """handgrad weights 1, layers: 2
layer 0: {"Linear": {"n_in": 3, "n_out": 2, "bias": true}}
layer 1: {"Tanh": {}}
W1: 2 x 3, float64
0.5 -0.0 1e-05
1.0 2.0 0.1
b1: 2, float64
3.0 4.0
end
"""


def test_the_text_is_this(path: Path) -> None:
    params = ({"W": np.array([[0.5, -0.0, 1e-5], [1, 2, 0.1]]), "b": np.array([3.0, 4])}, {})
    save_text(path, manual.mlp([3, 2], output="tanh"), params)
    assert path.read_bytes() == XOR.encode("ascii")
    titles = [line.split(":")[0] for line in path.read_text("ascii").splitlines() if line[0] in "Wb"]
    assert titles == ["W1", "b1"]


def test_every_array_has_the_lectures_name(path: Path) -> None:
    save_text(path, *WEIGHTS)
    titles = re.findall(r"^(\w+): (?:\d+ x )?\d+, float64$", path.read_text("ascii"), re.MULTILINE)
    assert titles == NAMES


@pytest.mark.parametrize(
    "edited",
    [
        XOR.replace("\n", "\r\n"),
        "\ufeff" + XOR,
        XOR + "\n\n",
        XOR.replace("0.5 -0.0", "   0.5\t -0.0").replace("1.0 2.0 ", "1 2 "),
        XOR.removesuffix("\n"),
    ],
    ids=["Windows line ends", "byte-order mark", "empty lines", "other blanks", "no last line end"],
)
def test_an_editor_may_have_been_there(path: Path, edited: str) -> None:
    path.write_text(edited, encoding="utf-8", newline="")
    assert load_text(path).params[0]["W"].tolist() == [[0.5, -0.0, 1e-5], [1, 2, 0.1]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "ends after line 0, expected 'handgrad weights 1, layers: ': the file was cut short"),
        ("some text\n", "line 1: 'some text', expected 'handgrad weights 1, layers: '"),
        (XOR.replace("weights 1", "weights 2"), "line 1: 'handgrad weights 2, layers: 2', expected"),
        (XOR.replace("layers: 2", "layers: two"), "line 1: invalid literal"),
        (XOR.replace("layers: 2", "layers: 3"), "line 4: 'W1: 2 x 3, float64', expected 'layer 2: '"),
        (XOR.replace("layers: 2", "layers: 0"), "layers is empty"),
        (XOR.replace("end\n", ""), "ends after line 8, expected 'end': the file was cut short"),
        (XOR[: XOR.index("b1")], "ends after line 6, expected 'b1: 2, '"),
        (XOR[: XOR.index("1.0 2.0")], "ends after line 5, expected more numbers: the file was cut short"),
        (XOR.replace("1.0 2.0 0.1", "1.0 2.0"), "line 6: '1.0 2.0', expected 3 finite numbers"),
        (XOR.replace("1.0 2.0 0.1", "1.0 2.0 0.1 7"), "line 6: '1.0 2.0 0.1 7', expected 3 finite numbers"),
        (XOR.replace("2.0", "two"), "line 6: could not convert"),
        (XOR.replace("2.0", "nan"), "line 6: '1.0 nan 0.1', expected 3 finite numbers"),
        (XOR.replace("2.0", "1e999"), "line 6: '1.0 1e999 0.1', expected 3 finite numbers"),
        (XOR.replace("2 x 3, float64", "2 x 3, float32").replace("2.0", "1e39"), "expected 3 finite numbers"),
        (XOR.replace("2 x 3, float64", "2 x 3, int8"), "line 4: 'W1: 2 x 3, int8', expected one of float16, float32"),
        (XOR.replace("W1: 2 x 3", "W1: 3 x 2"), "line 4: 'W1: 3 x 2, float64', expected 'W1: 2 x 3, '"),
        (XOR.replace("1.0 2.0 0.1\n", ""), "line 6: could not convert"),
        (XOR.replace("Tanh", "os.system"), "layer 1: unknown kind 'os.system'; known: Linear"),
        (XOR.replace('{"Tanh": {}}', "tanh"), "line 3: "),
        (XOR.replace('{"Tanh": {}}', "[" * 100_000), "line 3: "),
        (XOR.replace('"n_in": 3', '"n_in": 0'), "n_in is 0, expected a whole number, 1 or more"),
        (XOR + "more\n", "line 10: 'more', expected nothing after 'end'"),
        (XOR.replace("end", "end of it"), "line 9: 'end of it', expected 'end'"),
    ],
)
def test_damaged_text_is_told_with_its_line(path: Path, text: str, says: str) -> None:
    path.write_text(text, encoding="ascii")
    with pytest.raises(ValueError, match="weights") as told:
        load_text(path)
    assert str(told.value).startswith(str(path))
    assert says in str(told.value)


def test_bytes_that_are_no_text(path: Path) -> None:
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ValueError, match="weights: no text at byte 0"):
        load_text(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_text_takes_finite_numbers_only(path: Path, bad: float) -> None:
    net = manual.mlp([2, 1])
    with pytest.raises(ValueError, match="b1: has entries that are nan or infinite"):
        save_text(path, net, ({"W": np.ones((1, 2)), "b": np.array([bad])},))
    assert not path.exists()


def test_no_source_line_could_load_a_pickle() -> None:
    files = list(Path(manual.__file__).parent.rglob("*.py"))
    assert len(files) > 30
    code = re.compile(r"import pickle|pickle\.load|allow_pickle=True|torch\.load\(|joblib|(?<![.\w])(eval|exec)\(")
    assert [file.name for file in files if code.search(file.read_text("utf-8"))] == []
