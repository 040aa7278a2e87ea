"""A sentence of a report is checked by numbers, or it is not said: each kind with a wrong twin and a right one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erfc
from torch.nn import functional as F

from handgrad import verify_function
from handgrad.explain.axes import name_axes_by_place
from handgrad.explain.catalogue import factors, upstream

INSIDE = "computes in float32 inside"
rng = np.random.default_rng(0)
X, B = rng.normal(size=(6, 5)), rng.normal(size=5)
SQUARE = rng.normal(size=(4, 4))


def say(forward: Any, backward: Any, reference: Any, *inputs: Any) -> str:
    """All that a report says, in one line; the code is refuted."""
    report = verify_function(forward, backward, reference, list(inputs), seed=7)
    text = " ".join(report.text(width=10_000).split())
    assert text.removeprefix("gradients ").startswith("REFUTED"), text
    return text


def gelu(z: Any) -> Any:
    return z * 0.5 * erfc(-z / np.sqrt(2)), z


def gelu_backward(density: float) -> Callable[..., Any]:
    return lambda dh, z: dh * (0.5 * erfc(-z / np.sqrt(2)) + z * density * np.exp(-z * z / 2))


def sigmoid(z: Any) -> Any:
    s = 1 / (1 + np.exp(-z))
    return s, s


SMALL: dict[str, tuple[Any, Any, Any]] = {
    "a constant cut short": (gelu, gelu_backward(0.3989423), F.gelu),
    "a small term too many": (sigmoid, lambda dh, s: dh * (s * (1 - s) + 3e-8 * (s - 0.5)), torch.sigmoid),
    "a series cut short": (lambda z: (np.sin(z), z), lambda dh, z: dh * (np.cos(z) + 2e-8 * z**3), torch.sin),
    "whole numbers": (
        lambda z: (np.logaddexp(z, 0), z),
        lambda dh, z: np.where(np.abs(z) > 0, np.sign(dh), dh) * np.abs(dh) * (1 - 3e-8 * z) / (1 + np.exp(-z)),
        F.softplus,
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_a_small_mistake_is_not_called_float32(name: str) -> None:
    assert INSIDE not in say(*SMALL[name], X)


ROUNDED: dict[str, Any] = {
    "the derivative": lambda dh, s: dh * (s * (1 - s)).astype(np.float32).astype(np.float64),
    "the output": lambda dh, s: dh * (s.astype(np.float32) * (1 - s.astype(np.float32))).astype(np.float64),
    "the result": lambda dh, s: (dh * s * (1 - s)).astype(np.float32).astype(np.float64),
}


@pytest.mark.parametrize("name", ROUNDED)
def test_float32_inside_is_told(name: str) -> None:
    assert INSIDE in say(sigmoid, ROUNDED[name], torch.sigmoid, X)


def test_no_rank_and_no_ratio_where_the_bound_is_as_large_as_the_error() -> None:
    def forward(x: Any) -> Any:
        return x * 1.0, x

    def backward(dy: Any, x: Any) -> Any:  # cancels: its bound is 0.1, the error a little larger, in one entry
        wrong = np.zeros(dy.shape)
        wrong[0, 0] = 0.3
        return (dy + 1e13) - 1e13 + wrong

    text = say(forward, backward, lambda x: x * 1.0, X)
    assert "error has rank" not in text
    assert "constant in each" not in text


def linear(x: Any, W: Any) -> Any:
    return x @ W.T, (x, W)


def test_rank_and_ratio_are_told_where_they_are_clear() -> None:
    u, v, scales = rng.normal(size=4), rng.normal(size=5), rng.uniform(0.5, 2, size=(4, 1))
    W = rng.normal(size=(4, 5))
    text = say(linear, lambda dy, c: (dy @ c[1], dy.T @ c[0] + np.outer(u, v)), lambda x, W: x @ W.T, X, W)
    assert "error has rank 1 of 4" in text
    text = say(linear, lambda dy, c: (dy @ c[1], scales * (dy.T @ c[0])), lambda x, W: x @ W.T, X, W)
    assert "constant in each row (index of axis 0)" in text
    assert "sample" not in text


def test_a_place_is_told_only_if_it_is_the_same_on_fresh_draws() -> None:
    def largest(dy: Any, x: Any) -> Any:
        out = 2 * x * dy
        out[np.argmax(np.abs(dy).max(axis=1))] *= 1.3
        return out

    def third(dy: Any, x: Any) -> Any:
        out = 2 * x * dy
        out[2] *= rng.uniform(1.2, 1.4, size=5).round(1) + np.abs(dy[2])
        return out

    square = lambda x: (x * x, x)  # noqa: E731
    assert "all in rows" not in say(square, largest, torch.square, X).lower()
    fixed = lambda dy, x: 2 * x * dy + 0.3 * (np.arange(6) == 2)[:, None] * np.sin(x)  # noqa: E731
    assert "all in rows 2" in say(square, fixed, torch.square, X).lower()


CLIPPED = np.linspace(-2, 5, 30).reshape(6, 5)


def test_a_clip_without_its_mask_is_not_a_derivative_not_taken() -> None:
    forward = lambda x: ((h := np.exp(np.minimum(x, 3))), h)  # noqa: E731
    text = say(forward, lambda dh, h: dh * h, lambda x: torch.exp(torch.clamp(x, max=3)), CLIPPED)
    assert "the activation stands where its derivative belongs" not in text
    assert "the derivative is not 0 where the function is constant" in text


def test_an_activation_for_its_derivative_is_still_told() -> None:
    forward = lambda x: ((h := np.exp(np.minimum(2 * x, 3))), h)  # noqa: E731
    text = say(forward, lambda dh, h: dh * h, lambda x: torch.exp(torch.clamp(2 * x, max=3)), CLIPPED)
    assert "the activation stands where its derivative belongs" in text


def test_w_and_its_transpose_are_called_as_the_code_keeps_them() -> None:
    x = rng.normal(size=(5, 4))
    to_from = say(linear, lambda dy, c: (dy @ c[1].T, dy.T @ c[0]), lambda x, W: x @ W.T, x, SQUARE)
    assert "W^T stands where W belongs" in to_from
    from_to = say(lambda x, W: (x @ W, (x, W)), lambda dy, c: (dy @ c[1], c[0].T @ dy), lambda x, W: x @ W, x, SQUARE)
    assert "W stands where W^T belongs" in from_to
    assert "W^T stands where W belongs" not in from_to


def norm(x: Any, gamma: Any, beta: Any) -> Any:
    xc = x - x.mean(axis=1, keepdims=True)
    s = np.sqrt((xc * xc).mean(axis=1, keepdims=True) + 1e-5)
    return gamma * (xc / s) + beta, (xc / s, s, gamma)


def norm_dx(dy: Any, cache: Any) -> Any:
    xhat, s, gamma = cache
    d = dy * gamma
    return (d - d.mean(axis=1, keepdims=True) - xhat * (d * xhat).mean(axis=1, keepdims=True)) / s


def scaled(x: Any, gamma: Any, beta: Any) -> Any:
    return gamma * np.sin(x) + beta, (x, gamma)


@pytest.mark.parametrize("swapped", [True, False])
def test_swapped_dgamma_and_dbeta_are_exchanged_and_no_bias(swapped: bool) -> None:
    def backward(dy: Any, c: Any) -> Any:
        dgamma, dbeta = (dy * c[0]).sum(axis=0), dy.sum(axis=0)
        return (norm_dx(dy, c), dbeta, dgamma) if swapped else (norm_dx(dy, c), dbeta, dbeta)

    text = say(norm, backward, lambda x, g, b: F.layer_norm(x, (5,), g, b), X, B, B[::-1].copy())
    assert "f'(z) is missing in the bias" not in text
    assert ("are exchanged" in text) is swapped
    back = lambda dy, c: (dy * c[1] * np.cos(c[0]), dy.sum(axis=0), dy.sum(axis=0))  # noqa: E731
    text = say(scaled, back, lambda x, g, b: g * torch.sin(x) + b, X, B, B[::-1].copy())
    assert "f'(z) is missing in the bias" not in text


def test_a_bias_without_f_is_still_told() -> None:
    def forward(x: Any, b: Any) -> Any:
        return (h := np.tanh(x + b)), h

    back = lambda dh, h: (dh * (1 - h * h), dh.sum(axis=0))  # noqa: E731
    text = say(forward, back, lambda x, b: torch.tanh(x + b), X, B)
    assert "f'(z) is missing in the bias gradient" in text


def test_no_samples_and_no_outputs_where_the_batch_may_be_in_columns() -> None:
    W = rng.normal(size=(3, 6))
    forward = lambda x, W: (np.tanh(W @ x), (x, W, np.tanh(W @ x)))  # noqa: E731

    def backward(dh: Any, c: Any) -> Any:
        x, W, h = c
        dz = dh * (1 - h * h)
        return W.T @ dz, dz @ x.T / 5

    text = say(forward, backward, lambda x, W: torch.tanh(W @ x), X, W)
    assert "number of outputs" not in text
    assert "over the outputs" not in text
    assert "1 over the length of the last axis" in text
    square = lambda x: (x * x, x)  # noqa: E731
    text = say(square, lambda dy, x: 2 * x * dy / 6, torch.square, X)
    assert "1/N" in text
    assert "the batch" not in text


def test_the_batch_is_told_where_the_numbers_show_a_linear_layer() -> None:
    W = rng.normal(size=(4, 5))
    text = say(linear, lambda dy, c: (dy @ c[1], dy.T @ c[0] / 6), lambda x, W: x @ W.T, X, W)
    assert "The mean over the batch was taken" in text


SAID_OF_ANY_FUNCTION = [
    *(words for row in (*factors.TABLE, *upstream.TABLE) for words in (row.name, row.why)),
    "sample 3 (the last) is left out of the batch",
    "The sum over the 4 samples has every term but that of sample 3.",
    "only sample 0 (the first) is used",
    "The result is the term of sample 0 alone, not the sum over the 4 samples: each sample overwrites another.",
    "Undone: adding the term of sample 3 puts every entry of dW inside its bound.",
    "the gradient is not reduced over the batch",
    "the gradient is the mean over the batch where none belongs",
    "Every entry is the batch size, the sum of dz/db = 1: the upstream gradient was not multiplied in.",
]


@pytest.mark.parametrize("words", SAID_OF_ANY_FUNCTION)
def test_what_is_said_of_any_function_can_be_said_by_places(words: str) -> None:
    by_place = name_axes_by_place(words)
    assert not any(word in by_place for word in ("batch", "sample", "outputs"))
