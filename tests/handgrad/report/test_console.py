"""Where commands print: lines without blanks at their ends in a file or a pipe, and what moves on a terminal alone."""

import sys
from io import StringIO

import pytest
from rich.padding import Padding
from rich.table import Table

from handgrad.report.console import WIDTH, print_lines, report_console, show_waiting


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("columns", "width"), [(None, WIDTH), ("111", 111), ("many", WIDTH)])
def test_a_pipe_has_80_columns_or_as_many_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch, columns: str | None, width: int
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert report_console().width == report_console(stderr=True).width == width


def test_no_blanks_at_the_ends_of_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None)
    table.add_column("name", min_width=20)
    table.add_row("a  ")
    console = report_console()
    console.print(Padding("one", (0, 0, 0, 2)))
    console.print(table)
    print_lines(console, "x" * 200 + " ")
    assert capsys.readouterr().out == f"  one\n name\n a\n{'x' * 200} \n"


def test_waiting_is_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((Terminal(), True), (StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with show_waiting("judging f"):
            pass
        assert ("judging f" in stream.getvalue()) is shown
