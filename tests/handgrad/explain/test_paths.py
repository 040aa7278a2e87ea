"""A path lost or doubled, overlaps, results in other places, another eps, a mask: each told, and not told of a twin."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from handgrad import verify_function

rng = np.random.default_rng(0)
AT = np.array([0, 2, 2, 1, 0])


def say(forward: Any, backward: Any, reference: Any, *inputs: Any) -> str:
    """What is said of the mistake in refuted code."""
    report = verify_function(forward, backward, reference, list(inputs), seed=7)
    assert report.culprit is not None, report.text()
    assert report.culprit.diagnosis is not None
    return report.culprit.diagnosis.words


def residual(x: Any, W: Any) -> Any:
    return x @ W + x, (x, W)


def in_torch(x: Any, W: Any) -> Any:
    return x @ W + x


def residual_backward(own: float) -> Callable[..., Any]:
    return lambda dy, c: (dy @ c[1].T + own * dy, c[0].T @ dy)


X, SQUARE = rng.normal(size=(5, 4)), rng.normal(size=(4, 4))


@pytest.mark.parametrize(
    ("own", "words"),
    [(0.0, "dx lacks dy."), (2.0, "dx has dy too much."), (0.5, "dx lacks 0.5 dy."), (-1, "lacks 2 dy")],
)
def test_a_path_that_is_lost_or_doubled(own: float, words: str) -> None:
    assert words in say(residual, residual_backward(own), in_torch, X, SQUARE)


def test_another_mistake_beside_a_residual_is_no_lost_path() -> None:
    text = say(residual, lambda dy, c: (dy @ c[1] + dy, c[0].T @ dy), in_torch, X, SQUARE)
    assert "lacks" not in text
    assert "too much" not in text


def test_a_factor_is_no_lost_path() -> None:
    """3 dy with dy lost is 2/3 of it as well, and nothing tells which it was."""
    text = say(lambda x: (3 * x, x), lambda dy, x: 2 * dy, lambda x: 3 * x, X)
    assert "lacks" not in text
    assert "Hand / reference is 0.667 in every one of them." in text


def penalised(x: Any, W: Any) -> Any:
    return np.mean((x @ W) ** 2) + 0.01 * np.sum(W * W), (x, W)


def penalised_backward(decay: float, scale: float = 1.0) -> Callable[..., Any]:
    def backward(dE: Any, cache: Any) -> Any:
        x, W = cache
        dz = dE * 2 * (x @ W) / (x @ W).size
        return dz @ W.T, scale * (x.T @ dz) + dE * decay * W

    return backward


def test_the_gradient_of_a_penalty() -> None:
    reference = lambda x, W: ((x @ W) ** 2).mean() + 0.01 * (W * W).sum()  # noqa: E731
    assert "dW lacks 0.02 W dy." in say(penalised, penalised_backward(0), reference, X, SQUARE)
    assert "dW lacks 0.01 W dy." in say(penalised, penalised_backward(0.01), reference, X, SQUARE)
    assert "lacks" not in say(penalised, penalised_backward(0.02, 1.5), reference, X, SQUARE)


def scatter(*, keep: bool) -> Callable[..., Any]:
    def backward(dy: Any, W: Any) -> Any:
        dW = np.zeros_like(W)
        if keep:
            dW[AT] = dy
        else:
            np.add.at(dW, AT[::-1], dy)
        return dW

    return backward


def windows(x: Any, w: Any) -> Any:
    return np.stack([x[:, j : j + 3] @ w for j in range(x.shape[1] - 2)], 1), (x, w)


def windows_backward(dy: Any, cache: Any) -> Any:
    x, w = cache
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for j in range(dy.shape[1]):
        dx[:, j : j + 3] = dy[:, j : j + 1] * w
        dw += dy[:, j] @ x[:, j : j + 3]
    return dx, dw


def test_assigned_where_it_has_to_be_added() -> None:
    look_up = lambda W: (W[AT] * 1.0, W)  # noqa: E731
    words = "meet in one entry, only the last is kept"
    rows = rng.normal(size=(4, 3))
    assert f"axis 0 of dy {words}" in say(look_up, scatter(keep=True), lambda W: W[AT] * 1.0, rows)
    assert words not in say(look_up, scatter(keep=False), lambda W: W[AT] * 1.0, rows)
    reference = lambda x, w: torch.stack([x[:, j : j + 3] @ w for j in range(x.shape[1] - 2)], 1)  # noqa: E731
    inputs = rng.normal(size=(2, 6)), rng.normal(size=3)
    assert f"axis 1 of dy {words}" in say(windows, windows_backward, reference, *inputs)


def product(q: Any, k: Any, v: Any) -> Any:
    return q * k * v + k * v, (q, k, v)


def test_results_in_each_others_places() -> None:
    in_torch = lambda q, k, v: q * k * v + k * v  # noqa: E731
    inputs = [rng.normal(size=(4, 3)) for _ in range(3)]

    def backward(order: str) -> Callable[..., Any]:
        def run(dy: Any, cache: Any) -> Any:
            q, k, v = cache
            found = {"q": dy * k * v, "k": dy * (q * v + v), "v": dy * (q * k + k)}
            return tuple(found[name] for name in order)

        return run

    assert "dk, dv and dq are in each other's places" in say(product, backward("kvq"), in_torch, *inputs)
    assert "dk and dv are exchanged" in say(product, backward("qvk"), in_torch, *inputs)
    twice = say(product, backward("qvv"), in_torch, *inputs)
    assert "exchanged" not in twice
    assert "places" not in twice


def test_results_of_other_shapes_exchanged() -> None:
    linear = lambda x, W, b: (x @ W + b, (x, W, b))  # noqa: E731
    reference = lambda x, W, b: x @ W + b  # noqa: E731
    inputs = X, rng.normal(size=(4, 3)), rng.normal(size=3)
    text = say(linear, lambda dy, c: (dy @ c[1].T, dy.sum(0), c[0].T @ dy), reference, *inputs)
    assert "dW and db are exchanged" in text
    text = say(linear, lambda dy, c: (dy @ c[1].T, dy.mean(0), c[0].T @ dy), reference, *inputs)
    assert "exchanged" not in text


def norm(x: Any, gamma: Any) -> Any:
    xc = x - x.mean(1, keepdims=True)
    s = np.sqrt((xc * xc).mean(1, keepdims=True) + 1e-5)
    return gamma * (xc / s), (xc, xc / s, gamma)


def norm_backward(eps: float, *, again: bool, outside: float = 0.0) -> Callable[..., Any]:
    def backward(dy: Any, cache: Any) -> Any:
        xc, xhat, gamma = cache
        s = np.sqrt((xc * xc).mean(1, keepdims=True) + eps) + outside
        xhat = xc / s if again else xhat
        d = dy * gamma
        dx = (d - d.mean(1, keepdims=True) - xhat * (d * xhat).mean(1, keepdims=True)) / s
        return dx, (dy * xhat).sum(0)

    return backward


def layer_norm(x: Any, gamma: Any) -> Any:
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gamma, None, 1e-5)


def test_another_eps_than_the_forward_pass_has() -> None:
    inputs = X, rng.normal(size=4)
    for again in (True, False):
        text = say(norm, norm_backward(1e-3, again=again), layer_norm, *inputs)
        assert "eps is 0.001 where the forward pass has 1e-05" in text
    text = say(norm, norm_backward(0.0, again=True, outside=1e-5), layer_norm, *inputs)
    assert "eps is" not in text


def test_entries_that_belong_zero() -> None:
    cube = lambda x: (np.where(x > 0, x**3, 0), x)  # noqa: E731
    reference = lambda x: torch.where(x > 0, x**3, 0 * x)  # noqa: E731
    x = rng.normal(size=(8, 7))
    slope = lambda dy, x: dy * 3 * x**2  # noqa: E731
    assert "as if a mask were missing" in say(cube, slope, reference, x)
    other = say(cube, lambda dy, x: slope(dy, x) * (dy > 0), reference, x)
    assert "as if another mask were used" in other
    both = say(cube, lambda dy, x: slope(dy, x) + 0.1 * dy, reference, x)
    assert "mask" not in both
    halved = say(cube, lambda dy, x: slope(dy, x) * ((x > 0) & (dy > 0)), reference, x)
    assert "All of them are zero, and the others are right" in halved


def test_the_first_of_the_upstream_gradient_for_all() -> None:
    cube, reference = (lambda x: (x**3, x)), (lambda x: x**3)
    assert "first entry of the upstream" in say(cube, lambda dy, x: 3 * x**2 * dy.flat[0], reference, X)
    assert "first slice of the upstream" in say(cube, lambda dy, x: 3 * x**2 * dy[:1], reference, X)
    text = say(cube, lambda dy, x: 3 * x**2 * dy[1:2], reference, X)
    assert "of the upstream gradient" not in text
