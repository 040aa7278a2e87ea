"""A training's checkpoint: how often it is written, and that the last epoch is on the disk however a training ends."""

from pathlib import Path
from typing import Any

import pytest

from handgrad.experiment import keep
from handgrad.experiment.keep import Keeper
from handgrad.experiment.plan import Options, Plan, begin
from manual import Training
from manual.training.plan import begin as start


@pytest.fixture
def plan() -> Plan:
    return begin(dict.fromkeys(Options._fields) | {"layers": (64, 10), "optimizer": "sgd"})


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that were written, in their order."""
    epochs = list[int]()

    def save(path: Path, network: Any, loss: Any, optimizer: Any, training: Training, extra: Any) -> None:
        if training.epoch == 13:
            raise OSError("no space left")
        epochs.append(training.epoch)

    monkeypatch.setattr(keep, "save", save)
    return epochs


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What time it is, to be set."""
    now = [5.0]
    monkeypatch.setattr(keep, "monotonic", lambda: now[0])
    return now


def after(plan: Plan, epoch: int) -> Training:
    return start(plan.network, plan.params, plan.optimizer, 0, None)._replace(epoch=epoch)


def test_epochs_are_written_once_a_second_and_the_last_one_at_the_end(
    plan: Plan, written: list[int], clock: list[float], tmp_path: Path
) -> None:
    with Keeper(tmp_path / "net.safetensors", plan) as keeper:
        for epoch in range(1, 10):  # 0.4 seconds each
            keeper(after(plan, epoch))
            assert keeper.kept is not None
            assert keeper.kept.epoch == written[-1]
            clock[0] += 0.4
        assert written == [1, 4, 7]
    assert written == [1, 4, 7, 9]
    with Keeper(tmp_path / "net.safetensors", plan) as keeper:
        keeper(after(plan, 10))
    assert written == [1, 4, 7, 9, 10]  # what is written already is not written again


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_the_last_epoch_is_written_when_the_training_fails(
    error: type[BaseException], plan: Plan, written: list[int], clock: list[float], tmp_path: Path
) -> None:
    def fail(keeper: Keeper) -> None:
        with keeper:
            for epoch in (1, 2, 3):
                keeper(after(plan, epoch))
            raise error

    with pytest.raises(error):
        fail(Keeper(tmp_path / "net.safetensors", plan))
    assert written == [1, 3]


def test_what_cannot_be_written_is_tried_once(
    plan: Plan, written: list[int], clock: list[float], tmp_path: Path
) -> None:
    with Keeper(tmp_path / "net.safetensors", plan) as keeper:
        keeper(after(plan, 12))
        clock[0] += 1
        with pytest.raises(OSError, match="no space left"):
            keeper(after(plan, 13))
        assert keeper.waiting is None  # else the block's end would raise it once more
    assert written == [12]
    assert keeper.kept is not None
    assert keeper.kept.epoch == 12


def test_without_a_path_nothing_is_kept(plan: Plan, written: list[int]) -> None:
    with Keeper(None, plan._replace(resume=after(plan, 2))) as keeper:
        keeper(after(plan, 3))
    assert keeper.kept is None
    assert written == []
