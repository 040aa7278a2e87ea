"""`handgrad compare FILE`: every value of a backward pass beside autograd's, and its exit codes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.cli import main
from handgrad.report.report import Report
from handgrad.subjects.file import judge
from handgrad.subjects.function.verify import verify_function

RIGHT = """
import numpy as np

def net(x: "n d", W: "d 3"):
    z = x @ W
    h = np.tanh(z)
    return h.sum(axis=1), (x, W, h)

def net_backward(dy, cache):
    x, W, h = cache
    dh = dy[:, None] * np.ones_like(h)
    dz = dh * (1 - h**2)
    dW = x.T @ dz
    return dz @ W.T, dW
"""
WRONG = RIGHT.replace("1 - h**2", "1 - h")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for the file; its shapes are drawn once, and not at many sizes, which takes longer."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)

    def verify_once(forward: Any, backward: Any, reference: Any, inputs: dict[str, Any], **asked: Any) -> Report:
        drawn = {name: rng.normal(size=shape) for name, shape in inputs.items()}
        return verify_function(forward, backward, reference, drawn, **asked)

    monkeypatch.setattr(judge, "verify_function", verify_once)


def compare(text: str, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str]]:
    """The exit code, and the lines without the spaces at their ends."""
    Path("student.py").write_text(text)
    code = main(["compare", "student.py", "--seed", "1", *more])
    return code, [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_what_is_right_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = compare(RIGHT, capsys)
    assert code == 0
    assert lines[0] == "CERTIFIED  net_backward  (student.py:9)  given, seed 1"
    assert lines[1].split() == ["line", "variable", "is", "the", "by", "hand", "autograd", "apart"]
    end = next(i for i, line in enumerate(lines) if line.startswith("by hand, autograd:"))
    rows = [line.split() for line in lines[2:end]]
    assert [(r[0], r[1], " ".join(r[2:5]), r[-1]) for r in rows] == [
        ("10", "x", "value of x", "right"),
        ("10", "W", "value of W", "right"),
        ("10", "h", "value of h", "right"),
        ("11", "dh", "gradient of h", "right"),
        ("12", "dz", "gradient of z", "right"),
        ("13", "dW", "gradient of W", "right"),
        ("14", "return[0]", "gradient of x", "right"),
    ]
    assert lines[end + 2] == "1 function: 1 CERTIFIED, seed 1"
    assert len(lines) <= end + 2 + 10  # the summary


def test_what_is_wrong_and_what_follows_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = compare(WRONG, capsys, "--json", "found.json")
    assert code == 1
    assert lines[0].startswith("REFUTED  net_backward  (student.py:9)")
    words = {line.split()[1]: line.split()[8:] for line in lines[2:9]}
    assert words["dh"] == ["right"]
    assert words["dz"] == ["wrong"]
    assert words["dW"] == words["return[0]"] == ["because", "of", "12"]
    assert "wrong: 12 | dz = dh * (1 - h)" in lines
    (function,) = json.loads(Path("found.json").read_text())["functions"]
    rows = {row["variable"]: row for row in function["report"]["ledger"]["rows"]}
    assert (rows["dz"]["verdict"], rows["dz"]["line"]) == ("wrong", 12)
    assert rows["dW"]["words"] == "wrong because of line 12"
    assert f"{rows['dz']['hand']:.4g}" in next(line for line in lines if " dz " in line)


@pytest.mark.mends
def test_the_wrong_line_comes_with_its_change_on_the_page_too(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = compare(WRONG, capsys, "--html", "found.html")
    change = ["12 |     dz = dh * (1 - h)", "   |                    ^ should be h ** 2"]
    assert lines[lines.index(change[0]) + 1] == change[1]
    assert not any(line.startswith("wrong: 12") for line in lines)  # it is quoted once
    assert "<ins>h ** 2</ins>" in Path("found.html").read_text()


def test_no_time_for_a_change(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = compare(WRONG, capsys, "--mend", "0")
    assert "wrong: 12 | dz = dh * (1 - h)" in lines
    assert not any("should be" in line for line in lines)


def test_the_table_is_80_columns_wide_and_plain(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    long = WRONG.replace("dz", "gradient_before_activation").replace("dW", "gradient_of_the_weights")
    for columns in ("80", None):
        monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS", raising=False)
        _, lines = compare(long.replace("dh)", "dh )"), capsys)
        assert max(map(len, lines)) <= 80
        assert "\x1b" not in "".join(lines)
        assert any(line.split()[-3:] == ["because", "of", "12"] for line in lines)


def test_a_shape_that_is_another(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = compare(RIGHT.replace("x.T @ dz", "dz.T @ x"), capsys)
    assert code == 1
    (row,) = (line.split() for line in lines if line.startswith("  13 "))
    assert row[5:] == ["3x5", "5x3", "shape", "wrong"]


def test_what_is_refuted_without_a_wrong_line_has_its_whole_report(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = compare(RIGHT.replace("x.T @ dz", "x.T @ dz; dy[:] = 0"), capsys)
    assert code == 1
    assert lines[0].startswith("gradients CERTIFIED; contract broken: ")
    assert any(line.startswith("  contract broken: ") for line in lines)


def test_a_pair_without_inputs_and_a_file_without_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = compare(RIGHT.replace(', W: "d 3"', ", W"), capsys)
    assert code == 2
    needs = "not judged  net_backward  (student.py:9)  W has no type hint with a shape; give --inputs x=4x3 W=3x5 (your"
    assert lines[0].startswith(needs)
    assert compare(RIGHT.replace(', W: "d 3"', ", W"), capsys, "--inputs", "x=2x4", "W=4x3")[0] == 0
    code, lines = compare("x = 1", capsys)
    assert lines[0].startswith("student.py: no backward pass found")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["student.py", "--steps", "3"], "--steps is of the network on the digits, and FILE is given"),
        (["student.py", "--batch-size", "3"], "--batch-size is of the network on the digits, and FILE is given"),
        (["nothing.py"], "nothing.py: there is no such file; expected a file such as student.py"),
        (["--mend", "3"], "--mend is of the code in a FILE, and there is none"),
        (["student.py", "--mend", "-1"], "--mend is -1, expected a number of seconds"),
        (["--inputs", "x=3"], "--inputs are those of a FILE, and there is none"),
        (["student.py", "--inputs", "y=3"], "no function in student.py has an argument y"),
        (["student.py", "--json", "no/where.json"], "--json: "),
    ],
)
def test_arguments_that_do_not_fit(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text(RIGHT)
    with pytest.raises(SystemExit) as stopped:
        main(["compare", *arguments])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.replace("\n", " ")
