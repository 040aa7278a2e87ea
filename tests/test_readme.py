"""The README's test file, run as a reader would: it passes, and with a mistake in it the failure names the mistake."""

import json
import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
RIGHT, WRONG = "return dh * (s + z * s * (1 - s))", "return s + z * s * (1 - s)"


def run(folder, source):
    (folder / "test_silu.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--handgrad-json", "reports.json"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_whole_file_runs_as_printed(tmp_path):
    (source,) = (block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "def test_silu" in block)
    done = run(tmp_path, source)
    assert done.returncode == 0, done.stdout
    (report,) = json.loads((tmp_path / "reports.json").read_text())
    assert report["report"]["verdict"] == "CERTIFIED"
    assert RIGHT in source
    done = run(tmp_path, source.replace(RIGHT, WRONG))
    assert done.returncode == 1
    assert "the upstream gradient is ignored" in done.stdout


def test_it_is_short_and_its_commands_are_those_of_ci():
    assert len(README.encode()) <= 8192
    install, test = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
    assert install.endswith(".venv/bin/handgrad verify")
    ci = (Path(__file__).resolve().parent.parent / ".ci" / "run").read_text()
    assert test in ci
