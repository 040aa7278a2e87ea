"""How code is called besides right and wrong numbers: what it overwrites, what it keeps, which inputs it is given."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from handgrad import Verdict, verify_function

RNG = np.random.default_rng(0)


def judged(forward, backward, reference, inputs=((4, 3),), **kwargs):
    return verify_function(forward, backward, reference, inputs, seed=7, **kwargs)


def certified(*args, **kwargs):
    report = judged(*args, **kwargs)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    return report


def refuted(words, *args, **kwargs):
    report = judged(*args, **kwargs)
    assert report.verdict is Verdict.REFUTED, report.text()
    assert words in " ".join(report.text(width=10_000).split()), report.text()
    return report


class Product(torch.autograd.Function):
    """y = x w, with a backward pass that gives what is asked for."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy @ w.T if ctx.needs_input_grad[0] else None, x.T @ dy if ctx.needs_input_grad[1] else None


class Doubles(Product):
    """Leaves twice its input behind, and computes with what came in."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x.clone(), w)
        y = x @ w
        x.detach().mul_(2)
        return y


class DoublesAndHalves(Doubles):
    """Only between the two passes is the input another."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.x = x
        return Doubles.forward(ctx, x, w)

    @staticmethod
    def backward(ctx, dy):
        ctx.x.detach().div_(2)
        return Product.backward(ctx, dy)


class ScalesTheSaved(Product):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dw = x.T @ dy
        return dy @ w.T, dw + 0 * x.detach().mul_(2).sum()


def matmul(x, w):
    return x @ w


SHAPES = [(5, 3), (3, 4)]


@pytest.mark.parametrize("wrong", [Doubles, DoublesAndHalves, ScalesTheSaved])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_torch_code_that_overwrites_its_input(wrong, dtype):
    inputs = [torch.as_tensor(RNG.normal(size=s)).to(dtype) for s in SHAPES]
    refuted("nothing passed in is changed: overwritten: x", wrong, None, matmul, inputs)
    certified(Product, None, matmul, inputs)


def test_torch_code_that_overwrites_a_constant():
    def forward(x, mask):
        y = torch.where(mask.clone(), x, 2 * x)
        mask[:] = True
        return y

    mask = torch.as_tensor(RNG.random((4, 3)) < 0.5)
    reference = lambda x, mask: torch.where(mask, x, 2 * x)  # noqa: E731
    refuted("overwritten: mask", forward, None, reference, [(4, 3), mask])
    certified(reference, None, reference, [(4, 3), mask])


def test_a_function_of_torch_that_returns_a_view_shares_nothing():
    report = certified(lambda x: x.reshape(-1), None, lambda x: x.reshape(-1), [(4, 3)])
    assert not any("shares memory with x" in note for note in report.notes)


class WrongOrder(Product):
    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy @ w.T if ctx.needs_input_grad[1] else None, x.T @ dy if ctx.needs_input_grad[0] else None


class Couples(Product):
    """dw is right only where dx is asked for."""

    @staticmethod
    def backward(ctx, dy):
        dx, dw = Product.backward(ctx, dy)
        return dx, dw if dw is None or dx is not None else 2 * dw


class NeedsBoth(Product):
    @staticmethod
    def backward(ctx, dy):
        dx, dw = Product.backward(ctx, dy)
        return dx + 0, dw + 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (WrongOrder, "where x needs no gradient, dw is absent (None)"),
        (Couples, "where x needs no gradient, dw is wrong"),
        (NeedsBoth, "where x needs no gradient, it raises TypeError"),
    ],
)
def test_frozen_inputs(wrong, words):
    refuted(f"right whichever inputs need a gradient: {words}", wrong, None, matmul, SHAPES)


def energy_force(x, w):
    x = x if x.requires_grad else x.detach().requires_grad_()
    return torch.autograd.grad((torch.tanh(x @ w) ** 2).sum(), x, create_graph=True)[0]


def force_of_leaf(x, w):
    return torch.autograd.grad((torch.tanh(x @ w) ** 2).sum(), x, create_graph=True)[0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_frozen_inputs_of_right_code(dtype):
    x, w, b = (torch.as_tensor(RNG.normal(size=s)).to(dtype) for s in ((5, 3), (3, 4), (4,)))
    certified(Product, None, matmul, [x, w])
    certified(lambda x, w, b: torch.einsum("ni,ij->nj", x, w) + b, None, lambda x, w, b: x @ w + b, [x, w, b])
    certified(lambda y, t: ((y - t.detach()) ** 2).mean(), None, lambda y, t: F.mse_loss(y, t.detach()), [x, 2 * x])


def test_frozen_inputs_of_a_module():
    certified(nn.Linear(3, 4), None, nn.Linear(3, 4), [torch.randn(5, 3)])


@pytest.mark.parametrize("forward", [energy_force, force_of_leaf])
def test_a_reference_that_asks_autograd_itself(forward):
    """With x frozen the reference raises as well, so nothing is said of the code."""
    x, w = (torch.as_tensor(RNG.normal(size=s)) for s in SHAPES)
    certified(forward, None, force_of_leaf, [x, w])


def test_a_dict_of_inputs_goes_by_name():
    """In a square product the order shows in the numbers alone."""
    forward, reference = lambda x, W: (x @ W, (x, W)), lambda x, W: x @ W
    right = lambda dy, c: {"dx": dy @ c[1].T, "dW": c[0].T @ dy}  # noqa: E731
    mistaken = lambda dy, c: {"dx": c[0].T @ dy, "dW": dy @ c[1].T}  # noqa: E731
    for inputs in ({"W": (3, 4), "x": (5, 3)}, {"x": (5, 3), "W": (3, 4)}, {"W": (3, 3), "x": (3, 3)}):
        certified(forward, right, reference, inputs)
    refuted("dx", forward, mistaken, reference, {"W": (3, 3), "x": (3, 3)})


def test_a_dict_goes_by_name_to_keywords_and_to_a_reference_in_another_order():
    def forward(x, scale=1.0, *, W):
        return scale * x @ W, (x, W)

    back = lambda dy, c: (dy @ c[1].T, c[0].T @ dy)  # noqa: E731
    certified(forward, back, lambda W, x: x @ W, {"W": (3, 4), "x": (5, 3)})
    certified(Product, None, lambda w, x: x @ w, {"w": (3, 4), "x": (5, 3)})
    certified(forward, back, lambda a, b: a @ b, {"W": (3, 4), "x": (5, 3)})


def test_a_name_that_forward_does_not_have():
    with pytest.raises(TypeError, match=r"inputs: forward has no argument w; it takes x, W"):
        judged(lambda x, W: x @ W, lambda dy, x, W: (dy @ W.T, x.T @ dy), matmul, {"x": (5, 3), "w": (3, 4)})


def probabilities(p, t):
    assert ((p > 0) & (p < 1)).all(), "not probabilities"
    return -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)), (p, t)


def probabilities_back(d, cache):
    p, t = cache
    return d * (p - t) / (p * (1 - p)) / p.size, None


def sums_to_one(z, t):
    np.testing.assert_allclose(t.sum(axis=1), 1)
    q = np.exp(z - z.max(axis=1, keepdims=True))
    p = q / q.sum(axis=1, keepdims=True)
    return -np.sum(t * np.log(p)), (p, t)


def cross_entropy(z, t):
    return -(t.detach() * torch.log_softmax(z, 1)).sum()


@pytest.mark.parametrize("N", [1, 5])
def test_a_forward_pass_may_assert_its_domain(N):
    p, t = 0.5 + 0.49 * RNG.random((N, 4)), RNG.integers(2, size=(N, 4)).astype(float)
    bce = lambda p, t: -(t.detach() * torch.log(p) + (1 - t.detach()) * torch.log(1 - p)).mean()  # noqa: E731
    certified(probabilities, probabilities_back, bce, [p, t])
    certified(
        sums_to_one,
        lambda d, c: (d * (c[0] - c[1]), None),
        cross_entropy,
        [RNG.normal(size=(N, 4)), np.eye(4)[:N].repeat(N, 0)[:N]],
    )


def test_a_forward_pass_that_asserts_where_a_gradient_is_asked_for():
    """t has a gradient here, so the judge moves it, and forward refuses."""
    reference = lambda z, t: -(t * torch.log_softmax(z, 1)).sum()  # noqa: E731
    z, t = RNG.normal(size=(1, 4)), np.array([[0.25, 0.25, 0.25, 0.25]])
    certified(sums_to_one, lambda d, c: (d * (c[0] - c[1]), -d * np.log(c[0])), reference, [z, t])


def test_a_cache_in_the_closure_that_raises_for_another_is_still_found():
    kept = []

    def forward(x):
        kept.append(x)
        return x * x, len(kept)

    def backward(dy, n):
        return 2 * kept[n - 1] * dy if n == len(kept) else kept[10**9]

    refuted(
        "after another forward pass it raises IndexError", forward, backward, torch.square, [RNG.normal(size=(4, 3))]
    )


@pytest.mark.parametrize("N", [1, 2, 5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_targets_are_constants(N, dtype):
    def forward(z, t):
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return -np.sum(t * np.log(p)), (p, t)

    z, t = RNG.normal(size=(N, 4)).astype(dtype), np.eye(4, dtype=dtype)[RNG.integers(4, size=N)]
    certified(forward, lambda d, c: (d * (c[0] - c[1]), None), cross_entropy, [z, t])
    wrong = refuted("dz", forward, lambda d, c: (d * (c[0] - 2 * c[1]), None), cross_entropy, [z, t])
    assert "keeps state" not in wrong.text(width=10_000)


def test_a_mistake_that_shows_elsewhere_only_is_one_of_the_values():
    """Right for rows in their order of size alone."""
    x = np.array([[2.0, 0.5, 1.0]])

    def backward(dy, x):
        return 2 * x * dy * (1 if x[0, 0] == 2 else 1.5)

    report = refuted(
        "right at the first inputs, wrong at other inputs (nearer to zero), there x[",
        lambda x: (x * x, x),
        backward,
        torch.square,
        [x],
    )
    assert "keeps state" not in report.text(width=10_000)
    assert [row.isolated.verdict for row in report.stages] == [Verdict.CERTIFIED, Verdict.REFUTED]
    certified(lambda x: (x * x, x), lambda dy, x: 2 * x * dy, torch.square, [x])


def test_what_is_kept_is_still_called_so():
    kept = {}

    def forward(x):
        first = kept.setdefault(x.shape, x)
        return x * x, first

    report = refuted(
        "keeps state between calls: dx wrong there",
        forward,
        lambda dy, x: 2 * x * dy,
        torch.square,
        [RNG.normal(size=(4, 3))],
    )
    assert len(report.stages) == 1
