"""The notebooks: each runs from top to bottom, finds what it says it finds, and is text that jupytext reads."""

import re
import runpy
from functools import cache
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.py"))
FOUND = {  # what its cells print, in this order
    "own_backward_pass": (
        r"REFUTED  mlp\s.*:\d+, in mlp_backward\n  dz is not the gradient of z; dx, dW1 and db1 are wrong because of",
        r"\^ should be h \*\* 2\n",
        r"\n-    dz = dh \* \(1 - h\)\n\+    dz = dh \* \(1 - h \*\* 2\)\n",
        r"gradient of W1 .* because of \d+\n",
        r"CERTIFIED  mlp  \(float64, numpy on cpu, seed 0\)\n  All 5 results are right; a relative error of",
        r"\nREFUTED\nTrue\nTrue\n",
        r"REFUTED  softplus\s",
        r"CERTIFIED  softplus\s",
    ),
    "five_lectures_by_hand": (
        r"REFUTED  mse\s",
        r"should be dE \* \(y - t\) / \(y\.shape\[0\] / 2\)",
        r"REFUTED  tanh\s(?:.*\n)+?  dz is not the gradient of z",
        r"`dW2` is used where `W2` belongs",
        r"p = 0.00004 0.00243 0.01794 0.97959  H = 0.020626\n",
        r"for_one_class: REFUTED\nfor_any_target: CERTIFIED\n",
        r"o = 0.824000446  E = 0.339488367  dE/di = 0.540395442\n",
        r"d_i +\| (same bits|within rounding)",
        r"one way alone +\| WRONG ",
    ),
    "numpy_to_torch": (
        r"CERTIFIED  block ",
        r"`\+ dy` is missing: dx lacks one of its paths",
        r"float64 +CERTIFIED\nfloat32 +CERTIFIED\n",
        r"\['0.weight', '0.bias', '2.weight', '2.bias'\]\n",
    ),
}


def test_there_is_a_check_of_each() -> None:
    assert sorted(FOUND) == [path.stem for path in NOTEBOOKS]


@cache
def cells(path: Path) -> list[str]:
    """Its cells, the header of the file before the first one left out."""
    return re.split(r"^# %%", path.read_text("utf-8"), flags=re.MULTILINE)[1:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_a_notebook_in_percent_format(path: Path) -> None:
    assert "format_name: percent" in path.read_text("utf-8").partition("# %%")[0]
    words = [cell.partition("\n") for cell in cells(path) if cell.startswith(" [markdown]")]
    assert words[0][2].startswith("# # ")  # a title
    assert len(words) > 5
    assert all(line == "" or line.startswith("#") for *_, text in words for line in text.splitlines())


@pytest.mark.mends
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_finds_what_it_says(
    path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))
    rest = capsys.readouterr().out
    for pattern in FOUND[path.stem]:
        found = re.search(pattern, rest)
        assert found, f"{pattern} is not in:\n{rest}"
        rest = rest[found.start() :]
    assert not list(tmp_path.iterdir())
