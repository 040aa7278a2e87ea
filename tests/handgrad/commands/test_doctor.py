"""`handgrad doctor` as its users meet it: exit codes, the arguments of train, a checkpoint, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from handgrad.cli import main

SMALL = ["--layers", "64,20,10", "--batch-size", "32"]


def run(*arguments: Any) -> int:
    return main(["doctor", *map(str, arguments)])


def test_a_healthy_training_is_told_so_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*SMALL) == 0
    out = capsys.readouterr().out
    assert out.startswith("64-20-10 relu, cross_entropy, adamw at 0.001, batches of 32, seed 0; digits,\nfloat32\n")
    assert "healthy: nothing is wrong in 8 checks" in out
    assert max(map(len, out.splitlines())) <= 80


def test_something_wrong_is_exit_code_1_and_stands_in_the_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.json"
    assert run(*SMALL, "--lr", 1e-7, "--json", file) == 1
    assert "Do: Raise the learning rate 1e-07" in capsys.readouterr().out
    content = json.loads(file.read_text())
    assert {check["name"] for check in content["checks"] if not check["healthy"]} == {"first steps", "update to weight"}


def test_a_preset_is_written_out_and_examined(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--layers", "64,30,10", "--preset", "mazur") == 1
    out = capsys.readouterr().out
    assert out.startswith("--preset mazur stands for\n  weights: 0.15, 0.20, 0.25")
    assert "No gradient reaches W1, W2" in out


def test_a_checkpoint_is_examined_where_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "it.safetensors"
    assert main(["train", *SMALL, "--epochs", "2", "--checkpoint", str(file)]) == 0
    capsys.readouterr()
    before = file.read_bytes()
    assert run("--checkpoint", file) == 0
    assert "After 90 steps of training the loss is " in " ".join(capsys.readouterr().out.split())
    assert run("--checkpoint", file, "--lr", 10) == 1
    assert file.read_bytes() == before


def test_a_table_of_numbers_is_examined(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "half 1:2.csv"
    file.write_text("a,b,y\n" + "".join(f"{k % 7},{k % 5},{k % 7 + 0.5 * (k % 5) + 0.25}\n" for k in range(60)))
    assert run("--data", file, "--layers", "2,8,1", "--lr", 0.01) == 0
    assert " half 1:2.csv, float32" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--layers", "64"], "--layers is '64', expected sizes such as 64,32,10"),
        (["--layers", "3,10"], "--layers is 3,10, expected 64 (inputs) first"),
        (["--lr", "0"], "--lr is 0, expected a positive number"),
        (["--batch-size", "0"], "--batch-size is 0, expected 1 or more"),
        (["--data", "no.csv"], "no.csv"),
        (["--checkpoint", "no.safetensors"], "no.safetensors"),
        (["--preset", "mazur", "--loss", "mse"], "leave one of them out"),
        (["--json", "no/such/file"], "--json: "),
    ],
)
def test_what_does_not_fit_is_exit_code_2(given: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        run(*given)
    assert left.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
