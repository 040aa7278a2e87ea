"""The report: one content as object, text and JSON; plain text without colour, colour when asked for."""

import dataclasses
import json
import pickle
import re

import numpy as np
import pytest

from handgrad import Verdict, verify, verify_function
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.experiment.datasets.digits import digits
from handgrad.judge.note import Grave, HowJudged
from handgrad.judge.planted_error import Control
from handgrad.report.report import Report
from manual import HalfSquaredError, Network, mlp


@pytest.fixture
def reports(broken, batch):
    net = mlp([3, 4, 2], "tanh")
    params, x, t = batch(net)
    wrong = broken(net.layers[1], lambda self, p, cache, dh: (dh + 0, {}))
    wrong_net = Network((net.layers[0], wrong, net.layers[2]))
    return [verify(n, params, x, t, HalfSquaredError(), seed=4) for n in (net, wrong_net)]


def test_text_says_where_and_by_how_much(reports):
    right, wrong = (report.text(width=140, verbose=i == 0) for i, report in enumerate(reports))
    assert right.startswith("CERTIFIED  Linear - Tanh - Linear - HalfSquaredError  (float64, numpy on cpu, seed 4)")
    assert re.search(r"control: an error of \d\.\de-1\d planted in \w+(\[[\d,]+\])? of .* was caught", right)
    assert "20 of 20 random directions" in right
    assert wrong.startswith("REFUTED")
    line = next(line for line in wrong.splitlines() if "WRONG" in line)
    assert line.split()[0] == "h1"
    place, parts = (
        r"h1 = Tanh: dz1\[\d,\d\] is -?[\d.e-]+, autograd .*",
        ": difference .*, rounding bound .* entries outside",
    )
    assert re.search(place + parts, wrong)
    assert "array(" not in wrong
    assert "inherited: " in wrong  # explained where it occurs
    assert "chained: " in right
    assert "inherited" not in right
    assert "drift" not in right + wrong


def test_what_is_certified_is_told_in_five_lines(reports):
    short = reports[0].text()
    lines = short.splitlines()
    assert len(lines) == 4  # nothing is to be noted
    assert re.fullmatch(r"CERTIFIED  Linear - Tanh .*…  \(float64, numpy on cpu, seed 4\)", lines[0])
    assert re.fullmatch(r"  All 4 stages are right; a relative error of \de-1\d shows in half the entries\.", lines[1])
    assert re.match(r"  Worst of 4 stages: \w+(\[[\d,]+\])? at 0\.\d+ of what rounding explains", lines[2])
    assert lines[3] == "  all numbers: report.text(verbose=True); as a page: report.to_html()"
    assert reports[0].text(verbose=True).startswith("CERTIFIED  Linear - Tanh - Linear - HalfSquaredError")


def test_two_numbers_that_are_not_the_same_do_not_read_alike():
    report = verify_function(
        lambda x: (x * x, x), lambda dy, x: 2 * dy * x * (1 + 1e-11), inputs=[(3, 4)], seed=1, mend=0
    )
    for text in (report.text(), report.text(verbose=True)):
        hand, autograd = re.search(r"is (-?[\d.]+), autograd (-?[\d.]+)", text).groups()
        assert hand != autograd
        assert abs(float(hand) - float(autograd)) < 1e-9


def told(**changed):
    """The lines on a function, with the report changed like this."""
    right = verify_function(np.sin, lambda dy, x: dy * np.cos(x), inputs=[(3,)], seed=1)
    return dataclasses.replace(right, **changed).text().splitlines()


def test_the_gravest_note_is_told_and_the_others_are_counted():
    assert told()[3].startswith("  note: no reference given")
    grave, how = Grave("dx is another one there " * 9), HowJudged("judged by rounding bounds")
    worse = told(notes=("not wrong at all", how, grave))
    assert worse[3].startswith("  note: dx is another one there dx")
    assert worse[3].endswith("...")
    assert worse[4].startswith("  all numbers and 2 notes: report.text(verbose=True)")
    assert max(map(len, [*told(), *worse])) <= 80


def test_a_right_result_of_zeros_is_told_as_one_where_no_error_is_seen():
    report = verify_function(lambda x: (0 * x, None), lambda dy, _: 0 * dy, lambda x: 0 * x, [(3,)], seed=1)
    lines = report.text().splitlines()
    assert lines[1] == "  y and dx are right."
    assert re.fullmatch(r"  Not a bit differs from autograd's, in none of \d+ draws.", lines[2])
    assert lines[3] == "  note: mostly 0 or rounding alone, where no relative error is seen: y and dx"


def test_text_is_plain_unless_colour_is_asked_for(reports):
    assert "\x1b[" not in reports[1].text()
    assert "\x1b[" in reports[1].text(color=True)
    assert all(len(line) <= 140 for line in str(reports[1]).splitlines())


def test_json_has_what_the_text_has(reports):
    for report in reports:
        found = json.loads(report.to_json())
        assert found["verdict"] == report.verdict.value
        assert found["seed"] == 4
        assert [s["name"] for s in found["stages"]] == [row.name for row in report.stages]
        for stage, row in zip(found["stages"], report.stages, strict=True):
            assert stage["isolated"]["verdict"] == row.isolated.verdict.value
            differences = [t["difference"] for t in stage["isolated"]["tensors"]]
            assert differences == [t.difference for t in row.isolated.tensors]
            assert {c["status"] for c in stage["chained"]} == {c.status for c in row.chained}


def test_json_has_no_bare_nan(broken, batch):
    net = mlp([3, 2])
    params, x, t = batch(net)
    wrong = broken(net.layers[0], lambda self, p, c, dz: (np.nan * c.x, {"dW": dz.T @ c.x, "db": dz.sum(0)}))
    text = verify(Network((wrong,)), params, x, t, HalfSquaredError()).to_json()

    def refuse(word):
        raise AssertionError(word)

    json.loads(text, parse_constant=refuse)


def test_a_control_that_is_not_caught_makes_the_run_unresolved(reports):
    right = reports[0]
    missed = Control("z1", "dW1", (0, 0), 1e-9, caught=False)
    report = Report(right.name, right.dtype, right.library, right.device, right.seed, right.stages, control=missed)
    assert report.verdict is Verdict.UNRESOLVED
    assert "NOT CAUGHT" in report.text()


def test_conversions_lose_nothing():
    torch = pytest.importorskip("torch")
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        tensor = torch.randn(5, generator=torch.Generator().manual_seed(0)).to(dtype)
        again = like(to64(tensor), tensor)
        assert again.dtype == dtype
        assert torch.equal(again, tensor)
        assert dtype_name(tensor) == str(dtype).removeprefix("torch.")


def test_the_digits_are_all_there():
    x, labels, one_hot = digits()
    assert x.shape == (1797, 64)
    assert (x.min(), x.max()) == (0, 1)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (one_hot.argmax(1) == labels).all()
    assert one_hot.sum() == 1797


def test_a_narrow_terminal_shows_every_number_as_well(reports):
    narrow, wide = reports[1].text(width=80), reports[1].text(width=140)
    for row in reports[1].stages:
        t = row.isolated.worst
        for word in (row.name, t.name, f"{t.hand:.8g}", f"{t.reference:.8g}", f"{t.difference:.2g}"):
            assert word in narrow
            assert word in wide
    assert max(map(len, narrow.splitlines())) <= 80
    assert "…" not in narrow


def test_a_report_goes_to_another_process_without_the_functions_of_its_ledger():
    report = verify_function(np.sin, lambda dy, x: dy * np.sin(x), inputs=[(3,)], seed=1, mend=0)
    assert report.ledger.rows
    there = pickle.loads(pickle.dumps(report))
    assert there == report
    assert not there.ledger.rows
