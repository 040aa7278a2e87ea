"""What each of two processes does for test_processes.py, and writes down: `python two_ranks.py FOLDER RANK`."""

import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import distribute_module
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import manual
from examples.several_processes import train
from tests.torch_ref.hand.networks import LOSS, batch, gradients, pair
from torch_ref import HandModule, SyncBatchNorm1d, twin

NETWORK = manual.mlp([6, 4, 4, 3], "tanh")
NORMED = manual.Network((manual.Linear(6, 4), manual.BatchNorm1d(4), manual.Tanh(), manual.Linear(4, 3)))
x, labels = batch(8)
up, direction = torch.randn(2, 8, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
UNEQUAL = {"five and three": (5, 8), "all and none": (8, 8)}  # where the shares of rank 0 and 1 end


def normed() -> Any:
    """A network with a batch norm that takes its statistics from all processes."""
    return nn.SyncBatchNorm.convert_sync_batchnorm(pair(NORMED, LOSS)[0])


def whole(rank: int, mesh: Any) -> Any:
    hand, _ = pair(NETWORK, LOSS)
    fully_shard(hand, mesh=mesh)
    hand(x[rank::2], labels[rank::2]).backward()
    return hand


def each_layer(rank: int, mesh: Any) -> Any:
    hand: Any = pair(NETWORK, LOSS)[0]
    for child in (hand[0], hand[2], hand[4], hand):
        fully_shard(child, mesh=mesh)
    hand(x[rank::2], labels[rank::2]).backward()
    return hand


def columns_then_rows(rank: int, mesh: Any) -> Any:
    hand, _ = pair(NETWORK, LOSS)
    parallelize_module(hand, mesh, {"0": ColwiseParallel(), "2": RowwiseParallel()})
    hand(x, labels).backward()
    return hand


def accumulated_without_sync(rank: int, mesh: Any) -> Any:
    hand, _ = pair(NETWORK, LOSS)
    parallel = DistributedDataParallel(hand)
    mine = x[rank::2], labels[rank::2]
    with parallel.no_sync():
        (parallel(mine[0][:2], mine[1][:2]) / 2).backward()
    (parallel(mine[0][2:], mine[1][2:]) / 2).backward()
    return hand


def normed_in_parallel(rank: int, mesh: Any) -> Any:
    hand = normed()
    parallel = DistributedDataParallel(hand)
    parallel(x[rank::2], labels[rank::2]).backward()
    return hand


def normed_and_sharded(rank: int, mesh: Any) -> Any:
    hand = normed()
    for child in (hand[0], hand[1], hand):
        fully_shard(child, mesh=mesh)
    hand(x[rank::2], labels[rank::2]).backward()
    return hand


WAYS: tuple[Callable[[int, Any], Any], ...] = (
    whole,
    each_layer,
    columns_then_rows,
    accumulated_without_sync,
    normed_in_parallel,
    normed_and_sharded,
)


def three_steps(rank: int) -> list[Any]:
    """Gradients and weights after three steps, each process with half the batch."""
    hand, _ = pair(NETWORK, LOSS)
    parallel = DistributedDataParallel(hand)
    optimizer = torch.optim.SGD(parallel.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        parallel(x[rank::2], labels[rank::2]).backward()
        optimizer.step()
    return [gradients(hand), list(hand.state_dict().values())]


def layer_quantities(norm: nn.Module, rows: slice) -> dict[str, torch.Tensor]:
    """All that a batch norm of 6 units gives for these rows of the batch; sums over rows are of these rows alone."""
    z = x[rows].clone().requires_grad_()
    with torch.no_grad():
        norm.weight.copy_(torch.arange(1.0, 7.0))  # type: ignore[operator, union-attr]
    y = norm(z)
    dx, dgamma, dbeta = torch.autograd.grad(
        y, (z, norm.weight, norm.bias), up[rows] * torch.ones_like(y), create_graph=True
    )
    E = (dx * direction[rows]).sum()  # of all processes together: what a product with the Hessian needs
    second = torch.autograd.grad(E, (z, norm.weight))
    found = {"y": y, "dx": dx, "second dx": second[0], "mean": norm.running_mean, "var": norm.running_var}
    return {name: a.detach() for name, a in found.items()} | {  # type: ignore[union-attr, operator]
        "sum dgamma": dgamma.detach(), "sum dbeta": dbeta.detach(), "sum second dgamma": second[1]
    }  # fmt: skip


def hessian_of_first(hand: Any, rows: slice) -> torch.Tensor:
    """Of the loss of these rows by W of the first layer, below the batch norm: forward mode over the backward pass."""
    own = dict(hand.named_buffers())

    def E(W: torch.Tensor) -> Any:
        buffers = {name: b.clone() for name, b in own.items()}  # no transform changes those of the module
        return torch.func.functional_call(hand, {"0.weight": W, **buffers}, (x[rows], labels[rows]))

    found: torch.Tensor = torch.func.hessian(E)(hand[0].weight.detach())
    return found


def refusals(mesh: Any) -> list[str]:
    """What is said where plain tensors and DTensors meet, and of too few samples."""
    hand, _ = pair(NETWORK, LOSS)
    distribute_module(hand, mesh)
    said = []
    for module, args in (
        (hand, (x, labels)),
        (hand, (distributed.tensor.distribute_tensor(x, mesh), labels)),
        (normed(), (x[: distributed.get_rank()],)),  # one sample in one of them
    ):
        try:
            module(*args)
        except (ValueError, RuntimeError) as error:
            said.append(str(error))
    return said


def lose_rank_1(rank: int, file: Path) -> None:
    """Rank 1 is killed after the first checkpoint; rank 0 gets torch's error."""

    def killed() -> None:
        while not file.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

    if rank == 1:
        threading.Thread(target=killed, daemon=True).start()
    with suppress(RuntimeError):
        train(rank, 2, file, epochs=100_000)


def main(folder: Path, rank: int) -> None:
    warnings.simplefilter("ignore")  # what torch warns of inside itself
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", store, timedelta(seconds=60), rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    found: dict[str, Any] = {"refused": refusals(mesh), "three steps": three_steps(rank)}
    for way in WAYS:
        grads = gradients(way(rank, mesh))
        found[way.__name__] = [g.full_tensor() if hasattr(g, "full_tensor") else g for g in grads]
    found["Hessian"] = hessian_of_first(normed(), slice(rank, None, 2))
    for name, ends in UNEQUAL.items():
        rows = slice(0, ends[0]) if rank == 0 else slice(*ends)
        layer = SyncBatchNorm1d(6, momentum=0.3)
        for side, norm in (("hand", HandModule(layer)), ("autograd", twin(layer))):
            found[f"{name}, {side}"] = layer_quantities(norm.double(), rows)
    torch.save(found, folder / f"{rank}.pt")
    lose_rank_1(rank, folder / "run.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
    # What there is to see is written. A thread of the broken group that still drops a tensor while the interpreter
    # ends would abort the process, now and then (see `connect` in handgrad/experiment/distributed.py).
    os._exit(0)
