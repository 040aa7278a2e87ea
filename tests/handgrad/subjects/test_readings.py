"""How a backward pass is called is read off its arguments; where two ways fit, the one by which it is right counts."""

import numpy as np
import pytest
import torch

from handgrad import verify_function
from handgrad.judge.verdict import Verdict

RNG = np.random.default_rng(0)
Y, T = RNG.normal(size=(2, 5, 4))
C, R = Verdict.CERTIFIED, Verdict.REFUTED


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def check(expected, forward, backward, reference, inputs):
    report = verify_function(forward, backward, reference, inputs, seed=0)
    assert report.verdict is expected, report.text()
    return report


@pytest.mark.parametrize(("factor", "expected"), [(2, C), (1, R)])
def test_an_optional_argument_is_no_room_for_dy(factor, expected):
    def mse(y, t):
        return ((y - t) ** 2).mean()

    def mse_grad(y, t, scale=1.0):
        return scale * factor * (y - t) / y.size, None

    check(expected, mse, mse_grad, lambda y, t: ((y - t.detach()) ** 2).mean(), [Y, T])


@pytest.mark.parametrize("inputs", [[Y], [(5, 4)]])
@pytest.mark.parametrize(("sign", "expected"), [(-1, C), (1, R)])
def test_the_derivative_of_an_activation_with_an_option(sign, expected, inputs):
    def sprime(z, eps=0.0):
        return sigmoid(z) * (1 + sign * sigmoid(z)) + eps

    check(expected, sigmoid, sprime, torch.sigmoid, inputs)


@pytest.mark.parametrize(("power", "expected"), [(2, C), (1, R)])
def test_data_is_no_upstream_gradient(power, expected):
    def of_data(data):
        return 1 - np.tanh(data) ** power

    def of_z(z):
        return 1 - np.tanh(z) ** power

    def of_g(g):
        return 1 - np.tanh(g) ** power

    for derivative in (of_data, of_z, of_g):
        check(expected, np.tanh, derivative, torch.tanh, [Y])


@pytest.mark.parametrize(("power", "expected"), [(1, C), (2, R)])
def test_what_is_right_in_the_second_way_is_right(power, expected):
    def backward(signal, x, w=None):
        return signal * w, signal * x**power

    report = check(expected, lambda x, w: x * w, backward, torch.mul, [Y, T])
    assert (expected is C) == (not any("several ways" in note for note in report.notes))


@pytest.mark.parametrize(("power", "expected"), [(2, C), (1, R)])
def test_the_cache_may_come_first_if_the_names_say_so(power, expected):
    def forward(z):
        return np.tanh(z), (np.tanh(z),)

    def backward(res, g):
        return (g * (1 - res[0] ** power),)

    check(expected, forward, backward, torch.tanh, [(5, 4)])


@pytest.mark.parametrize(("power", "expected"), [(2, C), (1, R)])
def test_dy_may_come_behind_the_inputs(power, expected):
    """Of the same shape as the first input, so that only the name tells which is which."""

    def forward(x, W):
        return np.tanh(x) @ W

    def backward(x, W, dout):
        h = np.tanh(x)
        return (dout @ W.T) * (1 - h**power), h.T @ dout

    report = check(expected, forward, backward, lambda x, W: torch.tanh(x) @ W, [(4, 4), (4, 4)])
    assert report.broken == ()
    assert not any("every way" in note for note in report.notes)


class Tanh:
    def forward(self, x):
        self.h = np.tanh(x)
        return self.h

    def backward(self, signal):
        return signal * (1 - self.h**2)

    def wrong(self, dy):
        return dy * (1 - self.h)


def test_an_object_that_keeps_its_state():
    one, two = Tanh(), Tanh()
    check(C, one.forward, one.backward, torch.tanh, [Y])
    check(R, two.forward, two.wrong, torch.tanh, [Y])
