"""On a CUDA card: do its tests pass, is every gradient right in every precision, how long is a step?

    python benchmarks/on_card.py                    writes docs/evidence/cuda.json, with the card's name
    python benchmarks/on_card.py --device cpu       the same way on the CPU, to try it; writes nothing

TF32 rounds the factors of a float32 product to 10 bits: its runs are judged with bounds 2^13 times as wide, the ratio
of the two unit roundoffs. The museum's torch exhibits and the kernel of examples/triton_cross_entropy.py are judged on
the card's own arrays, beside a reference that runs there in float64. No card was at hand so far:
docs/evidence/cuda.json is not there yet.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from museum_exhibits import EXHIBITS, Exhibit, draw
from record import markdown, save
from torch import nn

from handgrad import verify, verify_function
from handgrad.experiment.datasets.digits import digits
from handgrad.suite.problems import Problem, combine, other_layers_and_losses
from manual import Dropout, SoftmaxCrossEntropy, mlp
from manual.layers.activations import DIFFERENTIABLE
from manual.losses import NAMED_LOSSES
from torch_ref import HandModule

KINDS = {"float64": (torch.float64, False), "float32": (torch.float32, False), "float32, TF32": (torch.float32, True),
         "bfloat16": (torch.bfloat16, False)}  # fmt: skip
STEPPED = ("float32", "float32, TF32", "bfloat16 autocast")
STEPS = {
    "784-512-256-10, batch 128": ([784, 512, 256, 10], 128),
    "784-2048-2048-10, batch 512": ([784, 2048, 2048, 10], 512),
}


def judged(device: str, kind: str) -> dict[str, int]:
    """Verdicts over all problems of `handgrad verify` that need no state, at the initial weights."""
    dtype, tf32 = KINDS[kind]
    torch.backends.cuda.matmul.allow_tf32 = tf32
    counts = {"CERTIFIED": 0, "REFUTED": 0, "UNRESOLVED": 0}
    for problem in [*combine(DIFFERENTIABLE, tuple(NAMED_LOSSES)), *other_layers_and_losses()]:
        if any(isinstance(layer, Dropout) for layer in problem.network.layers):
            continue
        report = verdict(problem, device, dtype, slack=2.0**13 if tf32 else 1.0)
        counts[report] += 1
    return counts


def verdict(problem: Problem, device: str, dtype: torch.dtype, slack: float) -> str:
    data, rng = digits(), np.random.default_rng(0)
    pick = rng.permutation(len(data.x))[:32]
    params = tuple(
        {name: torch.tensor(a, device=device, dtype=dtype) for name, a in layer.items()}
        for layer in problem.network.init(rng)
    )
    x = torch.tensor(data.x[pick], device=device, dtype=dtype)
    target = torch.tensor(data.labels[pick] if problem.labels else data.one_hot[pick], device=device)
    target = target if problem.labels else target.to(dtype)
    return verify(problem.network, params, x, target, problem.loss, seed=0, slack=slack, mend=0).verdict.value


def museum(device: str) -> dict[str, dict[str, str]]:
    """Of every torch exhibit that asks for nothing of its own, the verdicts on its wrong and its right version."""
    exhibits = {name: exhibit for name, exhibit in EXHIBITS.items() if exhibit.in_torch and not exhibit.asked}
    return {name: {v: shown(e, v, device) for v in ("wrong", "right")} for name, e in exhibits.items()}


def shown(exhibit: Exhibit, version: str, device: str) -> str:
    """What is said of that version on float32 arrays of the device."""
    inputs = [a.to(device) if hasattr(a, "to") else a for a in draw(exhibit.inputs, torch.float32, 0)]
    passes = (exhibit.forward, getattr(exhibit, version), exhibit.reference)
    return verify_function(*passes, inputs, seed=0, mend=0).verdict.value


def kernels() -> dict[str, str]:
    """The verdicts of the example's kernel, right and wrong, where Triton is installed."""
    if find_spec("triton") is None:
        return {}
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))
    import triton_cross_entropy as example

    reports = [example.judge(f, width) for f in (example.CrossEntropy, example.PaddingCounts) for width in (16, 17)]
    return {report.name: report.verdict.value for report in reports}


def steps(device: str, kind: str) -> dict[str, dict[str, float]]:
    """Milliseconds of a training step, HandModule and torch eager in turn."""
    torch.backends.cuda.matmul.allow_tf32 = kind == "float32, TF32"
    found = {}
    for name, (sizes, N) in STEPS.items():
        hand = HandModule(mlp(sizes, "relu"), SoftmaxCrossEntropy()).to(device)
        linears = [nn.Linear(a, b) for a, b in zip(sizes, sizes[1:])]  # noqa: B905, RUF007
        plain = nn.Sequential(linears[0], nn.ReLU(), linears[1], nn.ReLU(), linears[2]).to(device)
        E = nn.CrossEntropyLoss()
        x, labels = torch.randn(N, sizes[0], device=device), torch.randint(sizes[-1], (N,), device=device)
        contenders: dict[str, tuple[nn.Module, Callable[[], Any]]] = {
            "hand": (hand, lambda: hand(x, labels)),  # noqa: B023
            "eager": (plain, lambda: E(plain(x), labels)),  # noqa: B023
        }
        times: dict[str, list[float]] = {side: [] for side in contenders}
        optimizers = {side: torch.optim.SGD(module.parameters(), 0.01) for side, (module, _) in contenders.items()}
        for _ in range(30):
            for side, (_, loss) in contenders.items():
                with torch.autocast(device, torch.bfloat16, enabled=kind == "bfloat16 autocast"):
                    times[side].append(milliseconds(optimizers[side], loss, device))
        found[name] = {side: median(found[5:]) for side, found in times.items()}
    return found


def milliseconds(optimizer: torch.optim.Optimizer, loss: Callable[[], Any], device: str) -> float:
    """One of 20 steps, the card waited for."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    for _ in range(20):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    wait()
    return (time.perf_counter() - start) / 20 * 1e3


def tests() -> str:
    """What pytest says last of the tests that need a card."""
    command = [sys.executable, "-m", "pytest", "-m", "cuda", "tests"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    return done.stdout.strip().rpartition("\n")[2] or done.stderr.strip().rpartition("\n")[2]


def table(found: dict[str, Any]) -> str:
    """The tests, the verdicts, and the steps' ratio."""
    rows = [[kind, *counts.values()] for kind, counts in found["verdicts"].items()]
    times = [
        [f"{name}, {kind}", *(f"{row[s]:.3f}" for s in row), f"{row['hand'] / row['eager']:.2f}"]
        for kind, cases in found["steps"].items()
        for name, row in cases.items()
    ]
    return "\n\n".join(
        (
            f"{found['card']}; `pytest -m cuda`: {found['tests']}",
            markdown(["precision", "CERTIFIED", "REFUTED", "UNRESOLVED"], rows),
            markdown(["exhibit", "wrong", "right"], [[name, *both.values()] for name, both in found["museum"].items()]),
            markdown(["kernel", "verdict"], [list(row) for row in found["kernels"].items()]),
            markdown(["step", "HandModule, ms", "torch eager, ms", "ratio"], times),
        )
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    device = parser.parse_args().device
    if device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: torch sees no CUDA device here; --device cpu tries the command without one")
    card = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    result = {
        "card": card,
        "tests": tests(),
        "verdicts": {kind: judged(device, kind) for kind in KINDS},
        "museum": museum(device),
        "kernels": kernels(),
        "steps": {kind: steps(device, kind) for kind in STEPPED},
    }
    if device == "cuda":
        save("cuda", result, table(result))
    print(table(result))
