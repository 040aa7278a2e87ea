"""benchmarks/kernels.py without the collection: its references run, and the page shows what was recorded."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))  # scripts, not a package

import kernels
import record
from kernel_calls import CALLS, Call


def test_the_page_shows_what_was_recorded() -> None:
    shown = record.section("kernels").search((record.DOCS / "kernels.md").read_text())
    assert shown is not None, "docs/kernels.md has no section kernels"
    assert shown[2] == kernels.table(record.load("kernels")), "docs/kernels.md differs from docs/evidence/kernels.json"


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_a_reference_takes_the_arguments_of_its_kernel_and_has_a_gradient(call: Call) -> None:
    rng = torch.Generator().manual_seed(0)
    args = [torch.randn(a, generator=rng) if isinstance(a, tuple) else a for a in call.inputs]
    leaves = [a.double().requires_grad_() if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in args]
    y = call.reference(*leaves)
    y = y[0] if isinstance(y, tuple) else y
    assert torch.isfinite(y).all()
    (y * torch.randn(y.shape, generator=rng)).sum().backward()
    assert any(isinstance(a, torch.Tensor) and a.grad is not None and a.grad.any() for a in leaves)


def test_without_the_collection_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise kernels.PackageNotFoundError(name)

    monkeypatch.setattr(kernels, "version", missing)
    with pytest.raises(SystemExit, match=r"triton is not installed: pip install triton liger-kernel==0\.8\.0"):
        kernels.installed()
