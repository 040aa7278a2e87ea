"""Several results: each has a dy in memory of its own, which may be a view, and may be written into."""

import numpy as np
import torch

from tests.handgrad.subjects.test_layouts import broken, certified, flat, walk

X, R = (np.random.default_rng(seed).normal(size=(4, 3)) for seed in (1, 2))
TENSORS = [torch.tensor(X), torch.tensor(R)]
IN_PLACE = {"may_overwrite": ("dy",)}


def squares_and_sum(x, r):
    return (x + r) ** 2, x + r


class InPlace(torch.autograd.Function):
    """A sum and its squares, as a norm of a residual stream has them; the gradient is written over the first dy."""

    read_first = read_second = staticmethod(lambda dy: dy)
    freezes = True

    @staticmethod
    def forward(ctx, x, r):
        ctx.save_for_backward(x + r)
        return squares_and_sum(x, r)

    @classmethod
    def backward(cls, ctx, dsquares, dsum):
        (s,) = ctx.saved_tensors
        d = cls.read_first(dsquares).mul_(2 * s).add_(cls.read_second(dsum))
        return (d, d) if cls.freezes or ctx.needs_input_grad[0] else (None, 2 * d)


class WalksThroughTheFirst(InPlace):
    read_first = staticmethod(lambda dy: walk(dy))


class WalksThroughTheSecond(InPlace):
    read_second = staticmethod(lambda dy: walk(dy))


class WrongWhereXIsFrozen(InPlace):
    freezes = False


def test_a_torch_function_that_writes_into_the_dy_of_one_result():
    certified(InPlace, None, squares_and_sum, TENSORS, **IN_PLACE)
    broken("writes into its upstream gradient", InPlace, None, squares_and_sum, TENSORS)
    for strides in (WalksThroughTheFirst, WalksThroughTheSecond):
        broken("reads dy as if it were contiguous", strides, None, squares_and_sum, TENSORS, **IN_PLACE)
    words = "where x needs no gradient, dr is wrong"
    broken(words, WrongWhereXIsFrozen, None, squares_and_sum, TENSORS, **IN_PLACE)


def test_two_functions_in_numpy_that_write_into_the_dy_of_one_result():
    forward = lambda x, r: (squares_and_sum(x, r), x + r)  # noqa: E731

    def backward(dsquares, dsum, s):
        dsquares *= 2 * s
        dsquares += dsum
        return dsquares, dsquares

    def through_memory(dsquares, dsum, s):
        d = 2 * s * flat(np.asarray(dsquares)) + dsum
        return d, d

    certified(forward, backward, squares_and_sum, [X, R], **IN_PLACE)
    broken("writes into its upstream gradient", forward, backward, squares_and_sum, [X, R])
    broken("reads dy as if it were contiguous", forward, through_memory, squares_and_sum, [X, R])


def test_what_the_reference_misreads_too_is_no_mistake_of_the_code():
    class Walks(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, r):
            ctx.save_for_backward(x + r)
            return squares_and_sum(x, r)

        @staticmethod
        def backward(ctx, dsquares, dsum):
            d = 2 * ctx.saved_tensors[0] * walk(dsquares) + dsum
            return d, d

    broken("reads dy as if it were contiguous", Walks, None, squares_and_sum, TENSORS)
    certified(Walks, None, Walks.apply, TENSORS)
