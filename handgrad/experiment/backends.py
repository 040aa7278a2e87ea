"""One training on any side: by hand on an array library, by hand or by autograd in torch, in one process or several."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch

import manual
import torch_ref
from handgrad.experiment import distributed
from handgrad.experiment.distributed import Ranks
from handgrad.experiment.plan import HELD_BACK, Plan
from manual import Training
from manual.training.plan import convert_arrays
from torch_ref.training.fit import empty_on

SMALL = 1 << 18  # multiplications of one product, which OpenBLAS still does in one thread
SIDES, ARRAYS, DEVICES = ("manual", "hand", "autograd"), ("numpy", "torch", "jax"), ("cpu", "cuda", "auto")


def fitted(
    plan: Plan,
    side: str,
    library: str,
    device: str,
    ranks: Ranks,
    callbacks: Sequence[Callable[[Training], Any]],
    on_step: Callable[[float, int], Any],
) -> Training:
    """The Training after all its epochs, or so far where Ctrl-C ended it. Raises what `manual.fit` raises."""
    options = plan.options
    how: dict[str, Any] = {
        "epochs": options.epochs,
        "batch_size": options.batch_size,
        "seed": options.seed,
        "validation": HELD_BACK,
        "metrics": () if plan.form.classes is None else ("accuracy",),
        "clip_norm": options.clip_norm,
        "callbacks": callbacks,
        "on_step": on_step,
        "resume": plan.resume,
    }
    with one_thread(device == "cpu" and small(plan)):
        return chosen(plan, side, library, device, ranks, how)


def chosen(plan: Plan, side: str, library: str, device: str, ranks: Ranks, how: dict[str, Any]) -> Training:
    """The same by the side's own fit."""
    options, x, target, params = plan.options, plan.x, plan.target, plan.params
    if side == "manual":
        if library == "jax" and target.dtype.kind == "i":
            target = target.astype(np.int32)  # JAX has no others unless told
        with doubles(library == "jax" and options.dtype == "float64"):
            params, x, target = convert_arrays((params, x, target), first_array(library, device, options.dtype))
            return manual.fit(plan.network, params, x, target, plan.loss, plan.optimizer, **how)
    fit: Any = torch_ref.fit if ranks.world == 1 else distributed.fit
    found: Training = fit(plan.network, params, x, target, plan.loss, plan.optimizer, side=side, device=device, **how)
    return found


def small(plan: Plan) -> bool:
    """Whether the products of a batch are so small that several threads would only wait for each other."""
    return plan.options.batch_size * max(n * m for n, m in pairwise(plan.options.layers)) <= SMALL


@contextmanager
def one_thread(wanted: bool) -> Iterator[None]:
    """torch with one thread until the block ends: NumPy's OpenBLAS takes one for small products by itself."""
    before = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def first_array(library: str, device: str, dtype: str) -> Any:
    """An array of the library on the device, for others to be made like. ModuleNotFoundError where JAX is absent."""
    if library == "numpy":
        return np.empty(0, dtype)
    if library == "torch":
        return empty_on(device)
    import jax

    return jax.numpy.zeros(0, device=jax.devices(device)[0])


@contextmanager
def doubles(wanted: bool) -> Iterator[None]:
    """JAX with its float64 arrays, which it has only when told, until the block ends."""
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


def device_for(device: str, side: str, library: str, ranks: Ranks) -> str:
    """The device asked for by its full name; "auto" is CUDA where there is one.

    Raises ValueError where it is not there, and for NumPy on any but the CPU.
    """
    if side == "manual" and library == "numpy":
        if device == "cuda":
            raise ValueError("--device is cuda, but NumPy has the CPU only; use --array torch, or --side hand")
        return "cpu"
    if side == "manual" and library == "jax":
        return jax_device(device)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        return device
    if not torch.cuda.is_available() or ranks.local >= torch.cuda.device_count():
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise ValueError(f"--device is cuda, but torch sees {count} such devices; use --device cpu")
    return f"cuda:{ranks.local}"


def jax_device(device: str) -> str:
    """The same for JAX. ModuleNotFoundError, with what to install, where it is absent."""
    try:
        import jax
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("--array jax needs JAX: pip install 'handgrad[jax]'") from error
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
