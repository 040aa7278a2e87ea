"""The form of a lecture: when a number is wrong, what is shown, what becomes of an error, scripts and processes."""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from handgrad import Verdict
from handgrad.course import text as course_text
from handgrad.course.lecture import Erratum, Number, Raised, System, half_unit, run_erratum, run_system
from handgrad.course.text import SystemLines, errata_line, main, run_all, show, summarise, systems_line, table
from handgrad.lectures import banerjee, lee
from handgrad.report import console
from handgrad.report.console import render


def text(what: Any) -> str:
    return render(what, color=False, width=160)


@pytest.mark.parametrize(
    ("printed", "half"), [("2.98", "0.005"), ("29.", "0.5"), ("4", "0.5"), ("-0.0244", "0.00005"), ("1e-3", "0.0005")]
)
def test_half_a_unit_of_the_last_place(printed: str, half: str) -> None:
    assert str(half_unit(printed)) == half


@pytest.mark.parametrize(
    ("number", "wrong"),
    [
        (Number("E", 0.125, 0.125, ["0.13"]), ""),  # half a unit away still agrees
        (Number("E", 0.1249, 0.1249, ["0.13"]), "print differs"),
        (Number("E", 0.1249, 0.1249, ["0.13"], "K-E1"), ""),
        (Number("E", 0.125, 0.125, ["0.13"], "K-E1"), "print agrees, where K-E1 says it differs"),
        (Number("E", 1 + 2e-12, 1.0), "ours and autograd's differ by 2e-12"),
        (Number("E", 1 + 2e-12, 1.0, within=1e-9), ""),
        (Number("E", 1.0, None), ""),
        (Number("E", [1.0, 2.0], [1.0, 2.0, 3.0]), "ours and autograd's differ by inf"),
        (Number("E", [np.nan, np.inf, -np.inf], [np.nan, np.inf, -np.inf]), ""),
        (Number("E", [1.0, np.inf], [1.0, 2.0]), "ours and autograd's differ by inf"),
        (Number("E", np.inf, -np.inf), "ours and autograd's differ by inf"),
        (Number("E", 1e-30, 0.0), "ours and autograd's differ by inf"),  # and no warning of a division
        (Number("E", 0.0, 0.0), ""),
    ],
)
def test_when_a_number_is_wrong(number: Number, wrong: str) -> None:
    assert number.wrong == wrong
    assert number.verdict is (Verdict.REFUTED if wrong else Verdict.CERTIFIED)


def test_the_entries_of_a_tensor_share_their_rounding_and_separate_quantities_do_not() -> None:
    """A loss five times too large after 1,000 steps is wrong however large the loss was at the start."""
    ours, auto = [0.5, 5e-20], [0.5, 1e-20]
    assert Number("dW", ours, auto).verdict is Verdict.CERTIFIED
    losses = Number("E after 1, 1000 steps", ours, auto, separate=True)
    assert (losses.verdict, losses.difference) == (Verdict.REFUTED, 4.0)
    assert Number("E", ours, auto, within=[1e-12, 5], separate=True).agrees
    assert not Number("E", ours, auto, within=[5, 1e-12], separate=True).agrees


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Number("E", 1.0, printed="1.0"), TypeError, "E: printed is one string"),
        (lambda: Number("E", [1.0, 2.0], printed=["1"]), ValueError, "E: 1 printed numbers for 2 entries"),
        (lambda: Number("E", [1.0, 2.0], within=[0, 0]), ValueError, "within has 2 numbers, expected one, or with"),
        (lambda: Number("E", [1.0], within=[0, 0], separate=True), ValueError, "for each of 1 entries"),
    ],
)
def test_a_number_that_cannot_be(make: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        make()


RIGHT = System("X-S1", "a right one", [Number("first", 1.0, 1.0, ["1.0"]), Number("second", [2.0] * 9, [2.0] * 9)])
WRONG = System("X-S2", "a wrong one", [Number("first", 1.0, 1.0), Number("second", 2.0, 2.0, ["2.1"])])


def test_a_row_shows_the_first_number_that_is_wrong() -> None:
    right, wrong = text(table([RIGHT, WRONG])).splitlines()[1:]
    assert right.split() == ["X-S1", "a", "right", "one", "1.0", "1.0", "1.0", "CERTIFIED"]
    assert wrong.split() == ["X-S2", "a", "wrong", "one:", "second", "2.1", "2.0", "2.0", "REFUTED"]


def test_80_columns_have_a_line_for_each_system_and_no_number_cut_in_two() -> None:
    known = System("X-S3", "in print", [Number("n", 2.0, 2.0 + 4e-13, ["2.1"], "K-E2")])
    found = [replace(RIGHT, title="a title of some forty characters, or more"), WRONG, known]
    lines = render(SystemLines(found), color=False, width=80).splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["X-S1", "X-S2", "X-S3"]
    assert [line.split()[-3:] for line in lines] == [
        ["agrees", "0", "CERTIFIED"],
        ["agrees", "0", "REFUTED"],
        ["K-E2", "2e-13", "CERTIFIED"],
    ]
    assert "second: print differs" in lines[1]
    wide = render(SystemLines(found), color=False, width=course_text.WIDE)
    assert "autograd" in wide
    one = System("X", "", [Number("a name of a quantity", [4.5439105e-05] * 9, [-0.0034793241] * 9, within=9.0)])
    narrow = render(show(one), color=False, width=60)
    assert narrow.count("4.5439105e-05") == narrow.count("-0.0034793241") == 9
    both = Number("a name of a quantity", [4.5439105e-05] * 9, [4.54391051e-05] * 9, ["0.00002"] * 9, "K-E2", 9.0)
    rows = render(show(System("X", "", [both])), color=False, width=80).splitlines()[1:3]
    assert [row.split()[-1] for row in rows] == ["apart", "2e-09"]
    below = render(show(System("X", "", [both])), color=False, width=55).splitlines()[1:]
    assert [line.split()[0] for line in below if line.startswith("    ") and line[4] != " "] == [
        "printed", "ours", "autograd", "print", "apart",
    ]  # fmt: skip


def test_the_summary_counts_what_agrees() -> None:
    assert summarise([RIGHT, WRONG]) == [
        "4 of 4 quantities by hand agree with autograd's, each within its own limit.",
        "1 of 2 printed ones agree to their last digit.",
    ]
    known = System("X", "", [Number("n", 2.0, 3.0, ["2.1"], "K-E2")])
    assert summarise([known])[0].startswith("0 of 1 quantities by hand agree with autograd's")
    assert summarise([known])[1] == "0 of 1 printed ones agree to their last digit; 1 are known mistakes in print."


def test_the_line_below_says_which_and_why() -> None:
    assert text(systems_line([RIGHT], "1 systems")).strip() == "CERTIFIED  1 systems"
    assert text(systems_line([RIGHT, WRONG], "")).strip() == "1 of 2 REFUTED: X-S2 (second: print differs)"


def test_print_that_differs_as_told_looks_otherwise_than_print_that_must_not() -> None:
    told, must_not, agrees = (
        text(show(System("X", "", [Number("n", 2.0, None, [printed], erratum)])))
        for printed, erratum in (("2.1", "K-E2"), ("2.1", ""), ("2.0", "K-E2"))
    )
    assert "differs, see K-E2" in told
    assert "DIFFERS" in must_not
    assert "AGREES" in agrees


def test_one_lecture_is_shown_in_full() -> None:
    entries = np.arange(course_text.ALL) + 0.5
    shown = text(show(System("X", "", [Number("n", entries, entries)])))
    assert all(f"{v:g}" in shown for v in entries)
    assert "..." not in shown
    assert "... (9)" in text(table([System("X", "", RIGHT.numbers[1:])]))


def raising() -> Any:
    """Never comes to numbers.

    And this is no title."""
    raise TypeError("student slip")


def test_an_error_becomes_a_refuted_system_with_its_words_and_place() -> None:
    found = run_system(raising)
    assert (found.id, found.title, found.verdict) == (
        "test_lecture.raising",
        "Never comes to numbers.",
        Verdict.REFUTED,
    )
    assert found.reason.startswith("TypeError: student slip (test_lecture.py, line ")
    assert "TypeError: student slip" in text(show(found))
    assert "TypeError: student slip" in text(table([found]))
    assert json.dumps(found.to_dict())


def test_an_error_becomes_a_mistake_that_is_not_as_it_should_be() -> None:
    found = run_erratum(raising)
    assert found.verdict is Verdict.REFUTED
    assert errata_line([found]).endswith("test_lecture.raising (as printed REFUTED, right REFUTED)")


def test_a_mistake_counts_only_where_it_is_refuted_and_the_right_formula_is_not() -> None:
    verdicts = [(v, w) for v in Verdict for w in Verdict]
    errata = [Erratum("X", "", "", Raised("", v), Raised("", w)) for v, w in verdicts]
    good = [pair for pair, e in zip(verdicts, errata, strict=True) if e.verdict is Verdict.CERTIFIED]
    assert good == [(Verdict.REFUTED, Verdict.CERTIFIED)]


def test_what_a_system_says_comes_after_it_and_on_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    def talks() -> System:
        print("on a terminal" if console.report_console(stderr=True).is_terminal else "unseen", file=sys.stderr)
        return RIGHT

    assert run_system(talks) is RIGHT
    assert capsys.readouterr().err == "unseen\n"


def test_several_processes_give_what_one_gives_in_order() -> None:
    todo = [partial(run_system, run) for run in (lee.unit, banerjee.perceptron, lee.unknown_function)]
    alone, together = (list(run_all(todo, "", processes)) for processes in (1, 2))
    assert [s.id for s in together] == ["U-S2", "B-S1", "U-S4"]
    assert [s.to_dict()["numbers"] for s in together] == [s.to_dict()["numbers"] for s in alone]


def test_progress_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(run_all([lambda: 1, lambda: 2], "counting")) == [1, 2]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(console, "report_console", partial(Console, force_terminal=True))
    assert list(run_all([lambda: 1, lambda: 2], "counting")) == [1, 2]
    out, err = capsys.readouterr()
    assert "counting" in err
    assert not out


def script(monkeypatch: pytest.MonkeyPatch, *systems: System, argv: tuple[str, ...] = (), plots: Any = None) -> int:
    monkeypatch.setattr(sys, "argv", ["lecture.py", *argv])
    return main([lambda s=s: s for s in systems], plots)


def test_a_script_shows_every_system_and_says_by_its_exit_code_whether_all_are_right(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script(monkeypatch, RIGHT) == 0
    assert script(monkeypatch, RIGHT, WRONG, run_system(raising)) == 1
    heads = [line for line in capsys.readouterr().out.splitlines() if line[:1].isupper()]
    assert [head.split()[:2] for head in heads] == [
        ["CERTIFIED", "X-S1"], ["CERTIFIED", "X-S1"], ["REFUTED", "X-S2"], ["REFUTED", "test_lecture.raising"]
    ]  # fmt: skip


def test_a_script_draws_into_a_new_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    plots = {"curve": lambda ax: ax.plot([1, 2])}
    assert script(monkeypatch, RIGHT, argv=("--plots", str(tmp_path / "new" / "folder")), plots=plots) == 0
    assert (tmp_path / "new" / "folder" / "curve.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("absent", [True, False], ids=["no matplotlib", "no folder"])
def test_plots_that_cannot_be_are_told_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, absent: bool
) -> None:
    if absent:
        monkeypatch.setattr(course_text, "find_spec", lambda name: None)
    (tmp_path / "file").write_text("")
    folder = tmp_path if absent else tmp_path / "file" / "folder"
    with pytest.raises(SystemExit) as end:
        script(monkeypatch, RIGHT, argv=("--plots", str(folder)), plots={"curve": lambda ax: None})
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert ("pip install 'handgrad[plot]'" if absent else "file") in err
    assert not out
