"""One training step (forward, loss, backward, plain SGD), hand-derived against autograd.

    python benchmarks/step.py                    all cases, alone on the machine: docs/evidence/step.json
    python benchmarks/step.py --cases 3-2-1      only these, nothing is written

Every contender is a process of its own, started once; blocks of steps are taken in turn, the median over the blocks is
told. All have the same number of threads, and the cores for no more.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from record import save
from step_cases import CASES, Case
from step_contenders import CONTENDERS, SKYLAKE, environment
from step_table import one_case, table

HERE = Path(__file__).resolve().parent
RATED = ("manual on NumPy", "torch autograd, eager", "jax.grad under jit")  # one for each library


class Process:
    """A contender in a process of its own, ready to run."""

    def __init__(self, name: str, case: Case, threads: int) -> None:
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  as long as the process
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "step_contenders.py"), name, case.name, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env=environment(CONTENDERS[name], threads),
        )
        self.started = self._answer()

    def ask(self, request: str) -> Any:
        assert self.process.stdin is not None
        print(request, file=self.process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(f"{self.process.args} stopped:\n{self.errors.read()[-2000:]}")
        return json.loads(line)

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()  # no more requests
        self.errors.close()


def measure(case: Case, names: list[str], rounds: int, threads: int) -> dict[str, Any]:
    """Seconds of a step and memory of every contender, and the best rate of a matrix product in the same run."""
    with ExitStack() as stack:
        processes = {name: stack.enter_context(Process(name, case, threads)) for name in names}
        blocks: dict[str, list[float]] = {name: [] for name in names}
        rates: dict[str, list[float]] = {name: [] for name in RATED if name in processes}
        for _ in range(rounds):
            for name, process in processes.items():
                blocks[name].append(process.ask("run"))
            for name, measured in rates.items():
                measured.append(processes[name].ask("rate"))
        return {
            "title": case.title,
            "flops": case.flops,
            "rate": max((max(measured) for measured in rates.values()), default=0.0),
            "rates": {name: max(measured) for name, measured in rates.items()},
            "contenders": {
                name: {
                    "seconds": median(blocks[name]) / case.steps,
                    "fastest": min(blocks[name]) / case.steps,
                    **process.started,
                    **process.ask("memory"),
                }
                for name, process in processes.items()
            },
        }


def present() -> tuple[list[str], dict[str, str]]:
    """The contenders that can run here, and why the others cannot."""
    absent = {
        name: f"{contender.library} is not installed"
        for name, contender in CONTENDERS.items()
        if find_spec(contender.library) is None
    }
    cpu = cpu_information()
    if not ("AuthenticAMD" in cpu and "avx512f" in cpu):
        absent[SKYLAKE] = "it matters on AMD CPUs with AVX-512 alone"
    return [name for name in CONTENDERS if name not in absent], absent


def cpu_information() -> str:
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def cpu_model() -> str:
    lines = [line.partition(":")[2].strip() for line in cpu_information().splitlines() if line.startswith("model name")]
    return f"{lines[0]}, {len(lines)} cores" if lines else platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    names, absent = present()
    found: dict[str, Any] = {"cpu": cpu_model(), "threads": asked.threads, "rounds": asked.rounds, "absent": absent}
    found["cases"] = {}
    for name in asked.cases:
        found["cases"][name] = measure(CASES[name], names, asked.rounds, asked.threads)
        print(one_case(found["cases"][name]), file=sys.stderr, flush=True)
    if asked.cases == list(CASES):
        save("step", found, table(found))
    print(table(found))


if __name__ == "__main__":
    main()
