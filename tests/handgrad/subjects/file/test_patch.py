"""Several changes of one file are one patch."""

from difflib import unified_diff
from pathlib import Path

import pytest

from handgrad.mend.change import Change, Place, Replacement
from handgrad.mend.diff import write_diff
from handgrad.subjects.file.patch import join_changes, write_patch

LINES = [f"line {i}\n" for i in range(12)]


def change(old: list[str], first: int, last: int, *lines: str) -> str:
    """The diff that puts these lines in place of some."""
    return "".join(unified_diff(old, [*old[:first], *lines, *old[last:]], "x", "y"))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "folder" / "student.py"
    path.parent.mkdir()
    path.write_text("".join(LINES))
    return path


def test_changes_beside_each_other(file: Path) -> None:
    diffs = [change(LINES, 4, 5, "new\n", "newer\n"), change(LINES, 1, 2), change(LINES, 5, 5, "between\n")]
    whole = [LINES[0], *LINES[2:4], "new\n", "newer\n", "between\n", *LINES[5:]]
    name = "folder/student.py"
    head = f"diff --git a/{name} b/{name}\n"
    assert join_changes(file, diffs) == head + "".join(unified_diff(LINES, whole, f"a/{name}", f"b/{name}"))


def test_the_same_change_twice_and_two_of_the_same_line(file: Path) -> None:
    first, second = change(LINES, 4, 5, "new\n"), change(LINES, 4, 5, "other\n")
    assert join_changes(file, [first, first]) == join_changes(file, [first, second]) == join_changes(file, [first])
    assert "+new" in join_changes(file, [first])
    between = change(LINES, 4, 4, "new\n")
    assert join_changes(file, [between, between]) == join_changes(file, [between])


def test_a_diff_without_lines_around(file: Path) -> None:
    new = [*LINES[:4], "new\n", *LINES[4:9], *LINES[10:]]
    close = "".join(unified_diff(LINES, new, "x", "y", n=0))
    assert join_changes(file, [close]) == join_changes(file, ["".join(unified_diff(LINES, new, "x", "y"))])


def test_no_change_is_no_patch(file: Path) -> None:
    assert join_changes(file, []) == ""


def test_a_last_line_without_an_end(file: Path) -> None:
    file.write_text("a\nb")
    found = join_changes(file, ["--- x\n+++ y\n@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n"])
    assert found.splitlines()[4:] == ["-a", "+c", " b", "\\ No newline at end of file"]
    found = join_changes(file, ["--- x\n+++ y\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n"])
    assert found.splitlines()[4:] == [" a", "-b", "\\ No newline at end of file", "+c"]


def test_lines_that_end_as_on_windows(file: Path) -> None:
    file.write_bytes(b"a\r\nb\r\nc\r\n")
    found = join_changes(file, [change(["a\n", "b\n", "c\n"], 1, 2, "d\n")])
    assert found.split("\n")[4:] == [" a\r", "-b\r", "+d\r", " c\r", ""]


def test_a_change_of_two_files(file: Path) -> None:
    beside = file.with_name("beside.py")
    beside.write_text("a\nb\n")
    diff = write_diff(file, LINES, ["new\n", *LINES[1:]]) + write_diff(beside, ["a\n", "b\n"], ["a\n", "c\n"])
    places = [Place(str(path), 1, "f") for path in (file, beside)]
    found = Change(tuple(Replacement(place, "", "") for place in places), diff)
    assert write_patch([found]) == write_patch([found, found]) == diff
