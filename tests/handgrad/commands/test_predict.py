"""`handgrad predict` and `handgrad verify --checkpoint`: what a trained network says, and whether it is right."""

import csv
import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual
from handgrad.cli import main
from handgrad.experiment.datasets import load
from handgrad.experiment.plan import read_checkpoint, trained_on
from manual.files import atomic_write as atomic


def table(file: Path) -> tuple[list[str], list[list[str]]]:
    header, *rows = csv.reader(file.read_text("utf-8").splitlines())
    return header, rows


def trained(folder: Path, *arguments: Any) -> Path:
    file = folder / "net.safetensors"
    assert main(["train", "--checkpoint", str(file), *map(str, arguments)]) == 0
    return file


@pytest.fixture(scope="module")
def on_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    return trained(folder, "--layers", "64,32,10", "--epochs", 5, "--batch-size", 64, "--activation", "tanh")


@pytest.fixture(scope="module")
def on_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of three columns, by their names."""
    folder = tmp_path_factory.mktemp("table")
    x = np.random.default_rng(0).normal(size=(80, 3))
    lines = [f"{a},{b},{c},{'ja' if a + b > c else 'nein'}" for a, b, c in x.tolist()]
    (folder / "table.csv").write_text("\n".join(["a,b,c,label", *lines]))
    return trained(folder, "--data", folder / "table.csv", "--epochs", 20)


@pytest.fixture(scope="module")
def on_text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("the cat sat on the mat and the rat sat on the hat. " * 30)
    return trained(folder, "--data", folder / "text.txt", "--epochs", 5)


def test_every_digit_with_its_probability(on_digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "digits.csv"
    assert main(["predict", "--checkpoint", str(on_digits), "--data", "digits", "--out", str(out)]) == 0
    header, rows = table(out)
    assert header == ["row", "predicted", "probability", "label"]
    data, found = load("digits"), read_checkpoint(on_digits).checkpoint
    y = found.network.forward(found.training.params, data.x.astype("float32"))[0].astype("float64")
    p = np.exp(y) / np.exp(y).sum(1, keepdims=True)
    assert [row[3] for row in rows] == [data.form.classes[k] for k in data.target]
    assert [row[1] for row in rows] == [data.form.classes[k] for k in p.argmax(1)]
    np.testing.assert_allclose([float(row[2]) for row in rows], p.max(1), rtol=1e-5)
    right, said = sum(row[1] == row[3] for row in rows), capsys.readouterr().out
    assert "more rows" not in said
    assert main(["predict", "--checkpoint", str(on_digits), "--data", "digits"]) == 0
    assert "\nand 1787 more rows: --out FILE writes them all\n" in capsys.readouterr().out
    assert f"\naccuracy {100 * right / 1797:.2f} % ({right} of 1797)\n" in said
    held_back = found.training.history[-1]["val_accuracy"]
    assert f"\non the validation rows, which it was not trained on: accuracy {100 * held_back:.2f} % (" in said


def test_rows_without_labels_in_other_columns_order(
    on_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "new.csv", tmp_path / "out.csv"
    data.write_text("c,a,b\n-2,1,1\n2,-1,-1\n")
    assert main(["predict", "--checkpoint", str(on_table), "--data", str(data), "--out", str(out)]) == 0
    header, rows = table(out)
    assert header == ["row", "predicted", "probability"]
    assert [row[1] for row in rows] == ["ja", "nein"]
    assert "accuracy" not in capsys.readouterr().out


def test_columns_without_names_are_taken_in_their_order(
    on_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "bare.csv"
    data.write_text("1,1,-2\n-1,-1,2\n")
    capsys.readouterr()
    assert main(["predict", "--checkpoint", str(on_table), "--data", str(data)]) == 0
    said, notes = capsys.readouterr()
    assert [line.split()[1] for line in said.splitlines()[2:]] == ["ja", "nein"]
    words = "has no header, so its columns are taken for a, b, c, in the order of the data learned from"
    assert notes == f"note: {data.resolve()}: {words}\n"


def test_every_class_has_its_probability(on_digits: Path, on_table: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "out.csv", tmp_path / "out.png"
    asked = ["predict", "--checkpoint", str(on_digits), "--data", "digits", "--probabilities", "--out", str(out)]
    assert main([*asked, "--plot", str(plot)]) == 0
    header, rows = table(out)
    assert header == ["row", "predicted", "probability", "label", *(f"probability of {k}" for k in range(10))]
    p = np.array([row[4:] for row in rows], dtype=float)
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert [row[1] for row in rows] == [str(k) for k in p.argmax(1)]
    assert [row[2] for row in rows] == [max(row[4:], key=float) for row in rows]
    assert plot.read_bytes().startswith(b"\x89PNG")
    for data in ("own", "bare"):  # as it was learned from, and inputs alone without names
        lines = on_table.with_name("table.csv").read_text().splitlines()
        text = lines if data == "own" else [line.rpartition(",")[0] for line in lines[1:]]
        (tmp_path / "data.csv").write_text("\n".join(text))
        asked = ["predict", "--checkpoint", str(on_table), "--data", str(tmp_path / "data.csv"), "--out", str(out)]
        assert main([*asked, "--probabilities"]) == 0
        assert table(out)[0][-2:] == ["probability of ja", "probability of nein"]
        assert len(table(out)[1]) == 80


def test_a_name_with_a_dollar_is_shown_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (f"{i},{i * i % 7},{'$a' if i % 2 else 'b'}" for i in range(20))
    (tmp_path / "own.csv").write_text("\n".join(rows))
    file = trained(tmp_path, "--data", tmp_path / "own.csv", "--epochs", 1, "--layers", "2,2")
    capsys.readouterr()
    assert main(["predict", "--checkpoint", str(file), "--data", str(tmp_path / "own.csv")]) == 0
    said = capsys.readouterr().out
    assert "$a" in said
    assert "\\" not in said


def off(numbers: Any) -> str:
    """How far off a column of predictions is the true one beside it."""
    y, t = np.asarray(numbers).T
    explained = 100 * (1 - np.mean((y - t) ** 2) / t.var())
    words = f"off by {np.sqrt(np.mean((y - t) ** 2)):.4g} (root mean square) on {len(t)} rows"
    return f"{words}, {explained:.2f} % of variance explained"


def test_numbers_come_in_the_files_own_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(80, 3))
    y = 1000 + 50 * x[:, 0] + 0.5
    np.savez(tmp_path / "fit.npz", x=x, y=y)
    file, out = trained(tmp_path, "--data", tmp_path / "fit.npz", "--epochs", 60), tmp_path / "out.csv"
    reached = capsys.readouterr().out.splitlines()[-1].partition(" on ")[0]
    assert main(["predict", "--checkpoint", str(file), "--data", str(tmp_path / "fit.npz"), "--out", str(out)]) == 0
    header, rows = table(out)
    assert header == ["row", "predicted", "label"]
    numbers = np.array(rows, dtype=float)[:, 1:]
    np.testing.assert_allclose(numbers[:, 1], y, rtol=1e-12)
    assert np.sqrt(np.mean((numbers[:, 0] - y) ** 2)) < 0.5 * y.std()
    held_back = off(numbers[np.setdiff1d(np.arange(80), trained_on(80, 0))])
    assert held_back.startswith(reached)
    said = capsys.readouterr().out.splitlines()[-3:-1]
    assert said == [off(numbers), f"on the validation rows, which it was not trained on: {held_back}"]
    for rows in (1, 3):  # equal numbers have no variance to be explained
        np.savez(tmp_path / "same.npz", x=x[:rows], y=np.full(rows, 1000.1))
        assert main(["predict", "--checkpoint", str(file), "--data", str(tmp_path / "same.npz")]) == 0
        said = capsys.readouterr().out.splitlines()[-1]
        assert said.startswith("off by ")
        assert said.endswith(f" (root mean square) on {rows} row{'s' if rows > 1 else ''}")


def test_a_disk_that_fills_up_costs_the_file_alone(
    on_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"

    def full(old: Any, new: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    capsys.readouterr()
    monkeypatch.setattr(atomic.os, "replace", full)
    assert main(["predict", "--checkpoint", str(on_digits), "--data", "digits", "--out", str(out)]) == 1
    said, err = capsys.readouterr()
    assert "on the validation rows, which it was not trained on: accuracy " in said
    assert err == f"{out}: cannot be written: No space left on device; free some space on that disk\n"


def test_classes_trained_by_squared_error_have_scores(tmp_path: Path) -> None:
    file, out = trained(tmp_path, "--layers", "64,8,10", "--loss", "mse", "--epochs", 1), tmp_path / "out.csv"
    assert main(["predict", "--checkpoint", str(file), "--data", "digits", "--out", str(out)]) == 0
    assert table(out)[0] == ["row", "predicted", "score", "label"]


def test_a_text_is_guessed_and_continued(on_text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = on_text.with_name("text.txt")
    capsys.readouterr()
    assert main(["predict", "--checkpoint", str(on_text), "--data", str(text)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].split() == ["letters", *(w for k in range(5) for w in ("guess", str(k + 1))), "came"]
    assert said[2].startswith("'the c'  a ")
    assert said[2].split()[-1] == "a"
    for _ in range(2):
        assert main(["predict", "--checkpoint", str(on_text), "--prompt", "The CAT", "--seed", "3"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("the cat ")
    assert len(first) == len("the cat") + 200
    assert "on the" in first


def test_a_trained_network_is_certified(on_digits: Path, on_text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (on_digits, on_text):
        capsys.readouterr()
        assert main(["verify", "--checkpoint", str(file), "--seed", "1"]) == 0
        said = capsys.readouterr().out
        step = read_checkpoint(file).checkpoint.training.step
        assert f"\nCERTIFIED  net.safetensors after step {step}, " in said
        assert "\nCERTIFIED  1 network, 2 runs, seed 1" in said


def test_a_broken_backward_pass_of_a_trained_network_is_refuted(
    on_digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manual.Tanh, "backward", lambda self, params, cache, dh: (dh * (1 - cache.h), {}))
    report = tmp_path / "report.json"
    arguments = ["--dtype", "float64", "--seed", "1", "--json", str(report)]
    assert main(["verify", "--checkpoint", str(on_digits), *arguments]) == 1
    ((only,),) = (case["reports"] for case in json.loads(report.read_text())["cases"])
    assert only["verdict"] == "REFUTED"
    assert {s["name"] for s in only["stages"] if s["isolated"]["tensors"][1]["verdict"] == "REFUTED"} == {"h1 = Tanh"}


def test_verify_on_other_data_and_where_they_are_missing(
    on_table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = on_table.with_name("table.csv")
    rows, other = own.read_text(), own.rename(tmp_path / "moved.csv")
    try:
        with pytest.raises(SystemExit) as stop:
            main(["verify", "--checkpoint", str(on_table)])
        assert stop.value.code == 2
        assert (
            f"--data: there is no {own.name}, neither here nor beside {on_table}; say where" in capsys.readouterr().err
        )
        other.write_text(other.read_text().partition("\n")[2])  # without the header
        capsys.readouterr()
        assert main(["verify", "--checkpoint", str(on_table), "--data", str(other), "--dtype", "float64"]) == 0
        assert "moved.csv: has no header, so its columns are taken for a, b, c, label" in capsys.readouterr().err
    finally:
        own.write_text(rows)


BAD = {
    "predict --checkpoint nowhere.safetensors --data digits": "nowhere.safetensors: No such file or directory",
    "predict --checkpoint FOREIGN --data digits": "is no safetensors file; handgrad's checkpoints are",
    "predict --data digits": "the following arguments are required: --checkpoint",
    "predict --checkpoint TABLE": "expected one of --data digits, --data PATH, --prompt TEXT",
    "predict --checkpoint TABLE --data a --prompt b": "expected one of --data digits, --data PATH, --prompt TEXT",
    "predict --checkpoint TABLE --data nowhere.csv": "nowhere.csv: No such file or directory",
    "predict --checkpoint TABLE --data digits": "digits: 64 inputs, expected 3 as in the data learned from",
    "predict --checkpoint TABLE --data x --out nowhere/x.csv": "nowhere; make it first",
    "predict --checkpoint TABLE --prompt hello": "--prompt: the network was not trained on text",
    "predict --checkpoint TEXT --prompt the": "--prompt: 3 letters after cleaning, expected 5 or more",
    "predict --checkpoint TEXT --prompt hello --seed -1": "--seed is -1, expected a whole number, 0 or more",
    "predict --checkpoint TEXT --prompt hello --out x.csv": "--out is for the predictions of --data",
    "predict --checkpoint TEXT --prompt hello --plot x.png": "--plot is for the predictions of --data",
    "predict --checkpoint TABLE --data x --out x.txt": "--out: x.txt ends in '.txt', expected .csv, which is what is",
    "predict --checkpoint TABLE --data x --probabilities": "--probabilities go to --out FILE, which is missing",
    "predict --checkpoint TABLE --data x --plot x.doc": "ends in '.doc', expected one of",
    "predict --checkpoint TABLE --data BARE --plot x.png": "--plot: the data have no labels to draw the predictions",
    "verify --checkpoint FOREIGN": "is no safetensors file; handgrad's checkpoints are",
    "verify --checkpoint TABLE --loss mse": "--checkpoint says which network and loss",
    "verify --data digits": "--data is for --checkpoint",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_usage(
    arguments: str,
    on_table: Path,
    on_text: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("foreign").write_text("no checkpoint")
    Path("bare.csv").write_text("1,2,3\n")
    names = {"TABLE": str(on_table), "TEXT": str(on_text), "FOREIGN": "foreign", "BARE": "bare.csv"}
    with pytest.raises(SystemExit) as stop:
        main([names.get(word, word) for word in arguments.split()])
    assert stop.value.code == 2
    assert BAD[arguments] in capsys.readouterr().err


def test_a_checkpoint_of_another_program_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from manual.files.checkpoint import save

    net, x = manual.mlp([2, 2]), np.eye(2)
    done = manual.fit(net, net.init(0), x, x, manual.HalfSquaredError(), manual.SGD(0.1), epochs=1)
    save(tmp_path / "own.safetensors", net, manual.HalfSquaredError(), manual.SGD(0.1), done)
    with pytest.raises(SystemExit):
        main(["predict", "--checkpoint", str(tmp_path / "own.safetensors"), "--data", "digits"])
    assert "is a checkpoint, but none of `handgrad train`: KeyError('options')" in capsys.readouterr().err
