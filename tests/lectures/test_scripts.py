"""The scripts alone, run from an empty folder: each prints something, and writes only where it is told.

What their systems and their mistakes give, the lectures' own tests hold. Here one process runs each script with its
last system or mistake alone; two run to their ends as a student runs them.
"""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "examples" / "lectures"
EVERY = [path for path in sorted(SCRIPTS.glob("*.py")) if path.name != "__init__.py"]
LAST_ONLY = """
import os, runpy, sys
from handgrad.course import text
from handgrad.judge import settings
settings.MEND_SECONDS, run_all = 0.0, text.run_all
text.run_all = lambda todo, what: run_all(todo[-1:], what)
for line in sys.argv[1:]:
    sys.argv = line.split("|")
    sys.path[0] = os.path.dirname(sys.argv[0])
    print("SCRIPT", sys.argv[0])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as end:
        assert not end.code, sys.argv
    assert os.listdir() == [], sys.argv
"""


def run(folder: Path, *arguments: str | Path) -> str:
    """What Python prints in that folder, with every warning an error; the folder stays empty."""
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stderr) == (0, "")
    assert [*folder.iterdir()] == []
    return done.stdout


def test_every_script_says_something_and_writes_only_where_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    told = tmp_path_factory.mktemp("told")
    (told / "text.txt").write_text("the quick brown fox jumps over the lazy dog " * 30)
    asked = {
        "ando_ki_train.py": f"|--iterations|30|--out|{told}/weight.txt",  # which the next one loads
        "ando_ki_inference.py": f"|{told}/weight.txt",
        "ando_ki_seeds.py": "|--seeds|1",
        "selker_letters.py": f"|--text|{told}/text.txt",
    }
    lines = [f"{SCRIPTS / name}{arguments}" for name, arguments in asked.items()]
    lines += [str(path) for path in EVERY if path.name not in asked]
    said = run(tmp_path, "-c", LAST_ONLY, *lines).split("SCRIPT ")[1:]
    assert [each.splitlines()[0] for each in said if len(each.splitlines()) < 2] == []
    assert len(said) == len(EVERY) > 25
    assert {path.name for path in told.iterdir()} == {"text.txt", "weight.txt"}


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("scikit_learn.py", "CERTIFIED  K-S2"),
        ("selker_answers.py", "CERTIFIED  P12  the diamond"),
    ],
)
def test_script_runs_alone(script: str, says: str, tmp_path: Path) -> None:
    assert says in run(tmp_path, SCRIPTS / script)
