"""What does the judgement of a function cost, in runs of its two passes?

    python benchmarks/functions.py [--against CHECKOUT]

Times are CPU seconds of one process per subject. With another checkout of handgrad each is judged by both, in turn, and
the ratio is told. It prints its table, and writes none.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from record import markdown

RNG = np.random.default_rng(0)
Subject = tuple[Any, Any, Callable[..., Any], list[Any]]


class Norm(torch.autograd.Function):
    """Row by row in Python, as an interpreter runs a kernel."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any) -> Any:
        r = torch.stack([torch.rsqrt((row * row).mean() + 1e-6) for row in x])
        ctx.save_for_backward(x, w, r)
        return torch.stack([row * s * w for row, s in zip(x, r, strict=True)])

    @staticmethod
    def backward(ctx: Any, dy: Any) -> Any:
        x, w, r = ctx.saved_tensors
        dx, dw = torch.empty_like(x), torch.zeros_like(w)
        for i, (row, s) in enumerate(zip(x, r, strict=True)):
            dz = dy[i] * w
            dx[i] = s * (dz - row * s * s * (row * dz).mean())
            dw += dy[i] * row * s
        return dx, dw


def product(x: Any, W: Any) -> Any:
    return x @ W, (x, W)


def product_back(dy: Any, cache: Any) -> Any:
    x, W = cache
    return dy @ W.T, x.T @ dy


def loop(x: Any) -> Any:
    y = 0.0
    for i in range(len(x)):
        y = y + x[i] * x[i]
    return y, x


def loop_back(dy: Any, x: Any) -> Any:
    return np.array([2 * dy * x[i] for i in range(len(x))])


def rms_norm(x: Any, w: Any) -> Any:
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6) * w


def subjects() -> dict[str, Subject]:
    """Forward, backward, reference and inputs."""
    square = RNG.normal(size=(2, 1024, 1024))
    rows = [torch.as_tensor(RNG.normal(size=s)).float() for s in ((256, 1024), (1024,))]
    return {
        "product 1024 x 1024 x 1024, NumPy": (product, product_back, lambda x, W: x @ W, list(square)),
        "norm of 256 x 1024, interpreted": (Norm.apply, None, rms_norm, rows),
        "loop over 5,000 numbers": (loop, loop_back, lambda x: (x * x).sum(), [RNG.normal(size=5000)]),
    }


def measure(name: str) -> dict[str, float]:
    """CPU seconds of a judgement, and of one run of both passes; in this process."""
    from handgrad import verify_function

    forward, backward, reference, inputs = subjects()[name]
    start = time.process_time()
    if backward is None:
        leaves = [a.clone().requires_grad_() for a in inputs]
        y = forward(*leaves)
        torch.autograd.grad(y, leaves, torch.randn_like(y))
    else:
        y, cache = forward(*inputs)
        backward(RNG.normal(size=np.shape(y)), cache)
    run, start = time.process_time() - start, time.process_time()
    report = verify_function(forward, backward, reference, inputs, seed=0)
    return {"run": run, "judgement": time.process_time() - start, "certified": report.verdict.value == "CERTIFIED"}


def measure_in(checkout: Path, name: str) -> dict[str, float]:
    """The same in a process of its own, with the handgrad of that checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout.resolve()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--subject", name]
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    found: dict[str, float] = json.loads(out)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, help="another checkout of handgrad")
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.subject:
        print(json.dumps(measure(args.subject)))
        return
    header, rows = ["subject", "CPU seconds", "in runs of both passes"], []
    for name in subjects():
        now = measure_in(Path(__file__).resolve().parents[1], name)
        row = [name, f"{now['judgement']:.1f}", f"{now['judgement'] / now['run']:.0f}"]
        if args.against:
            before = measure_in(args.against, name)
            row += [f"{before['judgement']:.1f}", f"{before['judgement'] / now['judgement']:.1f}"]
        rows.append(row if now["certified"] else [f"{name}: not certified", *row[1:]])
    print(markdown([*header, *(["there", "times as much"] if args.against else [])], rows))


if __name__ == "__main__":
    main()
