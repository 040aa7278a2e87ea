"""Training in several processes: torch's launcher starts them, its DistributedDataParallel averages their gradients.

    torchrun --nproc-per-node 2 -m handgrad train

Every process holds the whole network and the data and works on its share of each batch, so the curve is that of one
process with the whole batch, to rounding. With unequal shares each process's loss counts as much as it has samples. A
batch norm takes its mean and variance from the samples of all processes.
"""

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler

from manual import Array, BatchNorm1d, Grads, Loss, Network, Params, SoftmaxCrossEntropy, Training
from manual.optimizers.schedules import Schedule
from manual.training.loop import train
from manual.training.plan import TrainingPlan, convert_arrays, make_plan
from manual.training.settings import Settings
from torch_ref import HandModule, SyncBatchNorm1d
from torch_ref.training.fit import Module, empty_on, move_batch

TIMEOUT = 600.0  # seconds that one process waits for the others: rank 0 evaluates and writes meanwhile


class Ranks(NamedTuple):
    """Which of how many processes this one is, as torch's launcher says."""

    rank: int = 0
    world: int = 1
    local: int = 0  # among those of this machine, so the number of its GPU

    @staticmethod
    def here() -> "Ranks":
        """From the launcher's environment variables; one process alone where there are none."""
        return Ranks(*(int(os.environ.get(name, "")) for name in NAMES)) if NAMES[1] in os.environ else Ranks()


NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@contextmanager
def connect(device: str, timeout: float = TIMEOUT) -> Iterator[None]:
    """Connect the processes, by nccl for a CUDA device, by gloo for the CPU, until the block ends."""
    # A thread of the group that still drops a tensor while the interpreter ends aborts the process, so no group may
    # outlive the block. DistributedDataParallel imports this module too, but with a group at hand its functions'
    # defaults would keep that group for ever.
    import torch.distributed.nn.functional

    backend = "nccl" if device.startswith("cuda") else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(device)
    dist.init_process_group(backend, timeout=timedelta(seconds=timeout))
    try:
        yield
    finally:
        dist.destroy_process_group()
        gc.collect()  # a DistributedDataParallel refers to itself, and to the group


def check_same(**what: Any) -> None:
    """ValueError, in every process, unless all have the same: else they would wait for each other for ever."""
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, what)
    for rank, other in enumerate(found):
        if names := [name for name in what if other[name] != found[0][name]]:
            raise ValueError(
                f"rank {rank} has another {' and '.join(names)} than rank 0; give all processes the same files"
            )


def fit(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    optimizer: Any,
    *,
    side: str = "hand",
    device: str = "cpu",
    epochs: int = 10,
    batch_size: int = 32,
    seed: int = 0,
    validation: float | tuple[Array, Array] | None = None,
    metrics: Sequence[str] = (),
    schedule: Schedule | None = None,
    clip_norm: float | None = None,
    callbacks: Sequence[Callable[[Training], Any]] = (),
    on_step: Callable[[float, int], Any] | None = None,
    shuffle: bool = True,
    alpha: float = 0.0,
    train_biases: bool = True,
    resume: Training | None = None,
) -> Training:
    """torch_ref.fit in every process of the group that is connected, with the same arguments in each.

    batch_size counts all processes' samples together. callbacks and on_step may differ: usually rank 0 alone has some.
    Ctrl-C in any process ends all of them after the same step. Raises what torch_ref.fit raises; ValueError for class
    weights in a mean, for a penalty, and for a batch norm where a process would be left without samples; RuntimeError
    where another process is lost.
    """
    check_loss(loss)
    if alpha:
        raise ValueError(f"alpha: is {alpha:g}, a penalty, which several processes do not have; use one process")
    settings = Settings(
        epochs=epochs, batch_size=batch_size, seed=seed, validation=validation, metrics=metrics, schedule=schedule,
        clip_norm=clip_norm, callbacks=callbacks, on_step=on_step, shuffle=shuffle, alpha=alpha,
        train_biases=train_biases,
    )  # fmt: skip
    here = convert_arrays(tuple(params), empty_on(device))
    task = make_plan(network, here, *move_batch(x, target, empty_on(device)), loss, optimizer, settings, resume)
    check_batches(network, len(task.samples.rows), batch_size, dist.get_world_size())
    return train(Shared(network, loss, optimizer, side, task, train_biases=train_biases), task)


def check_loss(loss: Loss) -> None:
    """ValueError for a loss whose shares do not add up."""
    if isinstance(loss, SoftmaxCrossEntropy) and loss.class_weights is not None and loss.reduction == "mean":
        raise ValueError("class_weights: a mean over them is no mean of shares; use reduction='sum', or one process")


def check_batches(network: Network, N: int, batch_size: int, world: int) -> None:
    """ValueError where the N samples leave a batch of fewer than there are processes, and the network has a batch norm.

    Such a batch is filled up with samples that count for nothing in the loss, but would in the statistics.
    """
    smallest = min(N, N % batch_size or batch_size)
    if smallest < world and any(isinstance(layer, BatchNorm1d) for layer in network.layers):
        raise ValueError(
            f"batch_size: {batch_size} leaves a batch of {smallest} of the {N} samples for {world} processes, and "
            "batch norm needs one in each; choose another one"
        )


def of_all_ranks(network: Network) -> Network:
    """The network with every batch norm over the samples of all processes."""
    return Network(
        tuple(
            SyncBatchNorm1d(layer.n, layer.eps, layer.momentum) if isinstance(layer, BatchNorm1d) else layer
            for layer in network.layers
        )
    )


def share(N: int, rank: int, world: int) -> tuple[list[int], int]:
    """The rows of a batch of N that torch's sampler gives this rank, and how many of them count.

    The sampler fills up with rows it gives others as well, so that all have equally many; those count for nothing. A
    rank whose only row is such a one keeps it, for it must take part in the averaging.

    >>> share(5, 0, 2), share(5, 1, 2), share(1, 1, 2)
    (([0, 2, 4], 3), ([1, 3], 2), ([0], 0))
    """
    sampler: DistributedSampler[int] = DistributedSampler(range(N), world, rank, shuffle=False)  # type: ignore[arg-type]
    rows = list(sampler)
    counted = len(range(rank, N, world))
    return rows[: max(1, counted)], counted


class Shared(Module):
    """The torch side of the loop, on a share of each batch; gradients and loss are those of the whole batch."""

    def __init__(
        self,
        network: Network,
        loss: Loss,
        optimizer: Any,
        side: str,
        task: TrainingPlan,
        *,
        train_biases: bool = True,
    ) -> None:
        like = next(a for layer in task.start.params for a in layer.values())
        super().__init__(of_all_ranks(network), loss, optimizer, side, task.start, like, train_biases=train_biases)
        self.rank, self.world, self.sums = dist.get_rank(), dist.get_world_size(), task.loss_sums
        self.parallel = DistributedDataParallel(self.module, device_ids=[like.device] if like.is_cuda else None)
        self.wish = Wish()

    def gradients(self, x: torch.Tensor, target: torch.Tensor, states: Any) -> tuple[float, Sequence[Grads]]:
        self.wish.take_over()
        rows, counted = share(len(x), self.rank, self.world)
        weight = float(counted > 0) if self.sums else counted / len(x)
        self.remember_statistics()
        own = [state if state is None else state[rows] for state in states] if states is not None else None
        self.optimizer.zero_grad()
        with torch.enable_grad():
            if isinstance(self.module, HandModule):
                E = self.parallel(x[rows], target[rows], own)
            else:
                E = self.E(self.parallel(x[rows], own), target[rows])
            (self.world * weight * E).backward()  # the gradients are averaged here
        together = torch.stack([weight * E.detach(), E.new_tensor(float(self.wish.asked))])
        dist.all_reduce(together)
        total, asked = together.tolist()
        if asked:
            self.wish.grant()
        return total, ({"d" + name: p.grad for name, p in self.parameters.items()},)


class Wish:
    """Ctrl-C, kept until all processes know of it: one that stopped alone would leave the others waiting.

    The loop ends after the step in which its own handler is called. So this takes that handler's place, and calls it
    in every process in the same step.
    """

    def __init__(self) -> None:
        self.asked = False
        self.outer = signal.getsignal(signal.SIGINT)
        self.loops: Any = None  # the loop's own handler

    def take_over(self) -> None:
        """To be called inside the loop, where its handler is in place."""
        if self.loops is not None or threading.current_thread() is not threading.main_thread():
            return
        self.loops = signal.getsignal(signal.SIGINT)
        if self.loops is self.outer:  # it has been called already, or signals are ignored
            self.asked = self.outer is not signal.SIG_IGN
        else:
            signal.signal(signal.SIGINT, self.note)

    def note(self, number: int, frame: Any) -> None:
        self.asked = True

    def grant(self) -> None:
        """Lets the loop end after this step."""
        if self.loops is not self.outer and callable(self.loops):
            self.loops(signal.SIGINT, None)
