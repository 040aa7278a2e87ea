"""The verification suite and HandModule on a CUDA card. Continuous integration has none: these are skipped there."""

import sys
from pathlib import Path

import pytest
import torch

import manual
from handgrad import verify_function
from tests.torch_ref.hand.networks import EVERY_KIND, LOSS, batch, gradients, pair
from torch_ref import HandModule, twin

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))  # scripts, not a package

import on_card

needs_a_card = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here"),
]
card = pytest.param("cuda", marks=needs_a_card)


@pytest.mark.parametrize("device", ["cpu", card])
def test_one_problem_in_every_precision(device: str) -> None:
    """The same code that judges on the card, tried on the CPU where there is none."""
    problem = on_card.combine(("tanh",), ("cross_entropy",))[0]
    assert {
        kind: on_card.verdict(problem, device, dtype, 1.0) for kind, (dtype, tf32) in on_card.KINDS.items() if not tf32
    } == {
        "float64": "CERTIFIED",
        "float32": "CERTIFIED",
        "bfloat16": "CERTIFIED",
    }


def test_steps_are_timed_in_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_card, "STEPS", {"4-3-3-2, batch 5": ([4, 3, 3, 2], 5)})
    steps = {kind: on_card.steps("cpu", kind) for kind in on_card.STEPPED}
    shown = on_card.table(
        {"card": "CPU", "tests": "1 passed", "verdicts": {}, "museum": {}, "kernels": {}, "steps": steps}
    )
    for kind, cases in steps.items():
        assert min(cases["4-3-3-2, batch 5"].values()) > 0
        assert f"| 4-3-3-2, batch 5, {kind} |" in shown


@pytest.mark.parametrize("device", ["cpu", card])
@pytest.mark.parametrize("name", ["strides_of_dy", "row_stride_of_x"])
def test_an_exhibit_of_the_museum_on_arrays_of_the_device(name: str, device: str) -> None:
    exhibit = on_card.EXHIBITS[name]
    assert on_card.shown(exhibit, "wrong", device) != "CERTIFIED" == on_card.shown(exhibit, "right", device)


@pytest.mark.parametrize("device", ["cpu", card])
def test_the_reference_runs_where_the_code_runs(device: str) -> None:
    seen = set()

    def reference(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        seen.update((t.device.type, str(t.dtype)) for t in (x, mask))
        return torch.tanh(x) * mask

    def forward(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.tanh(x) * mask

    mask = torch.tensor([True, False, True], device=device)
    assert verify_function(forward, None, reference, [(2, 3), mask], seed=0).verdict.value == "CERTIFIED"
    assert {(device, "torch.float64"), (device, "torch.bool")} <= seen
    assert {place for place, _ in seen} == {device}


@pytest.mark.parametrize("kind", on_card.KINDS)
@pytest.mark.parametrize("device", [card])
def test_every_gradient_is_right(device: str, kind: str) -> None:
    counts = on_card.judged(device, kind)
    assert counts["REFUTED"] == 0 < counts["CERTIFIED"]


@pytest.mark.parametrize("device", [card])
def test_a_step_of_every_kind_of_layer(device: str) -> None:
    hand, auto = (module.to(device).eval() for module in pair(EVERY_KIND, LOSS, torch.float32))
    x, labels = (t.to(device) for t in batch(dtype=torch.float32))
    hand(x, labels).backward()
    twin(LOSS)(auto(x), labels).backward()
    torch.testing.assert_close(gradients(hand), gradients(auto), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("device", [card])
def test_autocast_and_compile(device: str) -> None:
    hand = HandModule(manual.mlp([6, 5, 3]), LOSS).to(device)
    x, labels = (t.to(device) for t in batch(dtype=torch.float32))
    with torch.autocast(device, torch.bfloat16):
        hand(x, labels).backward()
    torch.compile(hand, fullgraph=True)(x, labels).backward()
