"""Every script in examples/ runs as a reader runs it: it prints something, warns of nothing, and writes no file."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NEEDS = {"jax_custom_vjp": "jax", "triton_cross_entropy": "triton"}  # packages that are not everywhere


def run(script: Path, folder: Path) -> str:
    if (package := NEEDS.get(script.stem)) and find_spec(package) is None:
        pytest.skip(f"{package} is not installed: pip install 'handgrad[{package}]'")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert done.stdout.strip()
    assert [*folder.iterdir()] == []
    return done.stdout


def test_there_are_examples() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("script", [e for e in EXAMPLES if e.stem not in NEEDS], ids=lambda path: path.stem)
def test_example_runs(script: Path, tmp_path: Path) -> None:
    run(script, tmp_path)


def test_side_by_side_shows_every_quantity_and_no_difference(tmp_path: Path) -> None:
    output = run(ROOT / "examples" / "side_by_side.py", tmp_path)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in output.splitlines() if line.startswith("│")]
    differences = {name: float(difference) for name, *_, difference in rows if name}
    assert list(differences) == ["z1", "h1", "z2", "loss", "dz2", "dW2", "db2", "dh1", "dz1", "dW1", "db1", "dx"]
    assert max(differences.values()) < 1e-14


def verdicts(output: str) -> dict[str, str]:
    """The verdict of every report that a script prints, by its name."""
    return {
        name: verdict
        for verdict, name in re.findall(r"^(CERTIFIED|REFUTED|UNRESOLVED)  (.*?)  \(", output, re.MULTILINE)
    }


def test_a_kernel_whose_padding_counts_is_refuted_where_the_last_block_is_not_whole(tmp_path: Path) -> None:
    assert verdicts(run(ROOT / "examples" / "triton_cross_entropy.py", tmp_path)) == {
        "CrossEntropy, 16 classes": "CERTIFIED",
        "PaddingCounts, 16 classes": "CERTIFIED",
        "CrossEntropy, 17 classes": "CERTIFIED",
        "PaddingCounts, 17 classes": "REFUTED",
        "CrossEntropy, 7 classes": "CERTIFIED",
    }


def test_a_custom_vjp_is_judged_as_it_is(tmp_path: Path) -> None:
    assert verdicts(run(ROOT / "examples" / "jax_custom_vjp.py", tmp_path)) == {
        "RMS norm": "CERTIFIED",
        "under jit": "CERTIFIED",
        "row by row, under vmap": "CERTIFIED",
        "a path forgotten, without a reference": "REFUTED",
        "in float64": "CERTIFIED",
    }
