"""The set of slips is what it says: functions right, slips wrong; and the runner scores what a judge answers."""

import difflib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # scripts, not a package

import mending  # noqa: E402
import record  # noqa: E402
from broken import FUNCTIONS, LONG, changed_lines, trials  # noqa: E402
from broken.witness import complaint, is_right  # noqa: E402

from handgrad import Verdict  # noqa: E402

EVERY = list(trials())
TENTH = sorted(np.random.default_rng(7).permutation(len(EVERY))[: len(EVERY) // 10])


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # slips overflow
@pytest.mark.parametrize("number", TENTH, ids=lambda n: f"{EVERY[n][0].name}: {EVERY[n][1].what}")
def test_a_slip_is_wrong_and_its_function_right(number):
    function, slip = EVERY[number]
    assert is_right(function, function.text, seeds=[0])
    assert complaint(function, slip) is None


def test_every_slip_changes_lines_of_its_module():
    for function, slip in EVERY:
        assert changed_lines(function, slip), (function.name, slip.what)


def test_a_dropped_line_is_located_at_the_neighbours_of_the_gap():
    function = FUNCTIONS["mlp_classifier.loss"]
    slip = next(s for s in function.slips if s.new == "" and s.sort == "count")
    line = 1 + function.text.splitlines().index("    dscores /= N")
    assert changed_lines(function, slip) == {line - 1, line}


def test_there_are_as_many_as_promised():
    assert len(FUNCTIONS) >= 80
    assert len(EVERY) >= 240
    assert sum(f.length > LONG for f, _ in EVERY) >= 80
    assert len({(f.name, slip.what) for f, slip in EVERY}) == len(EVERY)


def difference(before, after):
    return "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a", "b"))


@pytest.mark.parametrize("context", [0, 3])
@pytest.mark.parametrize("number", TENTH[::4])
def test_a_diff_is_applied_as_it_was_taken(number, context):
    function, slip = EVERY[number]
    before, after = function.wrong(slip).splitlines(True), function.text.splitlines(True)
    diff = "".join(difflib.unified_diff(before, after, "a", "b", n=context))
    assert mending.patched(function.wrong(slip), diff) == function.text


def test_a_diff_that_does_not_fit_is_refused():
    diff = difference("a\nb\nc\n", "a\nx\nc\n")
    with pytest.raises(ValueError, match="does not fit at line 2"):
        mending.patched("a\nB\nc\n", diff)
    with pytest.raises(ValueError, match="no hunk"):
        mending.patched("a\n", "a is b")


def judge_that_says(line, after):
    """verify_function's interface, with that line and that text in place of the wrong one."""

    def verify(forward, backward, reference, inputs, *, seed, mend):
        file = Path(forward.__code__.co_filename)
        before = file.read_text()
        place = line and SimpleNamespace(file=str(file), line=line, function="backward")
        change = after and SimpleNamespace(diff=difference(before, after), words="", before="", after="")
        return SimpleNamespace(verdict=Verdict.REFUTED, place=place, change=change)

    return verify


SLIP = mending.Trial("more_losses.pinball", 0, False, 1)


def asked(monkeypatch, line, after):
    monkeypatch.setattr(mending, "verify_function", judge_that_says(line, after))
    return mending.ask(SLIP)


def test_a_right_line_and_a_right_change_count(monkeypatch):
    function = FUNCTIONS[SLIP.function]
    (line,) = changed_lines(function, function.slips[0])
    found = asked(monkeypatch, line, function.text)
    assert (found.at_line, found.located, found.wrong_line, found.right) == (True, True, False, True)
    assert "located" in mending.told(found)
    assert "mended" in mending.told(found)


def test_a_line_whose_change_makes_all_right_is_located_though_another_was_broken(monkeypatch):
    found = asked(monkeypatch, 1, FUNCTIONS[SLIP.function].text)
    assert (found.at_line, found.located, found.wrong_line, found.right) == (False, True, False, True)
    assert "at another line" in mending.told(found)


def test_another_line_and_another_change_count_against(monkeypatch):
    function = FUNCTIONS[SLIP.function]
    found = asked(monkeypatch, 1, None)
    assert (found.located, found.wrong_line, found.right) == (False, True, None)
    found = asked(monkeypatch, None, function.wrong(function.slips[1]))
    assert (found.located, found.wrong_line, found.right) == (False, False, False)
    assert "WRONG CHANGE" in mending.told(found)


def test_a_judge_that_raises_has_said_nothing(monkeypatch):
    def verify(*args, **keywords):
        raise RuntimeError("no")

    monkeypatch.setattr(mending, "verify_function", verify)
    found = mending.ask(SLIP)
    assert (found.verdict, found.error, found.right) == ("ERROR", "RuntimeError: no", None)


def test_the_table_has_a_row_for_each_kind_and_length(monkeypatch):
    function = FUNCTIONS[SLIP.function]
    found = {**asked(monkeypatch, 1, function.text)._asdict(), "seed": 1}
    text = mending.table({"reference": [found], "own": [{**found, "kind": "torch", "long": True}]})
    assert "| NumPy | 1 | 1 | 1 | 0 | 0 | 1 | 0 | 0 |" in text
    assert "| torch | 1 |" in text
    assert f"over {LONG} lines" in text


def test_a_sample_is_the_same_for_the_same_seed():
    every = mending.trials(own=False, seed=1)
    first, again, other = (mending.sample(every, 20, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert {t.function for t in mending.trials(False, 1, ["lstm", "tiny_gpt.gpt_loss"])} == {
        "lstm.lstm_forward",
        "tiny_gpt.gpt_loss",
    }


def test_the_page_shows_what_was_recorded():
    shown = mending.recorded("mending")
    text = mending.table(shown) if shown else "Not measured yet."
    assert record.section("mending").search(record.PAGE.read_text())[2] == text
