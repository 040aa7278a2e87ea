"""Torch functions as citizens: each promise to autograd's engine with a twin that breaks it and one that keeps it."""

import gc

import numpy as np
import pytest
import torch
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from handgrad import Verdict, assert_verified, verify_function
from handgrad.assertions import NotCertified

RNG = np.random.default_rng(0)
X, W = (torch.as_tensor(RNG.normal(size=(4, 3))) for _ in range(2))
V = torch.as_tensor(RNG.normal(size=(3, 2)))


def judged(forward, reference, inputs=(X,), **kwargs):
    return verify_function(forward, None, reference, list(inputs), seed=7, mend=0, **kwargs)


def certified(forward, reference, inputs=(X,), **kwargs):
    report = judged(forward, reference, inputs, **kwargs)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    return report.text(verbose=True, width=10_000)


def broken(words, forward, reference, inputs=(X,), gradients=Verdict.CERTIFIED, **kwargs):
    report = judged(forward, reference, inputs, **kwargs)
    assert report.broken == (words,), report.text()
    assert report.gradients is gradients
    return report.text(width=10_000)


class Product(Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @classmethod
    def backward(cls, ctx, dy):
        return cls.gradients(dy, *ctx.saved_tensors)

    gradients = staticmethod(lambda dy, x, w: (dy * w, dy * x))


class Matmul(Product):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x @ w

    gradients = staticmethod(lambda dy, x, w: (dy @ w.T, x.T @ dy))


class Scaled(Function):
    @staticmethod
    def forward(ctx, x, c):
        ctx.c = c
        return c * x

    @staticmethod
    def backward(ctx, dy):
        return ctx.c * dy, None


def variant(base, **members):
    """A subclass with other passes."""
    return type("Variant", (base,), {n: staticmethod(m) if callable(m) else m for n, m in members.items()})


def test_one_gradient_for_every_argument():
    few = variant(Product, gradients=lambda dy, x, w: dy * w)
    text = broken("returns 1 gradient for 2 arguments", few, torch.mul, [X, W], Verdict.UNRESOLVED)
    assert "return one for every argument of forward but ctx" in text
    many = variant(Product, gradients=lambda dy, x, w: (dy * w, dy * x, dy))
    broken("returns 3 gradients for 2 arguments", many, torch.mul, [X, W], Verdict.UNRESOLVED)
    certified(variant(Product, gradients=lambda dy, x, w: (dy * w, dy * x, None)), torch.mul, [X, W])  # torch allows it
    for_a_number = variant(Scaled, backward=lambda ctx, dy: (ctx.c * dy, dy))
    words = "returns a gradient for argument 2, which is no tensor"
    broken(words, for_a_number, lambda x, c: c * x, [X, 3.0], Verdict.UNRESOLVED)
    certified(Scaled, lambda x, c: c * x, [X, 3.0])


def test_gradients_in_another_order_than_the_arguments():
    wrong = variant(Matmul, gradients=lambda dy, x, w: (x.T @ dy, dy @ w.T))
    text = broken("gives a gradient of another shape", wrong, torch.matmul, [X, V], Verdict.UNRESOLVED)
    assert "the gradient at place 0 (x) has shape (3, 2), expected (4, 3); are they in the order of forward's" in text
    certified(Matmul, torch.matmul, [X, V])


class InPlace(Function):
    @staticmethod
    def forward(ctx, x):
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx, dy):
        return 2 * dy


def marks_only(ctx, x):
    ctx.mark_dirty(x)
    return x


def marks_another(ctx, x):
    ctx.mark_dirty(x)
    return 2 * x


def double(x):
    return 2 * x


def test_what_is_marked_dirty_is_written_into():
    certified(InPlace, double)
    certified(InPlace, double, [X.float()])
    words = "marks x dirty without writing into it"
    broken(words, variant(InPlace, forward=marks_only, backward=lambda ctx, dy: dy), lambda x: 1 * x)
    words = "marks an input dirty that it does not return"
    broken(words, variant(InPlace, forward=marks_another), double, gradients=Verdict.UNRESOLVED)


def test_what_is_written_into_is_marked():
    wrong = variant(InPlace, forward=lambda ctx, x: x.mul_(2))
    assert "overwritten: x; ctx.mark_dirty would say so" in broken("writes into x", wrong, double)
    certified(wrong, double, may_overwrite=["x"])


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = torch.exp(x)
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, dy):
        return ctx.saved_tensors[0] * dy


class ExpOnCtx(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.y = torch.exp(x)
        return ctx.y

    @staticmethod
    def backward(ctx, dy):
        return ctx.y * dy


def test_nothing_outlives_its_result():
    text = broken("keeps ctx.y alive after its result is gone", ExpOnCtx, torch.exp)
    assert "live on until the garbage collector runs; ctx.save_for_backward keeps a result without a circle" in text
    certified(Exp, torch.exp)
    assert gc.isenabled()


def test_what_a_list_gathers_is_a_leak_and_what_is_kept_once_is_none():
    gathered, latest = [], {}

    def gathers(x):
        gathered.append(y := Exp.apply(x))
        return y

    def keeps_the_last(x):
        latest["y"] = y = Exp.apply(x)
        return y

    assert "live on for ever" in broken("keeps what it makes alive after its result is gone", gathers, torch.exp)
    certified(keeps_the_last, torch.exp)


def test_an_input_on_ctx_is_noted():
    class Square(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.x = x
            return x * x

        @staticmethod
        def backward(ctx, dy):
            return 2 * ctx.x * dy

    assert "note: ctx.x keeps an input past save_for_backward" in certified(Square, torch.square)
    assert "past save_for_backward" not in certified(Exp, torch.exp)


class ExpTwiceSaved(Function):
    """The intermediate value is no result, so it has no graph."""

    @staticmethod
    def forward(ctx, x):
        h = torch.exp(x)
        ctx.save_for_backward(h)
        return h.clone()

    @staticmethod
    def backward(ctx, dy):
        return ctx.saved_tensors[0] * dy


def test_what_is_saved_stays_as_it_is():
    words = "writes into what it saved for its backward pass"
    broken(words, variant(ExpTwiceSaved, backward=lambda ctx, dy: ctx.saved_tensors[0].mul_(dy)), torch.exp)
    certified(ExpTwiceSaved, torch.exp)

    class Unnoticed(ExpTwiceSaved):
        @staticmethod
        def backward(ctx, dy):
            h = ctx.saved_tensors[0].numpy()  # torch does not see a write into it
            h *= dy.numpy()
            return torch.as_tensor(h.copy())

    assert "a second backward pass differs: dx[" in broken(words, Unnoticed, torch.exp)
    certified(Unnoticed, torch.exp, may_overwrite=["cache"])


def test_sums_in_another_order_each_time_are_no_write_into_the_cache():
    class Shuffled(Matmul):
        @staticmethod
        def gradients(dy, x, w):
            dw = torch.zeros_like(w)
            for i in np.random.default_rng().permutation(len(x)):
                dw = dw + torch.outer(x[i], dy[i])
            return dy @ w.T, dw

    inputs = [torch.as_tensor(RNG.normal(size=size), dtype=torch.float32) for size in ((40, 5), (5, 3))]
    certified(Shuffled, torch.matmul, inputs)


class TanhSlope(Function):
    FACTOR = -2

    @staticmethod
    def forward(ctx, y, dy):
        ctx.save_for_backward(y, dy)
        return dy * (1 - y * y)

    @classmethod
    def backward(cls, ctx, v):
        y, dy = ctx.saved_tensors
        return cls.FACTOR * y * dy * v, (1 - y * y) * v


class Tanh(Function):
    slope = TanhSlope

    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @classmethod
    def backward(cls, ctx, dy):
        return cls.slope.apply(ctx.saved_tensors[0], dy)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_second_derivative_by_hand_is_judged(dtype):
    x = X.to(dtype)
    wrong = type("Wrong", (TanhSlope,), {"FACTOR": -1})
    assert "the derivative of the gradients by x[" in broken(
        "has a wrong second derivative", variant(Tanh, slope=wrong), torch.tanh, [x]
    )
    assert "differentiating twice" not in certified(Tanh, torch.tanh, [x])


SILENT = "note: differentiating twice is silently wrong: the derivative of the gradients by "


def test_differentiating_twice_is_silently_wrong():
    assert SILENT + "x[" in certified(ExpTwiceSaved, torch.exp)
    assert SILENT not in certified(Exp, torch.exp)  # a result has a graph
    refuses = type("Once", (ExpTwiceSaved,), {"backward": staticmethod(once_differentiable(ExpTwiceSaved.backward))})
    assert SILENT not in certified(refuses, torch.exp)
    raises = variant(Exp, backward=lambda ctx, dy: torch.as_tensor(ctx.saved_tensors[0].detach().numpy() * dy.numpy()))
    assert SILENT not in certified(raises, torch.exp)  # torch refuses to make NumPy of what has a graph
    detaches = variant(Exp, backward=lambda ctx, dy: ctx.saved_tensors[0] * dy.detach())
    assert SILENT + "its upstream gradient[" in certified(detaches, torch.exp)


def test_a_linear_function_has_no_second_derivative():
    assert SILENT not in certified(variant(InPlace, forward=lambda ctx, x: 2 * x), double)


class Cast(Matmul):
    """As torch advises."""

    forward = staticmethod(torch.amp.custom_fwd(Matmul.forward, device_type="cpu"))
    backward = staticmethod(torch.amp.custom_bwd(lambda ctx, dy: Matmul.backward(ctx, dy), device_type="cpu"))


class TakesEither(Matmul):
    """Wrong by a fifth where dy comes in another precision than x."""

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        scale = 1 if dy.dtype == x.dtype else 1.2
        return Matmul.gradients(scale * dy.to(x.dtype), x, w)


def test_autocast():
    words = broken("is wrong under autocast", TakesEither, torch.matmul, [X, V])
    assert "bfloat16 rounding explains" in words
    assert "autocast" not in certified(Cast, torch.matmul, [X, V])
    assert "autocast" not in certified(Product, torch.mul, [X, W])  # nothing is cast there
    text = certified(Matmul, torch.matmul, [X, V])
    assert "note: right under autocast: no, it raises RuntimeError" in text
    assert "custom_fwd" in text


def test_compiled():
    def other_when_traced(ctx, dy):
        return (3 if torch.compiler.is_compiling() else 1) * ctx.saved_tensors[0] * dy

    wrong = variant(Exp, backward=other_when_traced)
    certified(wrong, torch.exp)
    text = broken("gives something else under torch.compile", wrong, torch.exp, compiled=True)
    assert "compiled it gives another dx" in text
    certified(Exp, torch.exp, compiled=True)
    with pytest.raises(ValueError, match="compiled: got True for two functions"):
        verify_function(np.exp, lambda dy, x: dy * np.exp(x), torch.exp, [(3,)], compiled=True)


class AddsInAnyOrder(Matmul):
    """As atomic additions do."""

    @staticmethod
    def gradients(dy, x, w):
        dw = torch.zeros_like(w)
        for i in np.random.default_rng().permutation(len(x)):
            dw += torch.outer(x[i], dy[i])
        return dy @ w.T, dw


def test_where_there_is_no_compiler(monkeypatch):
    def refuses(function, backend):
        raise RuntimeError("Dynamo is not supported here\nand more")

    monkeypatch.setattr(torch, "compile", refuses)
    text = certified(Exp, torch.exp, compiled=True)
    words = "the same under torch.compile: not known, torch.compile raises RuntimeError: Dynamo is not supported here\n"
    assert f"note: {words}" in text


def test_a_module_that_keeps_its_last_result():
    class Exps(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(W[0].clone())

        def forward(self, x):
            self.last = Exp.apply(x * self.w)
            return self.last

    class Plain(Exps):
        def forward(self, x):
            return torch.exp(x * self.w)

    certified(Exps(), Plain())
    certified(Exps(), Plain(), [(4, 3)])


def test_code_that_does_not_repeat_itself():
    x = torch.as_tensor(RNG.normal(size=(20, 3)))
    text = certified(AddsInAnyOrder, torch.matmul, [x, V])
    assert "note: repeatable bit for bit: no, a second run differs in dw" in text
    assert "note: 8 runs differ by at most 0." in text
    assert "of the rounding bound, in dw: another order of summation explains it" in text

    def stale(dy, x, w):  # the first calls give what they should
        seen.append(0)
        return dy @ w.T, x.T @ dy + 1e-9 * max(0, len(seen) - 3) + 1e-15 * len(seen)

    seen = []
    broken("keeps state between calls, or is random", variant(Matmul, gradients=stale), torch.matmul, [x, V])


def test_several_results_are_marked_where_they_have_no_gradient():
    class Largest(Function):
        marked = True

        @classmethod
        def forward(cls, ctx, x):
            y, place = x.max(dim=-1)
            ctx.save_for_backward(F.one_hot(place, x.shape[-1]).to(x.dtype))
            place = place.to(x.dtype)
            if cls.marked:
                ctx.mark_non_differentiable(place)
            return y, place

        @staticmethod
        def backward(ctx, dy, _):
            return dy[..., None] * ctx.saved_tensors[0]

    def reference(x):
        y, place = x.max(dim=-1)
        return y, place.double()

    certified(Largest, reference)
    unmarked = judged(variant(Largest, marked=False), reference)
    assert "does not mark result 1, which has no gradient" in unmarked.broken


def test_a_kernel_its_reference_and_its_inputs():
    assert assert_verified(Exp, torch.exp, [(4, 3)], dtype="float32").verdict is Verdict.CERTIFIED
    wrong = variant(Exp, backward=lambda ctx, dy: ctx.saved_tensors[0])
    with pytest.raises(NotCertified, match=r"dx\[\d,\d\] is \S+, autograd \S+ ± \de-\d+; 12 of 12 entries are wrong"):
        assert_verified(wrong, torch.exp, {"x": X}, mend=0, seed=1)  # no other: long numbers fold the line
    with pytest.raises(TypeError, match=r"forward is Exp, a torch\.autograd\.Function, which brings its own; give"):
        verify_function(Exp, torch.exp, inputs=[X])
