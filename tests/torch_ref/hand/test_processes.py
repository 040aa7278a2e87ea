"""HandModule cut over two processes: every way of torch gives the gradients of one process, or says what to do."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import distribute_module
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import manual
from tests.torch_ref.hand.networks import LOSS, batch, gradients, pair
from torch_ref import HandModule

NETWORK = manual.mlp([6, 4, 4, 3], "tanh")
x, labels = batch(8)


def whole(rank: int, mesh: Any) -> Any:
    hand, _ = pair(NETWORK, LOSS)
    fully_shard(hand, mesh=mesh)
    hand(x[rank::2], labels[rank::2]).backward()
    return hand


def each_layer(rank: int, mesh: Any) -> Any:
    hand, _ = pair(NETWORK, LOSS)
    for child in (hand[0], hand[2], hand[4], hand):  # type: ignore[index]
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


WAYS: tuple[Callable[[int, Any], Any], ...] = (whole, each_layer, columns_then_rows, accumulated_without_sync)


def refusals(mesh: Any) -> list[str]:
    """What is said where plain tensors and DTensors meet."""
    hand, _ = pair(NETWORK, LOSS)
    distribute_module(hand, mesh)
    said = []
    for z in (x, distributed.tensor.distribute_tensor(x, mesh)):
        try:
            hand(z, labels)
        except ValueError as error:
            said.append(str(error))
    return said


def worker(rank: int, folder: str) -> None:
    warnings.simplefilter("ignore")  # what torch warns of inside itself
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    mesh = init_device_mesh("cpu", (2,))
    found: dict[str, Any] = {"refused": refusals(mesh)}
    for way in WAYS:
        grads = gradients(way(rank, mesh))
        found[way.__name__] = [g.full_tensor() if hasattr(g, "full_tensor") else g for g in grads]
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_every_way_of_cutting_a_module(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(worker, (str(tmp_path),), nprocs=2)
    hand: HandModule = pair(NETWORK, LOSS)[0]
    hand(x, labels).backward()
    expected = gradients(hand)
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt")
        plain, uncut = found.pop("refused")
        assert "x: is a plain tensor, but parameter 0 is a DTensor; let fully_shard or parallelize_module" in plain
        assert "x: is a DTensor, which cross-entropy does not take; HandModule(loss)(y.full_tensor(), target)" in uncut
        for way, grads in found.items():
            torch.testing.assert_close(grads, expected, rtol=1e-11, atol=1e-13, msg=way)
