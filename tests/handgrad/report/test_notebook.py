"""What a notebook shows. There rich displays whatever is printed, unless it is told that this is no notebook."""

from collections.abc import Callable

import numpy as np
import pytest

import handgrad
from handgrad.experiment.compare_pass import compare_pass
from handgrad.experiment.compare_training import compare_training
from handgrad.report.console import render, report_console
from handgrad.report.report import Report
from manual import HalfSquaredError, mlp


def report() -> handgrad.Report:
    return handgrad.verify_function(forward, lambda dh, h: dh * (1 - h), inputs=[(3, 4)], seed=0, mend=0)


def forward(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h = np.tanh(x)
    return h, h


def comparison() -> object:
    net, rng = mlp([3, 2, 1]), np.random.default_rng(0)
    return compare_pass(net, net.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 1)), HalfSquaredError(), seed=0)


def trajectory() -> object:
    net, rng = mlp([3, 2, 1]), np.random.default_rng(0)
    batch = (rng.normal(size=(4, 3)), rng.normal(size=(4, 1)))
    return compare_training(net, net.init(0), [batch], HalfSquaredError(), 0.1, seed=0)


PRINTED: dict[str, Callable[[], object]] = {
    "report": report,
    "ledger": lambda: report().ledger,
    "comparison": comparison,
    "trajectory": trajectory,
}


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)


@pytest.mark.parametrize("made", PRINTED.values(), ids=PRINTED)
def test_the_text_is_the_same_in_a_notebook(made: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    found = made()
    text = str(found)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert str(found) == text
    assert len(text) > 80


@pytest.mark.usefixtures("notebook")
def test_a_command_prints_to_stdout_in_a_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    report_console().print("CERTIFIED")
    assert capsys.readouterr().out == "CERTIFIED\n"
    assert render("CERTIFIED", color=False, width=80) == "CERTIFIED\n"


@pytest.mark.parametrize("made", PRINTED.values(), ids=PRINTED)
def test_without_a_browser_the_text_is_shown(made: Callable[[], object]) -> None:
    class Printer:
        def text(self, words: str) -> None:
            self.words = words

    printer, found = Printer(), made()
    show = type(found).__dict__["_repr_pretty_"]  # of the class itself: IPython takes its __repr__ before another's
    show(found, printer, False)
    assert printer.words == str(found).rstrip("\n")
    assert not (isinstance(found, Report) and str(found).endswith("\n"))  # print ends the last line


def test_tab_offers_our_names_and_no_others() -> None:
    offered = [name for name in dir(handgrad) if not name.startswith("_")]
    assert offered == sorted(handgrad.__all__)
    assert all(getattr(handgrad, name).__doc__ for name in offered)
