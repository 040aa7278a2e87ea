"""verify_function on code that changes, keeps or adds up what it is given, or is random."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from handgrad.judge.verdict import Verdict
from tests.handgrad.subjects.functions import LABELS, cross_entropy, cross_entropy_back, judged, refuted, relu, square


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
