"""What goes wrong around a training: links in a circle, two trainings of one file, a module hidden by a folder."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from handgrad.cli import main
from handgrad.experiment import backends
from handgrad.experiment.plan import Options, begin, read_checkpoint
from handgrad.experiment.text import Line

TINY = ["--layers", "64,4,10", "--batch-size", "512"]


def run(*arguments: Any) -> int:
    return main(["train", *map(str, arguments)])


@pytest.mark.parametrize("option", ["--data", "--checkpoint", "--log", "--plot", "--html"])
def test_links_in_a_circle_are_told(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = "here.png" if option == "--plot" else "here.csv"
    os.symlink(name, "there")
    os.symlink("there", name)
    with pytest.raises(SystemExit) as stop:
        run(*TINY, option, name)
    assert stop.value.code == 2
    assert "symbolic links" in capsys.readouterr().err


def test_resuming_before_there_is_a_checkpoint_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.safetensors"
    for epochs in (1, 2):
        assert run("--resume", *TINY, "--checkpoint", file, "--epochs", epochs) == 0
        note = f"note: {file} is not there yet: a new training begins\n"
        assert capsys.readouterr().err == (note if epochs == 1 else "")
    assert read_checkpoint(file).checkpoint.training.epoch == 2


def test_the_loser_of_two_trainings_leaves_the_winners_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second is run in the middle of the first, which then finds a file that it has not written."""
    file, shown, begun = tmp_path / "net.safetensors", Line.__call__, list[int]()

    def other(self: Line, E: float, step: int) -> None:
        shown(self, E, step)
        if step == 2 and not begun:
            begun.append(1)
            assert run(*TINY, "--epochs", 1, "--seed", 5, "--checkpoint", file) == 0

    monkeypatch.setattr(Line, "__call__", other)
    assert run(*TINY, "--epochs", 2, "--checkpoint", file) == 1
    said = capsys.readouterr().err
    assert said == (
        f"{file}: another training has written it meanwhile, and it is left as it is; give each training its own file\n"
    )
    assert read_checkpoint(file).options.seed == 5


def test_where_the_data_are_not_found_again_the_advice_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("data", "here"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.savez("../data/own.npz", x=np.random.default_rng(0).normal(size=(40, 2)), y=np.arange(40) % 2)
    shown = Line.__call__

    def press(self: Line, E: float, step: int) -> None:
        shown(self, E, step)
        raise OSError("stopped here")

    monkeypatch.setattr(Line, "__call__", press)
    assert run("--data", "../data/own.npz", "--checkpoint", "net.safetensors") == 1
    assert capsys.readouterr().err == "stopped here;\nnet.safetensors was not written yet\n"
    monkeypatch.setattr(Line, "__call__", shown)
    assert run("--data", "../data/own.npz", "--checkpoint", "net.safetensors", "--epochs", 1) == 0
    monkeypatch.setattr(Line, "__call__", press)
    go_on = ["--resume", "--checkpoint", "net.safetensors", "--data", "../data/own.npz"]
    assert run(*go_on, "--epochs", 2) == 1
    assert capsys.readouterr().err.endswith(
        "go on with: handgrad train --resume --checkpoint net.safetensors --data ../data/own.npz\n"
    )


def test_one_core_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    given = dict.fromkeys(Options._fields)
    small, large = begin(given), begin(given | {"batch_size": 512})
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    for cores, count in ((8, 4), (4, 3), (1, 1)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=cores: set(range(n)), raising=False)
        assert backends.choose_threads(small) == 1
        assert backends.choose_threads(large) == count


def test_numpys_products_take_so_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = lambda: {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}  # noqa: E731
    before, found = counts(), list[Any]()
    monkeypatch.setattr(Line, "__call__", lambda self, E, step: found.append(counts()))
    for count in (1, 2):
        assert run(*TINY, "--epochs", 1, "--threads", count) == 0
        assert found.pop() == {count}
    assert counts() == before
    with pytest.raises(SystemExit):
        run("--threads", 0)


def test_jax_warns_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger("jax").level
    try:
        backends.find_jax_device("cpu")
        assert not logging.getLogger("jax._src.xla_bridge").isEnabledFor(logging.WARNING)
    finally:
        logging.getLogger("jax").setLevel(before)


@pytest.mark.parametrize("kind", ["manual/__init__.py", "torch_ref.py", "manual/notes.txt"])
def test_a_module_that_hides_ours_is_named(kind: str, tmp_path: Path) -> None:
    """A plain folder hides an installed package only where that is found behind it."""
    (tmp_path / kind).parent.mkdir(exist_ok=True)
    (tmp_path / kind).write_text("")
    code = "import handgrad.cli, sys; print(handgrad.cli.find_hidden())"
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), root])}
    got = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=env, check=True
    )
    place = str((tmp_path / kind) if kind.endswith("ref.py") else (tmp_path / kind).parent)
    name = kind.partition("/")[0].removesuffix(".py")
    if kind.endswith(".txt"):
        assert got.stdout.strip() == "None"
    else:
        own = Path(root) / name
        assert got.stdout.startswith(f"`import {name}` finds {place}, which hides handgrad's own, {own}; rename it, or")


def test_columns_are_left_out_one_by_one_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, file = tmp_path / "own.csv", tmp_path / "net.safetensors"
    rows = np.random.default_rng(0).normal(size=(30, 3)).round(2).tolist()
    table.write_text("\n".join(["a,b,c,kind", *(f"{a},{b},{c},{'up' if c > 0 else 'down'}" for a, b, c in rows)]))
    how = ("--data", table, "--layers", "1,4,2", "--epochs", 1)
    assert run(*how, "--drop", "a", "--drop", "b", "--checkpoint", file) == 0
    assert "learns kind from c\n" in capsys.readouterr().out
    assert read_checkpoint(file).options.drop == ("a", "b")
    assert run("--data", table, "--layers", "3,4,2", "--epochs", 1, "--checkpoint", tmp_path / "all.safetensors") == 0
    with pytest.raises(SystemExit):
        run("--data", table, "--drop", "a", "--resume", "--checkpoint", tmp_path / "all.safetensors")
    assert "--drop is a, but" in (said := " ".join(capsys.readouterr().err.split()))
    assert "was trained with none; leave it out" in said
