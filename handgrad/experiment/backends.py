"""One training on any backend: by hand on an array library, by hand or by autograd in torch, in several processes."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

import manual
import torch_ref
from handgrad.experiment import distributed
from handgrad.experiment.distributed import Ranks
from handgrad.experiment.plan import VALIDATION, Plan
from manual import Training
from manual.training.plan import convert_arrays
from torch_ref.training.fit import empty_on

SMALL = 1 << 18  # multiplications of one product, which OpenBLAS still does in one thread
SIDES, ARRAYS, DEVICES = ("manual", "hand", "autograd"), ("numpy", "torch", "jax"), ("cpu", "cuda", "auto")


@dataclass(frozen=True)
class Backend:
    """What one training runs on. Its text is what a reader is told of it."""

    side: str  # one of SIDES
    library: str  # one of ARRAYS; torch on the sides that are not manual
    device: str  # as its library names it
    ranks: Ranks
    compiled: bool = False
    threads: int | None = None  # of NumPy and torch; None where the network decides

    def __str__(self) -> str:
        words = ", compiled: the first steps take seconds" if self.compiled else ""
        return f"{self.side} side, {self.library} on {self.device}{words}"


def choose_backend(side: str, library: str | None, device: str, ranks: Ranks, compiled: bool | None = None) -> Backend:
    """The backend asked for; "auto" is CUDA where there is one, and no library is NumPy on the manual side.

    compiled: None for where it is faster even in short trainings, with JAX. Raises ValueError where the device is not
    there, for NumPy on CUDA or compiled, and for several processes compiled; ModuleNotFoundError where JAX is absent.
    """
    if compiled and ranks.world > 1:
        raise ValueError(f"--compile compiles what one process does, and {ranks.world} were started; leave it out")
    if side != "manual":
        return Backend(side, "torch", find_torch_device(device, ranks), ranks, bool(compiled))
    if library == "jax":
        return Backend(side, library, find_jax_device(device), ranks, compiled is not False)
    if library == "torch":
        return Backend(side, library, find_torch_device(device, ranks), ranks, bool(compiled))
    if compiled:
        raise ValueError("--compile: nothing compiles NumPy; use --array jax or --array torch, or --side hand")
    if device == "cuda":
        raise ValueError("--device is cuda, but NumPy has the CPU only; use --array torch, or --side hand")
    return Backend(side, "numpy", "cpu", ranks)


def fit(
    plan: Plan, backend: Backend, callbacks: Sequence[Callable[[Training], Any]], on_step: Callable[[float, int], Any]
) -> Training:
    """The Training after all its epochs, or so far where Ctrl-C ended it. Raises what `manual.fit` raises."""
    options = plan.options
    how: dict[str, Any] = {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "seed": options.seed,
        "validation": VALIDATION,
        "metrics": () if plan.form.classes is None else ("accuracy",),
        "schedule": plan.schedule,
        "clip_norm": options.clip_norm,
        "callbacks": callbacks,
        "on_step": on_step,
        "resume": plan.resume,
    }
    how = options.conventions | how  # the batch size is one of the options
    how |= {"compile": True} if backend.compiled else {}
    if options.early_stopping is not None:  # several processes have none
        how["patience"] = options.early_stopping
    with use_threads(backend.threads or choose_threads(plan)):
        if backend.side == "manual":
            return fit_manual(plan, backend, how)
        fit_torch: Any = torch_ref.fit if backend.ranks.world == 1 else distributed.fit
        data = plan.network, plan.params, plan.x, plan.target, plan.loss, plan.optimizer
        found: Training = fit_torch(*data, side=backend.side, device=backend.device, **how)
        return found


def fit_manual(plan: Plan, backend: Backend, how: dict[str, Any]) -> Training:
    """By hand on the arrays of the backend's library."""
    target, dtype = plan.target, plan.options.dtype
    if backend.library == "jax" and target.dtype.kind == "i":
        target = target.astype(np.int32)  # JAX has no others by default
    with use_float64(backend.library == "jax" and dtype == "float64"):
        like = make_array(backend.library, backend.device, dtype)
        params, x, target = convert_arrays((plan.params, plan.x, target), like)
        return manual.fit(plan.network, params, x, target, plan.loss, plan.optimizer, **how)


def choose_threads(plan: Plan) -> int:
    """One where the products of a batch are so small that several threads would only wait for each other.

    Else one less than there are cores: where other work takes one of them, every product would wait for the thread that
    shares it, and take ten times as long.
    """
    largest = plan.options.batch_size * max(n * m for n, m in pairwise(plan.options.layers))
    if largest <= SMALL:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores - 1, torch.get_num_threads()))


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """So many threads for the products of NumPy and torch, until the block ends."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        with threadpool_limits(count, "blas"):
            yield
    finally:
        torch.set_num_threads(before)


def make_array(library: str, device: str, dtype: str) -> Any:
    """An empty array of the library on the device, for others to be made like. ModuleNotFoundError without JAX."""
    if library == "numpy":
        return np.empty(0, dtype)
    if library == "torch":
        return empty_on(device)
    import jax

    return jax.numpy.zeros(0, device=jax.devices(device)[0])


@contextmanager
def use_float64(wanted: bool) -> Iterator[None]:
    """JAX with float64 arrays, which it does not have by default, until the block ends."""
    if not wanted:
        yield
        return
    import jax

    before = jax.config.read("jax_enable_x64")  # type: ignore[no-untyped-call]
    jax.config.update("jax_enable_x64", True)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)  # type: ignore[no-untyped-call]


def find_torch_device(device: str, ranks: Ranks) -> str:
    """The device by torch's full name. ValueError where it is not there."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    if not torch.cuda.is_available() or ranks.local >= torch.cuda.device_count():
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise ValueError(f"--device is cuda, but torch sees {count} such devices; use --device cpu")
    return f"cuda:{ranks.local}"


def find_jax_device(device: str) -> str:
    """The device by JAX's name. ValueError where there is none; ModuleNotFoundError, with advice, without JAX."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors alone, of its compiler too
    try:
        import jax
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("--array jax needs JAX: pip install 'handgrad[jax]'") from error
    logging.getLogger("jax").setLevel(logging.ERROR)  # what it warns of, such as a card unused, is nothing to act on
    if device == "cpu":
        return device
    try:
        jax.devices("cuda")
    except RuntimeError as error:
        if device == "auto":
            return "cpu"
        raise ValueError("--device is cuda, but JAX sees no such device; use --device cpu") from error
    return "cuda"


def be_deterministic() -> None:
    """For this process: only algorithms that give the same bits again, and float32 products in full precision."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_gpu_deterministic_ops=true".strip()
    torch.use_deterministic_algorithms(True)
    torch.backends.cuda.matmul.allow_tf32 = False
