"""Numbers in other memory: code that walks through memory reads others, and code that asks for entries does not."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from handgrad import Verdict, verify_function
from handgrad.judge.isolation import contiguous, shares_memory
from handgrad.subjects.function.layouts import OF_DY, OF_INPUTS, WRITABLE

RNG = np.random.default_rng(0)
DTYPES = [torch.float64, torch.float32, torch.bfloat16]


def judged(forward, backward, reference, inputs=((4, 3),), **kwargs):
    return verify_function(forward, backward, reference, list(inputs), seed=7, **kwargs)


def certified(*args, **kwargs):
    report = judged(*args, **kwargs)
    assert report.verdict is Verdict.CERTIFIED, report.text()


def broken(words, *args, **kwargs):
    report = judged(*args, **kwargs)
    assert report.gradients is Verdict.CERTIFIED, report.text()
    assert report.verdict is Verdict.REFUTED
    assert len(report.broken) == 1
    assert words in report.text(width=10_000), report.text()


class Square(torch.autograd.Function):
    read_x = read_dy = staticmethod(lambda a: a)

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @classmethod
    def backward(cls, ctx, dy):
        return 2 * cls.read_x(ctx.saved_tensors[0]) * cls.read_dy(dy)


class WalksThroughDy(Square):
    """As a kernel does that is given a pointer: it copies as many numbers as there are, from the first on."""

    read_dy = staticmethod(lambda dy: walk(dy))


class WalksThroughX(Square):
    read_x = staticmethod(lambda x: walk(x))


class Views(Square):
    read_dy = staticmethod(lambda dy: dy.view(-1).view(dy.shape))


class Contiguous(Square):
    read_dy = staticmethod(lambda dy: walk(dy.contiguous()))


def walk(a):
    """The numbers from the first on, as a kernel with a pointer reads them; nan behind the end of the memory."""
    whole = torch.empty(0, dtype=a.dtype).set_(a.untyped_storage())[a.storage_offset() :]
    read = torch.full((a.numel(),), torch.nan, dtype=a.dtype)
    read[: min(len(whole), a.numel())] = whole[: a.numel()]
    return read.reshape(a.shape)


@pytest.mark.parametrize("dtype", DTYPES)
def test_torch_code_that_walks_through_memory(dtype):
    x = torch.as_tensor(RNG.normal(size=(4, 3))).to(dtype)
    broken("contract broken: reads dy as if it were contiguous", WalksThroughDy, None, torch.square, [x])
    broken("contract broken: gives wrong gradients for some layouts of x", WalksThroughX, None, torch.square, [x])
    broken("contract broken: raises RuntimeError for some layouts of dy", Views, None, torch.square, [x])
    for right in (Square, Contiguous):
        certified(right, None, torch.square, [x])


def test_a_vector_and_a_batch_of_matrices():
    for shape in [(5,), (2, 3, 4), (1, 4), (4, 1)]:
        x = torch.as_tensor(RNG.normal(size=shape))
        broken("reads dy as if it were contiguous", WalksThroughDy, None, torch.square, [x])
        certified(Contiguous, None, torch.square, [x])


def test_the_input_that_is_misread_is_named():
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx, dy):
            x, w = ctx.saved_tensors
            return dy * walk(w), dy * x

    broken("contract broken: gives wrong gradients for some layouts of w", Product, None, torch.mul, [(4, 3), (4, 3)])


def flat(a):
    """The numbers of the buffer behind an array, as many as it has."""
    base = a
    while base.base is not None:
        base = base.base
    return np.resize(base.reshape(-1), a.shape) if base.flags.c_contiguous else np.array(base)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_code_in_numpy_that_walks_through_memory(dtype):
    x = RNG.normal(size=(4, 3)).astype(dtype)
    square = lambda x: (x * x, x)  # noqa: E731
    broken("reads dy as if it were", square, lambda dy, x: 2 * x * flat(np.asarray(dy)), torch.square, [x])
    words = "gives wrong gradients for some layouts of x"
    broken(words, square, lambda dy, x: 2 * flat(np.asarray(x)) * dy, torch.square, [x])
    through_x = lambda x: (flat(np.asarray(x)) ** 2, x)  # noqa: E731
    broken("reads x as if it were", through_x, lambda dy, x: 2 * x * dy, torch.square, [x])
    certified(square, lambda dy, x: 2 * x * dy, torch.square, [x])
    certified(square, lambda dy, x: 2 * x * np.ravel(dy).reshape(x.shape), torch.square, [x])


def test_a_read_only_dy_is_not_needed_by_code_that_declares_to_write_into_it():
    def backward(dy, x):
        dy *= 2 * x
        return dy

    square = lambda x: (x * x, x)  # noqa: E731
    broken("contract broken: writes into its upstream gradient", square, backward, torch.square)
    certified(square, backward, torch.square, may_overwrite=("dy",))


def needs_a_contiguous_input(x):
    return (x.view(-1) ** 2).view(4, 3)


def test_a_forward_pass_may_refuse_a_layout():
    certified(needs_a_contiguous_input, None, torch.square, [torch.randn(4, 3)])


@pytest.mark.parametrize("dtype", DTYPES)
def test_right_code_of_many_kinds(dtype):
    x, w, b = (torch.as_tensor(RNG.normal(size=s)).to(dtype) for s in ((5, 3), (3, 4), (4,)))
    certified(lambda x, w, b: torch.tanh(x @ w + b), None, lambda x, w, b: torch.tanh(x @ w + b), [x, w, b])
    certified(lambda x: x.sum(), None, torch.sum, [x])
    certified(lambda x: torch.cumsum(x, 0), None, lambda x: torch.cumsum(x, 0), [x])
    certified(lambda x: x.t().contiguous(), None, lambda x: x.t().contiguous(), [x])


def in_place(x, w):
    out = np.zeros((len(x), w.shape[1]), x.dtype)
    for i in range(len(x)):
        out[i] += x[i] @ w
    return out, (x, w)


def in_place_back(dy, c):
    x, w = c
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    np.matmul(dy, w.T, out=dx)
    for i in range(len(x)):
        dw += np.outer(x[i], dy[i])
    return dx, dw


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_code_in_numpy(dtype):
    x, w = (RNG.normal(size=s).astype(dtype) for s in ((5, 3), (3, 4)))
    certified(in_place, in_place_back, torch.matmul, [x, w])
    certified(lambda x, w: (np.einsum("ij,jk->ik", x, w), (x, w)), in_place_back, torch.matmul, [x, w])


def test_what_torch_itself_misreads_is_no_mistake_of_the_code():
    """Batch normalisation on the CPU reads a weight of every second number as if it were contiguous (torch 2.x)."""
    norm = lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True)  # noqa: E731
    certified(norm, None, norm, [torch.randn(6, 4), torch.randn(4), torch.randn(4)])


def test_a_module():
    certified(
        nn.Sequential(nn.Linear(3, 4), nn.Tanh()), None, nn.Sequential(nn.Linear(3, 4), nn.Tanh()), [torch.randn(5, 3)]
    )


@pytest.mark.parametrize("view", [*WRITABLE.values(), *OF_DY.values(), *OF_INPUTS.values()])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_a_view_holds_numbers_of_the_array_in_its_shape(view, shape):
    a = RNG.normal(size=shape)
    for given in (a, torch.as_tensor(a)):
        found = view(given)
        assert tuple(found.shape) == shape
        assert found.dtype == given.dtype
        values = np.asarray(contiguous(found))
        assert np.isin(values, a).all()
        assert np.array_equal(values, a) or view not in WRITABLE.values()


@pytest.mark.parametrize("view", [*WRITABLE.values(), *OF_DY.values(), *OF_INPUTS.values()])
@pytest.mark.parametrize("shape", [(), (3,), (1, 4), (2, 3)])
def test_a_view_has_memory_of_its_own(view, shape):
    a = RNG.normal(size=shape)
    for given in (a, torch.as_tensor(a)):
        assert not shares_memory(view(given), given)


class InPlace(Square):
    """Its gradient is written over dy, as its author declares."""

    read_dy = staticmethod(lambda dy: dy)

    @classmethod
    def backward(cls, ctx, dy):
        return cls.read_dy(dy).mul_(2 * ctx.saved_tensors[0])


class InPlaceWalk(InPlace):
    read_dy = staticmethod(lambda dy: walk(dy))


@pytest.mark.parametrize("shape", [(5,), (1, 4), (3, 4)])
def test_code_that_writes_into_dy_is_not_met_by_what_it_wrote(shape):
    x = torch.as_tensor(RNG.normal(size=shape))
    certified(InPlace, None, torch.square, [x], may_overwrite=("dy",))
    broken("reads dy as if it were contiguous", InPlaceWalk, None, torch.square, [x], may_overwrite=("dy",))
