"""`handgrad train` as its users meet it: what it reaches, prints, writes, and what it says when something is wrong."""

import errno
import json
import re
import signal
import sys
import time
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from handgrad.cli import main
from handgrad.commands import train as command
from handgrad.experiment import keep as checkpoints
from handgrad.experiment import text
from handgrad.experiment.plan import Options, begin, read_checkpoint, resume_from
from handgrad.experiment.text import Line
from manual import HalfSquaredError, fit
from manual.files import atomic_write as atomic
from manual.files.serialise import flatten

SMALL = ["--layers", "64,12,10", "--batch-size", "256", "--dtype", "float64"]  # 6 steps an epoch


def run(*arguments: Any) -> int:
    return main(["train", *map(str, arguments)])


def arrays(file: Path) -> dict[str, Any]:
    """Everything in a checkpoint, by name."""
    found = read_checkpoint(file).checkpoint
    named, numbers = flatten(found.network, found.optimizer, found.training)
    return {**named, "numbers": numbers}


def assert_same(one: Path, other: Path) -> None:
    """Bit for bit."""
    a, b = arrays(one), arrays(other)
    assert a.pop("numbers") == b.pop("numbers")
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_plain_command_reaches_97_percent(capsys: pytest.CaptureFixture[str]) -> None:
    start = time.process_time()
    assert run() == 0
    assert time.process_time() - start < 20
    *lines, last = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80  # the heading of the table in one line
    assert lines[3] == "inputs: divided by 16"
    assert lines[4].split() == ["epoch", "loss", "val.", "loss", "accuracy", "val.", "accuracy", "rate", "gradient"]
    assert float(last.removeprefix("validation accuracy ").split()[0]) >= 97
    assert " of 359 digits)" in last


def test_all_sides_give_the_same_curve(tmp_path: Path) -> None:
    curves = {}
    for side in ("--side manual", "--side hand", "--side autograd", "--array torch", "--array jax"):
        file = tmp_path / f"{side.split()[1]}.jsonl"
        assert run(*SMALL, "--epochs", 2, "--log", file, *side.split()) == 0
        curves[side] = records(file)
    first = curves.pop("--side manual")
    assert [record["epoch"] for record in first] == [1, 2]
    assert {"loss", "val_loss", "accuracy", "val_accuracy", "grad_norm", "lr", "step"} < set(first[0])
    for curve in curves.values():
        for ours, theirs in zip(curve, first, strict=True):
            assert ours == pytest.approx(theirs, rel=1e-11)


def test_resuming_gives_what_the_unbroken_run_gives(tmp_path: Path) -> None:
    whole, parts, log = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors", tmp_path / "log.jsonl"
    assert run(*SMALL, "--epochs", 4, "--checkpoint", whole) == 0
    assert run(*SMALL, "--epochs", 2, "--checkpoint", parts) == 0
    assert run("--resume", "--checkpoint", parts, "--epochs", 4, "--log", log) == 0
    assert_same(parts, whole)
    assert records(log) == list(read_checkpoint(whole).checkpoint.training.history)


def test_resuming_on_another_side_follows_to_rounding(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert run(*SMALL, "--epochs", 3, "--checkpoint", whole) == 0
    assert run(*SMALL, "--epochs", 2, "--checkpoint", parts) == 0
    assert run("--resume", "--checkpoint", parts, "--epochs", 3, "--side", "hand") == 0
    for ours, theirs in zip(
        read_checkpoint(parts).checkpoint.training.params,
        read_checkpoint(whole).checkpoint.training.params,
        strict=True,
    ):
        for name, array in theirs.items():
            np.testing.assert_allclose(ours[name], array, rtol=1e-9)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_after_the_step_and_can_be_resumed(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, file, log = tmp_path / "whole.safetensors", tmp_path / "stopped it.safetensors", tmp_path / "log.jsonl"
    assert run(*SMALL, "--epochs", 3, "--checkpoint", whole) == 0
    shown = Line.__call__

    def press(self: Line, E: float, step: int) -> None:
        shown(self, E, step)
        if step == 8:
            signal.raise_signal(number)

    with monkeypatch.context() as patch:
        patch.setattr(Line, "__call__", press)
        assert run(*SMALL, "--epochs", 3, "--checkpoint", file, "--log", log) == command.INTERRUPTED
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert read_checkpoint(file).checkpoint.training.step == 8
    assert [record["epoch"] for record in records(log)] == [1]
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == (
        f"stopped after step 8, in epoch 2 of 3; {file} holds step 8; go on with: "
        f"handgrad train --resume --checkpoint '{file}'"
    )
    assert run("--resume", "--checkpoint", file) == 0
    assert_same(file, whole)


def test_a_loss_that_is_not_finite_keeps_the_last_good_checkpoint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "good.safetensors"
    assert run(*SMALL, "--epochs", 2, "--optimizer", "sgd", "--loss", "mse", "--checkpoint", file) == 0
    before = file.read_bytes()
    assert run("--resume", "--checkpoint", file, "--epochs", 3, "--lr", 1e200) == 1
    said = capsys.readouterr().err
    assert "the loss or its gradient is not finite at step 14; " in said
    assert "lower the learning rate 1e+200" in said
    assert f"{file} holds step 12" in said
    assert file.read_bytes() == before


def test_a_full_disk_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, real = tmp_path / "full.safetensors", checkpoints.save

    def full(path: Path, *what: Any) -> None:
        if what[3].epoch > 1:
            raise OSError(errno.ENOSPC, f"{path}: cannot be written: No space left on device")
        real(path, *what)

    monkeypatch.setattr(checkpoints, "save", full)
    assert run(*SMALL, "--epochs", 3, "--checkpoint", file) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"{file}: cannot be written: No space left on device; {file} holds step 6; go on with: " in said
    assert read_checkpoint(file).checkpoint.training.epoch == 1


def test_a_disk_that_fills_up_at_the_plot_costs_the_plot_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "curve.png"

    def full(old: Any, new: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(atomic.os, "replace", full)
    assert run(*SMALL, "--epochs", 1, "--plot", plot) == 1
    out, err = capsys.readouterr()
    assert " of 359 digits)" in out.splitlines()[-1]
    assert err == f"{plot}: cannot be written: No space left on device; free some space on that disk\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process are POSIX")
def test_a_disk_too_small_for_the_checkpoints_is_told_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """At the end there are two for a moment: the one before, and the one that replaces it."""
    import resource

    file = tmp_path / "run.safetensors"
    assert run(*SMALL, "--epochs", 2, "--checkpoint", file) == 0
    size = file.stat().st_size
    monkeypatch.setattr(command, "attempt", lambda *given: pytest.fail("trained"))
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    for room, arguments in {2 * size - 1500: [*SMALL], size - 500: ["--resume", "--epochs", 3]}.items():
        path = file if "--resume" in arguments else tmp_path / "other.safetensors"
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, old[1]))  # the histories are shorter than that
        try:
            with pytest.raises(SystemExit):
                run(*arguments, "--checkpoint", path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
        assert f"{path}: cannot be written: File too large" in capsys.readouterr().err


def test_without_a_terminal_there_is_a_line_after_an_epoch(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*SMALL, "--epochs", 3) == 0
    assert capsys.readouterr().err == ""  # over in less than ten seconds
    monkeypatch.setattr(text, "SECONDS", 0)
    assert run(*SMALL, "--epochs", 3, "--lr", 0.002) == 0
    lines = capsys.readouterr().err.splitlines()
    for epoch, line in enumerate(lines, 1):
        assert re.fullmatch(rf"epoch {epoch}/3  loss \S+  learning rate 0.002  [\d,]+ samples/s  0:00:\d\d left", line)
    assert len(lines) == 3


def test_the_gradients_norm_can_be_clipped(tmp_path: Path) -> None:
    """Plain descent from the same weights, one step: clipped to a norm, the step is as long as the rate times it."""
    file, how = tmp_path / "run.safetensors", ["--optimizer", "sgd", "--lr", 1, "--epochs", 1]
    how += ["--layers", "64,12,10", "--dtype", "float64", "--batch-size", 2000]
    starts = begin({**dict.fromkeys(Options._fields), "layers": (64, 12, 10), "dtype": "float64"}).params
    for side in ("manual", "hand"):
        file.unlink(missing_ok=True)
        assert run(*how, "--side", side, "--clip-norm", 0.01, "--checkpoint", file) == 0
        pairs = zip(read_checkpoint(file).checkpoint.training.params, starts, strict=True)
        step = sum(float(((now[k] - then[k]) ** 2).sum()) for now, then in pairs for k in now) ** 0.5
        assert step == pytest.approx(0.01, rel=1e-10)
    assert run("--resume", "--checkpoint", file, "--epochs", 2, "--clip-norm", 1) == 0
    assert read_checkpoint(file).options.clip_norm == 1


def test_a_finished_training_has_nothing_left_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.safetensors"
    assert run(*SMALL, "--epochs", 2, "--checkpoint", file) == 0
    assert run("--resume", "--checkpoint", file) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.endswith("); nothing was left to do after 2 epochs, give more by --epochs")


def test_the_gradients_of_a_resumed_training_are_told_from_which_step(tmp_path: Path) -> None:
    file = tmp_path / "run.safetensors"
    assert run(*SMALL, "--epochs", 2, "--checkpoint", file) == 0
    plan = resume_from(file, dict.fromkeys(Options._fields))
    assert plan.resume is not None
    for resume, label in ((plan.resume, "at step 12"), (None, "before")):
        axes = Figure().add_subplot()
        command.draw(plan._replace(resume=resume), plan.resume, np.arange(9))[1](axes)
        assert [text.get_text() for text in axes.get_legend().get_texts()] == [label, "after"]


def test_own_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of classes with two inputs and a plot, numbers to be fitted, and a text."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2))
    classes = np.where(x[:, 0] * x[:, 1] > 0, "gleich", "verschieden")
    table, numbers, text = tmp_path / "quadrants.csv", tmp_path / "sum.npz", tmp_path / "text.txt"
    table.write_text("\ufeffa;b;label\r\n" + "".join(f"{a};{b};{c}\r\n" for (a, b), c in zip(x, classes, strict=True)))
    np.savez(numbers, x=x, y=x.sum(1) * 100 + 0.5)
    text.write_text("Der schöne Tag\n ist schön!! " * 60, encoding="utf-8")
    plot = tmp_path / "quadrants.png"
    assert run("--data", table, "--plot", plot, "--epochs", 60) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")
    reached, drew = capsys.readouterr().out.splitlines()[-2:]
    assert float(reached.removeprefix("validation accuracy ").split()[0]) > 85
    assert drew == f"drew {plot}"
    assert run("--data", numbers, "--epochs", 40) == 0
    off, _, on = (
        capsys.readouterr().out.splitlines()[-1].removeprefix("off by ").partition(" (root mean square) on 24 ")
    )
    assert on.startswith("validation samples, after 40 epochs")
    assert float(off) < 30  # the targets' standard deviation is about 140
    for loss in ("cross_entropy", "mse"):
        assert run("--data", text, "--epochs", 2, "--loss", loss) == 0
        said = capsys.readouterr().out
        assert " next letters)" in said
        assert "\nletters: a to z, no capitals, no accents; white space one space, all else one _\n" in said
        assert "\nbegins 'der schone tag ist schon_ der schone tag ist schon_ der scho'\n" in said


def test_whole_numbers_are_fitted_by_squared_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ages, 20 to 79: classes unless --loss mse says that they are to be fitted; so they stay when it is resumed."""
    rng, file = np.random.default_rng(0), tmp_path / "ages.safetensors"
    ages = 20 + np.arange(1200) % 60
    rows = (f"{age / 7 + noise},{age % 2},{age}\n" for age, noise in zip(ages, rng.normal(size=1200), strict=True))
    table = tmp_path / "ages.csv"
    table.write_text("a,b,age\n" + "".join(rows))
    assert run("--data", table, "--epochs", 1) == 0
    assert "60 classes (20, 21, " in capsys.readouterr().out
    assert run("--data", table, "--loss", "mse", "--epochs", 3, "--checkpoint", file) == 0
    said = capsys.readouterr().out
    assert "2 inputs, age to be fitted" in said
    off, _, rest = said.splitlines()[-1].removeprefix("off by ").partition(" ")
    assert float(off) < 12  # the noise is that of 7 years, the ages' standard deviation 17
    assert rest.startswith("age (root mean square) on 240 validation samples")
    assert run("--resume", "--checkpoint", file, "--epochs", 4) == 0
    with pytest.raises(SystemExit):
        run("--data", table, "--loss", "mse", "--layers", "2,5,60")
    assert "--layers is 2,5,60, expected 2 (inputs) first and 1 (numbers to be fitted) last" in capsys.readouterr().err


def test_data_may_move_but_not_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, file = np.random.default_rng(0), tmp_path / "run.safetensors"
    x, y = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    for name, data in {"here": x, "there": x, "other": x + 1e-9 * rng.normal(size=x.shape)}.items():
        np.savez(tmp_path / f"{name}.npz", x=data, y=y)
    assert run("--data", tmp_path / "here.npz", "--epochs", 1, "--checkpoint", file) == 0
    (tmp_path / "here.npz").unlink()
    go_on = ["--resume", "--checkpoint", file, "--epochs", 2, "--data"]
    assert run(*go_on, tmp_path / "there.npz") == 0
    with pytest.raises(SystemExit):
        run(*go_on, tmp_path / "other.npz")
    assert "other.npz is not what" in capsys.readouterr().err


def test_a_warning_about_the_data_is_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "constant.csv"
    data.write_text("a,b,label\n" + "".join(f"{k},7,{k % 2}\n" for k in range(20)))
    assert run("--data", data, "--epochs", 1) == 0
    err = capsys.readouterr().err
    assert err.startswith("note: ")
    assert "'b'" in err


@pytest.mark.parametrize("side", ["--side hand", "--side autograd", "--array torch"])
def test_torch_trains_a_small_network_in_one_thread(side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine its threads wait for each other: 2 epochs on the digits took 15 to 58 s instead of 0.6 to 4."""
    found, before = list[int](), torch.get_num_threads()
    monkeypatch.setattr(Line, "__call__", lambda self, E, step: found.append(torch.get_num_threads()))
    torch.set_num_threads(2)
    try:
        assert run(*side.split(), "--epochs", 1) == 0
        assert set(found) == {1}
        found.clear()
        assert run(*side.split(), "--epochs", 1, "--batch-size", 1437, "--threads", 2) == 0
        assert set(found) == {torch.get_num_threads()} == {2}
    finally:
        torch.set_num_threads(before)


def test_deterministic_runs_give_the_same_bits(tmp_path: Path) -> None:
    files = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    try:
        for file in files:
            assert run(*SMALL, "--epochs", 1, "--side", "hand", "--deterministic", "--checkpoint", file) == 0
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert_same(*files)


def test_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path / "board")

        def add_scalar(self, name: str, value: float, epoch: int) -> None:
            written.append((name, value, epoch))

        def flush(self) -> None:
            pass

    module = ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    log = tmp_path / "log.jsonl"
    assert run(*SMALL, "--epochs", 2, "--log", log, "--tensorboard", tmp_path / "board") == 0
    assert written == [(name, value, r["epoch"]) for r in records(log) for name, value in r.items()]


def test_memory_is_that_of_the_data(tmp_path: Path) -> None:
    """As read, in float64, and in the dtype asked for; not once more, and no more with more epochs."""
    rng, peaks = np.random.default_rng(0), []
    x = rng.normal(size=(20_000, 100)).astype("float32")
    np.savez(tmp_path / "large.npz", x=x, y=rng.integers(0, 3, len(x)))
    for epochs in (1, 3):
        tracemalloc.start()
        how = ["--layers", "100,8,3", "--batch-size", 500, "--epochs", epochs, "--optimizer", "sgd"]
        assert run("--data", tmp_path / "large.npz", *how) == 0
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < 5 * x.nbytes
    assert peaks[1] < 1.1 * peaks[0]


BAD = {
    "--data nowhere.csv": "nowhere.csv: No such file or directory",
    "--layers 64,x,10": "--layers is '64,x,10', expected sizes such as 64,32,10",
    "--layers 64,0,10": "--layers is '64,0,10', expected sizes such as 64,32,10",
    "--layers 4,5,3": "--layers is 4,5,3, expected 64 (inputs) first and 10 (classes) last, such as 64,5,10",
    "--activation tahn": "invalid choice: 'tahn'",
    "--activation step": "invalid choice: 'step'",
    "--loss l2": "invalid choice: 'l2'",
    "--optimizer lion": "invalid choice: 'lion'",
    "--lr 0": "--lr is 0, expected a positive number",
    "--lr nan": "--lr is nan, expected a positive number",
    "--clip-norm 0": "--clip-norm is 0, expected a positive number",
    "--data ": "--data is '', expected digits or the path of a file",
    "--epochs 0": "--epochs is 0, expected 1 or more",
    "--batch-size 0": "--batch-size is 0, expected 1 or more",
    "--seed -1": "--seed is -1, expected 0 or more",
    "--dtype float16": "invalid choice: 'float16'",
    "--side gpu": "invalid choice: 'gpu'",
    "--array cupy": "invalid choice: 'cupy'",
    "--array torch --side hand": "--array is torch, but --side hand runs on torch; leave --array out",
    "--device tpu": "invalid choice: 'tpu'",
    "--device cuda": "--device is cuda, but NumPy has the CPU only; use --array torch, or --side hand",
    "--checkpoint nowhere/x.safetensors": "nowhere; make it first",
    "--checkpoint .": ": is a folder, expected a file name",
    "--checkpoint there.safetensors": "there.safetensors is there already; add --resume to go on from it",
    "--resume": "--resume needs --checkpoint FILE, the file to go on from",
    "--resume --checkpoint there.safetensors": "there.safetensors: is no safetensors file",
    "--log nowhere/x.jsonl": "nowhere; make it first",
    "--plot x.docx": "ends in '.docx', expected one of",
    "--checkpoint same --log same": "--checkpoint and --log name the same file; give each its own",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_usage(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.safetensors").write_text("no checkpoint")
    with pytest.raises(SystemExit) as stop:
        run(*arguments.split(" "))
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert BAD[arguments] in err
    assert not out
    assert [path.name for path in Path().iterdir()] == ["there.safetensors"]


CHANGED = {
    "--layers 64,9,10": "--layers is 64,9,10, but run.safetensors was trained with 64,12,10; leave it out",
    "--seed 1": "--seed is 1, but run.safetensors was trained with 0",
    "--optimizer sgd": "--optimizer is sgd, but run.safetensors was trained with adamw",
    "--dtype float32": "--dtype is float32, but run.safetensors was trained with float64",
    "--norm batch": "--norm is batch, but run.safetensors was trained with none; leave it out",
    "--no-standardise": "--standardise is no, but run.safetensors was trained with yes; leave it out",
    "--weight-decay 0.5": "--weight-decay is 0.5, but run.safetensors was trained with 0.01; leave it out",
    "--epochs 1": "--epochs is 1, but run.safetensors holds 2",
}


def test_what_a_resumed_training_cannot_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(*SMALL, "--epochs", 2, "--checkpoint", "run.safetensors") == 0
    for arguments, says in CHANGED.items():
        with pytest.raises(SystemExit):
            run("--resume", "--checkpoint", "run.safetensors", *arguments.split())
        assert says in capsys.readouterr().err


def test_what_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for arguments, says in {
        "--array jax": "pip install 'handgrad[jax]'",
        f"--tensorboard {tmp_path}": "--tensorboard needs TensorBoard: pip install tensorboard",
    }.items():
        with pytest.raises(SystemExit) as stop:
            run(*arguments.split())
        assert stop.value.code == 2
        assert says in capsys.readouterr().err


def test_a_preset_is_written_out_and_gives_way_to_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, log = tmp_path / "it.safetensors", tmp_path / "log.jsonl"
    given = ["--layers", "64,5,10", "--epochs", 1, "--lr", 0.5, "--checkpoint", file]
    assert run("--preset", "playground", *given) == 0
    out = capsys.readouterr().out
    assert "--preset playground stands for\n  weights: uniform in [-0.5, 0.5)\n  biases: 0.1, trained\n" in out
    assert "  loss: 1/2 sum (y - t)^2 / N, of a class t = 1, of the others -1\n  step: sgd, learning rate 0.5\n" in out
    found = read_checkpoint(file)
    assert found.checkpoint.loss == HalfSquaredError("batch mean")
    assert (found.options.batch_size, found.options.preset) == (10, "playground")
    assert run("--resume", "--checkpoint", file, "--epochs", 2, "--log", log) == 0
    whole = begin({name: None for name in Options._fields} | {"preset": "playground", "layers": (64, 5, 10), "lr": 0.5})
    assert set(np.unique(whole.target)) == {-1, 1}
    plain = fit(whole.network, whole.params, whole.x, whole.target, whole.loss, whole.optimizer, epochs=2,
                batch_size=10, shuffle=False, validation=0.2)  # fmt: skip
    assert records(log)[-1]["loss"] == pytest.approx(plain.history[-1]["loss"], rel=1e-6)


@pytest.mark.parametrize("side", ["hand", "autograd"])
def test_a_preset_is_the_same_on_every_side(side: str, tmp_path: Path) -> None:
    curves = []
    for each in ("manual", side):
        log = tmp_path / f"{each}.jsonl"
        given = [*SMALL, "--epochs", 2, "--preset", "sklearn", "--side", each, "--log", log]
        assert run(*given) == 0
        curves.append(records(log))
    for ours, theirs in zip(*curves, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-11)


def test_a_preset_and_a_loss_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run("--preset", "nielsen", "--loss", "mse")
    assert left.value.code == 2
    assert "--loss is mse, but --preset nielsen says the loss; leave one of them out" in capsys.readouterr().err
