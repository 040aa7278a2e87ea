"""The page for teachers: what it shows is printed so, and every attack in its table is tried by a test."""

from pathlib import Path

import pytest

from handgrad.cli import main
from handgrad.grading.text import show
from handgrad.report.console import render
from tests.handgrad.grading.test_foreign_code import IN_A_FUNCTION, READ_BEFORE, REPLACED, TRIED, VALUES
from tests.handgrad.grading.test_grade import STEPS, graded, right_source

PAGE = (Path(__file__).parents[3] / "docs" / "teaching.md").read_text("utf-8")


def test_the_page_for_teachers_shows_what_is_printed() -> None:
    """The grade that docs/teaching.md shows, as it is printed now."""
    shown = PAGE.partition("<!-- grade -->\n```console\n")[2].partition("```\n<!-- end grade -->")[0]
    source = right_source("two_layer", ("1 - h1**2", "1 - h1"), ("dz1.sum(0)", "dz1.sum(1)"))
    assert render(show(graded("two_layer", source, "name")), color=False, width=80).strip() == shown.strip()


def test_the_page_for_teachers_lists_the_exercises(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exercises"]) == 0
    assert f"$ handgrad exercises\n{capsys.readouterr().out}" in PAGE


READ = {  # by what a submission tries, in the tests of foreign code
    **{code: words for cases in (TRIED, IN_A_FUNCTION, READ_BEFORE, VALUES) for code, words in cases.items()},
    **dict.fromkeys(STEPS, "it computes with complex numbers, or with more than 64 bits"),
    REPLACED: "nothing",
}
NUMBER, VERDICT = [*VALUES][:2]
ATTACKS = {  # the rows of the table, and the tests' cases of each
    "end the process with exit code 0": ["import os; os._exit(0)"],
    "print a result, write it as an answer": [NUMBER, VERDICT],
    "replace the judge's functions": [REPLACED],
    "read the key, list a folder": ["dz1 = open('key')", "import os; os.listdir('/')"],
    "fill the disk": ["open('big.bin', 'wb').write(bytes(1 << 40))"],
    "start a process, open a connection": ["import os; os.fork()", "import socket"],
    "end the grader by a signal": [
        "import sys; sys.modules['_signal'].pidfd_send_signal(os.pidfd_open(os.getppid()), 9)",
        "import sys; sys.modules['posix'].kill(1, 9)",
    ],
    "loop for ever": ["while True: pass"],
    "take all memory": ["x = bytearray(1 << 40)"],
    "call autograd": ["import torch.autograd"],
    "differentiate with a complex step, or in long double": ["step = 1e-20j", *STEPS],
    "differentiate with a difference quotient": [line for line in IN_A_FUNCTION if "2e-6" in line],
}


def test_every_attack_of_the_table_is_tried_and_read_so() -> None:
    table = PAGE.partition("| what it tries | what you read |\n| :-- | :-- |\n")[2].partition("\n\n")[0]
    rows = dict(row.strip("| ").split(" | ") for row in table.splitlines())
    assert list(rows) == list(ATTACKS)
    for what, cases in ATTACKS.items():
        for code in cases:
            assert READ[code].casefold() in rows[what].casefold()
