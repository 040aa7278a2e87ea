"""Ando Ki's programs as a student runs them: training with every consideration, weight.txt, separate inference."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from handgrad.course import text as course_text
from handgrad.lectures import ando_ki_inference, ando_ki_train
from manual import mlp
from manual.files.weight_files import save_text
from manual.layers.activations import ACTIVATIONS

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "examples" / "lectures"
# seed 1: nn.output, one update before the weights that are saved, and what these give
BEFORE, AFTER = (
    (0.013485759, 0.958600526, 0.958502988, 0.048895773),
    (0.013473918, 0.958631256, 0.958533764, 0.048858688),
)


def run_script(name: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-W", "error", SCRIPTS / name, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )


def test_train_then_infer_as_a_student_does(tmp_path: Path) -> None:
    trained = run_script("ando_ki_train.py", tmp_path, "--out", "weight.txt")
    assert (trained.returncode, trained.stderr) == (0, "")
    assert "XOR is learned" in trained.stdout
    asked = run_script("ando_ki_inference.py", tmp_path)
    assert (asked.returncode, asked.stderr) == (0, "")
    said = [float(line.split()[-1]) for line in asked.stdout.splitlines()[1:]]
    np.testing.assert_allclose(said, AFTER, atol=1e-12)
    rows = trained.stdout.split("after it\n")[1].splitlines()[:4]
    before, after = np.array([[float(word) for word in row.split()[-2:]] for row in rows]).T
    np.testing.assert_allclose(before, BEFORE, atol=1e-12)
    np.testing.assert_array_equal(after, said)


@pytest.fixture
def train_main(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., int]:
    """The training program with these arguments, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["ando_ki_train.py", *arguments])
        return ando_ki_train.main()

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        *(f"--init {init}" for init in ando_ki_train.STARTS),
        *(f"--activation {f} --lr 0.01" for f in ando_ki_train.SMOOTH),
        *(f"--loss {loss}" for loss in ando_ki_train.LOSSES),
        *(f"--optimizer {name}" for name in ando_ki_train.OPTIMIZERS),
        "--layers 5 3 2",
        "--seed 7 --iterations 1",
    ],
)
def test_each_consideration_can_be_tried(train_main: Callable[..., int], arguments: str) -> None:
    assert train_main("--iterations", "30", "--out", "weight.txt", *arguments.split()) == 0
    assert np.isfinite(ando_ki_inference.infer(Path("weight.txt"), ando_ki_train.X)).all()


@pytest.mark.parametrize("arguments", ["--optimizer momentum", "--optimizer adam", "--loss cross_entropy --lr 0.5"])
def test_other_ways_learn_xor_too(
    train_main: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: str
) -> None:
    assert train_main(*arguments.split()) == 0
    assert "XOR is learned" in capsys.readouterr().out


@pytest.mark.parametrize("loss", ando_ki_train.LOSSES)
def test_inference_gives_what_training_said(
    train_main: Callable[..., int], capsys: pytest.CaptureFixture[str], loss: str
) -> None:
    train_main("--loss", loss, "--iterations", "50", "--out", "weight.txt")
    said = [float(row.split()[-1]) for row in capsys.readouterr().out.split("after it\n")[1].splitlines()[:4]]
    inferred = ando_ki_inference.infer(Path("weight.txt"), ando_ki_train.X).ravel()
    np.testing.assert_allclose(said, inferred, rtol=0, atol=6e-10)


def test_loss_curve_is_drawn(train_main: Callable[..., int]) -> None:
    assert train_main("--iterations", "5", "--plot", "loss.png") == 0
    assert Path("loss.png").read_bytes().startswith(b"\x89PNG")
    assert train_main("--iterations", "5", "--plot", "new/folder/loss.png") == 0
    assert Path("new/folder/loss.png").read_bytes().startswith(b"\x89PNG")


def test_plot_that_cannot_be_is_told_before_training(
    train_main: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(course_text, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stop:
        train_main("--plot", "loss.png", "--out", "weight.txt")
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert "argument --plot: matplotlib is not installed: pip install 'handgrad[plot]'" in err
    assert not out
    assert not Path("weight.txt").exists()


def test_blowing_up_is_told_and_nothing_is_saved(
    train_main: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_main("--activation", "identity", "--lr", "50", "--out", "weight.txt") == 1
    assert "try a smaller --lr" in capsys.readouterr().err
    assert not Path("weight.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--lr -1", "lr is -1.0"),
        ("--iterations 0", "--iterations: got 0"),
        ("--layers 0", "n_out is 0, expected a whole number, 1 or more"),
        ("--plot loss.pdf", "ends in .png"),
        ("--activation step", "invalid choice"),
        ("--seed -1", "eed must be"),
        ("--iterations 1 --out nowhere/weight.txt", "nowhere"),
    ],
)
def test_arguments_that_cannot_be(
    train_main: Callable[..., int], capsys: pytest.CaptureFixture[str], arguments: str, says: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        train_main(*arguments.split())
    assert stop.value.code == 2
    assert says in capsys.readouterr().err


def test_weights_come_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    W = [rng.normal(size=(4, 3)) * 10.0 ** rng.integers(-300, 300, (4, 3)), np.array([[-0.0, 5e-324, 1 / 3, 0.1]])]
    net = mlp([3, 4, 1], "tanh", "sigmoid", bias=False)
    save_text(tmp_path / "w", net, ({"W": W[0]}, {}, {"W": W[1]}, {}))
    found = ando_ki_inference.load(tmp_path / "w")
    assert [p["W"].tobytes() for p in found.params if p] == [v.tobytes() for v in W]
    assert found.network.layers[1::2] == net.layers[1::2]


def test_a_network_of_other_inputs_is_told(tmp_path: Path) -> None:
    net = mlp([4, 1])
    save_text(tmp_path / "weight.txt", net, net.init(0))
    with pytest.raises(ValueError, match=r"weight\.txt: its network takes 4 inputs, expected 3"):
        ando_ki_inference.load(tmp_path / "weight.txt")


@pytest.mark.parametrize("given", [None, "layer one"])
def test_inference_without_a_good_file_stops_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, given: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["ando_ki_inference.py"])
    if given is not None:
        Path("weight.txt").write_text(given, encoding="ascii")
    with pytest.raises(SystemExit) as stop:
        ando_ki_inference.main()
    assert stop.value.code == 2
    assert "weight.txt" in capsys.readouterr().err


def test_all_smooth_activations_are_offered() -> None:
    assert set(ando_ki_train.SMOOTH) == set(ACTIVATIONS) - {"step", "sign"}
