"""Where commands print: lines without blanks at their ends in a file or a pipe, and what moves on a terminal alone."""

import sys
from io import StringIO

import pytest
from rich.padding import Padding
from rich.table import Table

from handgrad.report.console import WIDE, WIDTH, print_lines, report_console, show_waiting, wide_console


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_no_blanks_at_the_ends_of_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table(box=None)
    table.add_column("name", min_width=20)
    table.add_row("a  ")
    for console, width in ((report_console(), WIDTH), (wide_console(), WIDE)):
        assert console.width == width
        console.print(Padding("one", (0, 0, 0, 2)))
        console.print(table)
        print_lines(console, "x" * 200 + " ")
    assert capsys.readouterr().out == f"  one\n name\n a\n{'x' * 200} \n" * 2


def test_waiting_is_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream, shown in ((Terminal(), True), (StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with show_waiting("judging f"):
            pass
        assert ("judging f" in stream.getvalue()) is shown
