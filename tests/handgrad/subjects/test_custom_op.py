"""Operators of torch.library.custom_op: values by the judge, registration by torch's opcheck, told in our words."""

import itertools

import numpy as np
import torch
from torch import Tensor
from torch.library import custom_op

from handgrad import Verdict, verify_function

RNG = np.random.default_rng(0)
GIVEN = [torch.as_tensor(RNG.normal(size=(4, 3))) for _ in range(2)]
NUMBERS = itertools.count()


def scaled_square(x: Tensor, w: Tensor) -> Tensor:
    return x * x * w


def operator(forward=scaled_square, *, fake=True, gradients=lambda dy, x, w: (2 * x * w * dy, x * x * dy), mutates=()):
    """A new operator each time: torch keeps them all by their names."""
    made = custom_op(f"handgrad_tests::op{next(NUMBERS)}", forward, mutates_args=mutates)
    if fake:
        made.register_fake(lambda x, w: torch.empty_like(x))
    if gradients:
        made.register_autograd(
            lambda ctx, dy: gradients(dy, *ctx.saved_tensors),
            setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs),
        )
    return made


def judged(made, reference=scaled_square):
    return verify_function(made, None, reference, GIVEN, seed=7, mend=0)


def broken(words, made, gradients, reference=scaled_square):
    report = judged(made, reference)
    assert report.broken[-1] == words, report.text()
    assert report.gradients is gradients
    return report.text(width=10_000)


def test_a_right_one():
    report = judged(operator())
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert [t.name for t in report.stages[0].isolated.tensors] == ["y", "dx", "dw"]  # as the function names them
    assert report.name.startswith("handgrad_tests::op")
    assert "registered as torch expects" in {c.name for c in report.contracts[0].contracts}


def test_wrong_values():
    report = judged(operator(gradients=lambda dy, x, w: (x * w * dy, x * x * dy)))
    assert report.gradients is Verdict.REFUTED
    assert report.broken == ()


def test_without_a_fake():
    text = broken("has no right register_fake, which torch.compile needs", operator(fake=False), Verdict.CERTIFIED)
    assert "torch.library.opcheck, test_faketensor: There was no fake impl registered" in text


def test_without_a_backward_pass():
    broken("registers no backward pass", operator(gradients=None), Verdict.UNRESOLVED)


def test_an_argument_written_into():
    def writes(x: Tensor, w: Tensor) -> Tensor:
        y = x * x * w
        w.add_(1)
        return y

    words = "writes into an argument, or returns one, and its schema does not say so (mutates_args)"
    text = broken(
        words, operator(writes, gradients=lambda dy, x, w: (2 * x * (w - 1) * dy, x * x * dy)), Verdict.CERTIFIED
    )
    assert "test_schema: Argument w is not defined as mutable but was mutated" in text
    assert "mark_dirty" not in text


def test_an_argument_returned():
    def returns(x: Tensor, w: Tensor) -> Tensor:
        return x

    made = operator(returns, gradients=lambda dy, x, w: (dy, 0 * w))
    broken("returns an argument, or memory of one", made, Verdict.UNRESOLVED, lambda x, w: x + 0 * w)
