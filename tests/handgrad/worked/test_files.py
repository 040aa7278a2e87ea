"""A network of the reader's own, from JSON and from .npz; what is wrong in it is said in words."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.worked.example import draw_example
from handgrad.worked.files import load_file

GOOD: dict[str, Any] = {
    "title": "mine", "activation": "tanh", "loss": "half",
    "W1": [[0.5, -1.0], [0.25, 2.0]], "b1": [0.0, 0.1], "W2": [[1.0, -2.0]], "b2": [0.3], "x": [1.0, 0.5], "t": [0.2],
}  # fmt: skip


def write(path: Path, **changed: Any) -> Path:
    """GOOD with these changes; None leaves a name out."""
    content = {name: value for name, value in (GOOD | changed).items() if value is not None}
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_json_and_npz_hold_the_same(tmp_path: Path) -> None:
    from_json = load_file(write(tmp_path / "net.json"), "sigmoid", "mse")
    np.savez(tmp_path / "net.npz", **{name: np.array(value) for name, value in GOOD.items()})
    from_npz = load_file(tmp_path / "net.npz", "sigmoid", "mse")
    for found in (from_json, from_npz):
        assert (found.title, found.activation, found.loss, found.sizes) == ("mine", "tanh", "half", (2, 2, 1))
        assert found.params[0]["W"].tolist() == GOOD["W1"]
        assert found.params[2]["b"].tolist() == GOOD["b2"]
        assert found.x.tolist() == [GOOD["x"]]


def test_what_the_file_does_not_say_is_taken_from_the_command(tmp_path: Path) -> None:
    file = write(tmp_path / "net.json", title=None, activation=None, loss=None, b1=None, b2=None)
    found = load_file(file, "relu", "mse")
    assert (found.title, found.activation, found.loss) == ("net", "relu", "mse")
    assert "b" not in found.params[0]


def test_one_class_is_a_target(tmp_path: Path) -> None:
    file = write(tmp_path / "net.json", W2=[[1, 2], [3, 4], [5, 6]], b2=[0, 0, 0], t=2, loss="cross_entropy")
    assert load_file(file, "tanh", "half").t.tolist() == [[0, 0, 1]]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no x": ({"x": None}, "net.json: has no x; FILE is JSON"),
    "no W1": ({"W1": None, "W2": None}, "has no W1"),
    "a name": ({"weights": 1}, "has 'weights', which is not known"),
    "a gap": ({"W2": None, "b2": None, "W3": [[1.0, -2.0]]}, "has 'W3', which is not known"),
    "W": ({"W1": [0.5, 1.0]}, r"W1: shape is \(2,\), expected \(n_out, n_in\)"),
    "ragged": ({"W1": [[0.5], [1.0, 2.0]]}, "W1: got .*, expected numbers, in rows of equal length"),
    "words": ({"W1": [["a", "b"]]}, "W1: got .*, expected numbers"),
    "nan": ({"x": [float("nan"), 1.0]}, "x: has values that are nan or infinite"),
    "widths": ({"W2": [[1.0, 2.0, 3.0]]}, "W2: its rows have 3 weights, but 2 units come before it"),
    "b": ({"b1": [1.0]}, r"b1: shape is \(1,\), expected \(2,\): a bias for each row of W1"),
    "some biases": ({"b2": None}, "biases: some layers have them and some have none"),
    "x": ({"x": [1.0, 2.0, 3.0]}, r"x: shape is \(3,\), expected 2 numbers"),
    "two samples": ({"x": [[1.0, 2.0], [3.0, 4.0]]}, "x: 2 samples; a worked example shows one, give one row"),
    "t": ({"t": [1.0, 2.0]}, r"t: shape is \(2,\), expected 1 numbers"),
    "activation": ({"activation": "gelu"}, "activation: got 'gelu', expected one of sigmoid, tanh, relu"),
    "loss": ({"loss": "hinge"}, "loss: got 'hinge', expected one of half, squared, mse"),
    "binary": ({"loss": "binary_cross_entropy", "t": [2.0]}, "t: .*expected numbers from 0 to 1"),
    "class": ({"loss": "cross_entropy", "W2": [[1, 2], [3, 4]], "b2": [0, 0], "t": 2}, "t: class 2 for 2 outputs"),
    "probabilities": (
        {"loss": "cross_entropy", "W2": [[1, 2], [3, 4]], "b2": [0, 0], "t": [0.5, 0.6]},
        "t: .*expected probabilities that sum to 1, or one class",
    ),
    "one class": ({"loss": "cross_entropy"}, "loss: cross_entropy chooses among classes, but there is one output"),
    "too big": (
        {"W1": [[0.1, 0.2]] * 7, "b1": [0.0] * 7, "W2": [[0.1] * 7]},
        "layers: 2-7-1 is too big to draw .*; at most 4 layers of at most 6 units",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str, tmp_path: Path) -> None:
    changed, words = WRONG[name]
    with pytest.raises(ValueError, match=words):
        load_file(write(tmp_path / "net.json", **changed), "tanh", "half")


def test_files_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "net.json"
    for content, words in (
        (b"{", "is no JSON"), (b"[1, 2]", "holds a list, expected names"), (b"\x93NUMPY\xff", "is neither JSON nor an"),
    ):  # fmt: skip
        file.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            load_file(file, "tanh", "half")
    with pytest.raises(FileNotFoundError):
        load_file(tmp_path / "none.json", "tanh", "half")
    np.savez(tmp_path / "objects.npz", W1=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"is no \.npz of plain numbers"):
        load_file(tmp_path / "objects.npz", "tanh", "half")


@pytest.mark.parametrize("sizes", [(2,), (2, 0, 1)])
def test_a_network_without_layers_or_units_is_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"layers: got .*, expected the number of inputs, then of units in each layer"):
        draw_example(sizes, "tanh", "half", 0)


def test_a_drawn_example_is_the_same_again() -> None:
    one, again, other = (draw_example((2, 3, 2), "tanh", "cross_entropy", seed) for seed in (1, 1, 2))
    assert one.params[0]["W"].tolist() == again.params[0]["W"].tolist() != other.params[0]["W"].tolist()
    assert np.array_equal(one.x, np.round(one.x, 2))
    assert one.t.sum() == 1
