"""Imports never run upward: manual knows arrays only, torch_ref knows manual, handgrad knows both."""

import ast
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {"manual": {"torch", "jax", "torch_ref", "handgrad"}, "torch_ref": {"handgrad"}}


# The compilers of arrays that are theirs, imported only where the parameters are: nothing else of them is used.
COMPILERS = {("manual/training/by_jax.py", "jax"), ("manual/training/by_torch.py", "torch")}


def imports(tree: ast.AST) -> set[str]:
    """The top-level modules of all imports in it, those inside functions and classes too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            found.add(str(node.module).partition(".")[0])
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_import_runs_upward(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    upward = {
        (str(file.relative_to(ROOT)), module)
        for file in files
        for module in imports(ast.parse(file.read_text("utf-8"))) & FORBIDDEN[package]
    }
    assert upward <= COMPILERS


def python(code: str) -> str:
    """What a fresh interpreter in the project's root prints."""
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_manual_loads_no_heavy_library() -> None:
    loaded = python("import sys, manual; print(*{name.partition('.')[0] for name in sys.modules})").split()
    assert not {"torch", "jax", "scipy", "torch_ref", "handgrad"} & set(loaded)
    assert "manual" in loaded


def test_a_mark_on_a_backward_pass_loads_no_torch() -> None:
    code = (
        "import sys; from handgrad import gradient_of; from handgrad import gradient_of; print(callable(gradient_of))"
    )
    assert python(f"{code}; print('torch' in sys.modules)").split() == ["True", "False"]


def test_manual_works_without_torch_and_jax() -> None:
    code = """
import sys
sys.modules["torch"] = sys.modules["jax"] = None  # an import of either raises ImportError
import numpy as np
import manual
net = manual.mlp([3, 4, 2], "gelu", "sigmoid")
p = manual.gradients(net, net.init(0), np.ones((2, 3)), np.ones((2, 2)), manual.HalfSquaredError())
print(p["dW1"].shape)
"""
    assert python(code).split("\n")[0] == "(4, 3)"


def test_import_is_quick() -> None:
    """Less than 0.3 s beyond NumPy's own import (the median of five), whatever else the machine is doing."""
    code = "import numpy, time; t = time.process_time(); import manual; print(time.process_time() - t)"
    assert median(float(python(code)) for _ in range(5)) < 0.3
