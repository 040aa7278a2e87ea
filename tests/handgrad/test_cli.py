"""The command line as a user meets it: what it prints, writes and returns."""

import json
import os
import pty
import re
import subprocess
import sys

import numpy as np
import pytest

import manual
from handgrad.cli import main
from handgrad.judge.compare import StageReport, compare
from handgrad.report.console import render
from handgrad.report.report import Report
from handgrad.report.stage_rows import StageRow
from handgrad.suite.page import summarise
from handgrad.suite.run import SuiteResult
from handgrad.suite.text import show


def test_verify_prints_a_line_each_and_what_is_proved(capsys):
    assert main(["verify", "--activation", "tanh", "relu", "--loss", "mse", "--seed", "1"]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert [line.rstrip()[:22].strip() for line in lines[3:5]] == ["CERTIFIED  tanh, mse", "CERTIFIED  relu, mse"]
    assert all(len(line.rstrip()) <= 80 for line in lines[:5])
    assert len(lines) <= 5 + 10
    words = " ".join(line.strip() for line in lines)
    assert "CERTIFIED  2 networks, 8 runs, seed 1" in words
    assert re.search(r"at 0\.\d\d of it, is \w+ of .+ in (tanh|relu), mse, (start|trained), float(32|64)\.", words)
    assert re.search(r"from \de-13 in float64 and \de-05 in float32 on would have been seen in half of", words)
    assert "160 of 160 directions agree" in words
    assert "\x1b" not in out


@pytest.mark.parametrize("option", ["-v", "-vv"])
def test_more_of_what_is_certified(option, capsys):
    only = ["--activation", "tanh", "--loss", "mse", "--dtype", "float64", "--seed", "1"]
    assert main(["verify", *only, option]) == 0
    out = capsys.readouterr().out
    for word in ("z1 = Linear 64-32", "h1 = Tanh", "E = MeanSquaredError", "isolated", "chained"):
        assert word in out
    assert ("control: an error of" in out) == (option == "-vv")


def test_each_precision_has_its_column_and_zeros_alone_have_no_smallest_error():
    one = np.ones(1)
    tensors = tuple(compare(name, one, one, np.full(1, bound)) for name, bound in (("dx", 1e-9), ("db", 9.0)))
    report = Report("net", "float64", "numpy", "cpu", 1, (StageRow("z1", StageReport("z1", tensors)),))
    result = SuiteResult("net", (report,))
    (line,) = render(show(result, 0, ("float32", "float64")), color=False, width=99).splitlines()
    assert line.split()[-2:] == ["-", "2e-09"]
    assert "2e-09" in summarise(result)


def test_a_layer_wrong_in_several_networks_is_shown_once(capsys, monkeypatch):
    monkeypatch.setattr(manual.Tanh, "backward", lambda self, params, cache, dh: (dh * (1 - cache.h), {}))
    assert main(["verify", "--activation", "tanh", "--dtype", "float64", "--seed", "1", "--mend", "0"]) == 1
    out = capsys.readouterr().out
    assert out.count("h1 = Tanh: dz1[") == 1
    assert "REFUTED  tanh, mse, batch 32: the same layer is wrong as in tanh, cross_entropy" in out


def test_json_has_the_same_content(tmp_path, capsys):
    file = tmp_path / "report.json"
    assert main(["verify", "--activation", "silu", "--loss", "cross_entropy", "--seed", "2", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert (found["verdict"], found["seed"]) == ("CERTIFIED", 2)
    (case,) = found["cases"]
    assert [(r["dtype"], r["name"].split(", ")[2]) for r in case["reports"]] == [
        ("float64", "start"),
        ("float64", "trained"),
        ("float32", "start"),
        ("float32", "trained"),
    ]
    tensors = {t["name"] for r in case["reports"] for s in r["stages"] for t in s["isolated"]["tensors"]}
    assert tensors == {"z1", "dx", "dW1", "db1", "h1", "dz1", "z2", "dh1", "dW2", "db2", "E", "dz2"}


def test_a_broken_backward_pass_returns_1_and_the_table_points_at_it(capsys, monkeypatch):
    monkeypatch.setattr(manual.Tanh, "backward", lambda self, params, cache, dh: (dh * (1 - cache.h), {}))
    assert main(["verify", "--activation", "tanh", "--loss", "mse", "--dtype", "float64", "--seed", "1"]) == 1
    out = capsys.readouterr().out
    (line,) = {line.split("0x")[0].split()[0] for line in out.splitlines() if "WRONG" in line and "h1 = Tanh" in line}
    assert line == "h1"
    assert "REFUTED  1 network, 1 run" in out
    assert out.splitlines()[-1] == "At least one backward pass is wrong; the lines above say where and why."


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["verify", "--activation", "tahn"], "invalid choice: 'tahn' (choose from"),
        (["verify", "--loss", "l2"], "invalid choice: 'l2'"),
        (["verify", "--mend", "-1"], "--mend is -1, expected a number of seconds"),
        (["verify", "--slack", "0.1"], "--slack is 0.1, expected a finite number, 1"),
        (["verify", "--seed", "-3"], "--seed is -3, expected a whole number, 0 or more"),
        (["verify", "--json", "/no/such/folder/x.json"], "there is no folder /no/such/folder"),
        (["verify", "--json", "/dev/full"], "/dev/full: is a device or a pipe, expected a file name"),
        ([], "required: command"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
    ],
)
def test_bad_usage_returns_2_and_says_what_to_do(argv, says, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


def test_as_a_program():
    only = ["--activation", "identity", "--loss", "mse", "--dtype", "float64"]
    done = subprocess.run(
        [sys.executable, "-m", "handgrad", "verify", *only], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "\nCERTIFIED  1 network, 2 runs, seed " in done.stdout
    assert done.stdout.splitlines()[-1] == "-v shows every stage, -vv every run in full."
    assert done.stderr == ""


def test_fresh_seeds_are_drawn_and_printed(capsys):
    for _ in range(2):
        assert main(["verify", "--activation", "identity", "--loss", "mse", "--dtype", "float64"]) == 0
    first, second = (line for line in capsys.readouterr().out.splitlines() if "1 network," in line)
    assert first != second
    assert np.uint32(int(first.split()[-1])) >= 0


QUICK = [sys.executable, "-m", "handgrad", "verify", "--activation", "identity", "--loss", "mse", "--dtype", "float64"]


def on_a_terminal(**environment):
    """What the command prints where stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(QUICK, stdout=theirs, stderr=theirs, env=os.environ | environment)
    os.close(theirs)
    printed = b""
    try:
        while chunk := os.read(ours, 4096):
            printed += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return printed


def test_colour_and_progress_on_a_terminal_and_plain_text_with_no_color():
    assert b"\x1b[" in on_a_terminal(TERM="xterm", NO_COLOR="")
    plain = on_a_terminal(TERM="xterm", NO_COLOR="1")
    assert b"CERTIFIED" in plain
    assert b"\x1b" not in plain


def test_a_reader_that_has_seen_enough_is_no_refutation():
    process = subprocess.Popen(QUICK, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate()
    assert (process.returncode, err) == (2, "")


def test_what_stops_unexpectedly_is_no_refutation(capsys, monkeypatch):
    monkeypatch.setattr("handgrad.commands.verify.combine", lambda *_: 1 / 0)
    assert main(["verify"]) == 2
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_backward_pass_that_raises_is_placed_and_quoted(capsys, monkeypatch):
    monkeypatch.setattr(manual.Tanh, "backward", lambda self, params, cache, dh: (dh * undefined, {}))  # noqa: F821
    assert main(["verify", "--activation", "tanh", "--loss", "mse", "--dtype", "float64", "--seed", "1"]) == 1
    assert "tanh, mse: h1 = Tanh: dz1 is wrong: NameError: name 'undefined' is not defined" in capsys.readouterr().out
