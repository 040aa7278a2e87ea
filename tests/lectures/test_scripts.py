"""The scripts that no other test runs, alone as a student does: the mistakes in print, and the answer key."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "examples" / "lectures"


# lee_errata.py judges 500 steps of training, which test_lee.py does
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("ando_ki_errata.py", "A-E1 "),
        ("banerjee_errata.py", "B-E1 "),
        ("eum_errata.py", "E-E1 "),
        ("selker_errata.py", "S-E1 "),
        ("selker_answers.py", "CERTIFIED  P12  the diamond"),
    ],
)
def test_script_runs_alone(script: str, says: str, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", SCRIPTS / script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert says in done.stdout
