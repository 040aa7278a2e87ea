"""The museum is true: each wrong version is wrong, each right one right. And what the checkers say of it."""

import sys
from pathlib import Path

import pytest
import torch

from handgrad.judge.isolation import quiet

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # scripts, not a package

import museum  # noqa: E402
import record  # noqa: E402
from museum_checkers import CHECKERS, Says, by_handgrad  # noqa: E402
from museum_exhibits import EXHIBITS, as_torch, run, run_reference, to_tensor, variable  # noqa: E402


def numbers(exhibit):
    """The smallest inputs and dy as tensors, in memory of their own; the strides of torch's stay."""
    inputs, dy = exhibit.smallest
    own = (lambda v: v) if exhibit.in_torch else to_tensor
    return [own(v) if variable(v) else v for v in inputs], own(dy)


def differences(exhibit, backward):
    """Of each gradient the largest difference to float64 autograd, over the largest entry where that is above 1."""
    inputs, dy = numbers(exhibit)
    exact = [v.double() if variable(v) else v for v in inputs]
    expected = run_reference(exhibit, exact, dy.double())
    with quiet():
        got = run(as_torch(exhibit, backward), inputs, dy)
    for g, e in zip(got, expected, strict=True):
        off = (e if g is None else g.double() - e).abs().nan_to_num(nan=torch.inf)
        yield float(off.max() / max(1.0, float(e.abs().max())))


def overwritten(exhibit, backward):
    """Whether the backward pass leaves other numbers in dy or in the inputs than it found."""
    inputs, dy = numbers(exhibit)
    before = [to_tensor(v) for v in (*inputs, dy)]
    with quiet():
        run(as_torch(exhibit, backward), inputs, dy)
    return not all(torch.equal(to_tensor(v), b) for v, b in zip((*inputs, dy), before, strict=True))


@pytest.mark.parametrize("exhibit", EXHIBITS.values(), ids=EXHIBITS)
def test_the_right_version_is_right(exhibit):
    unit = torch.finfo(numbers(exhibit)[1].dtype).eps
    assert max(differences(exhibit, exhibit.right)) <= 16 * unit
    assert not overwritten(exhibit, exhibit.right)


@pytest.mark.parametrize("exhibit", EXHIBITS.values(), ids=EXHIBITS)
def test_the_wrong_version_is_wrong(exhibit):
    assert max(differences(exhibit, exhibit.wrong)) > 0.05 or overwritten(exhibit, exhibit.wrong)


@pytest.mark.parametrize("exhibit", EXHIBITS.values(), ids=EXHIBITS)
def test_handgrad_refutes_the_wrong_version_and_certifies_the_right_one(exhibit):
    said = by_handgrad(exhibit, exhibit.wrong), by_handgrad(exhibit, exhibit.right)
    assert said == (Says.WRONG, Says.RIGHT)


def test_an_exhibit_tells_its_story_in_sentences():
    for exhibit in EXHIBITS.values():
        assert all(text.endswith(".") for text in (exhibit.title, exhibit.what, exhibit.why_unseen)), exhibit.name
        assert exhibit.report.startswith("https://github.com/") or "no public report" in exhibit.report


def test_every_checker_is_asked_about_both_versions():
    row = museum.ask("parentheses_lost")
    said = {checker: museum.cell(row[checker]) for checker in CHECKERS}
    good = "caught, passed"
    assert said.pop("the project's test") == "missed, passed"  # its dh is one everywhere
    assert said.pop("jax check_grads") in (good, "-")
    assert said == dict.fromkeys(["gradcheck", "gradcheck fast", "assert_close", "handgrad"], good)


@pytest.mark.mends
def test_the_wrong_line_is_shown_with_its_change():
    # of the last, a norm of one entry has nothing but rounding: a draw of it would refuse the right change
    names = ("parentheses_lost", "dx_written_into_dy", "strides_of_gamma", "rows_of_the_first_axis")
    found = {name: museum.mend(name) for name in names}
    assert all(f["located"] and f["change"] for f in found.values())
    assert [museum.mended({"mended": found}, name) for name in found] == ["line, change"] * 4
    unknown = {"located": False, "change": []}
    assert museum.mended({"mended": {"a": unknown}}, "a") == "-"


def test_an_exception_fails_a_check_like_any_other():
    exhibit = EXHIBITS["weight_without_gradient"]
    assert CHECKERS["assert_close"](exhibit, exhibit.wrong) is Says.WRONG  # None where a gradient was expected
    assert CHECKERS["assert_close"](exhibit, exhibit.right) is Says.RIGHT


def test_gradcheck_and_assert_close_never_see_a_strided_dy():
    exhibit = EXHIBITS["strides_of_dy"]
    said = {checker: CHECKERS[checker](exhibit, exhibit.wrong) for checker in CHECKERS if checker != "handgrad"}
    assert said.pop("jax check_grads") == Says.NOTHING
    assert said == dict.fromkeys(["gradcheck", "gradcheck fast", "assert_close", "the project's test"], Says.RIGHT)


@pytest.mark.parametrize(("says", "code"), [(None, 0), (Says.RIGHT, 1), (Says.WRONG, 1), (Says.UNRESOLVED, 1)])
def test_the_exit_code_is_1_where_handgrad_misses_or_accuses(monkeypatch, capsys, says, code):
    if says is not None:
        monkeypatch.setitem(CHECKERS, "handgrad", lambda exhibit, backward: says)
    assert museum.main(["parentheses_lost"]) == code
    assert ("handgrad misses or accuses: parentheses_lost" in capsys.readouterr().out) == bool(code)


def test_a_name_that_is_no_exhibit_is_refused(capsys):
    with pytest.raises(SystemExit):
        museum.main(["tanh"])
    assert "unknown: tanh" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("page", "name", "text"),
    [
        (museum.PAGE, "museum", museum.table),
        (museum.PAGE, "exhibits", lambda found: museum.list_exhibits()),
        (museum.README, "museum", museum.summary),
    ],
    ids=["table", "exhibits", "README"],
)
def test_the_pages_show_what_was_recorded(page, name, text):
    found = record.load("museum")
    assert list(found["exhibits"]) == list(EXHIBITS)
    shown = record.section(name).search(page.read_text())
    assert shown is not None, f"{page.name} has no section {name}"
    assert shown[2] == text(found), f"{page.name} is not what was recorded; python benchmarks/museum.py writes it anew"
