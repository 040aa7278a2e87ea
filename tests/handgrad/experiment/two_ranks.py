"""What each of two processes does for test_distributed.py, and writes down: `python two_ranks.py FOLDER`."""

import json
import signal
import sys
import weakref
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from handgrad.experiment import distributed
from manual import Adam, BatchNorm1d, Dropout, HalfSquaredError, Linear, Network, SoftmaxCrossEntropy, Tanh
from manual.training.plan import make_plan
from manual.training.settings import Settings

NETWORK = Network((Linear(6, 5), Tanh(), Dropout(0.3), Linear(5, 3)))
NORMED = Network((Linear(6, 5, bias=False), BatchNorm1d(5), Tanh(), Dropout(0.3), Linear(5, 3)))
RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(23, 6)), RNG.integers(0, 3, 23)
ADAM = Adam(0.01)
LOSSES = {"mean": (SoftmaxCrossEntropy(), LABELS), "sum": (HalfSquaredError(), np.eye(3)[LABELS])}


def shared(network: Network, side: str, reduction: str) -> distributed.Shared:
    """The side of the loop at its first step."""
    loss, target = LOSSES[reduction]
    settings = Settings(epochs=1, batch_size=8, seed=0)
    params = tuple({name: torch.tensor(a) for name, a in layer.items()} for layer in network.init(1))
    plan = make_plan(network, params, torch.tensor(X), torch.tensor(target), loss, ADAM, settings, None)
    return distributed.Shared(network, loss, ADAM, side, plan)


def gradients(side: str, reduction: str, N: int) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of the first N samples and its gradients, averaged over the processes."""
    x, t = torch.tensor(X[:N]), torch.tensor(LOSSES[reduction][1][:N])
    E, (dparams,) = shared(NETWORK, side, reduction).gradients(x, t, [None, None, mask(N), None])
    return E, {name: d.clone() for name, d in dparams.items()}


def without_a_step(side: str) -> list[list[float]]:
    """The running statistics after gradients that no step has followed."""
    one = shared(NORMED, side, "mean")
    one.gradients(torch.tensor(X), torch.tensor(LABELS), [None, None, None, mask(len(X)), None])
    return [a.tolist() for a in one.arrays()[1][1] or ()]


def mask(N: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(2).integers(0, 2, (N, 5)).astype(float))


def trained(side: str, stop: bool = False, rank: int = 0) -> distributed.Training:
    """Three epochs with batches of 5; stop: rank 1 alone is interrupted in step 3."""

    def interrupt(E: float, step: int) -> None:
        if stop and rank == 1 and step == 3:
            signal.raise_signal(signal.SIGINT)

    loss, target = LOSSES["mean"]
    how = {"epochs": 3, "batch_size": 5, "validation": 0.2, "on_step": interrupt}
    return distributed.fit(NORMED, NORMED.init(1), X, target, loss, ADAM, side=side, **how)


def main(folder: Path) -> None:
    rank = distributed.Ranks.here().rank
    found: dict[str, object] = {}
    with distributed.connect("cpu", timeout=600):
        for side in ("hand", "autograd"):
            for reduction in LOSSES:
                for N in (8, 5, 1):
                    E, dparams = gradients(side, reduction, N)
                    found[f"{side} {reduction} {N}"] = [E, {name: d.tolist() for name, d in dparams.items()}]
            found[f"{side} without a step"] = without_a_step(side)
            done = trained(side)
            found[f"{side} params"] = [{name: a.tolist() for name, a in layer.items()} for layer in done.params]
            found[f"{side} running"] = [np.asarray(a).tolist() for a in done.running[1] or ()]
            found[f"{side} history"] = done.history
        found["stopped"] = trained("hand", stop=True, rank=rank).step
        try:
            distributed.check_same(data="same", options=rank)
        except ValueError as error:
            found["differs"] = str(error)
        dist.barrier()
        group = weakref.ref(dist.group.WORLD)
    found["left"] = repr(group())  # with its threads, which abort a process that ends while they hold a tensor
    (folder / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
