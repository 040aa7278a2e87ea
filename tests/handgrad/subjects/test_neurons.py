"""The scalar reference is part of `handgrad verify`."""

from typing import Any

import pytest

import manual.neuron
from handgrad.judge.verdict import Verdict
from handgrad.subjects.neurons import judge_neurons
from manual.neuron import SCALAR


@pytest.mark.parametrize("seed", range(5))
def test_right_neurons_are_certified(seed: int) -> None:
    report = judge_neurons(seed)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert [row.name for row in report.stages] == [f"{name} neurons" for name in SCALAR]
    assert report.control is not None
    assert not any("every activation" in note for note in report.notes)


@pytest.mark.parametrize("how", ["dw without h", "dx of one path", "kink", "slope"])
def test_wrong_neurons_are_refuted(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = manual.neuron.backprop

    def wrong(outputs: Any, values: Any, dh: Any) -> Any:
        blame = right(outputs, values, dh)
        if how == "dw without h":
            return blame._replace(dw={n: (blame.dz[n],) * len(w) for n, w in blame.dw.items()})
        return blame._replace(dx=right(outputs[:1], values, dh[:1]).dx)

    if how in ("kink", "slope"):
        changed = {"kink": lambda z: (max(z, 0.0), float(z >= 0)), "slope": lambda z: (max(z, 0.0), 1.0)}[how]
        monkeypatch.setitem(SCALAR, "relu", changed)
    else:
        monkeypatch.setattr("handgrad.subjects.neurons.backprop", wrong)
    report = judge_neurons(0)
    refuted = [row.name for row in report.stages if row.isolated.verdict is Verdict.REFUTED]
    assert refuted == (["relu neurons"] if how in ("kink", "slope") else [f"{name} neurons" for name in SCALAR])
    shared = {"dw without h": "dW1 and dW2 are", "dx of one path": "dx is"}.get(how)
    told = [note.partition(" wrong with every activation")[0] for note in report.notes if "every activation" in note]
    assert told == ([shared] if shared else [])
