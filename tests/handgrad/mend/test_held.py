"""A network that keeps its layers: their methods belong to its passes, and are edited like any other."""

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.source.held import objects_held
from handgrad.source.program import read_program


class Linear:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        return x @ self.W

    def backward(self, dy):
        return dy @ self.W


class Tanh:
    def forward(self, z):
        self.h = np.tanh(z)
        return self.h

    def backward(self, dy):
        return dy * (1 - self.h**2)


class Net:
    def __init__(self):
        rng = np.random.default_rng(0)
        self.layers = [Linear(rng.normal(size=(4, 5))), Tanh(), Linear(rng.normal(size=(5, 3)))]
        self.layers.append(self.layers)  # it may hold itself

    def forward(self, x):
        for layer in self.layers[:3]:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in self.layers[2::-1]:
            dy = layer.backward(dy)
        return dy


def test_the_layers_belong_to_the_program_and_are_made_anew():
    net = Net()
    assert [type(one) for one in objects_held(net)] == [Linear, Tanh, Linear]
    program = read_program(net.forward, net.backward)
    assert {part.owner for part in program.parts} == {Net, Linear, Tanh}
    new = program.made({}).backward.__self__
    assert isinstance(new.layers[0], Linear)
    assert type(new.layers[0]) is type(new.layers[2]) is not Linear
    assert type(net.layers[0]) is Linear


@pytest.mark.mends
def test_the_slip_in_a_layer_is_mended_though_the_network_raises():
    net = Net()
    report = verify_function(net.forward, net.backward, inputs=[(2, 4)], seed=1)
    assert report.change is not None, report.text()
    assert (report.change.before, report.change.after) == ("self.W", "self.W.T")
