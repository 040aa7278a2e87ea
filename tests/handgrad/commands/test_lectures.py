"""`handgrad lectures` as a user meets it: rows, exit codes, what fails and why, JSON."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import manual
from handgrad.cli import main
from handgrad.commands import lectures
from handgrad.course.lecture import Number, System
from handgrad.course.text import show_erratum
from handgrad.lectures import scikit_learn
from handgrad.report.console import render
from manual.files import atomic_write


def test_the_table_has_a_row_for_each_system_of_each_lecture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the systems give is held by tests/lectures; here each is a stub, run in this process."""

    def stub(name: str, run: Callable[[], System]) -> Callable[[], System]:
        return lambda: System(f"{name}.{run.__name__}", "stub", [Number("n", 1.0, 1.0)])

    script = lectures.script
    monkeypatch.setattr(lectures, "cores", lambda: 1)
    monkeypatch.setattr(
        lectures, "script", lambda name: SimpleNamespace(SYSTEMS=[stub(name, run) for run in script(name).SYSTEMS])
    )
    assert main(["lectures"]) == 0
    out = capsys.readouterr().out
    rows = [line.split()[0].partition(".")[0] for line in out.splitlines() if " stub " in line]
    counts = {name: rows.count(name) for name in lectures.NAMES}
    assert counts == {"lee": 7, "ando_ki": 8, "banerjee": 9, "eum": 10, "selker": 10, "mazur": 3, "scikit_learn": 2}
    assert rows == [name for name, n in counts.items() for _ in range(n)]
    assert out.splitlines()[-1] == "CERTIFIED  44 systems of the lectures, 5 worked examples"


def test_every_lecture_s_mistakes_are_refuted_and_exit_with_0(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The last of each lecture; what each of them gives is held by tests/lectures."""
    file, errata = tmp_path / "errata.json", lectures.errata
    monkeypatch.setattr(lectures, "errata", lambda name: errata(name)[-1:])
    assert main(["lectures", "--errata", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found["verdict"] == "CERTIFIED"
    for mistake in found["mistakes"]:
        assert mistake["verdict"] == "CERTIFIED"
        assert mistake["finding"]["verdict"] == "REFUTED"
        assert mistake["right_finding"]["verdict"] == "CERTIFIED"
        assert mistake["says"]
    assert [mistake["id"][0] for mistake in found["mistakes"]] == ["U", "A", "B", "E", "S"]


def test_the_table_of_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lectures", "selker", "--errata"]) == 0
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if line.startswith("S-E")] == ["S-E1", "S-E3", "S-E4", "S-E5"]
    assert out.splitlines()[-1] == "4 of 4 mistakes in print refuted"


def test_the_mistakes_in_80_columns_stand_below_each_other() -> None:
    found = [erratum() for erratum in lectures.errata("lee")[-1:]]
    lines = render(show_erratum(found[0]), color=False, width=80).splitlines()
    assert " ".join(" ".join(lines).split()).startswith(
        f"{found[0].id} {found[0].printed} REFUTED: {found[0].words} right: "
    )
    assert any(line.startswith("      right: ") for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.fixture
def wrong_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    """One printed digit of scikit-learn's example changed."""

    def planted() -> System:
        found = scikit_learn.one_pass()
        numbers = [replace(n, printed=["0.0375"]) if n.name == "d12" else n for n in found.numbers]
        return replace(found, numbers=numbers)

    monkeypatch.setattr(scikit_learn, "SYSTEMS", (planted, scikit_learn.one_step))


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no name of a number is folded."""
    monkeypatch.setenv("COLUMNS", "160")


@pytest.mark.usefixtures("wrong_digit", "wide")
def test_one_wrong_digit_exits_with_1_and_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["lectures", "scikit_learn", "--json", str(tmp_path / "found.json")]) == 1
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "1 of 2 REFUTED: K-S1 (d12: print differs)"
    (row,) = [line for line in out.splitlines() if line.strip().startswith("d12 ")]
    assert "DIFFERS" in row
    first, second = json.loads((tmp_path / "found.json").read_text())["systems"]
    assert (first["verdict"], first["reason"], second["verdict"]) == ("REFUTED", "d12: print differs", "CERTIFIED")


@pytest.mark.usefixtures("wide")
def test_json_has_every_number(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["lectures", "scikit_learn", "--json", str(tmp_path / "found.json")]) == 0
    out = capsys.readouterr().out
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["verdict"], set(found["versions"])) == ("CERTIFIED", {"handgrad", "python", "numpy", "torch"})
    assert [s["id"] for s in found["systems"]] == ["K-S1", "K-S2"]
    for system in found["systems"]:
        assert f"CERTIFIED  {system['id']}  {system['title']}" in out
        for number in system["numbers"]:
            assert number["name"] in out
            assert all(digits in out for digits in number["printed"])
        assert [r["verdict"] for r in system["reports"]] == ["CERTIFIED"]
    (prob,) = [n for n in found["systems"][1]["numbers"] if n["name"] == "prob"]
    assert prob["ours"][0][0] == pytest.approx(0.739, abs=5e-4)
    assert prob["ours"][0] == pytest.approx(prob["autograd"][0])
    assert out.splitlines()[-1] == "CERTIFIED  2 worked examples"


def test_json_that_cannot_be_written_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    file.write_text("before")

    def full(*names: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write.os, "replace", full)
    assert main(["lectures", "scikit_learn", "--json", str(file)]) == 2
    assert file.read_text() == "before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["found.json"]


def test_a_backward_pass_that_raises_is_a_refuted_row_and_the_others_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def slip(self: Any, params: Any, cache: Any, dh: Any) -> Any:
        raise TypeError("student slip")

    monkeypatch.setattr(manual.Tanh, "backward", slip)
    assert main(["lectures", "lee"]) == 1
    out = capsys.readouterr().out
    heads = [line.split()[:2] for line in out.splitlines() if line.startswith(("CERTIFIED  ", "REFUTED  "))]
    assert heads == [
        ["REFUTED", "lee.activations"], ["REFUTED", "U-S2"], ["CERTIFIED", "U-S3"], ["CERTIFIED", "U-S4"],
        ["REFUTED", "lee.regression"], ["REFUTED", "lee.one_step"], ["REFUTED", "lee.thousand"],
    ]  # fmt: skip
    assert "5 of 7 REFUTED: lee.activations (TypeError: student slip (test_lectures.py, line" in out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["lectures", "rosenblatt"], "invalid choice: 'rosenblatt' (choose from"),
        (["lectures", "mazur", "--errata"], "--errata: mazur has no list of mistakes; its wrong digits:"),
        (
            ["lectures", "mazur", "--json", "/no/such/folder/x.json"],
            "--json: /no/such/folder/x.json: there is no folder /no/such/folder",
        ),
        (["lectures", "mazur", "--json", "/"], "--json: /: is a folder, expected a file name"),
    ],
)
def test_bad_usage_returns_2_and_says_what_to_do(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert says in capsys.readouterr().err
