"""verify_function on code as people write it: right code passes, wrong code is refuted, and the report says why."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from handgrad.arrays.precision import to64
from handgrad.judge.rules import UNINFORMATIVE
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.verify import verify_function

LABELS = np.array([3, 0, 1, 1, 2])


def sigmoid(x):
    s = 1 / (1 + np.exp(-x))
    return s, s


def relu(x):
    mask = x > 0
    return x * mask, mask


def leaky(x):
    return np.where(x > 0, x, 0.1 * x), x


def softplus(x):
    return np.logaddexp(0, x)


def gelu(x):
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return 0.5 * x * (1 + t), (x, t)


def gelu_back(dy, cache, inner=3 * 0.044715):
    x, t = cache
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * math.sqrt(2 / math.pi) * (1 + inner * x**2))


def silu(x):
    s = 1 / (1 + np.exp(-x))
    return x * s, (x, s)


def affine(x, w, b):
    return x.dot(w) + b, (x, w, b)


def affine_back(dout, cache):
    x, w, _ = cache
    return dout.dot(w.T), x.T.dot(dout), np.sum(dout, axis=0)


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


def softmax_back(dy, p):
    return p * (dy - (dy * p).sum(axis=1, keepdims=True))


def layer_norm(x, gamma, beta):
    mean = x.mean(axis=1, keepdims=True)
    std = np.sqrt(((x - mean) ** 2).mean(axis=1, keepdims=True) + 1e-5)
    xhat = (x - mean) / std
    return gamma * xhat + beta, (xhat, std, gamma)


def layer_norm_back(dy, cache, first=1.0, second=1.0):
    xhat, std, gamma = cache
    d = dy * gamma
    mean = first * d.mean(axis=1, keepdims=True) + second * xhat * (d * xhat).mean(axis=1, keepdims=True)
    return (d - mean) / std, np.sum(dy * xhat, axis=0), np.sum(dy, axis=0)


def batch_norm(x, gamma, beta):
    mu = np.mean(x, axis=0)
    var = np.var(x, axis=0)
    inv = 1.0 / np.sqrt(var + 1e-5)
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (x, mu, inv, xhat, gamma)


def batch_norm_back(dout, cache, n=lambda N: N):
    x, mu, inv, xhat, gamma = cache
    N = n(x.shape[0])
    dxhat = dout * gamma
    dvar = np.sum(dxhat * (x - mu), axis=0) * -0.5 * inv**3
    dmu = np.sum(-dxhat * inv, axis=0) + dvar * np.mean(-2.0 * (x - mu), axis=0)
    return dxhat * inv + dvar * 2 * (x - mu) / N + dmu / N, np.sum(dout * xhat, axis=0), dout.sum(axis=0)


def mse(pred, target):
    return np.mean((pred - target) ** 2), (pred, target)


def bce(z, t):
    return np.mean(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z)))), (z, t)


def bce_back(dloss, cache, per=np.size):
    z, t = cache
    return {"dz": dloss * (1 / (1 + np.exp(-z)) - t) / per(z), "dt": -dloss * z / per(z)}


def cross_entropy(x, t):
    z = x - x.max(axis=1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -np.mean(logp[np.arange(len(t)), t]), (logp, t)


def cross_entropy_back(dloss, cache):
    logp, t = cache
    return dloss * (np.exp(logp) - np.eye(logp.shape[1])[t]) / len(t)


def mse_torch(pred, target):
    """A target is data: it has no gradient."""
    return F.mse_loss(pred, target.detach())


def norm_torch(x, gamma, beta):
    return F.layer_norm(x, x.shape[1:], gamma, beta)


def batch_norm_torch(x, gamma, beta):
    return F.batch_norm(x, None, None, gamma, beta, training=True)


class Layer:
    """A layer that keeps its state, as in many a book."""

    def forward(self, x):
        self.out = np.tanh(x)
        return self.out

    def backward(self, dout):
        return dout * (1 - self.out**2)


layer = Layer()
NORM = [(5, 4), (4,), (4,)]
AFFINE = [(5, 3), (3, 4), (4,)]
RIGHT = {
    "sigmoid": (sigmoid, lambda dy, s: dy * s * (1 - s), torch.sigmoid, [(4, 3)]),
    "relu": (relu, lambda dy, mask: dy * mask, torch.relu, [(4, 3)]),
    "leaky": (leaky, lambda dy, x: np.where(x > 0, dy, 0.1 * dy), lambda x: F.leaky_relu(x, 0.1), [(4, 3)]),
    "softplus": (
        softplus,
        lambda dy, x: dy / (1 + np.exp(-x)),
        lambda x: torch.logaddexp(x, torch.zeros_like(x)),
        [(4, 3)],
    ),
    "gelu": (gelu, gelu_back, lambda x: F.gelu(x, approximate="tanh"), [(4, 3)]),
    "silu": (silu, lambda dy, c: dy * (c[1] + c[0] * c[1] * (1 - c[1])), F.silu, [(4, 3)]),
    "affine": (affine, affine_back, lambda x, w, b: x @ w + b, AFFINE),
    "softmax": (softmax, softmax_back, lambda x: torch.softmax(x, 1), [(5, 4)]),
    "layer norm": (layer_norm, layer_norm_back, norm_torch, NORM),
    "batch norm": (batch_norm, batch_norm_back, batch_norm_torch, NORM),
    "mse": (mse, lambda d, c: (2 * d * (c[0] - c[1]) / c[0].size, None), mse_torch, [(5, 3), (5, 3)]),
    "bce": (bce, bce_back, F.binary_cross_entropy_with_logits, [(5, 3), (5, 3)]),
    "cross entropy": (cross_entropy, cross_entropy_back, F.cross_entropy, [(5, 4), LABELS]),
    "state": (layer.forward, layer.backward, torch.tanh, [(4, 3)]),
    "derivative": (np.tanh, lambda x: 1 - np.tanh(x) ** 2, torch.tanh, [(4, 3)]),
    "loss gradient": (
        lambda p, t: 0.5 * np.sum((p - t) ** 2),
        lambda p, t: (p - t, t - p),
        lambda p, t: 0.5 * ((p - t) ** 2).sum(),
        [(4, 3), (4, 3)],
    ),
    "scalar": (lambda x: x * x, lambda dy, x: 2 * x * dy, lambda x: x * x, [()]),
    "closure": ((lambda k: lambda x: (k * x, None))(3.0), lambda dy, _: 3.0 * dy, lambda x: 3 * x, [(2, 3)]),
}
WRONG = {
    "sigmoid output": ("sigmoid", lambda dy, s: dy * (1 - s)),
    "sigmoid square": ("sigmoid", lambda dy, s: dy * s * (1 - s**2)),
    "relu ignored": ("relu", lambda dy, mask: mask * 1.0),
    "relu twice": ("relu", lambda dy, mask: dy * dy * mask),
    "leaky slope": ("leaky", lambda dy, x: np.where(x > 0, dy, 0.01 * dy)),
    "leaky kink": ("leaky", lambda dy, x: np.where(x >= 0, dy, 0.1 * dy)),
    "softplus tanh": ("softplus", lambda dy, x: dy * np.tanh(x)),
    "softplus sign": ("softplus", lambda dy, x: dy / (1 + np.exp(x))),
    "gelu exact": ("gelu", lambda dy, c: gelu_back(dy, c, inner=0.044715)),
    "silu output": ("silu", lambda dy, c: dy * (c[1] + c[0] * (1 - c[1]))),
    "affine bias mean": ("affine", lambda dy, c: (*affine_back(dy, c)[:2], dy.mean(axis=0))),
    "affine bias keepdims": ("affine", lambda dy, c: (*affine_back(dy, c)[:2], dy.sum(axis=0, keepdims=True))),
    "affine transposed": ("affine", lambda dy, c: (dy @ c[1].T, (c[0].T @ dy).T, dy.sum(axis=0))),
    "affine 1/N": ("affine", lambda dy, c: (dy @ c[1].T, c[0].T @ dy / len(dy), dy.sum(axis=0))),
    "affine zero": ("affine", lambda dy, c: (dy @ c[1].T, c[0].T @ dy, 0 * dy.sum(axis=0))),
    "affine tiny": ("affine", lambda dy, c: (dy @ c[1].T * (1 + 1e-12), c[0].T @ dy, dy.sum(axis=0))),
    "affine two only": ("affine", lambda dy, c: affine_back(dy, c)[:2]),
    "affine key": ("affine", lambda dy, c: {"dx": dy @ c[1].T, "dw": c[0].T @ dy}),
    "affine none": ("affine", lambda dy, c: (None, None, None)),
    "softmax diagonal": ("softmax", lambda dy, p: dy * p * (1 - p)),
    "softmax rows": ("softmax", lambda dy, p: p * (dy - (dy * p).sum(axis=0, keepdims=True))),
    "softmax of ones": ("softmax", lambda dy, p: 0 * p),
    "layer norm mean": ("layer norm", lambda dy, c: layer_norm_back(dy, c, first=0)),
    "layer norm variance": ("layer norm", lambda dy, c: layer_norm_back(dy, c, second=0)),
    "layer norm gamma": ("layer norm", lambda dy, c: (*layer_norm_back(dy, c)[:1], dy.sum(0), dy.sum(0))),
    "batch norm N-1": ("batch norm", lambda dy, c: batch_norm_back(dy, c, n=lambda N: N - 1)),
    "mse factor": ("mse", lambda d, c: (d * (c[0] - c[1]) / c[0].size, None)),
    "mse batch": ("mse", lambda d, c: (2 * d * (c[0] - c[1]) / len(c[0]), None)),
    "mse sign": ("mse", lambda d, c: (2 * d * (c[1] - c[0]) / c[0].size, None)),
    "bce mean": ("bce", lambda d, c: bce_back(d, c, per=len)),
    "cross entropy sum": ("cross entropy", lambda d, c: cross_entropy_back(d, c) * len(c[1])),
    "cross entropy p": ("cross entropy", lambda d, c: d * np.exp(c[0]) / len(c[1])),
    "derivative": ("derivative", lambda x: 1 - np.tanh(x)),
    "loss gradient": ("loss gradient", lambda p, t: (2 * (p - t), t - p)),
    "another function": ("scalar", lambda dy, x: 3 * x * x * dy),
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_passes(name):
    report = verify_function(*RIGHT[name], seed=3)
    assert report.verdict is Verdict.CERTIFIED, report.text()


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_passes_in_float32(name):
    forward, backward, reference, inputs = RIGHT[name]
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=i).astype(np.float32) if isinstance(i, tuple) else i for i in inputs]
    report = verify_function(forward, backward, reference, arrays, seed=4)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.dtype == "float32"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_code_is_refuted(name):
    right, backward = WRONG[name]
    forward, _, reference, inputs = RIGHT[right]
    report = verify_function(forward, backward, reference, inputs, seed=3)
    assert report.verdict is Verdict.REFUTED, report.text()
    assert report.culprit.isolated.worst.name != "y"


def judged(forward, backward, reference, inputs=((4, 3),), **kwargs):
    return verify_function(forward, backward, reference, list(inputs), seed=7, **kwargs)


def refuted(forward, backward, reference, words, inputs=((4, 3),)):
    report = judged(forward, backward, reference, inputs)
    assert report.verdict is Verdict.REFUTED, report.text()
    assert words in " ".join(report.text(width=10_000).split()), report.text()
    return report


def test_forward_passes_of_different_functions_say_nothing_of_gradients():
    report = refuted(sigmoid, lambda dy, s: dy * s * (1 - s), torch.tanh, "the forward passes differ: y[")
    assert [t.name for t in report.stages[0].isolated.tensors] == ["y"]


def test_forward_of_another_shape():
    refuted(
        lambda x: (x.sum(axis=1, keepdims=True), x),
        lambda dy, x: dy * np.ones_like(x),
        lambda x: x.sum(1),
        "the forward passes differ: right values in another shape: (4, 1), expected (4,)",
    )


def test_nearly_equal_forward_passes_are_unresolved():
    """torch's softplus is x above 20: 2e-9 off, and nobody's rounding."""
    report = judged(softplus, RIGHT["softplus"][1], F.softplus, [np.array([-1.0, 3.0, 21.5])])
    assert report.verdict is Verdict.UNRESOLVED
    assert "inexact reference" in report.text(width=10_000)


@pytest.mark.parametrize(
    ("grads", "words"),
    [
        (
            lambda dy, c: (dy @ c[1].T, (c[0].T @ dy).T, dy.sum(0)),
            "dw: right values in another shape: (4, 3), expected (3, 4)",
        ),
        (
            lambda dy, c: (dy @ c[1].T, c[0].T @ dy, dy.sum(0)[:, None]),
            "db: right values in another shape: (4, 1), expected (4,)",
        ),
        (lambda dy, c: (dy @ c[1].T, c[0].T @ dy, dy), "db: shape is (5, 4), expected (4,): right once summed"),
        (lambda dy, c: (dy @ c[1].T, c[0].T @ dy), "returned 2 gradients, expected 3, for x, w, b"),
        (lambda dy, c: {"dx": dy @ c[1].T, "dw": c[0].T @ dy}, "db: the gradient is absent (None)"),
        (lambda dy, c: {"dA": dy @ c[1].T}, "backward returned no gradient for x, w, b (keys: dA)"),
        (lambda dy, c: (None, None, None), "dw: the gradient is absent (None), and it is not zero"),
        (lambda dy, c, more: dy, "backward takes 3 arguments, expected backward(dy, cache)"),
    ],
)
def test_reasons_of_a_wrong_return(grads, words):
    refuted(affine, grads, RIGHT["affine"][2], words, AFFINE)


def test_wrong_values_in_another_shape_are_not_called_right():
    grads = lambda dy, c: (dy @ c[1].T, 1.001 * (c[0].T @ dy).T, dy.sum(0))  # noqa: E731
    report = refuted(affine, grads, RIGHT["affine"][2], "dw: shape is (4, 3), expected (3, 4)", AFFINE)
    assert "right values" not in report.text(width=10_000)


def test_an_input_that_y_does_not_depend_on_has_gradient_zero():
    forward, reference = lambda x, unused: (2 * x, unused), lambda x, unused: 2 * x
    report = judged(forward, lambda dy, unused: (2 * dy, 0 * unused), reference, [(3,), (2,)])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    refuted(forward, lambda dy, unused: (2 * dy, unused), reference, "dunused", [(3,), (2,)])


def test_none_is_right_where_the_gradient_is_zero():
    report = judged(*RIGHT["mse"])
    assert report.verdict is Verdict.CERTIFIED
    assert "backward gives no gradient for target, where the reference's is zero" in report.notes


def test_none_is_wrong_where_it_is_not():
    forward, backward, _, inputs = RIGHT["mse"]
    report = refuted(forward, backward, F.mse_loss, "dtarget: the gradient is absent (None), and it is", inputs)
    assert report.culprit.diagnosis.name == "the gradient is absent"


class Forgets(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W, b):
        ctx.save_for_backward(x)
        return x @ W.T + b

    @staticmethod
    def backward(ctx, dy):
        return None, dy.T @ ctx.saved_tensors[0], None


class Detached(nn.Linear):
    def forward(self, x):
        return F.linear(x, self.weight.detach(), self.bias)


def test_torch_code_that_forgets_a_gradient():
    report = refuted(Forgets, None, F.linear, "the gradient is absent (None), and it is", [(5, 3), (4, 3), (4,)])
    wrong = {t.name for t in report.stages[0].isolated.tensors if t.verdict is Verdict.REFUTED}
    assert len(wrong) == 2
    report = refuted(Detached(3, 4), None, nn.Linear(3, 4), "dweight: the gradient is absent", [torch.randn(5, 3)])
    assert report.culprit.diagnosis.name == "the gradient is absent"


def test_a_wrong_gradient_beside_an_absent_one():
    report = judged(affine, lambda dy, c: (None, 2 * c[0].T @ dy, dy.sum(0)), RIGHT["affine"][2], AFFINE)
    wrong = {t.name for t in report.stages[0].isolated.tensors if t.verdict is Verdict.REFUTED}
    assert wrong == {"dx", "dw"}
    assert "dx: the gradient is absent" in report.stages[0].diagnosis.name


def test_a_backward_pass_without_upstream_is_completed_and_admitted():
    report = judged(*RIGHT["derivative"])
    assert "backward takes no upstream gradient: what it gives, times a random dy, was judged" in report.notes


def test_an_ignored_upstream_is_named():
    refuted(
        lambda x: (np.sum(x**2), x),
        lambda dy, x: 2 * x,
        lambda x: (x**2).sum(),
        "right only for an upstream gradient of ones",
    )


@pytest.mark.parametrize("inside", ["result", "middle"])
def test_float32_inside(inside):
    def backward(dy, s):
        narrow = (dy * s * (1 - s)).astype(np.float32)
        return narrow if inside == "result" else narrow.astype(np.float64)

    refuted(sigmoid, backward, torch.sigmoid, "float32")


def square(x):
    return x * x, x


def square_back_with_one_entry_off(dy, x):
    out = 2 * x * dy
    out[0, 0] *= 1 + 1e-12
    return out


@pytest.mark.parametrize(
    ("backward", "dtype"),
    [
        *((lambda dy, x, e=e: 2 * x * dy * (1 + e), np.float64) for e in (1e-8, 1e-10, 1e-12)),
        (lambda dy, x: 2 * x * dy * (1 + 1e-8 * abs(x)), np.float64),
        (square_back_with_one_entry_off, np.float64),
        (lambda dy, x: 2 * x * dy * (1 + 1e-5), np.float32),
    ],
)
def test_a_small_mistake_is_no_coarse_rounding(backward, dtype):
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(dtype)
    for given in (x, torch.as_tensor(x)):
        text = judged(square, backward, lambda x: x * x, [given]).text(width=10_000)
        assert text.startswith("REFUTED"), text
        assert "inside, or loses as much" not in text


def test_a_part_in_float32_is_told():
    """The result itself is no float32 number: only the size and the signs of the error say so."""
    back = lambda dy, s: dy * (s * (1 - s)).astype(np.float32).astype(np.float64)  # noqa: E731
    refuted(sigmoid, back, torch.sigmoid, "computes in float32 inside", [(6, 5)])


def test_a_backward_pass_that_spoils_dy_is_not_called_right_for_ones():
    def backward(dy, h):
        dy *= 0
        return dy * (1 - h * h)

    report = refuted(lambda x: (np.tanh(x),) * 2, backward, torch.tanh, "nothing passed in is changed: overwritten: dy")
    assert "right only for an upstream gradient of ones" not in report.text(width=10_000)


def test_constants_are_not_spoiled_for_the_next_run():
    """The backward pass writes into the labels: every run gets its own, so the reason stays the same in each."""

    def backward(d, cache):
        _logp, t = cache
        out = cross_entropy_back(d, cache)
        t[:] = 0
        return out

    report = judged(cross_entropy, backward, F.cross_entropy, [np.random.default_rng(0).normal(size=(5, 4)), LABELS])
    text = report.text(width=10_000)
    assert "another run gives a wrong" not in text
    assert "nothing passed in is changed: overwritten: t" in text
    assert LABELS.any()


def test_the_contracts_of_wrong_code_are_told_too():
    """Forward keeps one cache for good and backward writes into it: wrong at once, and the reason why."""
    forward = lambda x: (np.tanh(x), np.tanh(x))  # noqa: E731

    def backward(dy, h):
        h *= h
        return dy * (1 + h)

    refuted(forward, backward, torch.tanh, "the cache is not changed: backward writes into it")
    report = refuted(forward, lambda dy, h: dy * (1 + h * h), torch.tanh, "the sign of h^2 is turned")
    assert all(c.held for stage in report.contracts for c in stage.contracts), report.text()
    assert report.contracts


def test_no_diagnosis_where_all_inputs_are_equal():
    report = refuted(
        lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x >= 0), torch.relu, "another value at the kink."
    )
    rows = {row.name: row for row in report.stages}
    assert rows["zeros"].isolated.verdict is Verdict.REFUTED
    assert [row.name for row in report.stages if row.diagnosis] == ["kinks"]


def test_no_diagnosis_at_a_single_zero():
    """A mask by the output leaves 0 at 0, and so do many formulas; no fresh draw of a zero is another number."""
    for seed in range(6):
        report = verify_function(
            lambda x: (np.tanh(x),) * 2, lambda dh, h: dh * (1 - h * h) * (h > 0), torch.tanh, [(1, 1)], seed=seed
        )
        assert report.verdict is Verdict.REFUTED
        assert not any(row.diagnosis and row.diagnosis.known for row in report.stages), report.text()


def test_an_unsummed_bias_gradient_of_one_sample_is_not_told_from_a_reshaped_one():
    x, W, b = (np.random.default_rng(2).normal(size=s) for s in ((1, 3), (3, 4), (4,)))
    report = refuted(
        affine, lambda dy, c: (dy @ c[1].T, c[0].T @ dy, +dy), RIGHT["affine"][2],
        "not summed over the batch of 1, or right values reshaped", (x, W, b),
    )  # fmt: skip
    name = report.stages[0].diagnosis.name
    assert "the gradient is not reduced over the batch" in name
    assert "cannot be told apart" in name


@pytest.mark.parametrize(("shapes", "axis"), [(((5, 1), (5,)), 1), (((5,), (5, 1)), 0)])
def test_a_target_of_another_shape_is_told_by_the_axis_it_spreads(shapes, axis):
    """(N, 1) against (N,): every output meets every target, and the batch is not what is left over."""
    y, t = (np.random.default_rng(2).normal(size=s) for s in shapes)
    report = refuted(
        lambda y, t: (np.mean((y - t) ** 2), y - t), lambda dE, e: (2 * dE * e / e.size, None),
        lambda y, t: torch.mean((y - t.detach()) ** 2), "once summed over the axes that were broadcast", (y, t),
    )  # fmt: skip
    name = report.stages[0].diagnosis.name
    assert name == f"the gradient is not reduced along axis {axis}, which was broadcast"


@pytest.mark.parametrize("N", [4, 5])
def test_a_bias_gradient_summed_over_everything(N):
    back = lambda dy, c: (dy @ c[1].T, c[0].T @ dy, dy.sum())  # noqa: E731
    report = refuted(affine, back, RIGHT["affine"][2], "the sum over the units as well", [(N, 3), (3, 4), (4,)])
    assert "over the batch" not in report.stages[0].diagnosis.name


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda x: [x * x, None], "forward returned a list of 2, expected an array y or the tuple"),
        (lambda x: [x * x, x], "forward returned a list of 2, expected an array y or the tuple"),
        (lambda x: {"y": x * x}, "forward returned a dict of 1, expected an array y or the tuple"),
        (lambda x: None, "forward returned None, expected an array y or (y, cache)"),
        (lambda x: (None, x), "forward returned (None, cache), expected an array y or (y, cache)"),
        (lambda x: (x * x + 5j, x), "forward returned complex128 numbers, expected real ones"),
    ],
)
def test_forward_must_return_an_array_or_a_pair(forward, words):
    refuted(forward, lambda dy, x: 2 * x * dy, lambda x: x * x, words)


def test_right_for_this_batch_size_only():
    forward, _, reference, inputs = RIGHT["mse"]
    report = refuted(
        forward, lambda d, c: (2 * d * (c[0] - c[1]) / 15, None), reference, "right at the sizes given only", inputs
    )
    assert report.stages[0].isolated.verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("reached", ["forward", "backward"])
def test_code_that_raises_is_unresolved(reached):
    def boom(*_):
        raise KeyError("no such cache")

    report = judged(*((boom, boom) if reached == "forward" else (sigmoid, boom)), torch.sigmoid)
    assert report.verdict is Verdict.UNRESOLVED
    text = report.text(width=10_000)
    assert f"{reached} raises KeyError" in text
    assert "= KeyError: 'no such cache'" in text
    assert "test_function.py:" in report.text(width=10_000)


def test_values_that_are_not_finite_are_refuted():
    def forward(x):
        e = np.exp(x)
        p = e / e.sum(axis=1, keepdims=True)
        return p, p

    report = refuted(
        forward, softmax_back, lambda x: torch.softmax(x, 1), "forward gives values that are not finite: y["
    )
    assert report.stages[0].isolated.verdict is Verdict.CERTIFIED


def write_into_input(x):
    np.maximum(x, 0, out=x)
    return x, x > 0


def write_into_upstream(dy, mask):
    dy[~mask] = 0
    return dy


def write_into_cache(dy, cache):
    cache *= dy
    return cache


def test_writing_into_what_is_given():
    refuted(write_into_input, lambda dy, m: dy * m, torch.relu, "nothing passed in is changed: overwritten: x")
    refuted(relu, write_into_upstream, torch.relu, "nothing passed in is changed: overwritten: dy")
    refuted(
        lambda x: (x * x, 2 * x), write_into_cache, lambda x: x * x, "the cache is not changed: backward writes into it"
    )


def test_stale_cache():
    kept = {}

    def forward(x):
        kept["s"] = 1 / (1 + np.exp(-x))
        return kept["s"], None

    refuted(
        forward, lambda dy, _: dy * kept["s"] * (1 - kept["s"]), torch.sigmoid, "something is kept outside the cache"
    )


def test_a_result_that_varies():
    """Wrong at the second run: refuted. Other last bits, as sums in no fixed order give: told."""
    rng, wrong = np.random.default_rng(0), itertools.cycle([1.0, 1.5])
    refuted(
        plus_zero,
        lambda dy, _: dy.copy() * next(wrong),
        lambda x: x.clone(),
        "the same every time: keeps state between calls, or is random: another run gives a wrong dx",
    )
    bits = lambda dy, _: np.copy(dy) * (1 + 2.0**-52 * rng.integers(2, size=dy.shape))  # noqa: E731
    report = judged(plus_zero, bits, lambda x: x.clone(), [rng.normal(size=(5, 6))])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert any("repeatable bit for bit: no, a second run differs in dx" in note for note in report.notes)


def plus_zero(x):
    y = np.zeros(x.shape)
    y[...] += x
    return y, None


def test_shared_memory_is_told_but_not_refuted():
    report = judged(lambda a, b: (a + b, None), lambda dy, _: (dy, dy), torch.add, [(3,), (3,)])
    assert report.verdict is Verdict.CERTIFIED
    assert any("da shares memory with dy" in note for note in report.notes)


def test_an_inexact_reference_does_not_convict():
    """A reference whose own backward pass is off by 1e-6: the code's forward pass bears the code out."""

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.sin(x)

        @staticmethod
        def backward(ctx, g):
            return g * torch.cos(ctx.saved_tensors[0]) * (1 + 1e-6)

    x = np.random.default_rng(0).normal(size=(4, 3))
    report = judged(lambda x: (np.sin(x), x), lambda dy, x: dy * np.cos(x), Off.apply, [x])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert any("the reference is inexact here" in note for note in report.notes)
    wrong = judged(lambda x: (np.sin(x), x), lambda dy, x: dy * np.cos(x) * (1 + 2e-6), Off.apply, [x])
    assert wrong.verdict is Verdict.REFUTED


def test_no_quotient_bears_out_a_choice_at_a_kink():
    """At a kink a central difference is half the jump: it must not acquit code that says so."""
    x = np.array([-1.0, 0.0, 2.0])
    half = judged(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * ((x > 0) + 0.5 * (x == 0)), torch.relu, [x])
    assert half.verdict is Verdict.REFUTED


def test_a_reference_that_cancels_is_allowed_its_own_rounding():
    x = np.random.default_rng(2).normal(size=20)
    report = judged(lambda x: (2 * x, None), lambda dy, _: 2 * dy, lambda x: ((1e3 * x + 1) - 1e3 * x) + 2 * x - 1, [x])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.stages[0].isolated.worst.ratio > 1e-3


class Right(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W):
        y = torch.tanh(x @ W.T)
        ctx.save_for_backward(x, W, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, W, y = ctx.saved_tensors
        dz = dy * (1 - y * y)
        return dz @ W, dz.T @ x


class Wrong(Right):
    @staticmethod
    def backward(ctx, dy):
        x, W, y = ctx.saved_tensors
        dz = dy * (1 - y)
        return dz @ W, dz.T @ x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_torch_function(dtype):
    generator = torch.Generator().manual_seed(0)
    x, W = (torch.randn(shape, generator=generator).to(dtype) for shape in ((5, 3), (4, 3)))
    reference = lambda x, W: torch.tanh(x @ W.T)  # noqa: E731
    right, wrong = (verify_function(f, reference=reference, inputs=[x, W], seed=0) for f in (Right, Wrong.apply))
    assert right.verdict is Verdict.CERTIFIED, right.text()
    assert wrong.verdict is Verdict.REFUTED, wrong.text()
    assert right.dtype == str(dtype).removeprefix("torch.")


def test_torch_function_from_shapes():
    reference = lambda x, W: torch.tanh(x @ W.T)  # noqa: E731
    report = verify_function(Right, reference=reference, inputs={"x": (5, 3), "W": (4, 3)}, seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.library == "torch"
    assert len(report.stages) > 8


def test_torch_code_given_as_two_functions():
    report = judged(
        lambda x: (torch.tanh(x), torch.tanh(x)),
        lambda dy, h: dy * (1 - h * h),
        torch.tanh,
        [torch.randn(3, 4).double()],
    )
    assert report.verdict is Verdict.CERTIFIED, report.text()
    drawn = judged(lambda x: (torch.tanh(x), torch.tanh(x)), lambda dy, h: dy * (1 - h * h), torch.tanh)
    assert (drawn.verdict, drawn.library) == (Verdict.CERTIFIED, "torch")


class Block(nn.Module):
    def __init__(self, tanh):
        super().__init__()
        self.linear, self.norm, self.tanh = nn.Linear(3, 4), nn.BatchNorm1d(4), tanh

    def forward(self, x):
        return self.tanh(self.norm(self.linear(x)))


class Tanh(torch.autograd.Function):
    slope = staticmethod(lambda y: 1 - y * y)

    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @classmethod
    def backward(cls, ctx, dy):
        return dy * cls.slope(ctx.saved_tensors[0])


class BadTanh(Tanh):
    slope = staticmethod(lambda y: 1 - y)


def test_modules():
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    right, wrong, reference = Block(Tanh.apply), Block(BadTanh.apply), Block(torch.tanh)
    before = {k: v.clone() for k, v in right.state_dict().items()}
    report = verify_function(right, reference=reference, inputs=[x], seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert {t.name for t in report.stages[0].isolated.tensors} == {
        "y", "dx", "dlinear.weight", "dlinear.bias", "dnorm.weight", "dnorm.bias"
    }  # fmt: skip
    assert all(torch.equal(v, before[k]) for k, v in right.state_dict().items()), "the module judged was changed"
    assert verify_function(wrong, reference=reference, inputs=[x], seed=0).verdict is Verdict.REFUTED


def test_a_graph_that_is_cut():
    report = verify_function(lambda x: torch.tanh(x.detach()), reference=torch.tanh, inputs=[torch.randn(3)])
    assert report.verdict is Verdict.REFUTED
    assert "graph is cut" in report.text(width=10_000)


def test_seed_and_slack():
    first, again, other = (judged(*RIGHT["gelu"]), judged(*RIGHT["gelu"]), verify_function(*RIGHT["gelu"], seed=8))
    assert first.to_dict() == again.to_dict() != other.to_dict()
    nearly = lambda dy, s: dy * s * (1 - s) * (1 + 1e-12)  # noqa: E731
    assert judged(sigmoid, nearly, torch.sigmoid).verdict is Verdict.REFUTED
    assert judged(sigmoid, nearly, torch.sigmoid, slack=1e6).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"forward": 3}, TypeError, "forward: got int"),
        ({"reference": 1.0}, TypeError, "reference: got float"),
        ({"backward": 1.0}, TypeError, "backward: got float"),
        ({"inputs": (4, 3)}, TypeError, "wrap a single one in a list"),
        ({"inputs": np.ones(3)}, TypeError, "inputs: got ndarray"),
        ({"inputs": [LABELS]}, ValueError, "no floating-point array or shape"),
        ({"inputs": []}, ValueError, "no floating-point array or shape"),
        ({"inputs": [np.ones(2, np.longdouble)]}, TypeError, "longdouble|float128"),
        ({"slack": 0.5}, ValueError, "slack is 0.5, expected a finite number"),
        ({"slack": "a"}, TypeError, r"slack is 'a' \(str\), expected a finite number"),
        ({"inputs": [(3,), (3,)]}, TypeError, r"inputs: got 2 \(x0, x1\), but forward takes \(x\)"),
        ({"reference": lambda x, w: x}, TypeError, r"inputs: got 1 \(x\), but reference takes \(x, w\)"),
        ({"inputs": [np.full(3, np.nan)]}, ValueError, "inputs: x has 3 values that are not finite"),
        ({"reference": lambda x: x.view(7, 7)}, ValueError, "the reference raised RuntimeError"),
        ({"reference": lambda x: x.long()}, ValueError, "reference returned a Tensor, expected a floating-point"),
    ],
)
def test_bad_arguments(kwargs, error, words):
    good = {
        "forward": sigmoid,
        "backward": lambda dy, s: dy * s * (1 - s),
        "reference": torch.sigmoid,
        "inputs": [(3,)],
    }
    with pytest.raises(error, match=words):
        verify_function(**{**good, **kwargs})


class Dropped(torch.autograd.Function):
    """Dropout with a backward pass that is wrong by a factor and a constant."""

    @staticmethod
    def forward(ctx, x):
        mask = (torch.rand(x.shape) < 0.7).double() / 0.7
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0] * 0.7 + 0.1


@pytest.mark.parametrize(
    ("forward", "backward", "reference"),
    [
        (Dropped, None, lambda x: F.dropout(x, 0.3)),
        (lambda x: (np.tanh(x), x), lambda dy, x: 0 * dy, lambda x: torch.tanh(x + torch.randn_like(x))),
        (nn.Dropout(), None, nn.Dropout()),
    ],
)
def test_a_random_reference_judges_nothing(forward, backward, reference):
    with pytest.raises(ValueError, match="the reference is random: two runs on the same inputs give"):
        judged(forward, backward, reference)


def test_a_random_forward_is_unresolved():
    report = judged(Dropped, None, torch.tanh)
    assert report.verdict is Verdict.UNRESOLVED
    assert "forward is random, or keeps state: two runs" in report.text(width=10_000)


def test_a_bound_as_large_as_the_value_certifies_nothing():
    """1 - tanh^2 is 0 at 20, the right value 1e-17: inside the bound, and so would be 10 times as much."""
    steady = lambda x: 1 - 2 / (torch.exp(2 * x) + 1)  # noqa: E731
    forward, backward = lambda x: (np.tanh(x),) * 2, lambda dy, y: dy * (1 - y * y)
    x = 20 + np.random.default_rng(0).normal(size=(4, 3))
    given = judged(forward, backward, steady, [x])
    assert given.verdict is Verdict.UNRESOLVED
    assert f"dx: {UNINFORMATIVE}" in given.text(width=10_000)
    mixed = judged(forward, backward, steady, [np.concatenate([x[:1], 0 * x[1:] + 0.5])])
    assert mixed.verdict is Verdict.UNRESOLVED
    assert "dx: no digit of 3 of 12 entries is left in float64" in mixed.text(width=10_000)


def test_what_is_zero_but_for_rounding_is_certified():
    """The gradient of a shift before a mean is taken off is zero; autograd gives 1e-17 or so."""

    def forward(x, b):
        z = x + b
        return z - z.mean(axis=0), None

    def backward(dy, _):
        dz = dy - dy.mean(axis=0)
        return dz, dz.sum(axis=0)

    report = judged(forward, backward, lambda x, b: x + b - (x + b).mean(0), [(7, 3), (3,)])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    db = next(t for t in report.stages[0].isolated.tensors if t.name == "db")
    assert db.floor_median > 1


def test_complex_gradients_are_refused():
    refuted(
        square, lambda dy, x: 2 * x * dy + 5j, torch.square, "for dx, returned complex128 numbers, expected real ones"
    )
    with pytest.raises(TypeError, match="complex128"):
        to64(np.ones(2) + 1j)


class Accumulates:
    """The forgotten zero_grad."""

    def __init__(self):
        self.g = 0.0

    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dy):
        self.g = self.g + 2 * self.x * dy
        return self.g


def accumulating(g):
    def backward(dy, x):
        g[0] = g[0] + 2 * x * dy
        return g[0]

    return backward


@pytest.mark.parametrize("where", ["object", "closure"])
@pytest.mark.parametrize("inputs", [(4, 3), np.random.default_rng(0).normal(size=(4, 3))])
def test_gradients_that_are_added_up(where, inputs):
    own = Accumulates()
    code = (own.forward, own.backward) if where == "object" else (square, accumulating([0.0]))
    report = refuted(
        *code, torch.square, "keeps state between calls, or is random: another run gives a wrong dx", [inputs]
    )
    assert len(report.stages) == 1  # what is kept spoils every other case


class Running:
    """Batch norm with running statistics: state that no result depends on."""

    def __init__(self):
        self.mean = np.zeros(3)

    def forward(self, x):
        mu = x.mean(axis=0)
        self.mean = 0.9 * self.mean + 0.1 * mu
        self.inv = 1 / np.sqrt(((x - mu) ** 2).mean(axis=0) + 1e-5)
        self.xhat = (x - mu) * self.inv
        return self.xhat

    def backward(self, dy):
        return self.inv * (dy - dy.mean(axis=0) - self.xhat * (dy * self.xhat).mean(axis=0))


def test_no_array_of_the_judge_stays_in_the_object_judged():
    own = Running()
    report = judged(own.forward, own.backward, lambda x: F.batch_norm(x, None, None, training=True), [(5, 3)])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert type(own.mean) is type(own.xhat) is np.ndarray


def test_code_that_meets_the_judges_arrays_again_is_told_so():
    """State in a closure that no copy reaches: a word, not a crash."""
    kept = []

    def forward(x):
        kept.append(x)
        return x * x, x

    def backward(dy, x):
        if len(kept) > 3:
            np.zeros(1)[0] = kept[3].reshape(-1)[0]
        return 2 * x * dy

    report = judged(forward, backward, torch.square)
    assert report.verdict is Verdict.UNRESOLVED
    assert "keeps state between calls: not every contract could be checked" in report.text(width=10_000)
    assert "met an array of the judge's, kept since an earlier call: it keeps state" in report.text(width=10_000)


def memo(kept, value=lambda x, first: x * x):
    def forward(x):
        first = kept.setdefault(x.shape, x)
        return value(x, first), first

    return forward, lambda dy, first: 2 * first * dy


@pytest.mark.parametrize("inputs", [(8, 16), np.random.default_rng(0).normal(size=(4, 3))])
@pytest.mark.parametrize("value", [lambda x, first: x * x, lambda x, first: first * first])
def test_a_cache_that_is_filled_once(inputs, value):
    report = refuted(*memo({}, value), torch.square, "something is kept from these inputs", [inputs])
    assert report.stages[0].isolated.verdict is Verdict.CERTIFIED
    assert len(report.stages) == 1
    assert report.culprit is None  # no mistaken formula, so no name


def test_code_for_a_part_of_the_numbers_is_not_said_to_keep_anything():
    x = np.abs(np.random.default_rng(0).normal(size=(4, 3)))
    report = judged(lambda x: (x * x, x), lambda dy, x: 2 * np.abs(x) * dy, torch.square, [x])
    assert report.verdict is Verdict.CERTIFIED, report.text()


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda dy, h: np.clip(dy * (1 - h * h), -5, 5), "dx for 2^20 dy is not 2^20 times dx"),
        (lambda dy, h: np.where(np.abs(dy) > 1e-3, dy, 0) * (1 - h * h), "dx for 2^-20 dy is not 2^-20 times dx"),
        (lambda dy, h: np.abs(dy) * (1 - h * h), "dx for -1 dy is not -1 times dx"),
        (lambda dy, h: dy * (1 - h * h) if dy.any() else dy + 1, "zero upstream gradient gives zero: dx is not zero"),
    ],
)
def test_what_is_not_linear_in_dy(backward, words):
    x = np.random.default_rng(0).normal(size=(1, 3))
    tanh = lambda x: (np.tanh(x),) * 2  # noqa: E731
    for seed in range(40):
        report = verify_function(tanh, backward, torch.tanh, [x], seed=seed)
        if report.stages[0].isolated.verdict is Verdict.CERTIFIED:  # the dy drawn may give it away
            break
    assert report.verdict is Verdict.REFUTED, report.text()
    assert words in report.text(width=10_000)


def test_a_guided_relu_is_refuted_whatever_dy_was_drawn():
    guided = lambda dy, x: dy * (x > 0) * (dy > 0)  # noqa: E731
    x = np.array([[1.0, 2.0, -3.0]])
    verdicts = {
        verify_function(lambda x: (np.maximum(x, 0), x), guided, torch.relu, [x], seed=s).verdict for s in range(9)
    }
    assert verdicts == {Verdict.REFUTED}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_another_precision_than_the_inputs_is_told(dtype):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    report = judged(lambda x: (np.tanh(x),) * 2, lambda dy, h: np.float64(dy * (1 - h * h)), torch.tanh, [x])
    assert report.verdict is Verdict.CERTIFIED
    told = "dtype and device are kept: no, dx has dtype float64, expected float32" in report.notes
    assert told is (dtype is np.float32)


def test_overflow_at_large_inputs_is_told():
    naive = lambda x: (np.exp(x) / (1 + np.exp(x)),) * 2  # noqa: E731
    report = judged(naive, lambda dy, s: dy * s * (1 - s), torch.sigmoid, [np.array([0.5, -2.0, 3.0])])
    assert report.verdict is Verdict.CERTIFIED
    assert any("finite at inputs up to 1e4: no, y, dx has nan" in note for note in report.notes)


@pytest.mark.parametrize("rows", [lambda dx: dx[:4], lambda dx: np.concatenate([dx[:4], 0 * dx[4:]])])
def test_a_batch_larger_than_the_one_given(rows):
    refuted(
        square, lambda dy, x: rows(2 * x * dy), torch.square, "right at the sizes given only: wrong at batch 9: 9x3"
    )


@pytest.mark.parametrize("wrong", ["softmax diagonal", "softmax of ones", "layer norm mean", "layer norm variance"])
def test_where_the_right_gradient_of_ones_is_zero_nothing_is_said_of_dy(wrong):
    right, backward = WRONG[wrong]
    forward, _, reference, inputs = RIGHT[right]
    text = verify_function(forward, backward, reference, inputs, seed=3).text(width=10_000)
    assert text.startswith("REFUTED")
    assert "right only for an upstream gradient of ones" not in text


def test_a_linear_backward_pass_uses_dy():
    """The mean of dy is right for ones as well, and is linear in it all the same."""
    back = lambda dy, x: 2 * x * np.mean(dy)  # noqa: E731
    text = judged(square, back, torch.square).text(width=10_000)
    assert text.startswith("REFUTED")
    assert "right only for an upstream gradient of ones" not in text


def test_the_culprit_is_where_the_mistake_has_a_name():
    relu = judged(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x >= 0), torch.relu)
    wrong = [row.name for row in relu.stages if row.isolated.verdict is Verdict.REFUTED]
    assert wrong == ["zeros", "kinks", "sparse"] or len(wrong) > 2
    assert relu.culprit.name == "kinks"
    assert relu.culprit.diagnosis.name.startswith("another value at the kink")
    first = judged(square, lambda dy, x: np.where(np.abs(x) < 1, 2, 1.7 + np.sin(x)) * x * dy, torch.square)
    assert first.culprit is first.stages[0]


class Halves(torch.autograd.Function):
    @staticmethod
    def forward(x, weight):
        return x * weight / 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return dy * weight / 2, dy * x / 2


@pytest.mark.parametrize(
    ("function", "reference", "names"),
    [
        (Right, lambda x, W: torch.tanh(x @ W.T), ["y", "dx", "dW"]),
        (Right.apply, lambda x, W: torch.tanh(x @ W.T), ["y", "dx", "dW"]),
        (Halves, lambda x, weight: x * weight / 2, ["y", "dx", "dweight"]),
    ],
)
def test_gradients_are_named_after_the_arguments_of_the_functions_forward(function, reference, names):
    report = verify_function(function, reference=reference, inputs=[(4, 4), (4, 4)], seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert [t.name for t in report.stages[0].isolated.tensors] == names
    with pytest.raises(TypeError, match=r"inputs: got 1 \(x\), but forward takes \(x, (W|weight)\)"):
        verify_function(function, reference=lambda x: x, inputs=[(4, 4)])


def test_special_inputs_stay_in_the_domain():
    report = judged(lambda x: (np.log(x), x), lambda dy, x: dy / x, torch.log)
    names = {row.name for row in report.stages}
    assert {"ordinary", "ties", "tiny (1e-30)", "large (1e4)"} <= names, report.text()
    assert report.verdict is Verdict.CERTIFIED


def test_warnings_of_the_reference_are_not_passed_on(recwarn):
    report = judged(
        lambda p, t: (np.mean((p - t) ** 2), p - t),
        lambda d, e: (2 * d * e / e.size, -np.sum(2 * d * e / e.size, axis=0, keepdims=True)),
        F.mse_loss,
        [(5, 3), (1, 3)],
    )
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert not recwarn.list


def test_a_module_with_integer_inputs_alone_has_parameters_to_judge():
    class Table(nn.Embedding):
        def forward(self, ids):
            return self.weight[ids]

    class Forgetful(nn.Embedding):
        def forward(self, ids):
            return self.weight[ids] * 2 - self.weight[ids].detach()

    ids, reference = torch.tensor([2, 0, 2, 4]), nn.Embedding(5, 3)
    assert judged(Table(5, 3), None, reference, [ids]).verdict is Verdict.CERTIFIED
    refuted(Forgetful(5, 3), None, reference, "dweight", [ids])


def test_a_gradient_written_as_lists():
    right = judged(square, lambda dy, x: (2 * x * dy).tolist(), torch.square)
    assert right.verdict is Verdict.CERTIFIED, right.text()
    both = judged(
        lambda a, b: a * b, lambda dy, a, b: [(dy * b).tolist(), (dy * a).tolist()], torch.mul, [(4, 3), (4, 3)]
    )
    assert both.verdict is Verdict.CERTIFIED, both.text()
    refuted(square, lambda dy, x: (3 * x * dy).tolist(), torch.square, "every entry is 1.5 times the right one")
