"""The museum is true: each wrong version is wrong, each right one right. And what the checkers say of it."""

import sys
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # scripts, not a package

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
    for g, e in zip(run(as_torch(exhibit, backward), inputs, dy), expected, strict=True):
        g = torch.zeros_like(e) if g is None else g.double()
        yield float((g - e).abs().max() / max(1.0, float(e.abs().max())))


def overwritten(exhibit, backward):
    """Whether the backward pass leaves other numbers in dy or in the inputs than it found."""
    inputs, dy = numbers(exhibit)
    before = [to_tensor(v) for v in (*inputs, dy)]
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
