"""Parameters that an object keeps itself are judged where backward leaves their gradients beside them."""

from copy import deepcopy

import numpy as np
import pytest

from handgrad import Verdict, verify_function
from handgrad.judge.isolation import contents
from handgrad.subjects.function.kept import Slot, find_kept, list_read

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


class Steps:
    """A backward pass that moves its parameters and leaves no gradient of them."""

    def __init__(self):
        self.weights, self.v = np.ones((3, 2)), np.ones((3, 2))

    def forward(self, x):
        self.x = x
        return x @ self.weights

    def backward(self, output_error):
        dx = output_error @ self.weights.T
        self.v = 0.9 * self.v - 0.1 * self.x.T @ output_error
        self.weights += self.v
        return dx


class StepsTooEarly(Steps):
    def backward(self, output_error):
        self.weights -= 0.1 * self.x.T @ output_error
        return output_error @ self.weights.T


def test_a_backward_pass_that_makes_a_step_is_not_called_wrong():
    layer = Steps()
    report = verify_function(layer.forward, layer.backward, inputs=[X], seed=1)
    assert report.verdict is Verdict.UNRESOLVED
    assert not report.broken
    assert any(note.startswith("backward moves weights itself") for note in report.notes)
    layer = StepsTooEarly()
    report = verify_function(layer.forward, layer.backward, inputs=[X], seed=1, mend=0)
    assert report.sentence.startswith("dx is wrong.")


class Loss:
    """Its backward pass takes no arguments, and hands out the gradients of the parameters."""

    factor = 1.0

    def __init__(self):
        self.W = np.ones((3, 2))

    def forward(self, x):
        self.x, self.y = x, x @ self.W
        return 0.5 * np.sum(self.y**2)

    def backward(self):
        self.grads = {"W": self.factor * self.x.T @ self.y}
        return self.grads


class ScaledLoss(Loss):
    factor = 0.5


class Embedding(Loss):
    def forward(self, i):
        self.i = i
        return self.W[i]

    def backward(self, dy, retain_grads=True):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.i, self.factor * dy)


class ScaledEmbedding(Embedding):
    factor = 0.5


class Lists(Linear):
    """Parameters and gradients in lists, and objects that hold a parameter and its gradient."""

    def __init__(self):
        self.params, self.grads = [np.ones((3, 2))], [np.zeros((3, 2))]
        self.b = Held()

    def forward(self, x):
        (W,) = self.params
        self.x = x
        return x @ W + self.b.data

    def backward(self, dy):
        self.grads[0][...] = self.x.T @ dy
        self.b.grad += self.factor * dy.sum(0)
        return dy @ self.params[0].T


class Held:
    def __init__(self):
        self.data, self.grad = np.zeros(2), np.zeros(2)


class ScaledLists(Lists):
    factor = 0.5


@pytest.mark.parametrize(
    ("right", "wrong", "inputs", "constants", "names"),
    [
        (Loss, ScaledLoss, X, ("x",), ["dW"]),
        (Embedding, ScaledEmbedding, np.array([0, 2, 2]), (), ["dW"]),
        (Lists, ScaledLists, X, (), ["dx", "dparams[0]", "db.data"]),
    ],
)
def test_everyday_classes(right, wrong, inputs, constants, names):
    layer = right()
    report = verify_function(layer.forward, layer.backward, inputs=[inputs], constants=constants, seed=1)
    assert report.verdict is Verdict.CERTIFIED
    assert [t.name for t in report.stages[0].isolated.tensors][1:] == names
    layer = wrong()
    report = verify_function(layer.forward, layer.backward, inputs=[inputs], constants=constants, seed=1, mend=0)
    assert report.sentence.startswith(f"{names[-1]} is wrong.")


def test_where_nothing_has_a_gradient():
    layer = Embedding()
    with pytest.raises(ValueError, match=r"backward leaves no gradient of a parameter .* self.dW"):
        verify_function(layer.forward, lambda dy, i: None, inputs=[np.array([0, 2])])


class Normed(Linear):
    def __init__(self):
        super().__init__()
        self.vW = np.zeros((3, 2))
        self.running = np.zeros(3)

    def forward(self, x):
        self.running = 0.9 * self.running + 0.1 * x.mean(0)
        return super().forward(self.shift(x))

    def shift(self, x):
        return x - self.mean.sum()


def test_parameters_are_what_forward_reads_and_does_not_write():
    assert [name for name, _ in list_read(Normed())] == ["mean"]


def test_the_places_of_a_gradient():
    layer = InDicts()
    after = deepcopy(layer)
    after.forward(X)
    after.backward(np.ones((4, 2)))
    found = find_kept(layer, layer, after)
    assert {n: (k.parameter, k.gradient) for n, k in found.items()} == {
        "W": (Slot(("params", "W")), Slot(("grads", "dW"))),
        "b": (Slot(("params", "b")), Slot(("grads", "b"))),
    }
    found["W"].put(after, X)
    assert contents(after.params["W"]) == contents(X)
    assert find_kept(layer, layer, layer) == {}  # no gradient yet
