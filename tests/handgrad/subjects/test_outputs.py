"""Several results of one forward pass: in tuples, lists, dicts and named tuples, with and without a gradient."""

from collections import namedtuple

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function

X = np.random.default_rng(0).normal(size=(4, 3))
T = torch.tensor(X)


def judged(*args, **kwargs):
    return verify_function(*args, seed=7, mend=0, **kwargs)


def pair(forward, right, wrong, reference, inputs=((4, 3),), **kwargs):
    """CERTIFIED with the second argument, REFUTED with the third, whose report is returned."""
    report = judged(forward, right, reference, inputs, **kwargs)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    report = judged(forward, wrong, reference, inputs, **kwargs)
    assert report.verdict is Verdict.REFUTED, report.text()
    return report


def moments_in_torch(x):
    return x**2, x.sum(-1)


Moments = namedtuple("Moments", "squares total")
WAYS = {
    "a tuple beside the cache": lambda y, s, x: ((y, s), x),
    "a list beside the cache": lambda y, s, x: ([y, s], x),
    "a named tuple beside the cache": lambda y, s, x: (Moments(y, s), x),
    "a dict beside the cache": lambda y, s, x: ({"squares": y, "total": s}, x),
    "before the cache": lambda y, s, x: (y, s, x),
}


@pytest.mark.parametrize("way", WAYS)
def test_several_results_and_a_cache(way):
    def forward(x):
        return WAYS[way](x**2, x.sum(-1), x)

    def both(dy, x, factor=1.0):
        dsquares, dtotal = dy.values() if isinstance(dy, dict) else dy
        return 2 * dsquares * x + factor * dtotal[:, None]

    one_for_each = lambda dsquares, dtotal, x: 2 * dsquares * x + dtotal[:, None]  # noqa: E731
    forgets = lambda dsquares, dtotal, x: 2 * dsquares * x  # noqa: E731
    doubles = lambda dy, x: both(dy, x, 2.0)  # noqa: E731
    as_jax_has_it = lambda x, dy: both(dy, x)  # noqa: E731
    pair(forward, both, doubles, moments_in_torch, [X])
    if way == "a tuple beside the cache":
        pair(forward, one_for_each, forgets, moments_in_torch, [X])
        assert judged(forward, both, moments_in_torch, [(4, 3)]).verdict is Verdict.CERTIFIED
    assert judged(forward, as_jax_has_it, moments_in_torch, [X]).verdict is Verdict.CERTIFIED
    if way != "before the cache":  # where only a reference knows that it is not three results
        assert judged(forward, both, None, [X]).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("made", [tuple, list, lambda pair: Moments(*pair)])
def test_several_results_without_a_cache(made):
    forward = lambda x: made([x**2, x.sum(-1)])  # noqa: E731
    pair(
        forward,
        lambda dsquares, dtotal, x: 2 * dsquares * x + dtotal[:, None],
        lambda dsquares, dtotal, x: 2 * dsquares * x + dtotal[:, None] / 3,
        moments_in_torch,
        [X],
    )


def test_every_result_has_a_row_of_its_own_and_is_judged_alone():
    def forward(x):
        return {"squares": x**2, "total": x.sum(-1)}, x

    back = lambda dy, x: 2 * dy["squares"] * x + dy["total"][:, None]  # noqa: E731
    report = judged(forward, back, moments_in_torch, [X])
    assert [s.name for s in report.stages] == ["given", "given, squares alone", "given, total alone"]
    assert [(t.name, t.shape) for t in report.stages[0].isolated.tensors] == [
        ("squares", (4, 3)),
        ("total", (4,)),
        ("dx", (4, 3)),
    ]


def test_the_forward_passes_differ_in_one_result():
    report = judged(lambda x: ((x**2, x.sum(0)[:1]), x), lambda dy, x: dy[0], lambda x: (x**2, x.sum(0)[1:2]), [X])
    assert report.verdict is Verdict.REFUTED
    (tensor,) = report.stages[0].isolated.tensors
    assert tensor.name == "y1"
    assert "the forward passes differ: y1[0] is" in tensor.reason


class Extremes(torch.autograd.Function):
    """The largest entry of each row, its place, the sum, and how far the largest is above the mean (no gradient)."""

    @staticmethod
    def forward(ctx, x):
        largest, place = x.max(-1)
        above = largest - x.mean(-1)
        ctx.save_for_backward(place)
        ctx.shape = x.shape
        ctx.mark_non_differentiable(place, above)
        return largest, place, x.sum(-1), above

    @staticmethod
    def backward(ctx, dlargest, dplace, dsum, dabove):
        (place,) = ctx.saved_tensors
        return dsum[:, None].expand(ctx.shape).scatter_add(1, place[:, None], dlargest[:, None])


class ForgetsWhereTheSumIsUnused(Extremes):
    """Right if both are used."""

    @staticmethod
    def backward(ctx, dlargest, dplace, dsum, dabove):
        return Extremes.backward(ctx, dlargest, None, dsum if dsum.any() else dsum + 1, None)


def extremes(x, *, detached=True):
    largest, place = x.max(-1)
    above = largest - x.mean(-1)
    return largest, place, x.sum(-1), above.detach() if detached else above


@pytest.mark.parametrize("inputs", [[T], [T.bfloat16()]])
def test_an_autograd_function_with_results_that_have_no_gradient(inputs):
    report = judged(Extremes, None, extremes, inputs)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert "y3 requires no gradient, and the reference's has none" in report.notes
    assert "without an upstream gradient, for they hold no floating-point numbers: y1" in report.notes
    report = judged(ForgetsWhereTheSumIsUnused, None, extremes, inputs)
    assert report.verdict is Verdict.REFUTED
    assert [s.name.rpartition(", ")[2] for s in report.stages if s.isolated.verdict is Verdict.REFUTED] == ["y0 alone"]


def test_a_result_marked_though_the_reference_gives_it_a_gradient_stays_open():
    report = judged(Extremes, None, lambda x: extremes(x, detached=False), [T])
    assert report.verdict is Verdict.UNRESOLVED
    assert "y3 requires no gradient (marked, or detached), and the reference's depends on x" in " ".join(
        f"{t.name} {t.reason}" for s in report.stages for t in s.isolated.tensors
    )


class ClaimsAGradient(Extremes):
    """Its reference says that the place above the mean is a constant."""

    @staticmethod
    def forward(ctx, x):
        largest, place = x.max(-1)
        ctx.save_for_backward(place)
        ctx.shape = x.shape
        ctx.mark_non_differentiable(place)
        return largest, place, x.sum(-1), largest - x.mean(-1)

    @staticmethod
    def backward(ctx, dlargest, dplace, dsum, dabove):
        return Extremes.backward(ctx, dlargest + dabove, None, dsum, None)


def test_a_gradient_of_a_result_that_should_have_none():
    report = judged(ClaimsAGradient, None, extremes, [T])
    assert report.verdict is Verdict.REFUTED


def test_none_and_whole_numbers_among_the_results():
    def forward(x):
        return (x**2, x.argmax(-1), None), x

    pair(forward, lambda dy, x: 2 * dy * x, lambda dy, x: dy * x, lambda x: (x**2, x.argmax(-1), None), [X])
    pair(
        forward,
        lambda dy, dplace, dnone, x: 2 * dy * x,
        lambda dy, dplace, dnone, x: dy * x,
        lambda x: (x**2, x.argmax(-1), None),
        [X],
    )


class Loss(torch.autograd.Function):
    """A loss, and another if it is asked for, as fused kernels return them."""

    factor = 1.0

    @staticmethod
    def forward(ctx, x, return_norm=False):
        ctx.save_for_backward(x)
        norm = (x * x).mean() if return_norm else None
        if norm is not None:
            ctx.mark_non_differentiable(norm)
        return (x**3).sum(), norm

    @classmethod
    def gradients(cls, ctx, dy):
        return 3 * cls.factor * dy * ctx.saved_tensors[0] ** 2, None

    @staticmethod
    def backward(ctx, dy, dnorm):
        return Loss.gradients(ctx, dy)


class WrongLoss(Loss):
    factor = 0.5

    @staticmethod
    def backward(ctx, dy, dnorm):
        return WrongLoss.gradients(ctx, dy)


@pytest.mark.parametrize("return_norm", [False, True])
def test_a_loss_beside_none_or_a_number_that_is_only_shown(return_norm):
    def reference(x, return_norm=False):
        return (x**3).sum(), (x * x).mean().detach() if return_norm else None

    for inputs in ([T, return_norm], [T.bfloat16(), return_norm]):
        assert judged(Loss.apply, None, reference, inputs).verdict is Verdict.CERTIFIED
        assert judged(WrongLoss.apply, None, reference, inputs).verdict is Verdict.REFUTED


def test_no_upstream_gradient_for_what_nobody_uses():
    class Strict(Extremes):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return Extremes.forward(ctx, x)

        @staticmethod
        def backward(ctx, dlargest, dplace, dsum, dabove):
            assert dabove is None
            zeros = torch.zeros(ctx.shape[0], dtype=torch.float64)
            largest, total = (zeros if d is None else d for d in (dlargest, dsum))
            return Extremes.backward(ctx, largest, None, total, None)

    class Raises(Strict):
        @staticmethod
        def backward(ctx, dlargest, dplace, dsum, dabove):
            return Extremes.backward(ctx, dlargest + 0, None, dsum + 0, None)

    assert judged(Strict, None, extremes, [T]).verdict is Verdict.CERTIFIED
    report = judged(Raises, None, extremes, [T])
    assert report.verdict is Verdict.UNRESOLVED
    assert "TypeError" in report.text()


def test_a_module_with_several_results():
    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))

        def forward(self, x):
            return {"scaled": x * self.w, "total": (x * self.w).sum(-1)}

    assert (
        judged(Both(), None, lambda x, w: {"total": (x * w).sum(-1), "scaled": x * w}, [T]).verdict is Verdict.CERTIFIED
    )
    report = judged(Both(), None, lambda x, w: {"total": x.sum(-1), "scaled": x * w}, [T])
    assert report.verdict is Verdict.REFUTED


def test_another_number_of_results_than_the_reference():
    report = judged(lambda x: (x**2, x), lambda dy, dx, x: 2 * dy * x + dx, lambda x: (x**2, x[0]), [X])
    assert report.verdict is Verdict.REFUTED
    assert "the forward passes differ: shape is (24,), expected (15,)" in report.text()


def halves(pair, *, w):
    a, b = pair
    h = a * w + b
    return (h**2, h.sum(axis=1)), (a, w, h)


def halves_back(dsquares, dtotal, cache):
    a, w, h = cache  # noqa: RUF059
    dh = 2 * dsquares * h + dtotal[:, None]
    da = dh * w
    dw = (dh * h).sum(axis=0)
    return [da, dh], dw


@pytest.mark.mends
def test_a_mistake_behind_several_results_and_a_list_is_found_and_mended():
    report = verify_function(halves, halves_back, None, [[X, 2 * X]], kwargs={"w": X[0]}, seed=7)
    assert report.change is not None
    assert report.change.words == "`h` is used where `a` belongs"
    rows = {row.variable: row.words for row in report.ledger}
    assert (rows["dh"], rows["da"], rows["dw"]) == ("right", "right", "wrong")


def test_words_for_what_is_no_result():
    assert (
        "forward returned no floating-point array among the results y0, y1"
        in judged(lambda x: ((1, None), x), lambda dy, x: dy, lambda x: (x, x), [X]).text()
    )
    report = judged(lambda x: (x, x, x, x), lambda dy, x: dy, lambda x: x, [X])
    assert "forward returned 4 values, expected y or (y, cache)" in report.text()


@pytest.mark.parametrize("right", [True, False])
def test_two_arrays_are_two_results_where_backward_has_a_dy_for_each(right):
    """Without a reference, too, which would say how many are meant."""

    def forward(x, w):
        a = np.tanh(x * w)
        return a, a * x

    def backward(da, db, x, w):
        a = np.tanh(x * w)
        d = (da + db * x) * (1 - a * a)
        return (d * w + db * a if right else d * w), d * x

    report = verify_function(forward, backward, inputs=[(3, 4), (3, 4)], seed=1, mend=0)
    assert report.verdict is (Verdict.CERTIFIED if right else Verdict.REFUTED), report.text()
    assert {t.name for t in report.stages[0].isolated.tensors} >= {"y0", "y1", "dx", "dw"}
