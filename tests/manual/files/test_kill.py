"""kill -9 at any moment: the last complete checkpoint is there, and resuming from it ends where an unbroken run does.

This file is also the program under test, `python test_kill.py saves|fits FOLDER`: it forks, kills, looks and tells.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manual import (
    Adam,
    BatchNorm1d,
    Dropout,
    Linear,
    Network,
    ReLU,
    SoftmaxCrossEntropy,
    Tanh,
    mlp,
)
from manual.files.checkpoint import load, save
from manual.training.fit import fit
from manual.training.state import Training
from manual.tree import map_arrays

KILLS = 20
LOSS, OPTIMIZER = SoftmaxCrossEntropy(), Adam(1e-2)
WIDE = mlp([200, 200])  # a checkpoint of 1 MB: its writing takes a good part of the time
NET = Network((Linear(6, 16), BatchNorm1d(16), ReLU(), Dropout(0.2), Linear(16, 16), Tanh(), Linear(16, 3)))
EPOCHS = 90


def of_step(step: int) -> Training:
    """A Training whose every number is its step."""
    params = tuple({name: np.full(a.shape, float(step)) for name, a in p.items()} for p in WIDE.init(0))
    state = OPTIMIZER.initial(params)._replace(step=step, m=params, v=params)
    return Training(params, (None,), state, ({"epoch": step, "step": step},), step, step, step)


def killed(child: Callable[[Callable[[int], None]], None], count: int, after: float) -> tuple[int, bool]:
    """Runs `child` in a process of its own, kills it `after` seconds after it told of `count` saves, so that a busy
    machine gets as far as an idle one; the last step it told as saved (or -1), and whether it lived.
    """
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(lambda step: os.write(writing, b"%d\n" % step))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        steps = [int(line) for line in itertools.islice(told, count)]
        time.sleep(after)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        return max([*steps, *map(int, told)], default=-1), os.WIFSIGNALED(status)


def moments(longest: float) -> Iterator[tuple[int, float]]:
    """When to kill: after 0 to 3 saves and up to so many seconds more."""
    rng = np.random.default_rng(0)
    return ((int(rng.integers(4)), float(rng.uniform(0, longest))) for _ in range(KILLS))


def saves(folder: Path) -> Iterator[dict[str, Any]]:
    """Saves step after step, without end, killed 20 times."""
    path = folder / "run.safetensors"
    begun = time.perf_counter()
    save(path, WIDE, LOSS, OPTIMIZER, of_step(0))
    once = time.perf_counter() - begun

    def child(tell: Callable[[int], None]) -> None:
        step = load(path).training.step
        while True:
            step += 1
            save(path, WIDE, LOSS, OPTIMIZER, of_step(step))
            tell(step)

    for count, after in moments(2 * once):
        told, _ = killed(child, count, after)
        found = load(path).training
        yield {"told": told, "found": found.step, "right": bits(found) == bits(of_step(found.step)), **left(path)}
    save(path, WIDE, LOSS, OPTIMIZER, of_step(0))
    yield left(path)


def left(path: Path) -> dict[str, int]:
    return {"left": sum(entry != path for entry in path.parent.iterdir())}


def bits(tree: Any) -> str:
    return repr(map_arrays(lambda a: (str(a.dtype), a.shape, a.tobytes()), tree))


def train(path: Path, *, resume: Training | None = None, then: Callable[[Training], Any], **how: Any) -> Training:
    """A run that saves after every epoch, then calls `then`."""
    rng = np.random.default_rng(1)
    x, target = rng.normal(size=(90, 6)), rng.integers(3, size=90)

    def keep(training: Training) -> None:
        save(path, NET, LOSS, OPTIMIZER, training)
        then(training)

    settings = {"epochs": EPOCHS, "batch_size": 16, "seed": 5, "validation": 0.2, "clip_norm": 1.0} | how
    return fit(NET, NET.init(0), x, target, LOSS, OPTIMIZER, callbacks=[keep], resume=resume, **settings)


def fits(folder: Path) -> Iterator[dict[str, Any]]:
    """Trains by `fit`, killed 20 times, each time going on from the file; beside it the unbroken run."""
    path, unbroken = folder / "run.safetensors", {}
    begun = time.perf_counter()
    end = train(folder / "unbroken.safetensors", then=lambda t: unbroken.update({t.step: bits(t)}))
    epoch = (time.perf_counter() - begun) / EPOCHS

    def resumed() -> Training | None:
        return load(path, expect=NET).training if path.exists() else None

    def child(tell: Callable[[int], None]) -> None:
        train(path, resume=resumed(), then=lambda t: tell(t.step))

    for count, after in moments(2 * epoch):
        told, alive = killed(child, count, after)
        found = resumed()
        step = found.step if found else -1
        yield {"told": told, "found": step, "right": found is None or bits(found) == unbroken[step], "alive": alive}
    last = train(path, resume=resumed(), then=void)
    yield {"same end": bits(last) == bits(end), "same file": bits(load(path).training) == bits(end)}


def void(_: Any) -> None:
    pass


# The tests.


def run(what: str, folder: Path) -> list[dict[str, Any]]:
    root = Path(__file__).parents[3]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}
    done = subprocess.run(
        [sys.executable, "-W", "error", __file__, what, folder],
        env=environment, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_kills(kills: list[dict[str, Any]]) -> None:
    assert len(kills) == KILLS
    assert all(kill["right"] for kill in kills)
    assert all(kill["found"] >= kill["told"] for kill in kills)
    steps = [kill["found"] for kill in kills]
    assert steps == sorted(steps)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_saving_is_killed_at_20_moments(tmp_path: Path) -> None:
    *kills, last = run("saves", tmp_path)
    check_kills(kills)
    assert kills[-1]["found"] > 3  # it did save between the kills
    assert all(kill["left"] <= 1 for kill in kills)  # what one kill leaves the next save sweeps up
    assert any(kill["left"] for kill in kills)  # some kills fell into the middle of a write
    assert last == {"left": 0}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_training_is_killed_at_20_moments(tmp_path: Path) -> None:
    *kills, last = run("fits", tmp_path)
    check_kills(kills)
    assert sum(kill["alive"] for kill in kills) > KILLS / 2
    assert len({kill["found"] for kill in kills}) > 3
    assert last == {"same end": True, "same file": True}


@pytest.mark.parametrize("steps", [1, 7, 10, 23])
@pytest.mark.parametrize("how", [{}, {"patience": 3}], ids=["", "patience"])
def test_stopped_in_the_middle_of_an_epoch_it_goes_on_from_the_file(tmp_path: Path, how: Any, steps: int) -> None:
    how, path = {"epochs": 8, **how}, tmp_path / "run.safetensors"
    whole = train(tmp_path / "whole.safetensors", then=void, **how)

    def stop(loss: float, step: int) -> None:
        if step == steps:
            os.kill(os.getpid(), signal.SIGINT)

    train(path, then=void, on_step=stop, **how)
    stopped = load(path).training
    assert stopped.step == steps
    assert bits(train(path, resume=stopped, then=void, **how)) == bits(whole)


if __name__ == "__main__":
    for line in {"saves": saves, "fits": fits}[sys.argv[1]](Path(sys.argv[2])):
        print(json.dumps(line))
