"""What is drawn for shapes: every size, a ladder of magnitudes, the code's own library, a precision asked for."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad import Verdict, verify_function
from handgrad.judge.constants import MAGNITUDE_STEP, TRIED_SIZES
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.inputs import cases
from handgrad.subjects.function.reference import Reference


def judged(forward, backward, reference, inputs=((4, 3),), seed=7, **kwargs):
    return verify_function(forward, backward, reference, list(inputs), seed=seed, **kwargs)


def certified(*args, **kwargs):
    report = judged(*args, **kwargs)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    return report


def refuted(words, *args, **kwargs):
    report = judged(*args, **kwargs)
    assert report.verdict is Verdict.REFUTED, report.text()
    assert words in " ".join(report.text(width=10_000).split()), report.text()
    return report


def softplus(x):
    return np.logaddexp(x, 0), x


def slope(x):
    return np.where(x > 0, 1 / (1 + np.exp(-np.abs(x))), np.exp(-np.abs(x)) / (1 + np.exp(-np.abs(x))))


def softplus_in_torch(x):
    return torch.logaddexp(x, torch.zeros_like(x))


@pytest.mark.parametrize("shape", [(4, 3), (1,), ()])
@pytest.mark.parametrize("seed", [0])
def test_a_softplus_that_switches_its_slope(shape, seed):
    wrong = lambda dy, x: np.where(x > 12, dy, dy * slope(x))  # noqa: E731
    refuted("dx", softplus, wrong, softplus_in_torch, [shape], seed)
    certified(softplus, lambda dy, x: dy * slope(x), softplus_in_torch, [shape], seed)


@pytest.mark.parametrize(
    "off",
    [
        lambda x: 1e-6 * ((np.abs(x) > 1e-12) & (np.abs(x) < 4e-12)),
        lambda x: 1e-6 * ((x < -40) & (x > -130)),
        lambda x: 1e-9 * (np.abs(x) > 2e3) * (np.abs(x) < 7e3),
    ],
)
def test_no_range_of_magnitudes_is_left_out(off):
    back = lambda dy, x: dy * (2 * x * (1 + off(x)))  # noqa: E731
    refuted("magnitude", lambda x: (x * x, x), back, torch.square)


def test_the_ladder_has_no_gap():
    code = Code(np.tanh, None, ("x",))
    drawn = list(cases({"x": (2, 3)}, code, np.zeros(()), Reference(torch.tanh, ("x",), {}), np.random.default_rng(0)))
    sizes = np.sort(np.abs(np.concatenate([c.inputs["x"].reshape(-1) for c in drawn if "magnitude" in c.name])))
    assert sizes[0] < 3e-30
    assert sizes[-1] > 1e4
    assert (sizes[1:] / sizes[:-1]).max() < MAGNITUDE_STEP


def lanes(wrong_at):
    def backward(dy, c):
        x, W = c
        dx, dW = dy @ W.T, x.T @ dy
        if wrong_at(x.shape):
            dx[:, -1] = 0
        return dx, dW

    return lambda x, W: (x @ W, (x, W)), backward, lambda x, W: x @ W


@pytest.mark.parametrize(("size", "axis"), [(n, i % 2) for i, n in enumerate(TRIED_SIZES) if n > 3])
def test_every_size_is_tried_on_every_axis(size, axis):
    refuted("right at the sizes given only", *lanes(lambda shape: shape[axis] == size), [(6, 4), (4, 10)])


def test_padding_of_lanes():
    refuted("right at the sizes given only", *lanes(lambda shape: shape[1] % 8), [(16, 8), (8, 16)])
    certified(*lanes(lambda shape: False), [(16, 8), (8, 16)])


def test_sizes_in_a_closure_may_stay():
    W = np.random.default_rng(0).normal(size=(3, 4))
    by_torch = lambda x: x @ torch.as_tensor(W)  # noqa: E731
    certified(lambda x: (x @ W, None), lambda dy, _: dy @ W.T, by_torch, [(5, 3)])
    wrong = lambda dy, _: dy @ W.T * (1 + (len(dy) == 7))  # noqa: E731
    refuted("sizes 7x3", lambda x: (x @ W, None), wrong, by_torch, [(5, 3)])


@pytest.mark.parametrize("shape", [(5, 6), (5, 1), (1, 6)])
def test_a_mask_in_the_closure(shape):
    """At batch 1 the mask spreads x over its rows: another function, of which nothing is said."""
    mask = (np.random.default_rng(0).random(shape) < 0.7) / 0.7
    by_torch = lambda x: x * torch.as_tensor(mask)  # noqa: E731
    report = certified(lambda x: (x * mask, None), lambda dy, _: dy * mask, by_torch, [(5, 6)])
    words = "batch 1: 1x6: not judged, y has shape (5, 6), which does not follow the sizes"
    assert (words in report.notes) is (shape[0] == 5)
    refuted("dx", lambda x: (x * mask, None), lambda dy, _: dy * mask * mask, by_torch, [(5, 6)])


def test_a_constant_that_only_forward_adds():
    zeros = np.zeros((5, 6))
    certified(lambda x: (x + zeros, None), lambda dy, _: dy + zeros, lambda x: x.clone(), [(5, 6)])


def rows(x, gamma):
    mean = x.mean(axis=-1, keepdims=True)
    inv = 1 / np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + 1e-5)
    return (x - mean) * inv * gamma, ((x - mean) * inv, gamma, inv)


def rows_back(dy, c):
    xhat, gamma, inv = c
    d = dy * gamma
    dx = inv * (d - d.mean(axis=-1, keepdims=True) - xhat * (d * xhat).mean(axis=-1, keepdims=True))
    return dx, dx.shape


@pytest.mark.parametrize(
    ("dgamma", "said"),
    [
        (lambda dy, xhat: (dy * xhat).sum(axis=0), True),
        (lambda dy, xhat: (dy * xhat).reshape(-1, dy.shape[-1]).sum(axis=0), False),
        (lambda dy, xhat: np.einsum("ni,ni->i", dy, xhat), True),
    ],
)
def test_a_leading_axis_is_tried_and_told(dgamma, said):
    """Code for rank 2 is right; that forward takes rank 3 and backward does not is told."""
    back = lambda dy, c: (rows_back(dy, c)[0], dgamma(dy, c[0]))  # noqa: E731
    reference = lambda x, gamma: F.layer_norm(x, x.shape[-1:], gamma)  # noqa: E731
    report = certified(rows, back, reference, [(5, 4), (4,)])
    found = [note for note in report.notes if note.startswith("judged for these ranks only: forward takes 2x5x4; 4")]
    assert bool(found) is said


@pytest.mark.parametrize(("hint", "said"), [("n d", False), ("... d", True), ("np.ndarray", True), ("n", True)])
def test_a_type_hint_that_names_the_axes_says_that_no_more_are_meant(hint, said):
    def forward(x, gamma):
        return rows(x, gamma)

    forward.__annotations__ = {"x": hint}
    back = lambda dy, c: (rows_back(dy, c)[0], (dy * c[0]).sum(axis=0))  # noqa: E731
    report = certified(forward, back, lambda x, g: F.layer_norm(x, x.shape[-1:], g), [(5, 4), (4,)])
    assert any(note.startswith("judged for these ranks only") for note in report.notes) is said


def keepdim(x, W):
    h = x @ W
    return h - h.mean(1, keepdim=True), (x, W)


def keepdim_back(dy, c):
    dz = dy - dy.mean(1, keepdim=True)
    return dz @ c[1].T, c[0].T @ dz


def dim_in_backward_alone(dy, c):
    dz = dy - dy.sum(dim=1)[:, None] / dy.shape[1]
    return dz @ c[1].T, c[0].T @ dz


def centred(x, W):
    return x @ W - (x @ W).mean(axis=1, keepdims=True), (x, W)


@pytest.mark.parametrize("forward", [keepdim, centred])
@pytest.mark.parametrize("backward", [keepdim_back, dim_in_backward_alone])
def test_torch_code_is_given_torch_tensors(forward, backward):
    reference = lambda x, W: x @ W - (x @ W).mean(1, keepdim=True)  # noqa: E731
    report = certified(forward, backward, reference, [(5, 3), (3, 4)])
    assert report.library == "torch"
    refuted("dx", forward, lambda dy, c: (1.5 * backward(dy, c)[0], backward(dy, c)[1]), reference, [(5, 3), (3, 4)])


def test_code_that_fails_with_both_is_shown_on_the_arrays_of_numpy():
    report = judged(lambda x: x.nothing, lambda dy, x: dy, torch.tanh)
    assert (report.verdict, report.library) == (Verdict.UNRESOLVED, "numpy")
    assert "AttributeError: 'numpy.ndarray' object has no attribute 'nothing'" in report.text(width=10_000)


TANH = (lambda x: (np.tanh(x),) * 2, lambda dy, h: dy * (1 - h * h), torch.tanh)
IN_TORCH = (lambda x: (torch.tanh(x),) * 2, TANH[1], torch.tanh)


@pytest.mark.parametrize(
    ("code", "dtype", "library"),
    [
        (TANH, "float64", "numpy"),
        (TANH, "float32", "numpy"),
        *((IN_TORCH, t, "torch") for t in ("float32", "bfloat16", "float16")),
    ],
)
def test_a_precision_for_what_is_drawn(code, dtype, library):
    report = certified(*code, dtype=dtype)
    assert (report.dtype, report.library) == (dtype, library)
    refuted("dx", code[0], lambda dy, h: dy * (1 + h * h), code[2], dtype=dtype)


def test_a_constant_of_another_precision_is_refuted_where_that_is_asked_for():
    narrow = lambda dy, h: dy * (1 - h * h) * np.float32(1 + 1e-5)  # noqa: E731
    refuted("dx", TANH[0], narrow, torch.tanh, dtype="float32")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_right_code_of_several_kinds_in_a_narrow_precision(dtype):
    certified(lambda x, W: torch.relu(x @ W), None, lambda x, W: torch.relu(x @ W), [(5, 3), (3, 4)], dtype=dtype)
    certified(
        lambda x, W: (x @ W, (x, W)),
        lambda dy, c: (dy @ c[1].T, c[0].T @ dy),
        torch.matmul,
        [(5, 3), (3, 4)],
        dtype=dtype,
    )


def test_a_precision_that_does_not_fit():
    with pytest.raises(ValueError, match="dtype: got 'int8', expected one of float64, float32"):
        judged(*TANH, dtype="int8")
    with pytest.raises(ValueError, match="dtype: got float32, but the inputs are float64"):
        judged(*TANH, [np.ones(3)], dtype="float32")


def loops(x, W):
    out = np.empty((len(x), W.shape[1]))
    for i, row in enumerate(x):
        for j in range(W.shape[1]):
            out[i, j] = sum(a * b for a, b in zip(row, W[:, j], strict=True))
    return out, (x, W)


def loops_back(dy, c):
    x, W = c
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    for i in range(len(x)):
        dx[i] = W @ dy[i]
        dW += np.outer(x[i], dy[i])
    return dx, dW


def attention(q, k, v):
    s = q @ k.T / np.sqrt(q.shape[1])
    e = np.exp(s - s.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p @ v, (q, k, v, p)


def attention_back(dy, c):
    q, k, v, p = c
    dp = dy @ v.T
    ds = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / np.sqrt(q.shape[1])
    return ds @ k, ds.T @ q, p.T @ dy


def attention_in_torch(q, k, v):
    return torch.softmax(q @ k.T / q.shape[1] ** 0.5, 1) @ v


RIGHT = {
    "loops": (loops, loops_back, torch.matmul, [(4, 3), (3, 2)]),
    "einsum": (
        lambda a, b: (np.einsum("ij,jk->ik", a, b), (a, b)),
        lambda dy, c: (np.einsum("ik,jk->ij", dy, c[1]), np.einsum("ij,ik->jk", c[0], dy)),
        torch.matmul,
        [(4, 3), (3, 2)],
    ),
    "a sum over everything": (lambda x: (x.sum(), x.shape), lambda dy, s: np.full(s, dy), torch.sum, [(4, 3)]),
    "max": (
        lambda x: (x.max(axis=1), (x.argmax(axis=1), x.shape)),
        lambda dy, c: np.eye(c[1][1])[c[0]] * dy[:, None],
        lambda x: x.max(1).values,
        [(4, 3)],
    ),
    "outer": (
        lambda a, b: (np.outer(a, b), (a, b)),
        lambda dy, c: (dy @ c[1], c[0] @ dy),
        torch.outer,
        [(4,), (3,)],
    ),
    "division": (
        lambda a, b: (a / b, (a, b)),
        lambda dy, c: (dy / c[1], -dy * c[0] / c[1] ** 2),
        torch.div,
        [(4, 3), (4, 3)],
    ),
    "exp": (lambda x: (np.exp(x),) * 2, lambda dy, y: dy * y, torch.exp, [(4, 3)]),
    "log": (lambda x: (np.log(x), x), lambda dy, x: dy / x, torch.log, [(4, 3)]),
    "norm": (
        lambda x: (x / np.sqrt((x * x).sum(axis=1, keepdims=True)), x),
        lambda dy, x: (
            (dy - x * (x * dy).sum(axis=1, keepdims=True) / (x * x).sum(axis=1, keepdims=True))
            / np.sqrt((x * x).sum(axis=1, keepdims=True))
        ),
        lambda x: x / (x * x).sum(1, keepdim=True).sqrt(),
        [(4, 3)],
    ),
    "attention": (attention, attention_back, attention_in_torch, [(5, 4), (6, 4), (6, 3)]),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_is_certified_at_every_size_and_magnitude(name):
    certified(*RIGHT[name])


def test_what_is_right_for_one_row_only_is_neither_certified_nor_refuted():
    """From one row it cannot be told whether more are meant."""

    def forward(x, w):
        return x * w, (x, w)

    def back(dy, cache):
        x, w = cache
        return dy * w, (dy * x)[0]

    def right(dy, cache):
        x, w = cache
        return dy * w, (dy * x).sum(0)

    report = verify_function(forward, back, torch.mul, [(1, 3), (3,)], seed=0)
    assert report.verdict is Verdict.UNRESOLVED
    assert "right for the single row given, wrong for more" in report.text(width=10_000)
    certified(forward, right, torch.mul, [(1, 3), (3,)])
