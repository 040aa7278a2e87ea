"""Which columns of a table are learned and from which, columns of words, and scaling learned from some of the rows."""

from pathlib import Path

import numpy as np
import pytest

from handgrad.experiment.datasets import DataError, Form, load

RNG = np.random.default_rng(3)
N = 12
NUMBERS = RNG.normal(5, 2, size=(N, 3)).round(3)
COLOURS = [("red", "blue", "green")[i % 3] for i in range(N)]
KINDS = [("cat", "dog")[i % 2] for i in range(N)]
ROWS = [[*map(str, NUMBERS[i]), COLOURS[i], KINDS[i]] for i in range(N)]
HEADER = ["x", "z", "w", "colour", "kind"]


def write(folder: Path, rows: list[list[str]], header: list[str] | None, name: str = "own.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(map(",".join, [header, *rows] if header else rows)) + "\n")
    return path


@pytest.mark.parametrize("header", [HEADER, None])
@pytest.mark.parametrize("by_number", [True, False])
def test_target_and_columns_are_chosen(tmp_path: Path, header: list[str] | None, by_number: bool) -> None:
    path = write(tmp_path, ROWS, header)
    names = ["2", "1", "4"] if by_number or header is None else ["z", "x", "colour"]
    data = load(path, target=names[0], drop=names[1:])
    of = ["w", "kind", "z"] if header else ["column 3", "column 5", "column 2"]
    assert (data.form.columns, data.form.target_name) == (tuple(of[:2]), of[2])
    assert data.form.words == ((), ("cat", "dog"))
    assert [data.form.input_name(j) for j in range(3)] == [of[0], f"{of[1]} = cat", f"{of[1]} = dog"]
    assert data.form.target_scaling is not None
    assert np.allclose(data.form.target_scaling.undo(np.asarray(data.target))[:, 0], NUMBERS[:, 1])
    assert np.allclose(data.scaling.undo(data.x), np.column_stack([NUMBERS[:, 2], *(np.eye(2)[[0, 1] * 6].T)]))
    form = Form.from_json(data.form.to_json())
    assert form == data.form
    for again in (path, write(tmp_path, [[r[2], r[4]] for r in ROWS], header and [of[0], of[1]], "inputs.csv")):
        found = load(again, form)
        assert np.array_equal(found.x, data.x)
        assert (found.target is None) == (again != path)


def test_a_column_of_words_has_an_input_for_each(tmp_path: Path) -> None:
    data = load(write(tmp_path, ROWS, HEADER))
    assert (data.form.n_in, data.form.classes) == (6, ("cat", "dog"))
    assert np.array_equal(data.x[:, 3:], np.eye(3)[[("blue", "green", "red").index(c) for c in COLOURS]])
    assert np.allclose(data.x[:, :3].std(0), 1)
    other = write(tmp_path, [["red", "1", "2", "3"]], ["colour", "x", "z", "w"], "other.csv")
    assert load(other, data.form).x[0, 3:].tolist() == [0, 0, 1]
    strange = write(tmp_path, [*ROWS[:2], ["1", "2", "3", "pink", "cat"]], HEADER, "strange.csv")
    with pytest.raises(DataError, match=r"row 4, column 4 \(colour\): 'pink', expected a word .*: blue, green, red"):
        load(strange, data.form)


FAULTS = {
    "a number among words": (3, "7", r"row 13, column 4 \(colour\): '7', expected a word as in the rows before"),
    "no word": (
        3,
        "",
        r"row 13, column 4 \(colour\): a missing value; fill it in, or leave the row out, or the column",
    ),
    "a word among numbers": (0, "big", r"row 13, column 1 \(x\): 'big', expected a number; write numbers in every row"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_in_words(tmp_path: Path, fault: str) -> None:
    j, cell, message = FAULTS[fault]
    rows = [*ROWS[:-1], [cell if k == j else own for k, own in enumerate(ROWS[-1])]]
    with pytest.raises(DataError, match=message):
        load(write(tmp_path, rows, HEADER))


def test_names_are_no_kinds(tmp_path: Path) -> None:
    rows = [[f"name {i}", str(i), KINDS[i]] for i in range(N)]
    path = write(tmp_path, rows, ["name", "age", "kind"])
    with pytest.raises(DataError, match=r"column 1 \(name\): 12 different words in 12 rows, .* \(--drop 'name';"):
        load(path)
    assert load(path, drop=["name"]).form.columns == ("age",)


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    path = write(tmp_path, ROWS, HEADER)
    for how, message in (
        ({"target": "q"}, "--target: no column 'q'; the columns are x, z, w, colour, kind, or a number from 1"),
        ({"drop": ["6"]}, "--drop: no column '6'"),
        ({"target": "x", "drop": ["x"]}, "'x' is the target, and left out by --drop; choose one of the two"),
        ({"drop": HEADER}, "--drop leaves no column"),
        ({"drop": HEADER[:-1]}, "no inputs beside the target"),
    ):
        with pytest.raises(DataError, match=message):
            load(path, **how)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"digits: has no columns to choose from; --target and --drop are for \.csv"):
        load("digits", target="x")


def test_a_coordinate_called_y_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, [[*row[:3], row[4]] for row in ROWS], ["x", "y", "z", "kind"])
    with pytest.warns(UserWarning, match=r"the target is 'y', for its name; .* say so: --target 'kind'") as caught:
        assert load(path).form.target_name == "y"
    assert caught[0].filename == __file__
    assert load(path, target="kind").form.columns == ("x", "y", "z")


@pytest.mark.parametrize("target", ["w", "kind"])
def test_scaling_is_learned_from_the_rows_trained_on(tmp_path: Path, target: str) -> None:
    rows = np.arange(2, N)
    data = load(write(tmp_path, ROWS, HEADER), target=target, learned=lambda n: rows)
    columns = [0, 1] if target == "w" else [0, 1, 2]
    own = NUMBERS[:, columns]
    at = [0, 1] if target == "w" else [0, 1, 2]
    assert np.allclose(data.x[:, at], (own - own[rows].mean(0)) / own[rows].std(0), rtol=1e-12)
    assert np.abs(data.x[rows][:, at].mean(0)).max() < 1e-14
    if target == "w":
        w = NUMBERS[:, 2]
        assert np.allclose(np.asarray(data.target)[:, 0], (w - w[rows].mean()) / w[rows].std(), rtol=1e-12)


def test_inputs_can_stay_as_they_are(tmp_path: Path) -> None:
    data = load(write(tmp_path, ROWS, HEADER), standardise=False)
    assert np.array_equal(data.x[:, :3], NUMBERS)
    assert np.array_equal(load(write(tmp_path, ROWS, HEADER), data.form).x, data.x)
    assert load("digits", standardise=False).x.max() == 16


def test_a_target_without_a_name_beside_inputs_with_names_is_the_last_column(tmp_path: Path) -> None:
    """Only where the columns were learned by their numbers is it open which of them are here."""
    rows = [["1", "2", "3.5"], ["2", "1", "4.5"], ["3", "5", "1.5"], ["4", "0", "2.5"]]
    form = load(write(tmp_path, rows, ["a", "b", ""])).form
    assert (form.columns, form.target_name) == (("a", "b"), "column 3")
    with pytest.warns(UserWarning, match="taken for a, b, column 3, in the order"):
        assert load(write(tmp_path, rows, None, "bare.csv"), form).target is not None


def test_without_names_the_width_must_tell_the_columns(tmp_path: Path) -> None:
    form = load(write(tmp_path, ROWS, None), target="5", drop=["2"]).form
    assert len(load(write(tmp_path, ROWS, None, "all.csv"), form).x) == N
    with pytest.raises(DataError, match="4 columns, expected 3 as in the data learned from"):
        load(write(tmp_path, [row[:4] for row in ROWS], None, "b.csv"), form)


def test_names_with_commas_are_quoted(tmp_path: Path) -> None:
    rows = [[*row[:4], ('"oak, red"', "ash")[i % 2]] for i, row in enumerate(ROWS)]
    path = write(tmp_path, rows, HEADER)
    assert load(path).title.endswith("2 classes ('ash', 'oak, red')")
    with pytest.raises(DataError, match=r"no column 'q, r'; the columns are x, z, w, colour, kind, or"):
        load(path, drop=["q, r"])


def test_a_single_row_is_too_few_whatever_stands_in_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 row of data, expected"):
        load(write(tmp_path, ROWS[:1], HEADER))


def test_what_was_learned_from_cannot_be_left_out(tmp_path: Path) -> None:
    """A network that is trained wants its columns: no message tells to drop one."""
    form = load(write(tmp_path, ROWS, HEADER)).form
    for cell, message in {"": "a missing value; fill it in, or leave the row out$", "big": "in every row$"}.items():
        other = write(tmp_path, [*ROWS, [cell, *ROWS[0][1:]]], HEADER, "other.csv")
        with pytest.raises(DataError, match=message):
            load(other, form)
