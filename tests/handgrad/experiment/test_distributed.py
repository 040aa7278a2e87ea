"""Several processes: two on loopback give the gradients, the weights and the curve of one; a lost one ends the run."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import manual
import torch_ref
from handgrad.cli import main
from handgrad.experiment import distributed
from handgrad.experiment.plan import read_checkpoint
from tests.handgrad.experiment.two_ranks import ADAM, LABELS, LOSSES, NETWORK, NORMED, X, mask

ROOT = Path(__file__).parents[3]
TRAIN = """
import sys
from pathlib import Path
from handgrad.cli import main
code = main(sys.argv[1:])
print("left:", *(thread.read_text().strip() for thread in Path("/proc/self/task").glob("*/comm")), file=sys.stderr)
sys.exit(code)
"""  # handgrad, and the names of the threads that it leaves behind
SMALL = ["--layers", "64,8,10", "--batch-size", "128", "--dtype", "float64"]


def environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return os.environ | {"PYTHONPATH": path, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"} | more


def two(command: list[str], **popen: Any) -> list[subprocess.Popen[str]]:
    """The command in two processes, with what a launcher tells them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    told = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [
        subprocess.Popen(
            [sys.executable, *command],
            env=environment(RANK=str(rank), LOCAL_RANK=str(rank), **told),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **popen,
        )
        for rank in (0, 1)
    ]


def end(processes: list[subprocess.Popen[str]]) -> None:
    """None of them outlives its test."""
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the two ranks wrote down."""
    folder = tmp_path_factory.mktemp("ranks")
    processes = two([str(Path(__file__).with_name("two_ranks.py")), str(folder)])
    try:
        said = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        end(processes)
    assert [process.returncode for process in processes] == [0, 0], said
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("N", [8, 5, 1])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("side", ["hand", "autograd"])
def test_averaged_gradients_are_autograds_of_the_whole_batch(
    found: list[dict[str, Any]], side: str, reduction: str, N: int
) -> None:
    loss, target = LOSSES[reduction]
    module = torch_ref.twin(NETWORK).double()
    module.load_state_dict(torch_ref.to_torch(NETWORK, NETWORK.init(1)))
    E = torch_ref.twin(loss)(module(torch.tensor(X[:N]), [None, None, mask(N), None]), torch.tensor(target[:N]))
    E.backward()
    for rank in found:
        value, dparams = rank[f"{side} {reduction} {N}"]
        assert value == pytest.approx(E.item(), rel=1e-13)
        for name, p in module.named_parameters():
            own = torch.tensor(dparams["d" + name], dtype=torch.float64)
            torch.testing.assert_close(own, p.grad, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("side", ["hand", "autograd"])
def test_weights_stay_equal_and_follow_one_process(found: list[dict[str, Any]], side: str) -> None:
    """With 18 samples in batches of 5, so that shares are unequal, with batch norm and dropout."""
    first, second = (rank[f"{side} params"] for rank in found)
    assert first == second
    alone = torch_ref.fit(
        NORMED,
        NORMED.init(1),
        X,
        LABELS,
        LOSSES["mean"][0],
        ADAM,
        side="hand",
        epochs=3,
        batch_size=5,
        validation=0.2,
    )
    for ours, theirs in zip(first, alone.params, strict=True):
        for name, array in theirs.items():
            np.testing.assert_allclose(ours[name], array, rtol=1e-11)
    np.testing.assert_allclose(found[0][f"{side} running"], alone.running[1], rtol=1e-11)
    for ours, theirs in zip(found[0][f"{side} history"], alone.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-11)


@pytest.mark.parametrize("side", ["hand", "autograd"])
def test_running_statistics_are_moved_by_a_step_only(found: list[dict[str, Any]], side: str) -> None:
    assert [rank[f"{side} without a step"] for rank in found] == [[[0.0] * 5, [1.0] * 5]] * 2


def test_ctrl_c_in_one_process_ends_all_after_the_same_step(found: list[dict[str, Any]]) -> None:
    assert [rank["stopped"] for rank in found] == [4, 4]


def test_processes_with_different_files_are_told(found: list[dict[str, Any]]) -> None:
    assert {rank["differs"] for rank in found} == {
        "rank 1 has another options than rank 0; give all processes the same files"
    }


def test_nothing_of_the_connection_outlives_it(found: list[dict[str, Any]]) -> None:
    assert [rank["left"] for rank in found] == ["None", "None"]


@pytest.mark.parametrize(("N", "world"), [(1, 3), (2, 3), (7, 3), (9, 3), (5, 1)])
def test_every_sample_counts_once(N: int, world: int) -> None:
    shares = [distributed.share(N, rank, world) for rank in range(world)]
    assert sorted(row for rows, counted in shares for row in rows[:counted]) == list(range(N))
    assert all(rows for rows, _ in shares)


def test_weighted_means_are_refused() -> None:
    with pytest.raises(ValueError, match="class_weights: a mean over them is no mean of shares"):
        distributed.check_loss(manual.SoftmaxCrossEntropy(class_weights=(1.0, 2.0)))


def test_a_batch_norm_with_fewer_samples_than_processes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 3)
    with pytest.raises(ValueError, match="batch_size: 7 leaves a batch of 2 of the 23 samples for 3 processes"):
        distributed.fit(NORMED, NORMED.init(1), X, LABELS, LOSSES["mean"][0], ADAM, batch_size=7)
    distributed.check_batches(NORMED, 6, 3, 3)
    distributed.check_batches(NETWORK, 5, 3, 3)


def test_a_penalty_is_refused() -> None:
    net, loss = manual.mlp([2, 2]), manual.MeanSquaredError()
    with pytest.raises(ValueError, match=r"alpha: is 0.1, a penalty, which several processes do not have"):
        distributed.fit(net, net.init(0), np.ones((4, 2)), np.ones((4, 2)), loss, manual.SGD(0.1), alpha=0.1)


def test_torchrun(tmp_path: Path) -> None:
    """The launcher's command, with a batch norm: the curve of the NumPy side alone; rank 0 alone prints and writes."""
    log, alone = tmp_path / "two.jsonl", tmp_path / "one.jsonl"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "--", "handgrad"]
    options = [*SMALL, "--norm", "batch", "--epochs", "2"]
    command = [*launcher, "train", *options, "--log", str(log)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(" of 359 digits)") == 1
    assert "hand side, torch on cpu, float64 in 2 processes" in done.stdout
    assert main(["train", *options, "--log", str(alone)]) == 0
    for ours, theirs in zip(log.read_text().splitlines(), alone.read_text().splitlines(), strict=True):
        assert json.loads(ours) == pytest.approx(json.loads(theirs), rel=1e-11)


def test_a_lost_process_ends_the_run_and_leaves_the_checkpoint(tmp_path: Path) -> None:
    file, unbroken = tmp_path / "lost.safetensors", tmp_path / "unbroken.safetensors"
    arguments = ["train", *SMALL, "--side", "autograd", "--checkpoint", str(file)]
    first, second = two(["-c", TRAIN, *arguments, "--epochs", "100000"])
    try:
        while not file.exists():
            assert first.poll() is None, first.communicate()[1]
            time.sleep(0.05)
        second.send_signal(signal.SIGKILL)
        _, err = first.communicate(timeout=600)
    finally:
        end([first, second])
    assert first.returncode == 1
    assert "rank 0: lost another process" in err
    assert "gloo" not in err[err.index("left:") :]
    training = read_checkpoint(file).checkpoint.training
    assert training.epoch >= 1
    assert f"{file} holds step {training.step}; go on with: torchrun --nproc-per-node 2" in err
    more = ["--epochs", str(training.epoch + 2)]
    assert main(["train", "--resume", "--checkpoint", str(file), *more]) == 0
    assert main(["train", *SMALL, "--checkpoint", str(unbroken), *more]) == 0
    pairs = zip(
        read_checkpoint(file).checkpoint.training.params,
        read_checkpoint(unbroken).checkpoint.training.params,
        strict=True,
    )
    for ours, theirs in pairs:
        for name, array in theirs.items():
            np.testing.assert_allclose(ours[name], array, rtol=1e-7, atol=1e-12)


def test_bad_usage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main(["train", "--side", "manual"]) == 2
    assert capsys.readouterr().err == ""  # what all processes know, rank 0 tells
    with pytest.raises(SystemExit):
        main(["train", "--data", "nowhere.csv"])
    assert "rank 1: " in (err := capsys.readouterr().err)
    assert "nowhere.csv: No such file" in err
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(SystemExit) as stop:
        main(["train", "--side", "manual"])
    assert stop.value.code == 2
    assert "2 processes train with --side hand or --side autograd" in capsys.readouterr().err
