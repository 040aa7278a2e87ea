"""benchmarks/versions.py: what it installs, and what it makes of pytest's words. It downloads, so no test runs it."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))  # scripts, not a package

import versions

SAID = """FAILED tests/manual/test_a.py::test_b[1] - AssertionError
ERROR tests/x.py
1 failed, 20 passed, 2 skipped, 1 error in 3.1s
"""


def test_the_floors_are_those_declared():
    floors = versions.releases("floors")
    assert {"torch==2.11", "array-api-compat==1.12", "jax==0.8"} <= set(floors)
    assert [line.partition("==")[0] for line in floors] == versions.releases("newest")
    assert not versions.TOOLS & set(versions.declared())


@pytest.mark.parametrize(
    ("said", "counts"), [(SAID, {"failed": 1, "passed": 20, "skipped": 2, "error": 1}), ("", None)]
)
def test_a_run_is_counted_and_one_without_tests_refused(monkeypatch, said, counts):
    outputs = iter(('{"python": "3.11.7", "torch": "2.11.0"}', said))
    answer = lambda *_, **__: SimpleNamespace(stdout=next(outputs), stderr="")  # noqa: E731
    monkeypatch.setattr(subprocess, "run", answer)
    if counts is None:
        with pytest.raises(SystemExit, match="no test ran"):
            versions.run("python")
        return
    row = versions.run("python")
    assert (row["counts"], row["failed"]) == (counts, ["tests/manual/test_a.py::test_b[1]", "tests/x.py"])
    assert "| floors | 3.11.7 | 2.11.0 | 20 | 2 |" in versions.table({"rows": {"floors": row}})


def test_kept_environments_have_the_names_of_their_sets_and_earlier_rows_stay(monkeypatch, tmp_path):
    row = {"releases": {"python": "3.11.7"}, "counts": {"passed": 3}, "failed": []}
    folders, saved = [], []
    monkeypatch.setattr(sys, "argv", ["versions.py", "floors", "newest", "--kept", str(tmp_path)])
    monkeypatch.setattr(versions, "environment", lambda folder, *_: folders.append(folder))
    monkeypatch.setattr(versions, "run", lambda _: row)
    monkeypatch.setattr(versions, "load", lambda _: {"rows": {"newest, Python 3.13": row}})
    monkeypatch.setattr(versions, "save", lambda name, found, table: saved.append([*found["rows"]]))
    versions.main()
    assert folders == [tmp_path / "floors", tmp_path / "newest"]
    assert saved[-1] == ["newest, Python 3.13", "floors, Python 3.11", "newest, Python 3.11"]
