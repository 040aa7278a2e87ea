"""How long a change is looked for: CPU seconds, and the report says whether they ran out."""

import time

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.search import FoundEdits
from handgrad.source.clock import OF_WALL, clock
from handgrad.source.limit import TookTooLong, within


def test_the_clock_goes_on_slowly_while_another_program_has_the_processor():
    begun = clock()
    time.sleep(0.2)
    assert OF_WALL * 0.2 <= clock() - begun < 0.1
    begun, wall = clock(), time.thread_time()
    while time.thread_time() < wall + 0.05:
        pass
    assert clock() - begun >= 0.05


def test_a_limit_counts_what_runs_and_not_what_waits():
    assert within(0.1, time.sleep, 0.4) is None
    with pytest.raises(TookTooLong):
        within(0.1, burn, 5.0)


def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@pytest.mark.mends
@pytest.mark.parametrize(
    ("whole", "note"),
    [
        (True, "the time ran out before every small change was tried: mend=10 (--mend 10) looks longer"),
        (False, "small changes were tried, and none makes every gradient right"),
    ],
)
def test_a_note_says_whether_the_time_ran_out(whole, note, monkeypatch):
    def search(program, draws, judge, deadline):
        while whole and clock() <= deadline:
            pass
        return FoundEdits(None)

    monkeypatch.setattr("handgrad.explain.change.find_edits", search)
    report = verify_function(lambda x: (x * x, x), lambda dy, x: dy * np.sin(x), inputs=[(3,)], seed=0, mend=0.2)
    assert [n for n in report.notes if "small change" in n] == [note]
    assert f"note: {note}" in report.text(width=200)
