"""Where a training step's time goes: HandModule beside torch autograd, part by part and operation by operation.

    python benchmarks/step_parts.py 3-2-1 784-2048-2048-10

Both sides run in one process, in random order. A part is timed by its thread's processor time and the least of many
times is told: what a busy machine adds to some of them does not count. The operations are those of torch's profiler,
milliseconds a step, with what the profiler itself adds.
"""

import argparse
import random
import sys
import time
import warnings
from collections.abc import Callable
from itertools import pairwise

import step_torch
import torch
from record import markdown
from step_cases import CASES, Case
from step_torch import Trained
from torch.profiler import ProfilerActivity, profile

SIDES: dict[str, Callable[[Case], Trained]] = {
    "HandModule": step_torch.hand_module,
    "torch autograd, eager": step_torch.eager,
    "HandModule, compiled": step_torch.hand_module_compiled,
    "torch autograd, compiled": step_torch.compiled,
}
PARTS = ("zero_grad", "forward", "backward", "optimizer")


def timed(side: Trained) -> list[float]:
    """Seconds of each part of one step."""
    at = [time.thread_time()]
    side.optimizer.zero_grad()
    at.append(time.thread_time())
    E = side.loss(side.x, side.target)
    at.append(time.thread_time())
    E.backward()
    at.append(time.thread_time())
    side.optimizer.step()
    at.append(time.thread_time())
    return [after - before for before, after in pairwise(at)]


def parts(case: Case, rounds: int) -> str:
    """The least time of every part, and the sum over that of the side that stands above or below it as its peer."""
    sides = {name: make(case) for name, make in SIDES.items()}
    for side in sides.values():
        side(10)
    least = {name: [float("inf")] * len(PARTS) for name in sides}
    for _ in range(rounds):
        for name in random.sample(list(sides), len(sides)):
            sides[name](1)  # its code and its arrays are near again
            least[name] = list(map(min, least[name], timed(sides[name])))
    peers = {"HandModule": "torch autograd, eager", "HandModule, compiled": "torch autograd, compiled"}
    rows = [
        [
            name,
            *(f"{1e6 * seconds:,.1f}" for seconds in (*least[name], sum(least[name]))),
            f"{sum(least[name]) / sum(least[peers[name]]):.2f}" if name in peers else "",
        ]
        for name in sides
    ]
    return markdown([f"{case.name}, us", *PARTS, "sum", "of torch's"], rows)


def operations(case: Case, steps: int) -> str:
    """Milliseconds a step of torch's operations, those that take the most first."""
    sides = {name: SIDES[name](case) for name in ("HandModule", "torch autograd, eager")}
    found: dict[str, dict[str, float]] = {}
    for name, side in sides.items():
        side(3)
        with profile(activities=[ProfilerActivity.CPU]) as run:
            side(steps)
        for event in run.key_averages():
            found.setdefault(event.key, {})[name] = event.self_cpu_time_total / 1e3 / steps
    rows = [
        [f"`{op}`", *(f"{times[name]:.3f}" if name in times else "" for name in sides)]
        for op, times in sorted(found.items(), key=lambda item: -max(item[1].values()))[:12]
    ]
    return markdown([f"{case.name}, ms", *sides], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", choices=CASES, default=list(CASES))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of what compiling goes through
    for name in asked.cases:
        case = CASES[name]
        rounds = max(15, 4 * case.steps)
        print(parts(case, rounds), operations(case, min(rounds, 50)), sep="\n\n", end="\n\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
