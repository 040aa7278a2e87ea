"""`handgrad check`: what it prints of a file, what it returns, its patch, and how it watches."""

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from handgrad.cli import main
from handgrad.mend.change import Change, Place, Replacement
from handgrad.mend.diff import write_diff
from handgrad.subjects.file import judge
from handgrad.subjects.function.verify import verify_function

TANH = """
import numpy as np
import torch

def tanh(z: "n d"):
    h = np.tanh(z)
    return h, h

def tanh_backward(dh, h):
    return dh * (1 - h * h)

tanh_reference = torch.tanh
"""
MORE = """
def double(x):
    return 2 * x, None

def double_backward(dy, cache):
    return 2 * dy

def double_reference(x):
    return x + x
"""
LINEAR = """
class Linear:
    def __init__(self, n_in):
        self.W = np.ones((2, n_in))

    def forward(self, x: "n 3"):
        return x @ self.W.T

    def backward(self, dy):
        return dy @ self.W

linear = Linear(3)

def linear_reference(x):
    return x @ torch.ones(2, 3, dtype=x.dtype).T
"""
WRONG = TANH.replace("h * h", "h")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_line_for_what_is_right(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text(TANH)
    assert main(["check", "student.py", "--seed", "1"]) == 0
    first, count, *proof = capsys.readouterr().out.splitlines()
    assert first == "CERTIFIED  tanh_backward: dz" + " " * 40 + "student.py:9"
    assert count == "1 function: 1 CERTIFIED, seed 1"
    assert re.fullmatch(r"Right to rounding: a relative error of \de-1\d shows in half the entries of each.", proof[0])
    assert re.fullmatch(r"Worst: tanh_backward, d?[yz]\[\d,\d\], at 0\.\d+ of what rounding explains.", proof[1])
    assert proof[2:] == ["-v shows all numbers."]
    assert main(["check", "student.py", "--seed", "1", "-v"]) == 0
    assert capsys.readouterr().out[-32:] == "1 function: 1 CERTIFIED, seed 1\n"


def test_the_whole_report_for_what_is_wrong_and_a_line_for_what_has_no_inputs(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("student.py").write_text(WRONG + MORE)
    assert main(["check", "student.py", "--seed", "1", "--json", "found.json"]) == 1
    out = capsys.readouterr().out
    first, sentence = out.splitlines()[:2]
    assert first == "REFUTED  tanh_backward" + " " * 46 + "student.py:9"
    assert len(first) == 80
    assert sentence == "  dz is wrong."
    assert "the square is missing" in out
    assert "\n  float64, numpy on cpu, seed 1\n" in out
    needs = "not judged  double_backward  (student.py:17)  x has no type hint with a shape; give --inputs x=4x3"
    needs += ' (your own shapes; labels y="4:int<3", numbers reg=0.1 or k==2, masks m=4x3:bool)'
    assert out.splitlines()[-2:] == [needs, "2 functions: 1 REFUTED, 1 not judged, seed 1"]
    found = json.loads(Path("found.json").read_text())
    assert (found["verdict"], found["file"], found["seed"]) == ("REFUTED", "student.py", 1)
    assert [(f["name"], f["line"], f["verdict"]) for f in found["functions"]] == [
        ("tanh_backward", 9, "REFUTED"),
        ("double_backward", 17, "not judged"),
    ]
    assert found["functions"][0]["report"]["verdict"] == "REFUTED"
    assert found["functions"][1]["problem"] in needs


def test_what_is_not_judged_is_not_certified(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text(TANH + MORE)
    assert main(["check", "student.py"]) == 2
    assert main(["check", "student.py", "--inputs", "x=2x5"]) == 0
    assert main(["check", "student.py", "--inputs", "double.x=2x5", "tanh_backward.z=scalar"]) == 0
    assert "2 functions: 2 CERTIFIED" in capsys.readouterr().out


def test_what_the_code_prints_is_not_shown_and_its_exit_is_not_the_command_s(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("student.py").write_text(
        TANH.replace("h = np", "print('hello')\n    h = np") + MORE.replace("return 2 * dy", "exit(0)")
    )
    assert main(["check", "student.py", "--inputs", "x=3"]) == 2
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.startswith("CERTIFIED  tanh_backward")
    assert second == "not judged  double_backward  (student.py:18)  its code calls sys.exit"


def test_a_class_that_cannot_be_made_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text("import numpy as np\n" + LINEAR.replace("linear = Linear(3)", ""))
    assert main(["check", "student.py"]) == 2
    words = (
        "not judged  Linear  (student.py:10)  it cannot be made without n_in; give --inputs n_in=3 (your own numbers), "
    )
    words += "or make one at the top level of the file: linear = Linear(...)"
    assert capsys.readouterr().out.splitlines()[0] == words
    assert main(["check", "student.py", "--inputs", "x=4x3"]) == 2
    assert capsys.readouterr().out.splitlines()[0] == words
    with pytest.raises(SystemExit):
        main(["check", "student.py", "--inputs", "q=4x3"])
    words = "--inputs: no function in student.py has an argument q; they have x, n_in\n"
    assert capsys.readouterr().err.endswith(words)


def test_a_broken_contract_is_told_and_returns_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text(TANH.replace("return dh * (1 - h * h)", "dh *= 1 - h * h\n    return dh"))
    assert main(["check", "student.py"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("gradients CERTIFIED; contract broken: ")
    assert "1 function: 1 contract broken, seed " in out


def test_the_arrays_of_an_object_are_not_judged_and_that_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("student.py").write_text("import numpy as np\nimport torch\n" + LINEAR)
    assert main(["check", "student.py"]) == 0
    words = "not judged: the gradients of W, for backward leaves none; they are looked for beside them: self.dW or"
    assert words in " ".join(capsys.readouterr().out.split())


def test_data_without_a_gradient_is_said_to_be_data(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = "def scale(x, w):\n    return x * w, x\n\n\ndef scale_backward(dy, x):\n    return {'dw': dy * x}\n"
    Path("student.py").write_text(code)
    assert main(["check", "student.py", "--inputs", "x=3", "w=3", "--mend", "0"]) == 2
    assert "note: that no gradient is meant is said by --inputs x=3:data" in " ".join(capsys.readouterr().out.split())
    assert main(["check", "student.py", "--inputs", "x=3:data", "w=3"]) == 0
    assert "CERTIFIED  scale_backward: dw" in capsys.readouterr().out


HELPER = """
import numpy as np

def silu(z):
    return z / (1 + np.exp(-z))

def silu_grad(z):
    s = 1 / (1 + np.exp(-z))
    return s * (1 + z * (1 - s))

def layer(x: "n d"):
    return silu(x), x

def layer_backward(dy, x):
    return dy * silu_grad(x)
"""


FUSED = """
import torch

def scaled(x, w):
    return x * w

def scaled_backward(dy, x, w):
    return dy * w

class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: "n d", w: "d"):
        ctx.save_for_backward(x, w)
        return scaled(x, w)

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return scaled_backward(dy, x, w), (dy * x).sum(0)
"""


def test_a_helper_that_leaves_a_gradient_to_its_caller_is_judged_within_it(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("fused.py").write_text(FUSED)
    assert main(["check", "fused.py", "--inputs", "scaled_backward.x=3x4", "scaled_backward.w=4"]) == 0
    out = capsys.readouterr().out
    assert "note: scaled_backward  (fused.py:7)  is judged within Scaled, which calls it; alone: it gives no" in out
    assert "1 function: 1 CERTIFIED" in out


def test_a_helper_of_which_no_inputs_are_known_is_judged_within_its_caller(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("student.py").write_text(HELPER)
    assert main(["check", "student.py"]) == 0
    out = capsys.readouterr().out
    assert "note: silu_grad  (student.py:7)  is judged within layer_backward, which calls it; alone: z has" in out
    assert "1 function: 1 CERTIFIED" in out
    Path("student.py").write_text(HELPER.replace("dy * silu_grad(x)", "dy * x"))
    assert main(["check", "student.py", "--mend", "0"]) == 1
    assert "2 functions: 1 REFUTED, 1 not judged" in capsys.readouterr().out


def test_nothing_found_says_what_was_looked_for(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text("def tanh_backward(dh, h):\n    return dh\n")
    assert main(["check", "student.py"]) == 2
    note, nothing = capsys.readouterr().out.splitlines()
    assert note.startswith(
        "note: tanh_backward  (student.py:1)  has no forward pass: expected tanh_forward, tanh_fwd, "
    )
    assert nothing.startswith("student.py: no backward pass found; looked for name and name_backward")


def test_a_file_that_raises_is_told_with_its_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text("print('hello')\n\nx = 1 / 0\n")
    assert main(["check", "student.py"]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\ncannot be imported: student.py:3: ZeroDivisionError: division by zero\n")


def test_options_reach_the_judge(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("student.py").write_text(TANH)
    asked: dict[str, Any] = {}

    def judged(*args: Any, mend: float | None = None, **more: Any) -> Any:
        asked.update(more, mend=mend)
        return verify_function(*args, mend=0, **more)

    monkeypatch.setattr(judge, "verify_function", judged)
    assert main(["check", "student.py", "--seed", "3", "--dtype", "float32", "--slack", "2", "--mend", "4"]) == 0
    assert asked.pop("constants") == ()
    assert asked == {"seed": 3, "dtype": "float32", "slack": 2.0, "name": "tanh_backward", "mend": 4.0}
    assert main(["check", "student.py"]) == 0
    assert asked["mend"] is None


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """mended(file): every judgement finds this change of that file."""

    def change(file: Path) -> None:
        def judged(*args: Any, mend: float, **more: Any) -> Any:
            report = verify_function(*args, mend=0, **more)
            line = WRONG.splitlines()[9]
            place = Place(str(file), 10, "tanh_backward", line, (line.index("h)"), line.index(")", -1)))
            diff = write_diff(file, WRONG.splitlines(True), TANH.splitlines(True))
            found = Change((Replacement(place, "h", "h * h"),), diff, "the square is missing")
            return replace(report, change=found)

        monkeypatch.setattr(judge, "verify_function", judged)

    return change


def test_the_change_stands_below_its_line(
    here: Path, mended: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("student.py").write_text(WRONG)
    mended(Path("student.py"))
    assert main(["check", "student.py", "--seed", "1"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "REFUTED  tanh_backward" + " " * 45 + "student.py:10"
    assert lines[1:9] == [
        "  dz is not the gradient of z.",
        "",
        "  10 |     return dh * (1 - h)",
        "     |                      ^ should be h * h",
        "     |",
        "     = the square is missing",
        "     = with this change every gradient is CERTIFIED",
        "",
    ]
    assert re.match(r"  dz\[\d,\d\] is \S+, autograd \S+ ± \S+; 12 of 12 entries are wrong$", lines[9])
    assert lines[10:] == ["  float64, numpy on cpu, seed 1", "", "1 function: 1 REFUTED, seed 1"]
    assert main(["check", "student.py", "--seed", "1", "-v"]) == 1
    more = capsys.readouterr().out
    assert all(words in more for words in ("smallest detectable error", "contracts: ", "control: ", "note: judged by "))
    assert not any(line.endswith(" ") or len(line) > 80 for line in more.splitlines())


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize("checked", [".", "my code"])
@pytest.mark.parametrize("applied", [".", "my code"])
def test_git_applies_the_patch_anywhere_above_the_file(
    here: Path, mended: Callable[[Path], None], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, checked: str, applied: str,
) -> None:  # fmt: skip
    file = here / "my code" / "student.py"
    file.parent.mkdir()
    file.write_text(WRONG)
    subprocess.run(["git", "init", "-q"], check=True, cwd=here)
    mended(file)
    monkeypatch.chdir(here / checked)
    assert main(["check", str(file.relative_to(here / checked)), "--diff"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("diff --git a/my code/student.py b/my code/student.py\n--- a/my code/student.py\t\n+++ b/")
    assert "REFUTED  tanh_backward" in err
    assert "1 function: 1 REFUTED" in err
    assert file.read_text() == WRONG
    subprocess.run(["git", "apply"], input=out, text=True, check=True, cwd=here / applied)
    assert file.read_text() == TANH


def test_a_change_of_a_neighbour_is_a_patch_of_that(
    here: Path, mended: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("beside.py").write_text(WRONG)
    Path("student.py").write_text(
        "import numpy as np\nimport torch\nimport beside\n" + LINEAR.replace("@ self.W\n", "@ -self.W\n")
    )
    mended(here / "beside.py")
    assert main(["check", "student.py", "--diff"]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("diff --git a/beside.py b/beside.py\n--- a/beside.py\n+++ b/beside.py\n@@ ")
    assert re.match(r"REFUTED  Linear +beside.py:10, in tanh_backward\n", err)
    assert Path("beside.py").read_text() == WRONG


def test_watching(here: Path) -> None:
    file = here / "student.py"
    file.write_text(WRONG)
    process = subprocess.Popen(
        [sys.executable, "-m", "handgrad", "check", "student.py", "--watch", "--inputs", "z=4x3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    limit = threading.Timer(600, process.kill)
    limit.start()
    try:
        assert read_until(process.stdout, "1 function: ")[-1].startswith("1 function: 1 REFUTED")
        assert read_until(process.stdout, "watching")[-1] == "watching student.py; Ctrl-C ends it\n"
        time.sleep(0.5)  # no second judgement of the same file
        file.write_text("def tanh(")
        rule, line = read_until(process.stdout, "cannot")
        assert re.match(r"\d\d:\d\d:\d\d -+$", rule)
        assert line == "cannot be imported: student.py:1: SyntaxError: '(' was never closed\n"
        file.write_text(TANH.replace("z", "x"))
        read_until(process.stdout, "handgrad check: error: --inputs: no function in student.py has an argument z")
        file.unlink()
        file.write_text(TANH)
        assert read_until(process.stdout, "1 function: ")[-1].startswith("1 function: 1 CERTIFIED")
        read_until(process.stdout, "watching")
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
    finally:
        limit.cancel()
        process.kill()
        process.stdout.close()
        process.wait()


def read_until(lines: Any, start: str) -> list[str]:
    """The lines up to the first that starts so, and that one."""
    found = [""]
    while not found[-1].startswith(start):
        found.append(next(lines))
    return found[1:]


BAD = {
    "nowhere.py": "nowhere.py: there is no such file; expected a file such as student.py",
    "notes.txt": "notes.txt: is no Python file (.py); expected",
    ".": ".: is no Python file (.py); expected",
    "student.py --seed -1": "--seed is -1, expected a whole number, 0 or more",
    "student.py --slack 0.5": "--slack is 0.5, expected a finite number, 1",
    "student.py --mend -1": "--mend is -1, expected a number of seconds",
    "student.py --mend nan": "--mend is nan, expected a number of seconds",
    "student.py --dtype float128": "invalid choice: 'float128'",
    "student.py --json nowhere/x.json": "nowhere; make it first",
    "student.py --watch --diff": "--watch goes on until Ctrl-C",
    "student.py --inputs z": "--inputs: got 'z', expected NAME=SHAPE such as x=4x3",
    "student.py --inputs 4=4x3": "--inputs: got '4=4x3', expected NAME=SHAPE",
    "student.py --inputs z=4x3 z=3": "--inputs: z is given twice",
    "student.py --inputs z=4x0": "--inputs: z=4x0: a size is 1 or more",
    "student.py --inputs z=0": "--inputs: z=0: a size is 1 or more; the number 0 is written z==0",
    "student.py --inputs z=4:int<0": "--inputs: z=4:int<0: expected int, int<3, bool, data or float behind the colon",
    "student.py --inputs z=4:bool<3": "--inputs: z=4:bool<3: expected int, int<3, bool, data or float behind the colon",
    "student.py --inputs z=4?3": "--inputs: z=4?3: neither a shape nor a constant; expected one such as",
    "student.py --inputs q=4x3": "--inputs: no function in student.py has an argument q; they have z",
    "student.py --inputs relu.z=4x3": "--inputs: no function in student.py has an argument relu.z; they have z",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_usage(arguments: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("student.py").write_text(TANH)
    Path("notes.txt").write_text("no code")
    with pytest.raises(SystemExit) as stop:
        main(["check", *arguments.split()])
    assert stop.value.code == 2
    assert BAD[arguments] in capsys.readouterr().err
