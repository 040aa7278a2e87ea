"""What each of two processes does for test_distributed.py, and writes down: `python two_ranks.py FOLDER`."""

import gc
import json
import signal
import sys
import weakref
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist

from handgrad.experiment import distributed
from manual import Adam, Dropout, HalfSquaredError, Linear, Network, SoftmaxCrossEntropy, Tanh
from manual.training.plan import make_plan
from manual.training.settings import Settings

NETWORK = Network((Linear(6, 5), Tanh(), Dropout(0.3), Linear(5, 3)))
RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(23, 6)), RNG.integers(0, 3, 23)
ADAM = Adam(0.01)
PARAMS = tuple({name: torch.tensor(a) for name, a in layer.items()} for layer in NETWORK.init(1))
LOSSES = {"mean": (SoftmaxCrossEntropy(), LABELS), "sum": (HalfSquaredError(), np.eye(3)[LABELS])}


def gradients(side: str, reduction: str, N: int) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of the first N samples and its gradients, averaged over the processes."""
    loss, target = LOSSES[reduction]
    settings = Settings(epochs=1, batch_size=8, seed=0)
    x, t = torch.tensor(X), torch.tensor(target)
    shared = distributed.Shared(NETWORK, loss, ADAM, side, make_plan(NETWORK, PARAMS, x, t, loss, ADAM, settings, None))
    E, (dparams,) = shared.gradients(x[:N], t[:N], [None, None, mask(N), None])
    return E, {name: d.clone() for name, d in dparams.items()}


def mask(N: int) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(2).integers(0, 2, (N, 5)).astype(float))


def trained(side: str, stop: bool = False, rank: int = 0) -> distributed.Training:
    """Three epochs with batches of 8; stop: rank 1 alone is interrupted in step 3."""

    def interrupt(E: float, step: int) -> None:
        if stop and rank == 1 and step == 3:
            signal.raise_signal(signal.SIGINT)

    loss, target = LOSSES["mean"]
    how = {"epochs": 3, "batch_size": 8, "validation": 0.2, "on_step": interrupt}
    return distributed.fit(NETWORK, NETWORK.init(1), X, target, loss, ADAM, side=side, **how)


def main(folder: Path) -> None:
    rank = distributed.Ranks.here().rank
    found: dict[str, object] = {}
    with distributed.connect("cpu", timeout=600):
        for side in ("hand", "autograd"):
            for reduction in LOSSES:
                for N in (8, 5, 1):
                    E, dparams = gradients(side, reduction, N)
                    found[f"{side} {reduction} {N}"] = [E, {name: d.tolist() for name, d in dparams.items()}]
            done = trained(side)
            found[f"{side} params"] = [{name: a.tolist() for name, a in layer.items()} for layer in done.params]
            found[f"{side} history"] = done.history
        found["stopped"] = trained("hand", stop=True, rank=rank).step
        try:
            distributed.check_same(data="same", options=rank)
        except ValueError as error:
            found["differs"] = str(error)
        dist.barrier()
        group = weakref.ref(dist.group.WORLD)
    gc.collect()
    found["left"] = repr(group())  # with its threads, which abort a process that ends while they hold a tensor
    (folder / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
