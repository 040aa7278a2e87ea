"""Who is timed, and the process that each of them runs in.

    python benchmarks/step_contenders.py CONTENDER CASE THREADS

builds the contender, takes some blocks to warm up, tells that it is ready, and then answers one line of JSON to
every line it reads: "run" (seconds of a block), "rate" (operations a second of a matrix product), "memory".
"""

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from step_cases import CASES, Case

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Contender(NamedTuple):
    """The library that is timed, and the module and function that build the contender."""

    library: str
    module: str
    function: str
    environment: dict[str, str] = {}  # noqa: RUF012  never changed


SKYLAKE = "manual on NumPy, OPENBLAS_CORETYPE=SkylakeX"
CONTENDERS = {
    "manual on NumPy": Contender("numpy", "step_manual", "on_numpy"),
    SKYLAKE: Contender("numpy", "step_manual", "on_numpy", {"OPENBLAS_CORETYPE": "SkylakeX"}),
    "manual on torch": Contender("torch", "step_manual", "on_torch"),
    "manual under torch.compile": Contender("torch", "step_manual", "under_compile"),
    "manual under jax.jit": Contender("jax", "step_manual", "under_jit"),
    "manual under jax.lax.scan": Contender("jax", "step_manual", "under_scan"),
    "manual.fit's steps on JAX": Contender("jax", "step_manual", "fit_on_jax"),
    "manual.fit's steps on torch": Contender("torch", "step_manual", "fit_on_torch"),
    "HandModule": Contender("torch", "step_torch", "hand_module"),
    "HandModule, compiled": Contender("torch", "step_torch", "hand_module_compiled"),
    "torch autograd, eager": Contender("torch", "step_torch", "eager"),
    "torch autograd, eager, fused optimizer": Contender("torch", "step_torch", "fused"),
    "torch autograd, compiled": Contender("torch", "step_torch", "compiled"),
    "torch autograd, compiled with its optimizer": Contender("torch", "step_torch", "compiled_with_optimizer"),
    "jax.grad under jit": Contender("jax", "step_others", "grad_under_jit"),
    "jax.grad under scan": Contender("jax", "step_others", "grad_under_scan"),
    "scikit-learn's MLP": Contender("sklearn", "step_others", "scikit_learn"),
}


def environment(contender: Contender, threads: int) -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(VARIABLES, str(threads)), **contender.environment}


def serve(contender: Contender, case: Case, threads: int) -> None:
    """Answers until there are no more requests."""
    if hasattr(os, "sched_setaffinity"):  # jax takes as many threads as there are cores it may run on
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever else a library has to say
    library, module = import_module(contender.library), import_module(contender.module)
    before = peak()
    began = time.perf_counter()
    run = getattr(module, contender.function)(case)
    for _ in range(3):  # what a step returns may be of another kind than what it started from: compiled once more
        run(case.steps)
    answer: Any = {"version": library.__version__, "warm-up": time.perf_counter() - began}
    while True:
        print(json.dumps(answer), file=answers, flush=True)
        match sys.stdin.readline().strip():
            case "run":
                began = time.perf_counter()
                run(case.steps)
                answer = time.perf_counter() - began
            case "rate":
                answer = rate(contender.library)
            case "memory":
                answer = {"peak": peak(), "before": before, **({"kept": run.kept()} if hasattr(run, "kept") else {})}
            case _:
                return


def peak() -> int:
    """The most memory this process ever had, in bytes.

    getrusage tells too much on Linux: a new process starts from what its parent had.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def rate(library: str, n: int = 1024) -> float:
    """Floating-point operations a second of an (n, n) float32 matrix product; the best of three."""
    import numpy as np

    a: Any = np.random.default_rng(0).normal(size=(n, n)).astype(np.float32)
    if library == "torch":
        a = import_module("torch").from_numpy(a)
    if library == "jax":
        a = import_module("jax.numpy").asarray(a)
    times = []
    for _ in range(4):  # the first warms up
        began = time.perf_counter()
        float((a @ a)[0, 0])
        times.append(time.perf_counter() - began)
    return 2 * n**3 / min(times[1:])


if __name__ == "__main__":
    serve(CONTENDERS[sys.argv[1]], CASES[sys.argv[2]], int(sys.argv[3]))
