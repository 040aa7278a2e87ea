"""cmp: one line about a gradient by hand beside the one that autograd kept."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from handgrad import cmp

N = 32


@pytest.fixture
def kept() -> tuple[torch.Tensor, torch.Tensor]:
    """A logit (N, 10) in float32 with its gradient of a mean cross entropy, and the one by hand."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(N, 10, generator=rng).requires_grad_()
    target = torch.randint(10, (N,), generator=rng)
    o = 2 * x
    o.retain_grad()
    torch.nn.functional.cross_entropy(o, target).backward()
    p = torch.softmax(o.detach(), 1)
    return o, (p - torch.nn.functional.one_hot(target, 10)) / N


def line(capsys: pytest.CaptureFixture[str], dt: object, t: torch.Tensor) -> str:
    cmp("logits", dt, t)
    return capsys.readouterr().out


Kept = tuple[torch.Tensor, torch.Tensor]
Capture = pytest.CaptureFixture[str]


def test_the_same_bits(kept: Kept, capsys: Capture) -> None:
    o, _ = kept
    assert o.grad is not None
    assert line(capsys, o.grad.clone(), o) == "logits          | same bits       | maxdiff: 0\n"


def test_within_rounding(kept: Kept, capsys: Capture) -> None:
    o, do = kept
    assert line(capsys, do, o).startswith("logits          | within rounding | maxdiff: ")
    assert line(capsys, do.numpy(), o) == line(capsys, do, o)


def test_a_little_more_than_rounding_is_wrong(kept: Kept, capsys: Capture) -> None:
    o, do = kept
    off = do.clone()
    off[3, 4] += 1e-5 * float(do.abs().max())
    assert "WRONG" in line(capsys, off, o)
    assert "at [3,4]" in line(capsys, off, o)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda do: do * N, "every entry is 32 times the right one"),
        (lambda do: -do, "every entry is -1 times the right one"),
        (lambda do: do.abs(), "the sign is lost"),
        (lambda do: do * torch.rand(do.shape), "WRONG"),
    ],
)
def test_wrong_with_its_name(kept: Kept, capsys: Capture, mistake: Callable[..., object], words: str) -> None:
    o, do = kept
    assert words in line(capsys, mistake(do), o)


def test_no_name_without_enough_entries(capsys: Capture) -> None:
    b = torch.tensor([1.0, 2.0]).requires_grad_()
    (b**2).sum().backward()
    assert line(capsys, 6 * b, b) == "logits          | WRONG           | maxdiff: 8 at [1]\n"


def test_another_shape(kept: Kept, capsys: Capture) -> None:
    o, do = kept
    assert line(capsys, do.T, o) == f"logits          | WRONG           | shape is (10, {N}), expected ({N}, 10)\n"


def test_not_a_number(kept: Kept, capsys: Capture) -> None:
    o, do = kept
    do[1, 2] = np.nan
    assert "maxdiff: inf at [1,2]" in line(capsys, do, o)


def test_what_is_missing_is_said() -> None:
    x = torch.ones(3, requires_grad=True)
    y = 2 * x
    with pytest.raises(TypeError, match="t: got ndarray, expected the torch tensor"):
        cmp("x", np.ones(3), np.ones(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="x requires no gradient; call requires_grad_"):
        cmp("x", np.ones(3), torch.ones(3))
    with pytest.raises(ValueError, match="y keeps no gradient; call retain_grad"):
        cmp("y", np.ones(3), y)
    with pytest.raises(ValueError, match="x has no gradient yet; call backward"):
        cmp("x", np.ones(3), x)
