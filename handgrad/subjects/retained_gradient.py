"""One gradient by hand beside the one that autograd left on a tensor, said in a line while a notebook is written."""

from typing import Any

import numpy as np
import torch

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, to64
from handgrad.explain.line import describe_once
from handgrad.judge.compare import Float, index_words
from handgrad.mend.constants import ROUNDINGS


def cmp(name: str, dt: Any, t: torch.Tensor) -> None:
    """Print how dt, the gradient of t by hand, compares with t.grad: the same bits, within rounding, or wrong.

    Shapes: dt as t; dt may be an array of any library. Keep t.grad of what is no leaf: t.retain_grad() before
    loss.backward(). Where the tensor is wrong and a known mistake gives all of its entries, that mistake is named.
    How far rounding may carry dt is not known from its numbers alone: within rounding is, in every entry, 64 roundings
    of the largest entry of t.grad (`docs/method.md`, ROUNDINGS). A verdict comes from `verify_function` alone.

    Raises TypeError for a t that is no tensor, ValueError for one without a gradient.

    After Karpathy, "Building makemore, part 4: becoming a backprop ninja".

    >>> z = torch.linspace(-2, 2, 30, dtype=torch.float64).requires_grad_()
    >>> h = z.tanh()
    >>> h.retain_grad()
    >>> (h**2).sum().backward()
    >>> cmp("h", 2 * h, h)
    h               | same bits       | maxdiff: 0
    >>> cmp("z", h.grad * (1 + h**2), z)
    z               | WRONG           | maxdiff: 3.58367 at [0]
    >>> cmp("h", -2 * h, h)
    h               | WRONG           | maxdiff: 3.85611 at [0]; every entry is -1 times the right one
    """
    if not isinstance(t, torch.Tensor):
        raise TypeError(f"t: got {type(t).__name__}, expected the torch tensor whose gradient {name} is")
    right = kept_gradient(name, t)
    hand = to64(dt.detach() if isinstance(dt, torch.Tensor) else dt)
    print(f"{name:<15} | {describe(hand, to64(right), dtype_name(right))}")


def kept_gradient(name: str, t: torch.Tensor) -> torch.Tensor:
    """t.grad; ValueError, with what to do, where there is none."""
    if not t.requires_grad:
        raise ValueError(f"t: {name} requires no gradient; call requires_grad_() on it before the forward pass")
    if not t.is_leaf and not t.retains_grad:
        raise ValueError(f"t: {name} keeps no gradient; call retain_grad() on it before backward()")
    if t.grad is None:
        raise ValueError(f"t: {name} has no gradient yet; call backward() on the loss first")
    return t.grad


def describe(hand: Float, right: Float, dtype: str) -> str:
    """The comparison in words, with the largest difference and where it is."""
    if hand.shape != right.shape:
        return f"{'WRONG':<15} | shape is {hand.shape}, expected {right.shape}"
    if np.array_equal(hand, right):
        return f"{'same bits':<15} | maxdiff: 0"
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.abs(hand - right), nan=np.inf)
    index = np.unravel_index(int(np.argmax(apart)), apart.shape)
    largest = f"maxdiff: {apart[index]:.6g} at {index_words([int(i) for i in index]) or 'its only entry'}"
    if (apart <= ROUNDINGS * Arithmetic.of(dtype).u * np.max(np.abs(right))).all():
        return f"{'within rounding':<15} | {largest}"
    mistake = describe_once(hand, right)
    return f"{'WRONG':<15} | {largest}" + (f"; {mistake}" if mistake else "")
