"""Parameters that an object keeps itself are judged where backward leaves their gradients beside them."""

from copy import deepcopy

import numpy as np
import pytest

from handgrad import Verdict, verify_function
from handgrad.judge.isolation import contents
from handgrad.subjects.function.kept import Slot, find_kept

X = np.linspace(-1, 2, 12).reshape(4, 3)


class Linear:
    factor = 1.0

    def __init__(self):
        self.W, self.b = np.ones((3, 2)), np.zeros(2)
        self.dW, self.db, self.mean = np.zeros((3, 2)), None, np.ones(2)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW += self.factor * self.x.T @ dy
        self.db = dy.sum(0)
        return dy @ self.W.T


class InDicts(Linear):
    def __init__(self):
        self.params, self.grads = {"W": np.ones((3, 2)), "b": np.zeros(2)}, {}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        self.grads["dW"] = self.factor * self.x.T @ dy
        self.grads["b"] = dy.sum(0)
        return dy @ self.params["W"].T


class Scaled(Linear):
    """It divides by the batch once too often."""

    factor = 0.5


class ScaledInDicts(InDicts):
    factor = 0.5


@pytest.mark.parametrize(("right", "wrong"), [(Linear, Scaled), (InDicts, ScaledInDicts)])
def test_gradients_left_in_the_object_are_judged(right, wrong):
    layer = right()
    before = [*vars(layer)]
    report = verify_function(layer.forward, layer.backward, inputs=[X], seed=1)
    assert report.verdict is Verdict.CERTIFIED
    assert [t.name for t in report.stages[0].isolated.tensors] == ["y", "dx", "dW", "db"]
    assert [*vars(layer)] == before  # not even x is left in it
    layer = wrong()
    report = verify_function(layer.forward, layer.backward, inputs=[X], seed=1, mend=0)
    assert report.sentence == "dW is wrong. dx and db are right."


def test_gradients_may_be_added_up_at_any_size():
    layer = Linear()
    layer.dW = np.ones((3, 2))  # of an earlier step
    report = verify_function(layer.forward, layer.backward, inputs=[(4, 3)], seed=1, mend=0)
    assert report.verdict is Verdict.CERTIFIED
    assert (layer.dW == 1).all()


class Network:
    def __init__(self, last):
        first = Linear()
        self.layers = [first, last]
        last.W, last.b, last.dW = np.ones((2, 2)), np.zeros(2), np.zeros((2, 2))

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy


def test_the_layers_of_an_object_are_judged_as_well():
    right, wrong = Network(Linear()), Network(Scaled())
    report = verify_function(right.forward, right.backward, inputs=[X], seed=1)
    assert report.verdict is Verdict.CERTIFIED
    names = ["y", "dx", "dlayers[0].W", "dlayers[0].b", "dlayers[1].W", "dlayers[1].b"]
    assert [t.name for t in report.stages[0].isolated.tensors] == names
    report = verify_function(wrong.forward, wrong.backward, inputs=[X], seed=1, mend=0)
    assert report.sentence.startswith("dlayers[1].W is wrong.")


class Steps(Linear):
    """A backward pass that moves its parameters."""

    def backward(self, dy):
        dx = dy @ self.W.T
        self.dW = self.x.T @ dy
        self.W = self.W - 0.1 * self.dW
        return dx


def test_what_backward_writes_into_is_no_parameter():
    layer = Steps()
    after = deepcopy(layer)
    after.forward(X)
    after.backward(np.ones((4, 2)))
    assert find_kept(layer, after) == {}


def test_the_places_of_a_gradient():
    layer = InDicts()
    after = deepcopy(layer)
    after.forward(X)
    after.backward(np.ones((4, 2)))
    found = find_kept(layer, after)
    assert {n: (k.parameter, k.gradient) for n, k in found.items()} == {
        "W": (Slot(("params", "W")), Slot(("grads", "dW"))),
        "b": (Slot(("params", "b")), Slot(("grads", "b"))),
    }
    found["W"].put(after, X)
    assert contents(after.params["W"]) == contents(X)
    assert find_kept(layer, layer) == {}  # no gradient yet
