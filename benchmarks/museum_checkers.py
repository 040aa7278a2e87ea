"""What each checker says of an exhibit's wrong or right version, called as its users call it.

A checker is a function of (exhibit, backward) that returns what it says.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
import torch
from museum_exhibits import Exhibit, as_torch, draw, run, run_reference, variable

from handgrad import Verdict, verify_function
from handgrad.judge.isolation import attempt
from handgrad.report.text import broken_contracts

try:
    import jax
    from jax.test_util import check_grads
except ImportError:
    jax = None

SEED = 0
Checker = Callable[[Exhibit, Callable[..., Any]], "Says"]


class Says(StrEnum):
    """What a checker says of a backward pass."""

    WRONG = "wrong"
    RIGHT = "right"
    UNRESOLVED = "unresolved"
    NOTHING = "-"  # it does not apply, or is not installed


def said(passes: bool) -> Says:
    return Says.RIGHT if passes else Says.WRONG


def by_gradcheck(fast_mode: bool, exhibit: Exhibit, backward: Callable[..., Any]) -> Says:
    """torch.autograd.gradcheck with its defaults, on doubles."""
    inputs = draw(exhibit.inputs, torch.float64, SEED)
    leaves = [v.requires_grad_() if variable(v) else v for v in inputs]
    function = as_torch(exhibit, backward)
    return said(torch.autograd.gradcheck(function, leaves, fast_mode=fast_mode, raise_exception=False))


def gradients(
    exhibit: Exhibit, backward: Callable[..., Any], inputs: list[Any], dy: torch.Tensor | None = None
) -> list[tuple[Any, Any]]:
    """Every gradient and what autograd gives for it in the same precision, float32 unless the inputs have a coarser.

    dy is drawn where it is not given. The reference goes back first, through the same dy, as most tests are written.
    """
    coarse = next((v.dtype for v in inputs if isinstance(v, torch.Tensor)), torch.float32)
    numbers = draw(inputs, coarse, SEED)
    if dy is None:
        shape = exhibit.reference(*numbers_of_the_reference(numbers)).shape
        dy = torch.randn(shape, generator=torch.Generator().manual_seed(SEED + 1)).to(coarse)
    expected = run_reference(exhibit, numbers, dy)
    return list(zip(run(as_torch(exhibit, backward), numbers, dy), expected, strict=True))


def numbers_of_the_reference(numbers: list[Any]) -> list[Any]:
    return [torch.as_tensor(v) if isinstance(v, np.ndarray) else v for v in numbers]


def by_assert_close(exhibit: Exhibit, backward: Callable[..., Any]) -> Says:
    """torch.testing.assert_close with its defaults, for each gradient."""
    for got, expected in gradients(exhibit, backward, exhibit.inputs):
        torch.testing.assert_close(got, expected)
    return Says.RIGHT


def by_its_own_test(exhibit: Exhibit, backward: Callable[..., Any]) -> Says:
    """The test of the project, as far as its report tells it."""
    if exhibit.own_test is None:
        return Says.NOTHING
    compare = lambda inputs=exhibit.inputs, dy=None: gradients(exhibit, backward, inputs, dy)  # noqa: E731
    return said(bool(exhibit.own_test(compare)))


def by_jax(exhibit: Exhibit, backward: Callable[..., Any]) -> Says:
    """jax.test_util.check_grads with its defaults, in jax's usual float32, of the backward pass alone.

    jax arrays have no strides, so code that is about strides is not asked.
    """
    if jax is None or exhibit.in_torch:
        return Says.NOTHING
    numbers = [v.numpy() if variable(v) else v for v in draw(exhibit.inputs, torch.float32, SEED)]
    check_grads(*as_jax(exhibit, backward, numbers), order=1, modes=["rev"])
    return Says.RIGHT


def as_jax(exhibit: Exhibit, backward: Callable[..., Any], numbers: list[Any]) -> tuple[Any, list[Any]]:
    """The exhibit as a jax.custom_vjp that calls back to its NumPy code, and the numbers that it is a function of."""
    arrays = [v for v in numbers if variable(v)]

    def fill(xs: Any) -> list[Any]:
        given = iter(xs)
        return [np.asarray(next(given)) if variable(v) else v for v in numbers]

    def go_forward(*xs: Any) -> Any:
        return np.asarray(exhibit.forward(*fill(xs))[0], np.float32)

    def go_back(dy: Any, *xs: Any) -> Any:
        grads = backward(np.asarray(dy), exhibit.forward(*fill(xs))[1])
        grads = grads if isinstance(grads, tuple) else (grads,)
        return tuple(np.zeros_like(x) if g is None else np.float32(g) for g, x in zip(grads, arrays, strict=True))

    y, dxs = jax.eval_shape(lambda: (go_forward(*arrays), tuple(arrays)))
    function = jax.custom_vjp(lambda *xs: jax.pure_callback(go_forward, y, *xs))
    function.defvjp(lambda *xs: (function(*xs), xs), lambda xs, dy: jax.pure_callback(go_back, dxs, dy, *xs))
    return function, arrays


def by_handgrad(exhibit: Exhibit, backward: Callable[..., Any]) -> Says:
    """verify_function, on the inputs as they are, or on what the exhibit asks; a broken contract counts as wrong."""
    asked = {"inputs": exhibit.inputs, **exhibit.asked}
    report = verify_function(exhibit.forward, backward, exhibit.reference, seed=SEED, mend=0, **asked)
    if report.verdict is Verdict.REFUTED or any(broken_contracts(report)):
        return Says.WRONG
    return Says.RIGHT if report.verdict is Verdict.CERTIFIED else Says.UNRESOLVED


def or_raises(check: Checker, exhibit: Exhibit, backward: Callable[..., Any]) -> Says:
    """What the check says; an exception, of its own or of the code, fails a test like any other."""
    return attempt(lambda: check(exhibit, backward)).value or Says.WRONG


CHECKERS: dict[str, Checker] = {
    "gradcheck": partial(or_raises, partial(by_gradcheck, False)),
    "gradcheck fast": partial(or_raises, partial(by_gradcheck, True)),
    "assert_close": partial(or_raises, by_assert_close),
    "the project's test": partial(or_raises, by_its_own_test),
    "jax check_grads": partial(or_raises, by_jax),
    "handgrad": by_handgrad,
}
