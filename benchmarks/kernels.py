"""Are the functions of a kernel collection judged as their authors hand them over? Liger-Kernel's, on a CPU.

    pip install triton liger-kernel==0.8.0
    python benchmarks/kernels.py                    every function, each in a process of its own
    python benchmarks/kernels.py --only Rope JSD    these, what is known of the others kept

Without a card Triton's interpreter runs the kernels, with what it lacks supplied by kernel_interpreter.py. Another
release of the package has a column of its own. Nothing is installed here.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from kernel_calls import CALLS
from record import DOCS, load, markdown, save

from handgrad import Verdict, verify_function

SECONDS = 240  # for one function, on a machine that does other things as well
HERE = Path(__file__).resolve()


def installed() -> str:
    """The release of Liger-Kernel; the program ends with what to install where one is missing."""
    try:
        version("triton")
        return version("liger-kernel")
    except PackageNotFoundError as error:
        sys.exit(f"{error.name} is not installed: pip install triton liger-kernel==0.8.0")


def ask(name: str) -> dict[str, Any]:
    """What is said of one call, by a process that only does this: a kernel may write past its memory."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(HERE), "--call", name]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"says": "no answer in time"}
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if done.returncode == 0 else {"says": f"process ended with {done.returncode}"}


def judge(name: str) -> dict[str, Any]:
    """The verdict on one call, its words, and the seconds of the processor."""
    import kernel_interpreter  # noqa: F401  before any kernel is imported
    import liger_kernel.ops
    import torch

    torch.set_num_threads(1)
    call = next(c for c in CALLS if c.name == name)
    if (function := getattr(liger_kernel.ops, call.function, None)) is None:
        return {"says": "not in this release"}
    begun = time.process_time()
    try:
        report = verify_function(
            function, None, call.reference, call.inputs, seed=0, dtype="float32", may_overwrite=call.may_overwrite
        )
    except (TypeError, ValueError) as error:
        return {"says": "out of scope" if "complex" in str(error) else "cannot be judged", "why": str(error)}
    return {**answer(report), "seconds": round(time.process_time() - begun, 1)}


def answer(report: Any) -> dict[str, Any]:
    """Both verdicts, and why they are not the best: the broken contracts, the first tensor not certified."""
    bad = [(s, t) for s in report.stages for t in s.isolated.tensors if t.verdict is not Verdict.CERTIFIED]
    first = [f"{t.name} at {s.name}: {t.reason or t.verdict.value}" for s, t in bad[:1]]
    says = report.gradients.value if not report.broken else f"{report.gradients.value}, contract broken"
    return {"says": says, "why": "; ".join([*report.broken, *first])}


def table(found: dict[str, Any]) -> str:
    """Every call with what was said of it in each release."""
    releases = sorted(found["releases"])
    names = list(dict.fromkeys(name for release in releases for name in found["releases"][release]))
    rows = [[f"`{name}`", *(cell(found["releases"][r].get(name, {})) for r in releases)] for name in names]
    return markdown(["function", *releases], rows)


def cell(found: dict[str, Any]) -> str:
    """The verdict, and why it is not the best."""
    why = found.get("why", "").replace("|", "/")
    return f"{found.get('says', '-')}{f': {why}' if why else ''}"


def main(argv: Sequence[str] | None = None) -> None:
    """Ask about every call, and write down what was said."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="WORD", help="the functions whose names have one of these words")
    parser.add_argument("--call", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.call:
        print(json.dumps(judge(args.call)))
        return
    release, result = installed(), {"releases": load("kernels").get("releases", {})}
    for call in CALLS:
        if not args.only or any(word in call.name for word in args.only):
            result["releases"].setdefault(release, {})[call.name] = (said := ask(call.name))
            print(f"{call.name}: {cell(said)}", flush=True)
            save("kernels", result, table(result), DOCS / "kernels.md")


if __name__ == "__main__":
    main()
