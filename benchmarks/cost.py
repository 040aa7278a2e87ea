"""What does a verdict on every gradient entry cost, beside one training step and beside gradcheck?

    python benchmarks/cost.py

The unit is one plain torch step in float32 (forward, backward) and one reference step in float64. Steps and verdicts
are timed in turn, in one process; the medians' ratio is told. The large network runs in a process of its own.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
import torch
from record import markdown, save

from handgrad import verify
from handgrad.arrays.precision import like
from handgrad.judge.constants import SAMPLES
from handgrad.judge.judge import judge
from handgrad.judge.trial import Trial
from handgrad.subjects.network.chain import noise, reference_chain
from handgrad.subjects.network.end_to_end import check_directions
from handgrad.subjects.network.judged_stages import check_stage_contracts
from handgrad.subjects.network.network_run import Point, run_by_hand
from handgrad.subjects.network.stages import list_stages
from manual import Network, Params, SoftmaxCrossEntropy, mlp
from torch_ref import twin

SIZES, LARGE, SMALL, BATCH = (784, 512, 256, 10), (784, 3000, 2500, 10), (12, 16, 16, 5), 128
LOSS = SoftmaxCrossEntropy()
Problem = tuple[Network, tuple[Params, ...], Any, Any]


def draw(sizes: tuple[int, ...], batch: int = BATCH) -> Problem:
    rng = np.random.default_rng(0)
    network = mlp(sizes, "relu")
    params = network.init(rng, "he_normal", dtype="float32")
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)
    return network, params, x, rng.integers(sizes[-1], size=batch)


def parameters(sizes: tuple[int, ...]) -> int:
    return sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))


def step(problem: Problem, dtype: torch.dtype) -> Callable[[], Any]:
    """One plain training step's forward and backward pass in torch."""
    network, _, x, target = problem
    module, x, target = twin(network).to(dtype), torch.tensor(x, dtype=dtype), torch.tensor(target)
    return lambda: torch.autograd.grad(torch.nn.functional.cross_entropy(module(x), target), list(module.parameters()))


def pieces(problem: Problem) -> dict[str, Callable[[], Any]]:
    """The parts of a verdict, each by itself."""
    point = Point(*problem, LOSS, (None,) * len(problem[0].layers), 1.3)
    few, run, reference = point.first(SAMPLES), run_by_hand(point), reference_chain(point)

    def certificates() -> None:
        for i, (stage, params) in enumerate(zip(list_stages(point), (*point.params, {}), strict=True)):
            dy = like(reference.upstream(i, np.asarray(point.dE)), run.trace[i].y)
            judge(Trial(stage, {"x": run.trace[i].x, **params}, dy))

    return {
        "reference pass": lambda: reference_chain(point),
        "Test A, certificates": certificates,
        "Test B, noise": lambda: noise(point, "float32"),
        "Test C, directions": lambda: check_directions(few, "float32", np.random.default_rng(0), 1.0),
        "contracts": lambda: check_stage_contracts(few, np.random.default_rng(0)),
    }


def interleaved(jobs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Median seconds of each job, all jobs once per round so that a busy machine is busy for all of them."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(rounds + 1):
        for name, job in jobs.items():
            began = time.perf_counter()
            job()
            if turn:  # the first round warms up
                times[name].append(time.perf_counter() - began)
    return {name: median(each) for name, each in times.items()}


def ratios(sizes: tuple[int, ...] = SIZES, rounds: int = 15) -> dict[str, Any]:
    """Seconds of a step, of a whole verdict and of its parts, and the ratios to the two steps."""
    problem = draw(sizes)
    jobs = {
        "float32 step": step(problem, torch.float32),
        "float64 step": step(problem, torch.float64),
        "verdict": lambda: verify(*problem, LOSS, seed=0, mend=0),
        **pieces(problem),
    }
    seconds = interleaved(jobs, rounds)
    unit = seconds["float32 step"] + seconds["float64 step"]
    return {
        "sizes": sizes,
        "parameters": parameters(sizes),
        "seconds": seconds,
        "ratio": {name: t / unit for name, t in seconds.items()},
    }


def large(sizes: tuple[int, ...] = LARGE) -> dict[str, Any]:
    """Seconds and peak memory of one verdict; for a process of its own."""
    problem = draw(sizes)
    began = time.perf_counter()
    verdict = verify(*problem, LOSS, seed=0, mend=0).verdict
    return {
        "sizes": sizes,
        "parameters": parameters(sizes),
        "verdict": verdict.value,
        "seconds": time.perf_counter() - began,
        "peak GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9,
    }


def gradcheck(sizes: tuple[int, ...] = SMALL, batch: int = 16, rounds: int = 3) -> dict[str, Any]:
    """What torch.autograd.gradcheck costs per parameter on a small network."""
    network, _, x, target = draw(sizes, batch)
    module, target = twin(network).double(), torch.tensor(target)
    names = [name for name, _ in module.named_parameters()]
    x = torch.tensor(x).double()

    def E(*tensors: torch.Tensor) -> torch.Tensor:
        z = torch.func.functional_call(module, dict(zip(names, tensors, strict=True)), (x,))
        return torch.nn.functional.cross_entropy(z, target)

    seconds = interleaved({"gradcheck": partial(torch.autograd.gradcheck, E, list(module.parameters()))}, rounds)
    return {"sizes": sizes, "parameters": parameters(sizes), "seconds": seconds["gradcheck"]}


def table(found: dict[str, Any]) -> str:
    small, big, check = found["network"], found["large"], found["gradcheck"]
    per_parameter = check["seconds"] / check["parameters"]
    rows = [[name, f"{1e3 * t:.1f} ms", f"{small['ratio'][name]:.1f}"] for name, t in small["seconds"].items()]
    title = "-".join(map(str, small["sizes"]))
    lines = [
        f"{title}, relu, batch {BATCH}, float32, {small['parameters']:,} parameters, {found['threads']} threads. Unit: "
        "one plain float32 step and one float64 step, both torch.",
        "",
        markdown(["", "time", "ratio"], rows),
        "",
        f"gradcheck: {1e6 * per_parameter:.0f} microseconds per parameter ({check['parameters']} of them), so about "
        f"{per_parameter * small['parameters']:.0f} s for the network above, were its cost per parameter no higher "
        "there.",
        "",
        f"{'-'.join(map(str, big['sizes']))}, {big['parameters']:,} parameters: {big['verdict']} in "
        f"{big['seconds']:.1f} s, peak memory {big['peak GB']:.1f} GB.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true", help="only the large network, in this process")
    if parser.parse_args().large:
        print(json.dumps(large()))
        return
    own = subprocess.run([sys.executable, __file__, "--large"], capture_output=True, text=True, check=True)
    found = {
        "threads": torch.get_num_threads(),
        "network": ratios(),
        "large": json.loads(own.stdout),
        "gradcheck": gradcheck(),
    }
    save("cost", found, table(found))
    print(table(found))


if __name__ == "__main__":
    main()
