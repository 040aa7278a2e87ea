"""Numbers and contracts are two verdicts: both in the first line and in the data, and either one gives exit code 1."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from rich.text import Text

from handgrad import Verdict, verify, verify_function
from handgrad.assertions import NotCertified, assert_verified
from handgrad.report.console import render
from handgrad.report.text import TwoSides
from handgrad.suite.run import SuiteResult
from handgrad.suite.text import conclude, show
from manual import HalfSquaredError, Identity, Linear, Network

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))


def square(x):
    return x * x, x


def overwrites(dy, x, factor=2):
    dy *= factor * x
    return dy


def clipped(dy, x):
    return np.clip(2 * x * dy, -50, 50)


def judged(backward, inputs=(X,), **kwargs):
    return verify_function(square, backward, torch.square, list(inputs), seed=1, name="square", **kwargs)


def first_line(report):
    return report.text(width=200).splitlines()[0]


def test_right_numbers_and_a_broken_contract():
    report = judged(overwrites)
    words = "writes into its upstream gradient"
    assert first_line(report).startswith(f"gradients CERTIFIED; contract broken: {words}  square  (")
    assert (report.gradients, report.broken, report.verdict.exit_code) == (Verdict.CERTIFIED, (words,), 1)
    found = report.to_dict()
    assert (found["gradients"], found["broken"], found["verdict"]) == ("CERTIFIED", [words], "REFUTED")


def test_wrong_numbers_and_every_contract_kept():
    report = judged(lambda dy, x: 3 * x * dy)
    assert first_line(report).startswith("REFUTED  square  (")
    assert (report.gradients, report.broken, report.verdict.exit_code) == (Verdict.REFUTED, (), 1)


def test_both_wrong():
    report = judged(lambda dy, x: overwrites(dy, x, 3))
    assert first_line(report).startswith(
        "gradients REFUTED; contract broken: writes into its upstream gradient  square"
    )


def test_of_several_broken_contracts_one_stands_in_the_first_line():
    report = judged(lambda dy, x: np.where(x > 0, 2 * x * dy, 1.0))
    assert report.broken == (
        "gives a gradient where its upstream gradient is zero",
        "is not linear in its upstream gradient",
    )
    lines = report.text(width=200).splitlines()
    assert lines[0].startswith(f"gradients REFUTED; contract broken: {report.broken[0]}  square")
    assert sum(line.startswith("  contract broken: ") for line in lines) == 2


def test_the_place_stands_at_the_end_of_the_last_line_of_a_long_heading():
    words = "gradients REFUTED; contract broken: gives a gradient where its upstream gradient is zero  square"
    wide, narrow = (render(TwoSides(Text(words), "a.py:20"), color=False, width=w).splitlines() for w in (200, 80))
    assert wide == [words, "  a.py:20"]  # at the end of it there is no room, for no line is longer than 100
    assert [line.split()[-1] for line in narrow] == ["gradient", "a.py:20"]
    assert len(narrow[-1]) == 80


def test_both_right():
    report = judged(lambda dy, x: 2 * x * dy)
    assert first_line(report).startswith("CERTIFIED  square  (")
    assert (report.gradients, report.broken, report.verdict.exit_code) == (Verdict.CERTIFIED, (), 0)


def test_what_the_author_declares_breaks_nothing():
    report = judged(overwrites, may_overwrite=("dy",))
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert "declared: it may overwrite dy" in report.notes
    assert judged(lambda dy, x: overwrites(dy, x, 3), may_overwrite=("dy",)).gradients is Verdict.REFUTED
    twice = lambda x: (np.multiply(x, x, out=x), None)[1] or (x.copy(), np.sqrt(x))  # noqa: E731
    other = verify_function(twice, overwrites, torch.square, [np.abs(X)], seed=1, may_overwrite=("dy",))
    assert other.broken == ("writes into x",)


def test_a_clipped_gradient_is_declared():
    report = judged(clipped)
    assert report.broken == ("is not linear in its upstream gradient",)
    declared = judged(clipped, not_linear=True)
    assert declared.verdict is Verdict.CERTIFIED, declared.text()
    assert "declared: it is not linear in its upstream gradient" in declared.notes
    assert judged(lambda dy, x: 1.5 * clipped(dy, x), not_linear=True).gradients is Verdict.REFUTED


def test_a_cache_that_is_written_into_is_declared():
    def backward(dy, x):
        x *= 2 * dy
        return x

    cached = lambda x: (x * x, x.copy())  # noqa: E731
    code = (cached, backward, torch.square, [X])
    assert verify_function(*code, seed=1).broken == ("writes into its cache",)
    assert verify_function(*code, seed=1, may_overwrite=("cache",)).verdict is Verdict.CERTIFIED


def test_a_test_declares_it_as_well():
    code = (square, overwrites, torch.square, [(4, 3)])
    assert_verified(*code, may_overwrite=("dy",), seed=1)
    with pytest.raises(NotCertified, match="gradients CERTIFIED; contract broken: writes into its upstream gradient"):
        assert_verified(*code, seed=1)


@pytest.mark.parametrize(
    ("may_overwrite", "error", "words"),
    [
        ("dy", TypeError, r"may_overwrite: got the string 'dy', expected a tuple of names: \('dy',\)"),
        (("y",), ValueError, "may_overwrite: got y, expected some of dy, x, cache"),
    ],
)
def test_what_cannot_be_declared(may_overwrite, error, words):
    with pytest.raises(error, match=words):
        judged(overwrites, may_overwrite=may_overwrite)


@dataclass(frozen=True)
class GivesDh(Identity):
    def backward(self, params, cache, dh):
        return dh, {}


def network(layer):
    net = Network((Linear(3, 4), layer, Linear(4, 2)))
    return verify(net, net.init(0), X, RNG.normal(size=(4, 2)), HalfSquaredError(), seed=2, name="net")


def test_a_layer_of_a_network_that_breaks_a_promise():
    report = network(GivesDh())
    words = "h1 = GivesDh: gives out memory of its inputs"
    assert first_line(report).startswith(f"gradients CERTIFIED; contract broken: {words}  net  (")
    assert (report.gradients, report.verdict.exit_code) == (Verdict.CERTIFIED, 1)
    assert report.to_dict()["broken"] == [words]
    assert first_line(network(Identity())).startswith("CERTIFIED  net  (")


def test_the_suite_says_which_of_the_two(capsys):
    from rich.console import Console

    result = SuiteResult("a network", (network(Identity()), network(GivesDh())))
    console = Console(width=200)
    console.print(show(result), conclude([result], result.verdict, 2))
    lines = capsys.readouterr().out.splitlines()
    words = "gradients CERTIFIED; contract broken: h1 = GivesDh: gives out memory of its inputs"
    assert lines[0].startswith(f"{words}  a network, batch 32")
    assert any(line.startswith(f"{words}  1 network, 2 runs") for line in lines)
    assert "Every gradient is right, but at least one backward pass breaks a promise" in " ".join(lines)
