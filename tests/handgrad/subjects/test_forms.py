"""Calls as their authors write them: keywords, lists of arrays, numbers that need a gradient, declared constants."""

from collections import namedtuple

import numpy as np
import pytest
import torch

from handgrad import Verdict, verify_function

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(4, 3)), RNG.normal(size=3)


def verdict(*args, **kwargs):
    return verify_function(*args, seed=7, mend=0, **kwargs).verdict


def pair(*args, wrong, **kwargs):
    """CERTIFIED with the second argument, REFUTED with `wrong` in its place."""
    forward, right, *rest = args
    assert verdict(forward, right, *rest, **kwargs) is Verdict.CERTIFIED
    assert verdict(forward, wrong, *rest, **kwargs) is Verdict.REFUTED


def scaled(x, *, scale, power=2):
    return scale * x**power, (x, scale, power)


def test_keyword_only_arguments_by_kwargs():
    def back(dy, c):
        return dy * c[1] * c[2] * c[0] ** (c[2] - 1)

    pair(scaled, back, scaled_in_torch, [(4, 3)], kwargs={"scale": 3}, wrong=lambda dy, c: back(dy, c) / c[1])
    pair(scaled, back, scaled_in_torch, [X], kwargs={"scale": 3, "power": 3}, wrong=lambda dy, c: dy * c[1] * c[2])
    pair(scaled, back, None, [X], kwargs={"scale": 3, "power": 3}, wrong=lambda dy, c: dy * c[1] * c[2])


def scaled_in_torch(x, scale, power=2):
    return scale * x**power


def test_a_keyword_argument_may_have_a_gradient():
    def back(dy, c):
        return {"x": 2 * dy * c[1] * c[0], "scale": dy * c[0] ** 2}

    wrong = lambda dy, c: {"x": 2 * dy * c[1] * c[0], "scale": dy * c[0]}  # noqa: E731
    pair(scaled, back, scaled_in_torch, [X], kwargs={"scale": np.ones((4, 3))}, wrong=wrong)


def test_a_tuple_among_the_keyword_arguments_is_no_shape():
    def forward(x, axes):
        return x.sum(axes), (x, axes)

    pair(
        forward,
        lambda dy, c: np.broadcast_to(dy, c[0].shape),
        lambda x, axes: x.sum(axes),
        [X],
        kwargs={"axes": (1, 0)},
        wrong=lambda dy, c: np.broadcast_to(dy, c[0].shape) / c[0].size,
    )
    torch_norm = torch.nn.functional.layer_norm
    assert (
        verdict(
            torch_norm,
            None,
            lambda input, normalized_shape: torch_norm(input, normalized_shape),
            [(4, 3)],
            kwargs={"normalized_shape": (3,)},
        )
        is Verdict.CERTIFIED
    )


class Scale(torch.autograd.Function):
    """y = x w + b, scaled, with constants of every kind among its arguments."""

    factor = 1.0

    @staticmethod
    def forward(ctx, x, w, b=None, scale=1.0, reduction="none", keep=True):
        ctx.save_for_backward(x, w)
        ctx.scale, ctx.reduction, ctx.biased = scale, reduction, b is not None
        return scale_in_torch(x, w, b, scale, reduction, keep)

    @classmethod
    def gradients(cls, ctx, dy):
        x, w = ctx.saved_tensors
        dy = (dy / x.numel() if ctx.reduction == "mean" else dy).expand_as(x) * ctx.scale
        return dy * w * cls.factor, (dy * x).sum(0), dy.sum(0) if ctx.biased else None, None, None, None

    @staticmethod
    def backward(ctx, dy):
        return Scale.gradients(ctx, dy)


class ForgetsNothing(Scale):
    factor = 1.01

    @staticmethod
    def backward(ctx, dy):
        return ForgetsNothing.gradients(ctx, dy)


def scale_in_torch(x, w, b=None, scale=1.0, reduction="none", keep=True):
    y = scale * (x * w + (0 if b is None else b))
    return y.mean() if reduction == "mean" else y


T, V = torch.tensor(X), torch.tensor(W)


@pytest.mark.parametrize(
    ("inputs", "kwargs"),
    [
        ([T, V, None, 0.1, "mean", True], {}),
        ([(4, 3), (3,), None, 0.1, "none", False], {}),
        ([T, V], {}),
        ([T, V], {"reduction": "mean", "scale": 0.5}),  # b is left out between them
        ({"w": V, "x": T, "reduction": "mean"}, {}),
        ([T, V], {"b": V + 1}),
    ],
)
def test_an_autograd_function_with_constants_among_its_arguments(inputs, kwargs):
    assert verdict(Scale.apply, None, scale_in_torch, inputs, kwargs=kwargs) is Verdict.CERTIFIED
    assert verdict(ForgetsNothing.apply, None, scale_in_torch, inputs, kwargs=kwargs) is Verdict.REFUTED


def joined(xs, w):
    return np.concatenate([x * w for x in xs]), (xs, w)


def joined_back(dy, cache):
    xs, w = cache
    ends = np.cumsum([len(x) for x in xs])[:-1]
    parts = np.split(dy, ends)
    return [part * w for part in parts], sum((part * x).sum(0) for part, x in zip(parts, xs, strict=True))


def exchanged(dy, cache):
    dxs, dw = joined_back(dy, cache)
    return dxs[::-1], dw


def test_a_list_of_arrays_is_one_argument():
    reference = lambda xs, w: torch.cat([x * w for x in xs])  # noqa: E731
    pair(joined, joined_back, reference, {"w": W, "xs": [X, 2 * X]}, wrong=exchanged)
    assert verdict(joined, joined_back, reference, [[(4, 3), (4, 3)], (3,)]) is Verdict.CERTIFIED
    assert verdict(joined, joined_back, None, [[X, 2 * X], W]) is Verdict.CERTIFIED
    names = [t.name for t in verify_function(joined, joined_back, reference, [[X, X], W]).stages[0].isolated.tensors]
    assert names == ["y", "dxs[0]", "dxs[1]", "dw"]


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize("given", [{"a": X, "b": 2 * X}, Pair(X, 2 * X), (X, 2 * X)])
def test_a_dict_and_a_tuple_of_arrays(given):
    def forward(p):
        a, b = p.values() if isinstance(p, dict) else p
        return a * b, (p, a, b)

    def back(dy, cache, order=(2, 1)):
        p, *_ = cache
        first, second = (dy * cache[i] for i in order)
        return {"p": dict(zip(p, (first, second), strict=True))} if isinstance(p, dict) else {"p": (first, second)}

    def reference(p):
        a, b = p.values() if isinstance(p, dict) else p
        return a * b

    pair(forward, back, reference, [given], wrong=lambda dy, c: back(dy, c, (1, 2)))


def test_a_list_of_gradients_that_is_too_short():
    report = verify_function(joined, lambda dy, c: ([dy], c[1]), None, [[X, X], W], mend=0)
    assert "backward returned a list of 1 for xs, expected a list of 2 gradients" in report.text()
    report = verify_function(joined, lambda dy, c: ([dy, dy],), None, [[X, X], W], mend=0)
    assert "backward returned 1 gradients, expected 2, for xs, w" in report.text()


@pytest.mark.parametrize(("factor", "verdict"), [(2, Verdict.CERTIFIED), (3, Verdict.REFUTED)])
@pytest.mark.parametrize("data", ["values", "labels"])
def test_a_dict_and_an_array_beside_data_that_has_no_gradient(data, factor, verdict):
    """backward returns two gradients for three arguments, of which the last is data."""

    def forward(params, x, t):
        z = x * params["w"] - t
        return (z * z).sum(), (params["w"], x, z)

    def back(dy, cache):
        w, x, z = cache
        dz = factor * dy * z
        return {"w": (dz * x).sum(0)}, dz * w

    t, constants = (X, ["t"]) if data == "values" else (np.ones(X.shape, int), [])
    report = verify_function(forward, back, inputs=[{"w": X[0]}, X, t], constants=constants, seed=0, mend=0)
    assert report.verdict is verdict, report.text()


def leaky(x, slope, eps=0.5):
    return np.where(x > 0, x, slope * x) + eps, (x, slope)


def leaky_in_torch(x, slope, eps=0.5):
    return torch.where(x > 0, x, slope * x) + eps


def leaky_back(dy, cache):
    x, slope = cache
    return dy * np.where(x > 0, 1, slope), (dy * np.minimum(x, 0)).sum()


@pytest.mark.parametrize("inputs", [[X, 0.25], [X, np.array(0.25)], {"slope": 0.25, "x": X}])
def test_a_number_that_needs_a_gradient(inputs):
    wrong = lambda dy, c: (leaky_back(dy, c)[0], (dy * c[0]).sum())  # noqa: E731
    pair(leaky, leaky_back, leaky_in_torch, inputs, wrong=wrong)


def test_a_number_that_needs_a_gradient_beside_what_is_drawn():
    assert verdict(leaky, leaky_back, leaky_in_torch, [(4, 3), 0.25]) is Verdict.CERTIFIED
    assert verdict(leaky, leaky_back, None, [X, 0.25]) is Verdict.CERTIFIED


def test_a_number_without_a_gradient_stays_a_constant_and_a_float():
    seen = set()

    def forward(x, slope, eps):
        seen.add((type(slope), type(eps)))
        return leaky(x, slope, eps)

    back = lambda dy, c: {"dx": leaky_back(dy, c)[0], "dslope": leaky_back(dy, c)[1]}  # noqa: E731
    assert verdict(forward, back, leaky_in_torch, [X, 0.25, 0.5]) is Verdict.CERTIFIED
    assert {eps for _, eps in seen} == {float}
    assert float in {slope for slope, _ in seen}  # the judge's own arrays are others


def masked(x, mask):
    return x * mask, mask


def test_declared_constants_need_no_gradient_and_no_reference():
    back = lambda dy, mask: dy * mask  # noqa: E731
    wrong = lambda dy, mask: dy  # noqa: E731
    product, inputs = lambda x, mask: x * mask, [X, (X > 0) / 2]
    pair(masked, back, None, inputs, constants=("mask",), wrong=wrong)
    pair(masked, back, product, inputs, constants=("mask",), wrong=wrong)
    assert verdict(masked, back, product, [(4, 3), (4, 3)], constants=("mask",)) is Verdict.CERTIFIED
    assert verdict(masked, back, None, inputs) is Verdict.UNRESOLVED
    assert verdict(masked, back, product, inputs) is Verdict.REFUTED
    report = verify_function(masked, back, None, [X, X], constants=("mask",))
    assert "declared to have no gradient: mask" in report.notes


class Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, mask):
        assert not mask.requires_grad
        ctx.save_for_backward(mask)
        return x * mask

    @staticmethod
    def backward(ctx, dy):
        return dy * ctx.saved_tensors[0], None


def test_a_declared_constant_of_torch_code_requires_no_gradient():
    product = lambda x, mask: x * mask  # noqa: E731
    assert verdict(Masked, None, product, [T.float(), T.float()], constants=("mask",)) is Verdict.CERTIFIED


def test_integer_and_boolean_arrays_are_constants():
    def forward(x, rows, keep):
        return np.where(keep, x[rows], 0), (x, rows, keep)

    def back(dy, cache, add=True):
        x, rows, keep = cache
        dx = np.zeros(x.shape)
        for i, r in enumerate(rows):
            dx[r] = add * dx[r] + np.where(keep[i], dy[i], 0)
        return dx

    def reference(x, rows, keep):
        return torch.where(keep, x[rows], 0)

    inputs = [X, np.array([1, 1, 3]), RNG.random((3, 3)) < 0.5]
    pair(forward, back, reference, inputs, wrong=lambda dy, c: back(dy, c, add=False))


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"kwargs": {"gain": 2}}, TypeError, "kwargs: forward has no argument gain; it takes x, scale, power"),
        ({"kwargs": {"x": X}}, TypeError, "kwargs: x stands among the inputs already"),
        ({"kwargs": [2]}, TypeError, "kwargs: got list, expected a dict"),
        ({"constants": "x"}, TypeError, r"constants: got the string 'x', expected a tuple of names: \('x',\)"),
        ({"constants": ("mask",)}, ValueError, "constants: got mask, expected some of x, scale"),
    ],
)
def test_arguments_that_cannot_be_right(given, error, words):
    with pytest.raises(error, match=words):
        verify_function(scaled, lambda dy, c: dy, None, [X], **{"kwargs": {"scale": 2}, **given})


def test_an_argument_in_between_without_a_default():
    with pytest.raises(TypeError, match="inputs: w is missing, and forward has no default for it"):
        verify_function(Scale, None, scale_in_torch, {"x": T, "scale": 0.5})
