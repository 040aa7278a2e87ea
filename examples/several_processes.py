"""Train in several processes, each with its share of every batch: the numbers are those of one process with all of it.

torchrun --nproc-per-node 2 examples/several_processes.py run.pt

A run that loses a process ends. The same line again goes on from run.pt, with as many processes as are left.
"""

import os
import sys
from pathlib import Path

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import BatchSampler, DistributedSampler

import manual
from handgrad.experiment.datasets.digits import digits
from torch_ref import HandModule

X, T = torch.tensor(digits().x), torch.tensor(digits().labels)
NETWORK = manual.Network((manual.Linear(64, 16), manual.BatchNorm1d(16), manual.Tanh(), manual.Linear(16, 10)))
BATCH = 64  # samples of all processes together


def train(rank: int, world: int, file: Path | None, epochs: int) -> HandModule:
    """Process `rank` of `world`, which are connected where there are several. The file is gone on from and kept."""
    torch.manual_seed(0)
    model = HandModule(NETWORK, manual.SoftmaxCrossEntropy()).double()
    model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # statistics of all processes
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    begun = 0
    if file and file.exists():
        kept = torch.load(file)
        model.load_state_dict(kept["model"])
        optimizer.load_state_dict(kept["optimizer"])
        begun = kept["epochs"]
    parallel = DistributedDataParallel(model) if world > 1 else model
    # Sample i of an epoch goes to process i % world, so that batch after batch is the same for every world.
    sampler = DistributedSampler(X, world, rank, seed=0, drop_last=True)
    for epoch in range(begun, epochs):
        sampler.set_epoch(epoch)  # the order follows from seed and epoch, and from nothing else
        for rows in BatchSampler(sampler, BATCH // world, drop_last=True):
            optimizer.zero_grad()
            parallel(X[rows], T[rows]).backward()
            optimizer.step()
        if rank == 0 and file:
            done = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epochs": epoch + 1}
            torch.save(done, file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)  # whoever is killed meanwhile leaves the old one whole
    return model


if __name__ == "__main__":
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if world > 1:
        distributed.init_process_group("gloo")
    model = train(rank, world, Path(sys.argv[1]) if len(sys.argv) > 1 else None, epochs=10).eval()
    if rank == 0:
        print(f"loss of all {len(X)} digits after 10 epochs: {model(X, T):.10f}")
    if world > 1:
        distributed.destroy_process_group()
