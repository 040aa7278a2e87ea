"""The scripts alone, as a student runs them: one of each kind to its end; that every one starts, all in one process.

What their systems and their mistakes give, the lectures' own tests hold.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "examples" / "lectures"
EVERY = [path for path in sorted(SCRIPTS.glob("*.py")) if "__main__" in path.read_text("utf-8")]
START = """
import os, runpy, sys
for script in sys.argv[1:]:
    sys.argv, sys.path[0] = [script, "--help"], os.path.dirname(script)
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        assert end.code == 0, script
"""


def run(folder: Path, *arguments: str | Path) -> str:
    """What Python prints in that folder, with every warning an error."""
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_every_script_starts(tmp_path: Path) -> None:
    found = run(tmp_path, "-c", START, *EVERY)
    assert [path.name for path in EVERY if f"usage: {path.name} " not in found] == []
    assert len(EVERY) > 15


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("scikit_learn.py", "CERTIFIED  K-S2"),
        ("selker_answers.py", "CERTIFIED  P12  the diamond"),
        ("eum_errata.py", "E-E1 "),
    ],
)
def test_script_runs_alone(script: str, says: str, tmp_path: Path) -> None:
    assert says in run(tmp_path, SCRIPTS / script)
