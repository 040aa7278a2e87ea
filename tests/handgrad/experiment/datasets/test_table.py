"""Tables: every layout that is understood gives the same data, and every fault is told with its place."""

from pathlib import Path

import numpy as np
import pytest

from handgrad.experiment.datasets import DataError, load

ROWS = [f"{5 + i * i * 0.1:.2f},{3 - i % 4},{i % 7 * 1e-3},{('setosa', 'virginicä')[i % 2]}" for i in range(12)]
X = np.array([[5 + round(i * i * 0.1, 2), 3 - i % 4, i % 7 * 1e-3] for i in range(12)])


def write(folder: Path, text: str | bytes, name: str = "own.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def table(*lines: str) -> str:
    return "\n".join([*ROWS, *lines]) + "\n"


HEADER = "Größe,breadth, depth ,species\n"
LAYOUTS = {
    "plain": table(),
    "no end of line": table().rstrip("\n"),
    "header": HEADER + table(),
    "byte-order mark": "\ufeff" + HEADER + table(),
    "byte-order mark, no header": "\ufeff" + table(),
    "Windows": (HEADER + table()).replace("\n", "\r\n"),
    "old Mac": (HEADER + table()).replace("\n", "\r"),
    "semicolon": (HEADER + table()).replace(",", ";"),
    "tab": (HEADER + table()).replace(",", "\t"),
    "blank lines": "\n" + HEADER + "\n\n" + table() + " \n\n",
    "quoted": "\n".join('"' + row.replace(",", '","') + '"' for row in ROWS),
    "spaces": table().replace(",", " , "),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(tmp_path: Path, layout: str) -> None:
    data = load(write(tmp_path, LAYOUTS[layout]))
    assert np.allclose(data.x, (X - X.mean(0)) / X.std(0), rtol=1e-12, atol=1e-12)
    assert data.target is not None
    assert data.target.dtype == np.int64
    assert data.target.tolist() == [0, 1] * 6
    assert data.classes == ("setosa", "virginicä")
    named = "Größe" in LAYOUTS[layout]
    assert data.form.columns == (("Größe", "breadth", "depth") if named else ("column 1", "column 2", "column 3"))
    assert data.form.target_name == ("species" if named else "column 4")


def test_columns_have_mean_0_and_variance_1_and_can_be_undone(tmp_path: Path) -> None:
    data = load(write(tmp_path, table()))
    assert np.abs(data.x.mean(0)).max() < 1e-14
    assert np.abs((data.x**2).mean(0) - 1).max() < 1e-14
    assert np.allclose(data.scaling.undo(data.x), X, rtol=1e-14)


@pytest.mark.parametrize(
    ("header", "name", "columns"),
    [
        ("x,y,label", "label", ("x", "y")),
        ("Label,1,2", "Label", ("1", "2")),
        ("a,TARGET,y", "TARGET", ("a", "y")),
        ("Class,a,b", "Class", ("a", "b")),
        ("y,class,a", "class", ("y", "a")),
        ("a,b,y", "y", ("a", "b")),
        (",a,b", "b", ("column 1", "a")),
    ],
)
def test_the_target_is_found_by_name(tmp_path: Path, header: str, name: str, columns: tuple[str, ...]) -> None:
    data = load(write(tmp_path, header + "\n0,0,0\n0,1,1\n1,0,1\n1,1,0\n"))
    assert (data.form.target_name, data.form.columns, data.classes) == (name, columns, ("0", "1"))
    at = header.split(",").index(name) if name else 2
    assert data.target is not None
    assert data.target.tolist() == np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]])[:, at].tolist()


def test_a_quoted_cell_is_one_cell(tmp_path: Path) -> None:
    data = load(write(tmp_path, '1,2,"a, b"\n2,2.5,"c\r\nd"\n3,1,"a, b"\n4,4,"c\r\nd"\n'))
    assert data.classes == ("a, b", "c\r\nd")


PLACE = r"own\.csv, row {}: "
CELL = r"own\.csv, row {}, column {}: "
FAULTS = {
    "too few columns": (table("1,2,setosa"), PLACE.format(13) + "3 columns, expected 4 as in row 1"),
    "too many columns": (table("1,2,3,4,setosa"), PLACE.format(13) + "5 columns, expected 4"),
    "ragged, semicolon": (table("1,2,3").replace(",", ";"), PLACE.format(13) + "3 columns, expected 4"),
    "ragged, header": (HEADER + table("1"), PLACE.format(14) + "1 columns, expected 4 as in row 1"),
    "missing": (table("1,,3,setosa"), CELL.format(13, 2) + "a missing value; fill it in"),
    "missing, named": (HEADER + table("1,2,,setosa"), r"row 14, column 3 \(depth\): a missing value"),
    "NA": (table("1,2,NA,setosa"), CELL.format(13, 3) + r"a missing value \('NA'\)"),
    "nan": (table("nan,2,3,setosa"), r"row 13, column 1: a missing value \(nan\)"),
    "missing label": (table("\n1,2,3,"), CELL.format(14, 4) + "a missing value"),
    "text": (table("1,2,red,setosa"), CELL.format(13, 3) + "'red', expected a number; write numbers in every row"),
    "text, named": (HEADER + table("big,2,3,setosa"), r"row 14, column 1 \(Größe\): 'big', expected a number"),
    "decimal comma": (table().replace(",", ";").replace(".", ","), "'5,00', expected a number; write a decimal point"),
    "thousands": (table('"1,000",2,3,setosa'), "'1,000', expected a number; leave the thousands separator out"),
    "millions": (table('1,2,"-12,345,678.5",setosa'), "678.5', expected a number; leave the thousands separator out"),
    "a decimal comma before three digits": (table('"0,125",2,3,setosa'), "'0,125', .*; write a decimal point in place"),
    "infinite": (table("1,2,inf,setosa"), CELL.format(13, 3) + "inf, expected a finite number"),
    "too large for a double": (table("1,2e999,1,setosa"), CELL.format(13, 2) + "inf, expected a finite number"),
    "cannot be squared": (table("1e200,2,1,setosa"), "'column 1': its numbers reach from 5 to 1e.200"),
    "numbers among words": (table("1,2,3,7"), r"row 1, column 4: 'setosa', but '7' in row 13, column 4"),
    "one class": ("\n".join(ROWS[::2]), "every label is 'setosa', expected two classes or more"),
    "labels that are no classes": (
        "".join(f"{i},{i % 3},id{i}\n" for i in range(9)),
        r"own\.csv, 'column 3': 9 different labels .* no classes; .* 20; another column to be learned: --target COLUMN",
    ),
    "negative labels": (
        "1,2,1\n2,3,1\n3,3,-2\n4,4,-2\n",
        "row 3, column 3: label -2 is negative, .* are -2, 1; numb",
    ),
    "label not finite": ("1,2,1\n2,3,1\n3,3,0\n4,4,inf\n", r"row 4, column 3: the label is not finite"),
    "constant target": ("1,2,0.5\n2,3,0.5\n3,3,0.5\n4,4,0.5\n", "every target is 0.5, expected numbers that differ"),
    "names given twice": ("a,a,label\n" + "1,2,0\n2,3,1\n" * 4, "columns 1 and 2 are both called 'a'"),
    "one column": ("1\n2\n3\n4\n", "one column, expected two or more, parted by comma, semicolon or tab"),
    "quotation mark": (table('1,2,"3,setosa', "1,2,3,setosa"), "quotation mark without its partner"),
    "huge cell": (table('1,2,3,"' + "a" * 200_000 + '"'), "row 13: field larger than field limit"),
    "empty": ("", "is empty"),
    "only a mark": ("\ufeff", "is empty"),
    "blank": (" \r\n\r\n", "is empty"),
    "only a header": (HEADER, "0 rows of data, expected 4 or more"),
    "too few rows": ("\n".join(ROWS[:3]), "3 rows of data, expected 4 or more"),
    "Latin-1": (table("1,2,3,grün").encode("latin-1"), r"row 2: byte 39 is no UTF-8 \(0xe4, in Latin-1 'ä'\)"),
    "UTF-16": (table().encode("utf-16"), "row 1: the file is UTF-16; save it as UTF-8"),
    "no text": (b"\0\x80" * 50, "row 1: byte 1 is no UTF-8 \\(0x80\\): this is no text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_told_with_its_place(tmp_path: Path, fault: str) -> None:
    text, message = FAULTS[fault]
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=message) as error:
        load(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 400 + len(str(path))


def test_the_row_of_a_byte_that_is_no_utf8(tmp_path: Path) -> None:
    text = "\n".join(["1,2,a", "2,4,b"] * 5000) + "\n"
    with pytest.raises(DataError, match="row 10001: byte 60006 is no UTF-8 \\(0xfc"):
        load(write(tmp_path, text.encode() + "1,2,grün\n".encode("latin-1")))


def test_constant_columns_are_named_and_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,c,label\n" + "0.1,1,7,0\n0.1,2,7,1\n" * 5)  # the mean of ten times 0.1 is not 0.1
    with pytest.warns(UserWarning, match=r"own\.csv: 2 inputs the same in every row: 'a', 'c'; kept") as caught:
        data = load(path)
    assert caught[0].filename == __file__
    assert data.x.shape == (10, 3)
    assert np.array_equal(data.x[:, [0, 2]], np.zeros((10, 2)))


@pytest.mark.parametrize("start", [0, 1, 17])
def test_a_column_without_a_name_that_counts_the_rows_is_told(tmp_path: Path, start: int) -> None:
    path = write(tmp_path, ",a,label\n" + "".join(f"{i + start},{i * i % 7},{i % 2}\n" for i in range(8)))
    with pytest.warns(UserWarning, match=r"own\.csv, column 1: has no name and counts the rows") as caught:
        data = load(path)
    assert caught[0].filename == __file__
    assert data.form.columns == ("column 1", "a")  # kept: it may mean something
    assert load(path, data.form).form is data.form
    load(write(tmp_path, "n,a,label\n" + "".join(f"{i},{i * i % 7},{i % 2}\n" for i in range(8))))  # named: meant


@pytest.mark.parametrize("start", [0, 1])
def test_a_first_row_that_counts_the_columns_is_told(tmp_path: Path, start: int) -> None:
    first = ",".join(str(j + start) for j in range(3))
    path = write(tmp_path, f"{first}\n" + "".join(f"{i * 0.5},{i * i},{i % 2 + 1}\n" for i in range(20)))
    with pytest.warns(UserWarning, match=r"own\.csv: its first row, \d, \d, \d, is taken for data, since") as caught:
        data = load(path, fit=True)
    assert caught[0].filename == __file__
    assert len(data.x) == 21
    two = "".join(f"{i % 2},{i // 2}\n" for i in range(4))  # of two columns it may well be data
    assert len(load(write(tmp_path, "0,1\n" + two)).x) == 5


@pytest.mark.parametrize("header", [True, False])
def test_columns_learned_by_their_place_are_found_under_a_header(tmp_path: Path, header: bool) -> None:
    data = load(write(tmp_path, table()))
    for first, rows in {HEADER: ROWS, "Größe,breadth,depth\n": [row.rpartition(",")[0] for row in ROWS]}.items():
        found = load(write(tmp_path, first * header + "\n".join(rows), "other.csv"), data.form)
        assert np.array_equal(found.x, data.x)
        assert (found.target is None) == (first != HEADER)
    rows = [",".join([row.rpartition(",")[2], row.rpartition(",")[0]]) for row in ROWS]
    found = load(write(tmp_path, "label,a,b,c\n" + "\n".join(rows), "first.csv"), data.form)
    assert np.array_equal(found.x, data.x)
    assert found.target is not None


@pytest.mark.parametrize("labels", [[0.5, 1.5, 2.5, 1], [3, 1, 2, 10], [-7, -5, 3, 2], [1e-3, 1, 2, 3]])
def test_numbers_to_be_fitted_are_scaled(tmp_path: Path, labels: list[float]) -> None:
    data = load(write(tmp_path, "".join(f"{i},{i * i},{label}\n" for i, label in enumerate(labels))))
    assert data.classes is None
    assert data.form.target_scaling is not None
    assert data.target is not None
    assert data.target.shape == (4, 1)
    assert abs(data.target.mean()) < 1e-14
    assert np.allclose(data.form.target_scaling.undo(data.target)[:, 0], labels, rtol=1e-14)


@pytest.mark.parametrize(
    ("different", "rows", "classes"),
    [(2, 4, True), (20, 40, True), (3, 5, False), (21, 209, False), (21, 210, True), (214, 442, False)],
)
def test_few_whole_numbers_are_classes(tmp_path: Path, different: int, rows: int, classes: bool) -> None:
    data = load(write(tmp_path, "".join(f"{i},{i % different + 3}.0\n" for i in range(rows))))
    names = tuple(str(k + 3) for k in range(different))
    assert data.classes == (names if classes else None)


def test_number_classes_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    data = load(write(tmp_path, "1,10\n2,9\n3,10\n4,9\n"))
    assert data.classes == ("9", "10")
    assert data.target is not None
    assert data.target.tolist() == [1, 0, 1, 0]
