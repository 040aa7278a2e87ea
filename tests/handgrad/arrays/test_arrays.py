"""Every protocol of the judge's arrays leads to the same rule, and what cannot enter says so."""

import numpy as np
import pytest
from array_api_compat import array_namespace
from scipy import special

from handgrad.arrays.ball import Arithmetic, Ball
from handgrad.arrays.base import refusal

F32 = Arithmetic.of("float32")


def test_every_protocol_reaches_the_same_rule():
    rng = np.random.default_rng(10)
    x, y = np.round(64 * rng.normal(size=(2, 3, 3))).astype(np.float32) / 64  # short, so that plain they are exact
    bx, by = Ball(x, 1e-6 * np.abs(x), F32), Ball.exact(y, F32)
    xp = array_namespace(bx, by, bx > 0)
    same = [
        (xp.add(bx, y), np.add(bx, y), bx + y, x + by + (bx - x))[:3],
        (xp.exp(bx), np.exp(bx)),
        (xp.matmul(bx, by), np.matmul(bx, by), np.dot(bx, by), bx @ by, bx.dot(by)),
        (x @ by, np.matmul(x, by), xp.matmul(Ball.exact(x, F32), by)),
        (2 - bx, np.subtract(2, bx), xp.subtract(xp.asarray(2.0), bx), np.float64(2) - bx),
        (xp.sum(bx, axis=0), np.sum(bx, 0), bx.sum(axis=0), np.add.reduce(bx)),
        (xp.max(bx, axis=1), np.amax(bx, axis=1), bx.max(1), np.maximum.reduce(bx, axis=1)),
        (xp.mean(bx), np.mean(bx), bx.mean()),
        (xp.abs(bx), np.abs(bx), abs(bx), np.absolute(bx)),
        (xp.permute_dims(bx, (1, 0)), np.transpose(bx), bx.T, bx.mT, bx.transpose(), np.swapaxes(bx, 0, 1)),
        (xp.reshape(bx, (-1,)), np.reshape(bx, -1), bx.reshape(-1), bx.ravel(), bx.flatten(), np.ravel(bx)),
        (xp.concat([bx, by]), np.concatenate([bx, y])),
        (xp.where(bx > 0, bx, 0), np.where(x > 0, bx, 0), xp.maximum(bx, 0.0), np.clip(bx, 0, None), bx.clip(0)),
        (xp.pow(bx, 2), bx**2, np.square(bx), bx * bx, np.power(bx, 2)),
        (xp.expand_dims(bx, axis=0), bx[None], bx[xp.newaxis, ...], np.expand_dims(bx, 0)),
        (xp.take(bx, np.array([2, 0]), axis=0), bx[[2, 0]], np.take(bx, [2, 0], axis=0)),
        (xp.std(bx, correction=1), np.std(bx, ddof=1), bx.std(ddof=1)),
        (xp.squeeze(bx[:1], axis=0), bx[0], np.squeeze(bx[:1])),
        (xp.astype(bx > 0, xp.float32) * y, (bx > 0) * y, (x > 0) * by),
        (xp.expit(bx), special.expit(bx)),
        (xp.full((3,), bx[0, 0]), np.broadcast_to(bx[0, 0], (3,))),
    ]
    for first, *others in same:
        for other in others:
            np.testing.assert_array_equal(first.mid, other.mid)
            np.testing.assert_array_equal(first.rad, other.rad)
    assert bx.dtype == xp.float32 == xp.result_type(bx, by)
    assert (bx.shape, bx.ndim, bx.size, len(bx), bx.device) == ((3, 3), 2, 9, 3, "cpu")
    assert xp.finfo(bx.dtype).eps == np.finfo(np.float32).eps
    assert np.array_equal(np.argmax(bx, axis=1), x.argmax(1))
    for plain in (xp.zeros((2,)), xp.ones((2,)), xp.full((2,), 0.5), xp.arange(3), xp.zeros_like(bx), np.ones_like(bx)):
        assert type(plain) is np.ndarray
    assert hasattr(xp, "erf")
    assert not hasattr(xp, "cbrt")


def buffer_entry(b):
    np.zeros(3)[0] = b[0, 0]


def buffer_row(b):
    np.zeros((3, 3))[0] = b[0]


def own_entry(b):
    b[0] = 1.0


def in_place(b):
    buffer = np.zeros((3, 3))
    buffer += b


REFUSED = {
    buffer_entry: "Python number",
    buffer_row: "plain NumPy array",
    own_entry: "by index",
    in_place: "np.add was told",
    np.asarray: "plain NumPy array",
    lambda b: np.array([b, b]): "plain NumPy array",
    lambda b: float(b[0, 0]): "number",
    lambda b: np.add.at(np.zeros(3), [0], b[0]): "np.add.at",
    lambda b: np.exp(b, out=np.zeros((3, 3))): "np.exp was told",
    lambda b: np.linalg.norm(b): "'norm'",
    lambda b: b.astype(np.float16): "cast to float16",
    lambda b: 2**b: "exponent",
    lambda b: np.zeros(3)[b[0]]: "plain NumPy array",
    lambda b: b[b[0]]: "as an index",
    lambda b: b.sum(dtype=np.float64): "'sum'",
    lambda b: b * 1j: "met a Ball",
    lambda b: np.where(b, b, 0): "as a condition",
    lambda b: 1 if b[0, 0] else 0: "a branch",
    lambda b: array_namespace(b).fft: "no operation 'fft'",
    lambda b: np.multiply.outer(b, b): "np.multiply.outer",
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_cannot_enter_says_so(code):
    b = Ball.exact(np.arange(9.0).reshape(3, 3), F32)
    with pytest.raises((TypeError, ValueError, IndexError)) as caught:
        code(b)
    refused = refusal(caught.value)  # NumPy wraps what refuses an assignment into one entry
    assert refused is not None
    assert caught.match(REFUSED[code]) if refused is caught.value else REFUSED[code] in str(refused)
