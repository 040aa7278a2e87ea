"""The .npz: names, shapes and dtypes that are understood, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.experiment.datasets import DataError, load
from handgrad.experiment.datasets.digits import digits

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(24, 3)), RNG.integers(0, 3, 24)


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "own.npz", **arrays)
    return folder / "own.npz"


def test_the_bundled_digits() -> None:
    data, same = load("digits"), digits()
    assert np.array_equal(data.x, same.x)
    assert np.array_equal(np.asarray(data.target), same.labels)
    assert data.classes == tuple("0123456789")
    assert (data.form.n_in, data.form.n_out) == (64, 10)


@pytest.mark.parametrize("names", [("x", "y"), ("X", "y"), ("images", "labels"), ("x_train", "y_train")])
def test_names(tmp_path: Path, names: tuple[str, str]) -> None:
    data = load(saved(tmp_path, **dict(zip(names, (X, Y), strict=True)), more=X))
    assert np.allclose(data.x, (X - X.mean(0)) / X.std(0), rtol=1e-12)
    assert np.array_equal(np.asarray(data.target), Y)


@pytest.mark.parametrize("dtype", ["uint8", "int64", "float32", "U2", "column", "one-hot"])
def test_labels_of_every_dtype_are_classes(tmp_path: Path, dtype: str) -> None:
    y = {"column": Y[:, None], "one-hot": np.eye(3)[Y]}.get(dtype)
    data = load(saved(tmp_path, x=X, y=Y.astype(dtype) if y is None else y))
    assert data.classes == ("0", "1", "2")
    assert np.array_equal(np.asarray(data.target), Y)
    again = load(saved(tmp_path, x=X, y=Y.astype(dtype) if y is None else y), data.form)
    assert np.array_equal(np.asarray(again.target), Y)


def test_words_and_truth_values(tmp_path: Path) -> None:
    words = np.array(["schön", "gut", "gut"])[Y]
    assert load(saved(tmp_path, x=X, y=words)).classes == ("gut", "schön")
    data = load(saved(tmp_path, x=X, y=Y > 0))
    assert data.classes == ("0", "1")
    assert np.array_equal(np.asarray(data.target), Y > 0)


def test_several_numbers_to_be_fitted(tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=X, y=X[:, :2] * 100 + 7))
    assert data.classes is None
    assert data.form.n_out == 2
    assert np.allclose(np.asarray(data.target), data.x[:, :2], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int64", "float64", "uint8", "U2"])
def test_whole_numbers_are_fitted_where_that_is_asked_for(tmp_path: Path, dtype: str) -> None:
    path = saved(tmp_path, x=X, y=(Y + 20).astype(dtype))
    assert load(path).classes == ("20", "21", "22")
    data = load(path, fit=True)
    assert data.classes is None
    assert data.form.target_scaling is not None
    assert np.allclose(data.form.target_scaling.undo(np.asarray(data.target))[:, 0], Y + 20, rtol=1e-14)
    assert load(saved(tmp_path, x=X, y=np.array(["a", "b", "c"])[Y]), fit=True).classes == ("a", "b", "c")
    assert load("digits", fit=True).classes == tuple("0123456789")


def test_minus_one_and_one_are_classes(tmp_path: Path) -> None:
    data = load(saved(tmp_path, x=X, y=np.where(Y > 0, 1, -1)))
    assert data.classes == ("-1", "1")
    assert np.array_equal(np.asarray(data.target), Y > 0)
    again = load(saved(tmp_path, x=X, y=np.where(Y > 0, 1.0, -1.0)), data.form)
    assert np.array_equal(np.asarray(again.target), Y > 0)


def test_images_of_bytes_are_divided_by_the_largest(tmp_path: Path) -> None:
    images = RNG.integers(0, 200, (24, 4, 5), dtype=np.uint8)
    images[3, 2, 1], images[:, 0, 0] = 250, 9  # a constant pixel is no reason for a warning
    data = load(saved(tmp_path, images=images, labels=Y))
    assert np.array_equal(data.x, images.reshape(24, 20) / 250)
    part = load(saved(tmp_path, images=images[5:7]), data.form)
    assert np.array_equal(part.x, data.x[5:7])
    assert part.target is None


@pytest.mark.parametrize("x", [X[:, 0], X.reshape(24, 3, 1), (X * 100).astype(np.int32), X > 0, X.astype(np.float16)])
def test_inputs_of_every_shape_and_dtype(tmp_path: Path, x: Any) -> None:
    flat = x.reshape(24, -1).astype(float)
    data = load(saved(tmp_path, x=x, y=Y))
    assert data.x.dtype == np.float64
    assert np.allclose(data.x, (flat - flat.mean(0)) / flat.std(0), rtol=1e-12)


BROKEN = np.where(np.arange(72).reshape(24, 3) == 13, np.nan, X)
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "other names": ({"x": X, "z": Y}, "holds 'x', 'z', expected arrays named x and y, X and y, images and labels"),
    "nothing": ({}, "holds nothing, expected arrays named"),
    "objects": ({"x": X, "y": np.array([None] * 24)}, "is no .npz of plain numbers"),
    "counts": ({"x": X, "y": Y[:20]}, "24 inputs but 20 labels"),
    "nan": ({"x": BROKEN, "y": Y}, r"x\[4\], number 1: a missing value \(nan\)"),
    "complex": ({"x": X + 1j, "y": Y}, "the inputs are complex128, expected real numbers"),
    "words": ({"x": X.astype(str), "y": Y}, "the inputs are <U"),
    "bytes": ({"x": X, "y": Y.astype("S1")}, r"the labels are \|S1, expected numbers or words"),
    "scalar": ({"x": np.float64(3), "y": Y}, "x is a single value"),
    "no rows": ({"x": X[:0], "y": Y[:0]}, "0 rows of data"),
    "no columns": ({"x": X[:, :0], "y": Y}, "no inputs beside the target"),
    "no target columns": ({"x": X, "y": X[:, :0]}, "no numbers in the labels"),
    "every row its own": ({"x": X, "y": np.arange(24)}, "24 different labels .* numbers to be fitted: --loss mse"),
    "one class": ({"x": X, "y": 0 * Y + 4}, "every label is '4'"),
    "one class, one-hot": ({"x": X, "y": np.eye(3)[0 * Y + 1]}, "every label is 1, expected two classes"),
    "negative": ({"x": X, "y": Y - 1}, r"y\[\d+\]: label -1 is negative"),
    "target nan": ({"x": X, "y": BROKEN[:, 1]}, r"y\[4\]: the label is not finite"),
    "words without end": ({"x": X, "y": np.arange(24).astype("U4") + "a"}, "24 different labels .* more than 20$"),
    "constant target": ({"x": X, "y": np.hstack([X, 0 * X + 2.5])}, "every target is 2.5"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told(tmp_path: Path, fault: str) -> None:
    arrays, message = FAULTS[fault]
    with pytest.raises(DataError, match=message) as error:
        load(saved(tmp_path, **arrays))
    assert "own.npz" in str(error.value)


def test_damaged_files(tmp_path: Path) -> None:
    whole = saved(tmp_path, x=X, y=Y).read_bytes()
    for data in (b"", b"no zip at all", whole[:-30], whole[: len(whole) // 2], whole[:120] + b"\xff" * 9 + whole[129:]):
        (tmp_path / "own.npz").write_bytes(data)
        with pytest.raises(DataError, match=r"own\.npz: is no \.npz of plain numbers, or a damaged one"):
            load(tmp_path / "own.npz")


def test_a_text_called_npz_gets_no_advice_about_pickles(tmp_path: Path) -> None:
    (tmp_path / "own.npz").write_text("1,2,3\n")
    with pytest.raises(DataError, match=r"is no \.npz of plain numbers, or a damaged one \(no zip archive\)$"):
        load(tmp_path / "own.npz")


def test_what_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    for name in ("own.npz", "own.csv", "own.txt", "train-images-idx3-ubyte", "own"):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / name)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.xlsx"
    path.write_bytes(b"PK\3\4 a spreadsheet")
    with pytest.raises(DataError, match=r"the ending '\.xlsx' is not known; expected \.npz, \.csv, \.tsv, \.txt"):
        load(path)
