"""Prediction repeats what training did to its data, from text alone."""

import json
from pathlib import Path

import numpy as np
import pytest

from handgrad.experiment.datasets import Data, DataError, Form, Scaling, load

RNG = np.random.default_rng(5)
X, LABELS = RNG.normal(3, 2, size=(30, 3)).round(4), RNG.integers(0, 3, 30)
WORDS = ["rot", "grün", "blau"]


def write(folder: Path, name: str, columns: dict[str, list[object]], header: bool = True) -> Path:
    path = folder / name
    lines = [",".join(columns)] * header + [",".join(map(str, row)) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def columns(rows: slice = slice(None)) -> dict[str, list[object]]:
    return {name: X[rows, j].tolist() for j, name in enumerate("abc")} | {"kind": [WORDS[k] for k in LABELS[rows]]}


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Data, Form]:
    data = load(write(tmp_path, "train.csv", columns()))
    return data, Form.from_json(data.form.to_json())


def test_a_form_survives_as_text(trained: tuple[Data, Form], tmp_path: Path) -> None:
    data, form = trained
    assert form == data.form
    assert (form.n_in, form.n_out) == (3, 3)
    assert form.classes == ("blau", "grün", "rot")
    fitted = load(write(tmp_path, "fitted.csv", {"a": X[:, 0].tolist(), "b": X[:, 1].tolist()})).form
    assert Form.from_json(fitted.to_json()) == fitted
    assert (fitted.n_out, fitted.classes) == (1, None)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "7", '{"n_in": 1}', "[" * 100_000])
def test_other_text_is_no_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"form: got .*, expected what Form\.to_json writes"):
        Form.from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        {"scaling": [1, 2]},
        {"scaling": [[0, 0], [1, 1]]},
        {"scaling": [[0], [0]]},
        {"scaling": [[float("nan")], [1]]},
        {"columns": ["a"]},
        {"classes": None},
        {"target_scaling": [[0], [1]]},
        {"context": 2},
    ],
)
def test_a_form_that_was_tampered_with_is_refused(trained: tuple[Data, Form], change: dict[str, object]) -> None:
    plain = json.loads(trained[1].to_json()) | change
    with pytest.raises(ValueError, match="form: got"):
        Form.from_json(json.dumps(plain))


def test_a_part_of_the_file_gets_the_bits_it_had(trained: tuple[Data, Form], tmp_path: Path) -> None:
    data, form = trained
    part = load(write(tmp_path, "part.csv", columns(slice(4, 9))), form)
    assert np.array_equal(part.x, data.x[4:9])
    assert np.array_equal(np.asarray(part.target), np.asarray(data.target)[4:9])


def test_inputs_are_found_by_name_and_the_target_may_be_missing(trained: tuple[Data, Form], tmp_path: Path) -> None:
    data, form = trained
    all_of = columns(slice(0, 1))
    mixed = {"more": [7], "c": all_of["c"], "a": all_of["a"], "b": all_of["b"]}
    found = load(write(tmp_path, "mixed.csv", mixed), form)
    assert np.array_equal(found.x, data.x[:1])
    assert found.target is None
    assert found.form is form


@pytest.mark.parametrize("target", [True, False])
def test_without_a_header_the_order_counts(trained: tuple[Data, Form], tmp_path: Path, target: bool) -> None:
    data, form = trained
    own = columns()
    if not target:
        del own["kind"]
    told = "a, b, c, kind" if target else "a, b, c"
    with pytest.warns(UserWarning, match=f"bare.csv: has no header, so its columns are taken for {told}, in") as caught:
        found = load(write(tmp_path, "bare.csv", own, header=False), form)
    assert caught[0].filename == __file__
    assert np.array_equal(found.x, data.x)
    assert (found.target is not None) == target


def test_targets_to_be_fitted_keep_the_scaling(tmp_path: Path) -> None:
    data = load(write(tmp_path, "all.csv", {"a": X[:, 0].tolist(), "b": X[:, 1].tolist()}))
    part = load(write(tmp_path, "part.csv", {"a": X[:5, 0].tolist(), "b": X[:5, 1].tolist()}), data.form)
    assert np.array_equal(np.asarray(part.target), np.asarray(data.target)[:5])
    words = write(tmp_path, "words.csv", {"a": X[:5, 0].tolist(), "b": ["big"] * 5})
    with pytest.raises(DataError, match=r"row 2, column 2 \(b\): 'big', expected a number"):
        load(words, data.form)


def test_what_does_not_fit_the_form_is_told(trained: tuple[Data, Form], tmp_path: Path) -> None:
    _, form = trained
    own = columns(slice(0, 5))
    with pytest.raises(DataError, match=r"row 4, column 4 \(kind\): label 'gelb', expected one of blau, grün, rot"):
        load(write(tmp_path, "a.csv", own | {"kind": ["rot", "blau", "gelb", "rot", "rot"]}), form)
    with pytest.raises(DataError, match="no column 'b', which the network was trained on"):
        load(write(tmp_path, "b.csv", {name: own[name] for name in ("a", "c", "kind")}), form)
    with pytest.raises(DataError, match="2 columns, expected 3 as in the data learned from, or the target too"):
        load(write(tmp_path, "c.csv", {name: own[name] for name in "ab"}, header=False), form)
    with pytest.raises(DataError, match="64 inputs, expected 3 as in the data learned from"):
        load("digits", form)
    with pytest.raises(DataError, match=r"row 2, column 1 \(a\): 1\.7e\+308 is too large for the scale"):
        load(write(tmp_path, "d.csv", own | {"a": [1.7e308] * 5}), form._replace(scaling=Scaling((0.0,), (1e-3,))))
    text = tmp_path / "a.txt"
    text.write_text("words " * 300)
    with pytest.raises(DataError, match="text, but the network was trained on numbers"):
        load(text, form)


def test_number_labels_fit_however_they_are_written(tmp_path: Path) -> None:
    form = load(write(tmp_path, "a.csv", {"a": [1, 2, 3, 5], "y": [0, 7, 7, 0]})).form
    assert form.classes == ("0", "7")
    found = load(write(tmp_path, "b.csv", {"a": [1, 2], "y": ["7.0", "0e0"]}), form)
    assert np.asarray(found.target).tolist() == [1, 0]
    with pytest.raises(DataError, match=r"label '0\.5', expected one of 0, 7"):
        load(write(tmp_path, "c.csv", {"a": [1, 2], "y": [7, 0.5]}), form)
