"""--html of every command that has it: a page with what was found; what cannot be written is told before the work."""

from pathlib import Path

import pytest

from handgrad.cli import main

STUDENT = """
import numpy as np

def tanh_forward(x: "Float[Array, 'n d']"):
    h = np.tanh(x)
    return h, h

def tanh_backward(dh, h):
    dz = dh * (1 - h)
    return dz
"""
SMALL = ["--layers", "64,8,10", "--batch-size", "8"]
COMMANDS = {
    "verify": (["verify", "--activation", "tanh", "--loss", "mse", "--dtype", "float64", "--seed", "1"], 0),
    "check": (["check", "student.py", "--seed", "1", "--mend", "0"], 1),
    "compare FILE": (["compare", "student.py", "--seed", "1"], 1),
    "compare": (["compare", *SMALL], 0),
    "compare --steps": (["compare", *SMALL, "--steps", "3"], 0),
    "lectures": (["lectures", "scikit_learn"], 0),
    "lectures --errata": (["lectures", "selker", "--errata"], 0),
    "train": (["train", "--layers", "64,10", "--epochs", "2"], 0),
    "doctor": (["doctor", "--layers", "64,20,10", "--lr", "1e-7"], 1),
}
HAS = {
    "verify": ("All networks", "tanh, mse", "CERTIFIED"),
    "check": ("tanh_backward", "dz = dh * (1 - h)", "\u2190 wrong", "the square is missing", "data:image/png"),
    "compare FILE": ("The backward pass, value by value", "gradient of x"),
    "compare": ("Forward", "Backward", "ulps", "<math", "<figure>"),
    "compare --steps": ("<polyline", "loss by hand", "3 steps"),
    "lectures": ("K-S1", "K-S2", "as printed"),
    "lectures --errata": ("S-E1", "refuted"),
    "train": ("validation accuracy", "<polyline", "By epoch"),
    "doctor": ("WRONG", "Check by check", "Raise the learning rate 1e-07", "<polyline", "<circle", "norm of dW"),
}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a student's file; one step of training where the suite would do a hundred."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("handgrad.suite.run.STEPS", 1)
    Path("student.py").write_text(STUDENT)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_says_what_was_found(name: str) -> None:
    argv, code = COMMANDS[name]
    assert main([*argv, "--html", "found.html"]) == code
    text = Path("found.html").read_text("utf-8")
    assert text.startswith("<!doctype html>")
    for words in HAS[name]:
        assert words in text


@pytest.mark.parametrize("name", ["verify", "check", "compare", "lectures", "train", "doctor"])
def test_a_file_that_cannot_be_written_is_told_before_the_work(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*COMMANDS[name][0], "--html", "no/such/folder.html"])
    assert stop.value.code == 2
    assert "there is no folder" in capsys.readouterr().err


def test_each_file_has_its_own_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "student.py", "--json", "found", "--html", "./found"])
    assert "--json and --html are both found; give each its own file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "--log", "found", "--html", "found"])
    assert "--log and --html name the same file; give each its own" in capsys.readouterr().err
