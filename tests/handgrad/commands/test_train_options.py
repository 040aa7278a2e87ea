"""What is learned, from which columns, by which network and schedule: told, kept in the checkpoint, and repeated."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.cli import main
from handgrad.experiment.plan import Options, begin, read_checkpoint, trained_on
from manual import BatchNorm1d, Dropout, LayerNorm

RNG = np.random.default_rng(1)
X = RNG.normal(5, 2, size=(60, 3)).round(3)
TINY = ["--epochs", 2, "--batch-size", 16, "--layers"]


def run(*arguments: Any) -> int:
    return main(["train", *map(str, arguments)])


def given(**options: Any) -> dict[str, Any]:
    return dict.fromkeys(Options._fields) | options


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """x, y, z, colour and kind, in a folder below the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "own.csv"
    rows = [f"{x},{y},{z},{'red' if y > 5 else 'blue'},{'ja' if x > z else 'nein'}" for x, y, z in X.tolist()]
    path.write_text("\n".join(["x,y,z,colour,kind", *rows]))
    return path


def test_columns_are_told_kept_and_repeated(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "net.safetensors", tmp_path / "out.csv"
    asked = ["--data", table, "--target", "kind", "--drop", "y", "--checkpoint", file]
    assert run(*asked, *TINY, "4,5,2") == 0
    said, notes = capsys.readouterr()
    assert (
        "\nlearns kind from x, z, colour (2 words)\ninputs: mean 0 and variance 1 over the 48 rows trained on\n" in said
    )
    assert notes == ""  # a target that is chosen is not guessed
    assert run("--resume", "--checkpoint", file, "--epochs", 3) == 0
    table.write_text("colour,z,x\nred,5,1\nblue,5,9\n")
    for command in (["train", "--resume"], ["verify"]):
        with pytest.raises(SystemExit):
            main([*command, "--checkpoint", str(file)])
        words = f"--data: {table} has no column 'kind', which the network was trained to predict; give data with it"
        assert words in " ".join(capsys.readouterr().err.split())
    capsys.readouterr()
    assert main(["predict", "--checkpoint", str(file), "--data", str(table), "--out", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 3


def test_a_table_without_a_header_says_what_is_learned_from_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "own.csv"
    data.write_text("".join(f"{x},{y},{x + z}\n" for x, y, z in X.tolist()))
    assert run("--data", data, *TINY, "2,3,1") == 0
    said = capsys.readouterr().out
    assert "\nno header (numbers in the first row): learns column 3 from column 1, column 2\n" in said
    assert " 2 inputs, column 3 to be fitted\n" in said
    assert re.fullmatch(r"off by [\d.]+ \(root mean square\) on 12 .*", said.splitlines()[-1])


def test_what_a_training_took_may_be_said_again(table: Path, tmp_path: Path) -> None:
    """The column that it found, and its optimizer's own weight decay."""
    file = tmp_path / "net.safetensors"
    assert run("--data", table, "--drop", "y", "--checkpoint", file, *TINY, "4,5,2") == 0
    asked = ["--resume", "--checkpoint", file, "--epochs", 3]
    assert run(*asked, "--target", "kind", "--drop", "y", "--weight-decay", 0.01) == 0
    with pytest.raises(SystemExit):
        run(*asked, "--target", "x")


def test_where_the_data_lie_stays_out_of_the_checkpoint(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = table.with_name("net.safetensors")
    how = ["--target", "kind", *TINY, "5,5,2"]
    assert run("--data", table, "--checkpoint", file, *how) == 0
    assert str(tmp_path).encode() not in file.read_bytes()
    assert read_checkpoint(file).options.data == "data/own.csv"
    assert run("--resume", "--checkpoint", file, "--epochs", 3) == 0
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with pytest.raises(SystemExit):
        run("--resume", "--checkpoint", file, "--epochs", 4)
    assert "there is no data/own.csv, neither here nor beside" in capsys.readouterr().err
    other = table.with_name("other.safetensors")
    assert run("--data", table, "--checkpoint", other, *how) == 0
    assert read_checkpoint(other).options.data == "own.csv"
    assert run("--resume", "--checkpoint", other, "--epochs", 3) == 0  # it lies beside the checkpoint


def test_scaling_is_that_of_the_rows_trained_on(table: Path) -> None:
    plan = begin(given(data=str(table), target="kind", drop=("colour",), seed=7))
    rows = trained_on(60, 7)
    assert len(rows) == 48
    np.testing.assert_allclose(plan.x, (X - X[rows].mean(0)) / X[rows].std(0), rtol=1e-4, atol=1e-6)
    raw = begin(given(data=str(table), target="kind", drop=("colour",), standardise=False))
    np.testing.assert_array_equal(raw.x, X.astype("float32"))


def test_inputs_as_they_stand(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "net.safetensors"
    how = ["--no-standardise", "--target", "kind", *TINY, "5,5,2"]
    assert run("--data", table, "--checkpoint", file, *how) == 0
    assert "\ninputs: as they stand in the file\n" in capsys.readouterr().out
    assert read_checkpoint(file).options.standardise is False
    with pytest.raises(SystemExit):
        run("--resume", "--checkpoint", file, "--standardise")
    assert "--standardise is yes, but" in capsys.readouterr().err


def test_one_class_in_the_rows_trained_on_is_told(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    held_back = np.setdiff1d(np.arange(10), trained_on(10, 0))
    path.write_text("".join(f"{i},{i * i},{'rare' if i in held_back else 'usual'}\n" for i in range(10)))
    with pytest.raises(ValueError, match="all rows trained on are of the class 'usual', those of others are held back"):
        begin(given(data=str(path)))


@pytest.mark.parametrize("side", ["--side manual", "--side hand", "--side autograd"])
def test_norm_dropout_and_an_activation_for_each_layer(
    side: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, log = tmp_path / "net.safetensors", tmp_path / "log.jsonl"
    how = ["--layers", "64,6,5,10", "--activation", "tanh,relu", "--norm", "batch", "--dropout", 0.25]
    how += ["--weight-decay", 0.5, "--lr-schedule", "cosine", "--batch-size", 256, "--dtype", "float64"]
    assert run(*how, "--epochs", 2, "--checkpoint", file, "--log", log, *side.split()) == 0
    said = capsys.readouterr().out
    assert "64-6-5-10 tanh,relu, cross_entropy" in said
    assert "\nbatch norm, dropout 0.25, weight decay 0.5, learning rate to 0 along a cosine\n" in said
    found = read_checkpoint(file).checkpoint
    tags = [layer.facts.tag for layer in found.network.layers]
    assert tags == ["linear", "batch_norm", "tanh", "dropout", "linear", "batch_norm", "relu", "dropout", "linear"]
    assert found.optimizer.weight_decay == 0.5
    rates = [json.loads(line)["lr"] for line in log.read_text().splitlines()]
    assert rates == pytest.approx([1e-3 * (1 + np.cos(np.pi * k / 12)) / 2 for k in (5, 11)])
    losses = [json.loads(line)["loss"] for line in log.read_text().splitlines()]
    assert losses == pytest.approx(LOSSES.setdefault("all sides", losses), rel=1e-9)
    assert main(["predict", "--checkpoint", str(file), "--data", "digits"]) == 0


LOSSES: dict[str, list[float]] = {}


def test_the_parts_by_name() -> None:
    layers = begin(given(layers=(64, 5, 10), norm="layer", activation="sigmoid", batch_size=13)).network.layers
    assert any(isinstance(layer, LayerNorm) for layer in layers)
    assert not any(isinstance(layer, BatchNorm1d | Dropout) for layer in layers)
    for name, rates in {"step": (1, 1e-1, 1e-2), "exponential": (1, 0.01**0.4, 0.01**0.8)}.items():
        plan = begin(given(layers=(64, 10), lr_schedule=name, epochs=5, batch_size=144))
        assert plan.schedule is not None
        assert plan.batches == 10
        assert [plan.schedule(k) for k in (0, 20, 40)] == pytest.approx(rates)


def test_early_stopping_ends_with_the_best_epoch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Random labels: what is learned by heart is of no use on the others, so that an early epoch is the best."""
    rng, data, file = np.random.default_rng(0), tmp_path / "own.npz", tmp_path / "net.safetensors"
    np.savez(data, x=rng.normal(size=(50, 20)), y=rng.integers(0, 2, 50))
    how = ["--data", data, "--early-stopping", 2, "--lr", 0.02, "--layers", "20,16,2"]
    assert run(*how, "--checkpoint", file) == 0
    said = capsys.readouterr().out
    assert "\nends after 2 epochs without a lower validation loss\n" in said
    training = read_checkpoint(file).checkpoint.training
    losses = [record["val_loss"] for record in training.history]
    assert training.epoch == int(np.argmin(losses)) + 1 == len(losses) - 2 < 28
    reached = training.history[training.epoch - 1]["val_accuracy"]
    last = said.splitlines()[-1]
    assert last.startswith(f"validation accuracy {100 * reached:.2f} % (")
    assert f"in epoch {training.epoch}, the best of {len(losses)} epochs in " in last
    assert run("--resume", "--checkpoint", file, "--epochs", training.epoch + 1, "--early-stopping", 1) == 0
    again = read_checkpoint(file).checkpoint.training  # of one more epoch, which is no better
    assert (again.epoch, len(again.history)) == (training.epoch, training.epoch + 1)


BAD = {
    "--activation relu,tanh,relu": "--activation is relu,tanh,relu, 3 names for 2 hidden layers",
    "--activation relu,step": "--activation: invalid choice: 'step'",
    "--dropout 1": "--dropout is 1, expected a probability below 1",
    "--dropout -0.1": "--dropout is -0.1, expected a number, 0 or more",
    "--weight-decay -1": "--weight-decay is -1, expected a number, 0 or more",
    "--norm group": "invalid choice: 'group'",
    "--norm batch --batch-size 3": "batch_size: 3 leaves a batch of one of the 1438 samples, and batch norm needs two",
    "--lr-schedule linear": "invalid choice: 'linear'",
    "--early-stopping 0": "--early-stopping is 0, expected 1 or more",
    "--preset torch --dropout 0.5": "--dropout is 0.5, but --preset torch says the network; leave one of them out",
    "--preset torch --norm layer": "--norm is layer, but --preset torch says the network",
    "--target x": "digits: has no columns to choose from; --target and --drop are for .csv, .tsv",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_usage(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        run(*arguments.split())
    assert stop.value.code == 2
    assert BAD[arguments] in capsys.readouterr().err
