"""One pass side by side: both values, how far apart, and why."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch

import manual
from handgrad.cli import main
from handgrad.experiment.compare_pass import by_autograd, compare_pass
from handgrad.judge.verdict import Verdict
from handgrad.report.console import render
from handgrad.report.report import Report
from handgrad.subjects.network.verify import verify
from torch_ref import twin

NAMES = ["z1", "h1", "z2", "loss", "dz2", "dW2", "db2", "dh1", "dz1", "dW1", "db1", "dx"]


def point(dtype: str, network: manual.Network | None = None) -> tuple[Any, ...]:
    network = network or manual.mlp([6, 5, 3], "tanh")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 6)).astype(dtype)
    return network, network.init(1, dtype=dtype), x, rng.integers(0, 3, 8), manual.SoftmaxCrossEntropy()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_tensor_with_both_values_and_their_distance(dtype: str) -> None:
    network, params, x, target, loss = point(dtype)
    found = compare_pass(network, params, x, target, loss, seed=0)
    assert found.verdict is Verdict.CERTIFIED
    assert [line.name for line in found.lines] == NAMES
    hand, auto = manual.gradients(network, params, x, target, loss), by_autograd(network, params, x, target, loss)
    for line in found.lines:
        a, b = np.asarray(hand[line.name]), auto[line.name].detach().numpy()
        assert a.dtype == b.dtype == dtype
        assert (line.hand, line.autograd) == (float(a[line.index]), float(b[line.index]))
        assert np.abs(a - b).max() == abs(line.hand - line.autograd)
        assert line.status == ("exact" if np.array_equal(a, b) else "rounding")
        assert bool(line.why) == (line.status == "rounding")
        if line.status == "rounding":
            assert line.ulps == abs(line.hand - line.autograd) / np.spacing(np.abs(b[line.index]))
            assert line.ulps < 1e4


def test_autograds_pass_is_torchs() -> None:
    network, params, x, target, loss = point("float64")
    plain = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)).double()
    with torch.no_grad():
        for p, value in zip(plain.parameters(), [a for layer in params for a in layer.values()], strict=True):
            p.copy_(torch.tensor(value))
    torch.nn.functional.cross_entropy(plain(torch.tensor(x)), torch.tensor(target)).backward()
    found = by_autograd(network, params, x, target, loss)
    torch.testing.assert_close(found["dW1"], plain[0].weight.grad)
    torch.testing.assert_close(found["db2"], plain[2].bias.grad)


def test_the_same_library_is_exact_where_the_same_lines_run() -> None:
    """On torch's arrays tanh is torch's own: h1 differs only if z1 does."""
    network, params, x, target, loss = point("float64")
    params = tuple({name: torch.tensor(a) for name, a in layer.items()} for layer in params)
    found = {
        line.name: line for line in compare_pass(network, params, torch.tensor(x), torch.tensor(target), loss).lines
    }
    assert found["h1"].status == "exact" or found["h1"].why == ("its inputs differ already",)


def test_why_names_the_other_library() -> None:
    """NumPy's and torch's exp are two: on the very same input the same lines give other last digits somewhere."""
    network = manual.Network((manual.Sigmoid(),))
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(500, 3)).astype("float32"), rng.integers(0, 3, 500)
    line = compare_pass(network, ({},), x, target, manual.SoftmaxCrossEntropy(), seed=0).lines[0]
    assert (line.name, line.status) == ("h0", "rounding")
    assert line.reason in (
        "the same lines on the other library's functions and sums",
        "the hand-derived lines round in another order than autograd's",
    )


@dataclasses.dataclass(frozen=True)
class WrongTanh(manual.Tanh):
    def backward(self, params: Any, cache: Any, dh: Any) -> Any:
        return dh * (1 - cache.h), {}


def test_a_wrong_tensor_and_those_that_inherit_it() -> None:
    network = manual.Network((manual.Linear(6, 5), WrongTanh(), manual.Linear(5, 3)))
    found = compare_pass(*point("float64", network), seed=0)
    status = {line.name: line.status for line in found.lines}
    assert found.verdict is Verdict.REFUTED
    assert status["dz1"] == "wrong"
    assert {status[name] for name in ("dW1", "db1", "dx")} == {"inherited"}
    text = str(found)
    assert "the square is missing" in text
    assert text.startswith("REFUTED  Linear - WrongTanh - Linear - ")
    assert "rounding explains the others" not in text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_terminal_of_80_columns_shows_every_number_whole(dtype: str) -> None:
    found = compare_pass(*point(dtype), seed=0)
    lines = str(found).splitlines()
    same = sum(line.status == "exact" for line in found.lines)
    assert lines[1] == f"Equal to the last bit: {same} of 12 tensors; rounding explains the others."
    assert max(map(len, lines)) <= 80
    wide = render(found.renderable(), color=False, width=120)
    digits = 9 if dtype == "float32" else 17
    for line in found.lines:
        hand, autograd = (f" {value:.{digits}g} " for value in (line.hand, line.autograd))
        assert hand in str(found)
        assert hand in wide
        assert autograd in wide
    reasons = {reason for line in found.lines for reason in line.why}
    assert all(f": {reason}" in " ".join(str(found).split()) for reason in reasons)
    verbose = render(found.renderable(verbose=True), color=False, width=80)
    assert "random directions agree" in verbose
    assert "random directions agree" not in str(found)


def test_what_could_not_be_judged_is_not_called_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage without a verdict on its tensors, and all that comes of it; what came before is rounding still."""

    def unjudged(*args: Any, **kwargs: Any) -> Report:
        report = verify(*args, **kwargs)
        stages = list(report.stages)
        isolated = stages[1].isolated
        open = tuple(dataclasses.replace(t, verdict=Verdict.UNRESOLVED) for t in isolated.tensors)
        stages[1] = dataclasses.replace(stages[1], isolated=dataclasses.replace(isolated, tensors=open))
        return dataclasses.replace(report, stages=tuple(stages))

    monkeypatch.setattr("handgrad.experiment.compare_pass.verify", unjudged)
    found = compare_pass(*point("float32"), seed=0)
    apart = {line.name: line for line in found.lines if line.status != "exact"}
    assert found.verdict is Verdict.UNRESOLVED
    assert {name for name, line in apart.items() if line.status == "rounding"} <= {"z1"}
    assert {line.status for line in apart.values()} - {"rounding"} == {"not judged"}
    assert all(bool(line.why) == (line.status == "rounding") for line in apart.values())


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "silu"])
def test_the_reason_is_that_of_the_entry_shown(activation: str) -> None:
    """The stage alone, on the numbers the pass by hand gave it, says whether the inputs, the stage or both differ."""
    network, params, x, target, loss = point("float32", manual.mlp([6, 5, 3], activation))
    hand = manual.gradients(network, params, x, target, loss)
    found = {line.name: line for line in compare_pass(network, params, x, target, loss, seed=0).lines}
    z1 = torch.tensor(hand["z1"], requires_grad=True)
    h1 = twin(manual.ACTIVATIONS[activation])(z1)
    (dz1,) = torch.autograd.grad(h1, z1, torch.tensor(hand["dh1"]))
    for name, alone in (("h1", h1), ("dz1", dz1)):
        line = found[name]
        if line.status == "exact":
            continue
        there = alone[line.index].item()
        assert ("its inputs differ already" in line.why) == (there != line.autograd)
        assert (line.reason == "its inputs differ already") == (there == line.hand)


def test_tanhs_backward_pass_is_fused_in_torch() -> None:
    rng = np.random.default_rng(0)
    x, target = (torch.tensor(rng.normal(size=(200, 3)), dtype=torch.float32) for _ in range(2))
    found = compare_pass(manual.Network((manual.Tanh(),)), ({},), x, target, manual.HalfSquaredError(), seed=0)
    line = next(line for line in found.lines if line.name == "dx")
    assert line.status == "rounding"
    assert line.reason == "autograd's 1 - h h is fused"


def test_other_precisions_are_refused() -> None:
    network, params, x, target, loss = point("float64")
    with pytest.raises(TypeError, match="x: is float16, expected float32 or float64"):
        compare_pass(network, params, x.astype("float16"), target, loss)


def test_the_command(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    assert main(["compare", "--layers", "64,8,10", "--batch-size", "8", "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in NAMES)
    content = json.loads(file.read_text())
    assert content["verdict"] == "CERTIFIED"
    assert [line["name"] for line in content["lines"]] == NAMES
    assert all(isinstance(line["why"], str) for line in content["lines"])


def test_the_command_over_steps(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "found.json"
    arguments = ["--layers", "64,8,10", "--batch-size", "8", "--steps", "5", "--json", str(file)]
    assert main(["compare", *arguments]) == 0
    assert "CERTIFIED" in capsys.readouterr().out
    assert json.loads(file.read_text())["verdict"] == "CERTIFIED"


BAD = {
    "--layers 64,x,10": "--layers is '64,x,10', expected sizes such as 64,32,10",
    "--layers 64,0,10": "--layers is '64,0,10', expected sizes such as 64,32,10",
    "--layers 32,10": "expected 64 (pixels) first and 10 (digits) last",
    "--batch-size 0": "--batch-size is 0, expected 1 to 1797",
    "--steps 0": "--steps is 0, expected 1 or more",
    "--lr -1": "--lr is -1, expected a positive number",
    "--seed -3": "--seed is -3, expected a whole number, 0 or more",
    "--json /nowhere/at/all.json": "--json: /nowhere/at/all.json: there is no folder /nowhere/at; make it first",
}


@pytest.mark.parametrize("arguments", BAD)
def test_bad_usage(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["compare", *arguments.split()])
    assert stop.value.code == 2
    assert BAD[arguments] in capsys.readouterr().err
