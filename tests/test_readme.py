"""The README's files, run as a reader would: the report is what it prints, the test passes, with a mistake it fails."""

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

README = (Path(__file__).resolve().parent.parent / "README.md").read_text()
RIGHT, WRONG = "return dh * (s + z * s * (1 - s))", "return s + z * s * (1 - s)"


BLOCK = r"```python\n((?:(?!```).)*)```\n\n```console\n\$ handgrad (check student.py --seed 1)\n(.*?)```"
EXAMPLE = re.compile(BLOCK, re.DOTALL)


def report_of(example):
    """What the README's first command prints of the file above it, but for its last line, which has the seed."""
    with TemporaryDirectory() as folder:
        Path(folder, "student.py").write_text(example[1])
        command = [sys.executable, "-m", "handgrad", *example[2].split(), "--mend", "300"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout.rpartition("\n\n")[0] + "\n"


def with_report(readme):
    """The README with the report as it is now."""
    example = EXAMPLE.search(readme)
    return readme[: example.start(3)] + report_of(example) + readme[example.end(3) :]


def without_numbers(report):
    """Its words; the last digits are not the same on every machine."""
    return re.sub(r"\d[\d.]*(e[-+]\d+)?", "#", report).split()


@pytest.mark.mends
def test_the_first_report_is_real():
    example = EXAMPLE.search(README)
    words = "README.md: the report is not what is printed; python -m tests.test_docs writes it anew"
    assert without_numbers(example[3]) == without_numbers(report_of(example)), words
    assert example[3].startswith("REFUTED  mlp_backward")
    assert "should be h ** 2\n" in example[3]


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
    assert re.search("the factor `dh` is missing|the upstream gradient is ignored", done.stdout)


def test_it_is_short_and_its_commands_are_those_of_ci():
    assert len(README.encode()) <= 8192
    install, test = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)
    assert install.endswith(".venv/bin/handgrad verify")
    ci = (Path(__file__).resolve().parent.parent / ".ci" / "run").read_text()
    assert test in ci
