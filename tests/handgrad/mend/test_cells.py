"""A function of a notebook's cell gets its line and its change: its source is what `linecache` has of the cell."""

import linecache

import pytest

from handgrad import verify_function

CELL = """
import numpy as np

def tanh(z):
    h = np.tanh(z)
    return h, h

def tanh_backward(dh, h):
    return dh * (1 - h)
"""


@pytest.mark.mends
@pytest.mark.parametrize(
    ("name", "shown"), [("<ipython-input-3-1f2e>", "In [3]:9"), ("/nowhere/ipykernel_7/99.py", "cell:9")]
)
def test_the_line_and_the_change_in_a_cell(name: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(linecache.cache, name, (len(CELL), None, CELL.splitlines(keepends=True), name))
    scope = {"__name__": "__main__"}
    exec(compile(CELL, name, "exec"), scope)
    report = verify_function(scope["tanh"], scope["tanh_backward"], inputs=[(4, 3)], seed=1, mend=300)
    assert report.change is not None
    assert (report.change.before, report.change.after) == ("h", "h ** 2")
    assert (report.change.place.file, report.change.place.line) == (name, 9)
    assert "+    return dh * (1 - h ** 2)" in report.change.diff
    text = report.text()
    assert text.splitlines()[0].endswith(f" {shown}, in tanh_backward")
    assert "9 |     return dh * (1 - h)\n" in text
