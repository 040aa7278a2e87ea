"""The line that moves while a training runs."""

import sys
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest

from handgrad.experiment import text
from handgrad.experiment.text import Line


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_shows_a_loss_after_the_first_step_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    plan: Any = SimpleNamespace(options=SimpleNamespace(batch_size=5, epochs=2, lr=0.1), resume=None, schedule=None)
    line = Line(plan, 10, show=True)
    (task,) = line.progress.tasks
    assert task.fields == {"epoch": 0, "epochs": 2, "numbers": "first step"}
    line(0.5, 1)
    assert (task.fields["epoch"], task.fields["numbers"][:23]) == (1, "loss 0.5  learning rate")


@pytest.mark.parametrize("screen", [StringIO, Terminal])
@pytest.mark.parametrize(("compiled", "show"), [(True, True), (False, True), (True, False)])
def test_compiling_is_told_once(compiled: bool, show: bool, screen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stderr := screen())
    monkeypatch.setattr(text, "SECONDS", 0)  # an epoch's line at once
    plan: Any = SimpleNamespace(options=SimpleNamespace(batch_size=5, epochs=2, lr=0.1), resume=None, schedule=None)
    line = Line(plan, 10, show=show, compiled=compiled)
    assert line.progress.tasks[0].fields["numbers"] == ("compiling" if compiled else "first step")
    with line:
        for step in (1, 2, 3, 4):
            line(0.5, step)
            if show and screen is Terminal:  # no speed while the first of two steps an epoch are compiled
                assert ("samples/s" in line.progress.tasks[0].fields["numbers"]) == (not compiled or step > 2)
    assert stderr.getvalue().count("first steps compiled in 0.0 s\n") == (compiled and show)
