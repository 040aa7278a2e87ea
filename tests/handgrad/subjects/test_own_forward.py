"""Without a reference the forward pass is its own: right code passes, wrong code does not, the rest is said."""

import copy
import math
import re
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from handgrad import Verdict, verify_function
from handgrad.arrays.on_torch.array import OnTorch, following
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.subjects.function.own_forward import OWN, CannotDifferentiate, OwnForward

sys.path.insert(0, str(Path(__file__).parent))

from everyday import FUNCTIONS, draw, is_drawn, result, slopes

C, R, U = Verdict.CERTIFIED, Verdict.REFUTED, Verdict.UNRESOLVED
RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(4, 3)), RNG.normal(size=(3, 2)), RNG.normal(size=2)
LIMITS = {  # what cannot be followed, and the words that its refusal must have
    "compiled_distances": "scipy.spatial.cdist was called",
    "masked_array": "turned into, one that autograd does not see",
    "of_its_bytes": "autograd sees another dependence on x0 than there is",
    "as_complex": "the method view of an array was called",
}


def judge(forward, backward=None, inputs=((4, 3),), **more):
    return verify_function(forward, backward, inputs=list(inputs), seed=0, **more)


# -- every way in which code is written, right and wrong
def affine(x, W, b):
    out = np.zeros((len(x), W.shape[1]))
    for i, row in enumerate(x):
        out[i] = row @ W
    out += b
    h = np.tanh(out)
    return h, (x, W, h)


def affine_backward(dy, cache, power=2):
    x, W, h = cache
    dz = dy * (1 - h**power)
    return dz @ W.T, x.T @ dz, dz.sum(0)


class Layer:
    """Keeps its state, and calls a helper of its own."""

    def __init__(self, power):
        self.W, self.power, self.calls = W.copy(), power, []

    def act(self, z):
        out = np.empty_like(z)
        out[:] = np.tanh(z)
        return out

    def forward(self, x):
        self.h = self.act(x @ self.W)
        return self.h

    def backward(self, dy):
        return (dy * (1 - self.h**self.power)) @ self.W.T


def closure(power):
    weights = W.copy()

    def forward(x):
        h = np.tanh(x @ weights)
        return h, h

    return forward, lambda dy, h: (dy * (1 - h**power)) @ weights.T


def standard(z):
    xp = array_namespace(z)
    return xp.exp(z) / xp.sum(xp.exp(z), axis=-1, keepdims=True)


def standard_backward(power):
    def backward(dy, z):
        xp, p = array_namespace(z), standard(z)
        return p * (dy - xp.sum(dy * p**power, axis=-1, keepdims=True))

    return backward


def in_torch(power):
    def forward(x, w):
        h = torch.sigmoid(x @ w)
        return h, (x, w, h)

    def backward(dy, cache):
        x, w, h = cache
        dz = dy * h * (1 - h**power)
        return dz @ w.T, x.T @ dz

    return forward, backward


def function(power):
    class Tanh(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            h = torch.tanh(z)
            ctx.save_for_backward(h)
            ctx.mark_non_differentiable(h > 0)
            return h

        @staticmethod
        def backward(ctx, dh):
            (h,) = ctx.saved_tensors
            return dh * (1 - h**power)

    return Tanh


def in_jax(power):
    def forward(x):
        h = jnp.tanh(x)
        return h, h

    return forward, lambda dy, h: dy * (1 - h**power)


@pytest.mark.parametrize(("power", "expected"), [(2, C), (1, R)])
def test_right_and_wrong_without_a_reference(power, expected):
    layer = Layer(power)
    asked = {
        "NumPy": judge(affine, lambda dy, c: affine_backward(dy, c, power), [X, W, B]),
        "a method": judge(layer.forward, layer.backward, [X]),
        "a closure": judge(*closure(power), [X]),
        "a Function": judge(function(power), inputs=[(3,)]),
        "its apply": judge(function(power).apply, inputs=[torch.tensor(X)]),
        "float32": judge(
            affine, lambda dy, c: affine_backward(dy, c, power), [X.astype("f4"), W.astype("f4"), B.astype("f4")]
        ),
        "JAX": judge(*in_jax(power), [jnp.asarray(X, dtype="float32")]),
        "the array API, NumPy": judge(standard, standard_backward(power - 1), [X]),
        "the array API, torch": judge(standard, standard_backward(power - 1), [torch.tensor(X)]),
        "torch": judge(*in_torch(power - 1), [torch.tensor(X), torch.tensor(W)]),
    }
    found = {name: report.gradients for name, report in asked.items()}
    wanted = dict.fromkeys(found, expected)
    if power == 2:  # p, and 1 - h, are right to the first power
        assert found == wanted
    else:
        wrong = {n for n, v in found.items() if v is not R}
        assert wrong == set()
    assert all(OWN in report.notes for report in asked.values())


def test_with_a_reference_nothing_is_said_of_it():
    report = verify_function(np.tanh, lambda dy, x: dy * (1 - np.tanh(x) ** 2), torch.tanh, [X], seed=0)
    assert report.verdict is C
    assert OWN not in report.notes


def test_the_torch_reference_may_still_stand_third():
    report = verify_function(np.tanh, lambda dy, x: dy / np.cosh(x) ** 2, None, [X], seed=0)
    assert report.verdict is C


# -- kinks
RELUS = {
    "maximum": lambda z: np.maximum(z, 0),
    "where": lambda z: np.where(z > 0, z, 0),
    "mask": lambda z: z * (z >= 0),
    "in place": lambda z: clipped(z),
}


def clipped(z):
    z = z.copy()
    z[z < 0] = 0
    return z


@pytest.mark.parametrize("forward", RELUS.values(), ids=RELUS)
def test_either_side_of_a_kink_is_right(forward):
    inputs = [np.array([[-1.0, 0.0, 2.0]])]
    for side in (lambda z: z > 0, lambda z: z >= 0, lambda z: 0.5 * (np.sign(z) + 1)):
        report = judge(forward, lambda dy, z, side=side: dy * side(z), inputs)
        assert report.verdict is C, report.text()
    assert judge(forward, lambda dy, z: dy * (z < 0), inputs).verdict is R


def test_a_relu_at_all_that_is_drawn_for_a_shape():
    report = judge(np.vectorize(lambda v: max(v, 0.0)), lambda dy, z: dy * (z > 0), [(2,)])
    assert report.verdict is C, report.text()
    assert any("at a kink of your forward pass" in note for note in report.notes)


def test_ties_of_a_maximum_are_judged_beside_them():
    def backward(dy, x):
        out = np.zeros_like(x)
        out[np.arange(len(x)), x.argmax(1)] = dy
        return out

    ties = [np.array([[1.0, 1.0, 0.0], [2.0, 3.0, 3.0]])]
    report = judge(lambda x: x.max(1), backward, ties)
    assert report.verdict is C, report.text()
    assert any("kink" in note for note in report.notes)
    assert judge(lambda x: x.max(1), lambda dy, x: backward(dy, -x), ties).verdict is R


def test_a_wrong_number_at_a_smooth_point_is_not_excused():
    """Zero is no kink of x^2, and of nothing else that is smooth."""
    report = judge(
        lambda x: x * x + x, lambda dy, x: dy * np.where(x == 0, 5.0, 2 * x + 1), [np.array([0.0, 1.0, 2.0])]
    )
    assert report.verdict is R


def test_a_forward_pass_whose_own_gradient_underflows():
    def silu(z):
        s = 1 / (1 + np.exp(-z))
        return z * s, (z, s)

    report = judge(silu, lambda dy, c: dy * (c[1] + c[0] * c[1] * (1 - c[1])), [(4, 3)])
    assert report.verdict is C, report.text()
    assert judge(silu, lambda dy, c: dy * (c[1] + c[0] * c[1]), [(4, 3)]).verdict is R


# -- what cannot be said
def test_a_missing_gradient_is_left_open():
    def mse(y, t):
        return ((y - t) ** 2).mean()

    report = judge(mse, lambda dy, y, t: (dy * 2 * (y - t) / y.size, None), [X, X[::-1].copy()])
    assert report.verdict is U
    assert "if that is meant (data, a target), say so by constants=, or give a reference" in report.text(width=10_000)


def test_a_gradient_that_is_not_among_those_returned_is_left_open_as_well():
    def linear(x, W):
        return x @ W.T, x

    report = judge(linear, lambda dy, x: {"dW": dy.T @ x}, [(4, 3), (2, 3)])
    assert [t.verdict for t in report.stages[0].isolated.tensors] == [C, U, C]
    assert judge(linear, lambda dy, x: {"dW": dy.T @ x}, [(4, 3), (2, 3)], constants=("x",)).verdict is C
    assert judge(linear, lambda dy, x: {"dW": 2 * dy.T @ x}, [(4, 3), (2, 3)], constants=("x",)).verdict is R


def test_what_forward_puts_into_a_dict_of_options_is_no_broken_contract():
    def forward(x, options):
        options["seen"] = options["seen"] + len(x)
        return x * options["factor"], options["factor"]

    def spoils(x, options):
        options["seen"] += len(x)
        return x * options["factor"], options["factor"]

    options = {"factor": 2.0, "seen": np.zeros(3, int), "mode": "train"}
    for code, broken in ((forward, False), (spoils, True)):
        report = verify_function(code, lambda dy, factor: dy * factor, inputs=[X, options], mend=0)
        assert bool(report.broken) is broken


def test_the_gradients_of_a_dict_go_by_its_keys():
    def linear(x, p):
        return x @ p["W"] + p["b"], (x, p)

    def right(dy, cache):
        x, p = cache
        return {"dx": dy @ p["W"].T, "dW": x.T @ dy, "db": dy.sum(0)}

    inputs = [(4, 3), {"W": (3, 2), "b": (2,)}]
    for backward in (
        right,
        lambda dy, c: (right(dy, c)["dx"], {n: right(dy, c)[n] for n in ("dW", "db")}),
        lambda dy, c: {"x": right(dy, c)["dx"], "dp": {"W": right(dy, c)["dW"], "b": right(dy, c)["db"]}},
    ):
        assert judge(linear, backward, inputs).verdict is C
    wrong = judge(linear, lambda dy, c: right(dy, c) | {"db": dy.sum(1)[:2]}, inputs, mend=0)
    assert wrong.sentence.startswith("dp[b] is wrong.")
    assert judge(linear, lambda dy, c: right(dy, c) | {"db": None}, inputs, mend=0).verdict is U


def test_a_forward_that_makes_a_generator_anew_is_said_to_be_random():
    def forward(x):
        mask = np.random.default_rng().random(x.shape) > 0.5
        return x * mask, mask

    report = judge(forward, lambda dy, mask: dy * mask, [X])
    assert report.verdict is U
    assert "forward is random, or keeps state: two runs on the same inputs give y" in report.text(width=10_000)


def detached(x):
    return torch.sigmoid(x) * torch.tanh(x).detach()


def without_grad(x):
    with torch.no_grad():
        return torch.tanh(x)


@pytest.mark.parametrize("forward", [detached, without_grad])
def test_a_graph_with_a_part_cut_out_is_no_reference(forward):
    with pytest.raises(
        ValueError, match=r"^forward: autograd sees another dependence on x than there is.* give a reference"
    ):
        judge(forward, lambda dy, x: dy, [torch.tensor(X)])


def test_an_inner_function_with_a_wrong_backward_is_no_reference():
    inner = function(1)
    with pytest.raises(ValueError, match="brings a backward pass of its own; give a reference"):
        judge(lambda x: inner.apply(x) * x, lambda dy, x: dy, [torch.tensor(X)])


def out_of_sight(x):
    return np.frombuffer(np.sin(x).tobytes()).reshape(x.shape)  # these bytes are no tensor's


def histogram(x):
    return x * np.histogram(x, bins=3, density=True)[0][0]


@pytest.mark.parametrize(("forward", "words"), [(histogram, "np.histogram"), (out_of_sight, "give a reference")])
def test_what_cannot_be_followed_is_refused_with_the_reason(forward, words):
    with pytest.raises(ValueError, match=words) as caught:
        judge(forward, lambda dy, x: dy, [X])
    assert "give a reference" in str(caught.value)


def test_the_refusal_names_the_line():
    with pytest.raises(ValueError, match=rf"{Path(__file__).name}:{histogram.__code__.co_firstlineno + 1}"):
        judge(histogram, lambda dy, x: dy, [X])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"inputs": None}, TypeError, "inputs: got none, expected a list of arrays or shapes"),
        ({"reference": [(4, 3)], "inputs": None}, TypeError, r"reference: got list, .*inputs go by name: inputs=\["),
        ({"forward": torch.tanh, "backward": None}, TypeError, "cannot judge itself; give a reference"),
        ({"forward": torch.nn.Linear(3, 2), "backward": None}, TypeError, "cannot judge itself; give a reference"),
    ],
)
def test_arguments(arguments, error, words):
    good = {"forward": np.tanh, "backward": lambda dy, x: dy, "inputs": [(4, 3)]}
    with pytest.raises(error, match=words):
        verify_function(**{**good, **arguments})


def test_what_forward_returns_is_judged_as_ever():
    report = judge(lambda x: (x, 1, 2), lambda dy, c: dy, [X])
    assert report.verdict is R
    assert "forward returned 3 values" in report.text(width=10_000)


# -- nothing of the user's is changed
BUFFER, TABLE, COUNT = np.zeros(3), {"last": None, "seen": []}, 0


def writes_everywhere(x):
    global COUNT
    COUNT += 1
    BUFFER[:] = x[0]
    TABLE["last"] = x
    TABLE["seen"].append(x * 2)
    return np.tanh(x) * BUFFER.sum()


def test_nothing_of_the_users_is_changed():
    layer, scope = Layer(2), dict(globals())
    before = copy.deepcopy(vars(layer)), BUFFER.copy(), copy.deepcopy(TABLE), X.copy()
    for forward in (layer.forward, writes_everywhere):
        own = OwnForward(forward, ("x",), {}, model=X)
        with following():
            made = on_torch(forward)(OnTorch(torch.tensor(X)))
        assert isinstance(made, OnTorch)
        own.gradients({"x": X}, np.ones(result(lambda x, f=made: f.plain, [X]).shape))
    assert COUNT == 0
    assert before[2] == TABLE
    assert np.array_equal(BUFFER, before[1])
    assert np.array_equal(X, before[3])
    assert vars(layer).keys() == before[0].keys()
    assert type(layer) is Layer
    assert {k: v for k, v in globals().items() if scope.get(k) is not v} == {}
    assert np.exp is not None
    assert isinstance(np.zeros(2), np.ndarray)
    assert math.exp(0) == 1


# -- intermediate values
def test_noted_values_keep_their_tensors():
    notes = {}

    def forward(x, note):
        z = np.zeros((4, 2))
        z += x @ W
        note("z", z)
        h = np.tanh(z)
        note("h", h)
        return (h**2).sum()

    with following():
        y = on_torch(forward)(OnTorch(torch.tensor(X, requires_grad=True)), notes.__setitem__)
        dz, dh = torch.autograd.grad(y.tensor, [notes["z"].tensor, notes["h"].tensor])
    h = np.tanh(X @ W)
    np.testing.assert_allclose(dh, 2 * h, rtol=1e-14)
    np.testing.assert_allclose(dz, 2 * h * (1 - h**2), rtol=1e-13)


# -- everyday functions
@pytest.mark.parametrize("name", FUNCTIONS)
def test_everyday_functions(name):
    """The gradient of the forward pass, entry by entry a difference quotient; or a refusal that says why."""
    everyday = FUNCTIONS[name]
    args = draw(everyday)
    names = tuple(f"x{i}" for i in range(len(args)))
    drawn = {n: np.asarray(a) for n, a, s in zip(names, args, everyday.shapes, strict=True) if is_drawn(s)}
    own = OwnForward(
        everyday.make(), names, {n: a for n, a in zip(names, args, strict=True) if n not in drawn}, model=X
    )
    if name in LIMITS:
        with pytest.raises((TypeError, CannotDifferentiate), match=LIMITS[name]):
            (own.value(drawn), own.check(drawn))
        return
    y = own.value(drawn)
    dy = np.random.default_rng(1).normal(size=y.shape)
    own.check(drawn)
    found = own.gradients(drawn, dy)
    for n in drawn:
        right = slopes(everyday, args, names.index(n), dy)
        assert np.max(np.abs(found[f"d{n}"] - right)) <= 1e-7 * max(1.0, np.max(np.abs(right)))


def test_at_least_95_percent_of_them_can_be_followed():
    assert len(FUNCTIONS) >= 150
    assert len(LIMITS) <= len(FUNCTIONS) / 20


def test_an_empty_result_tells_which_input_to_make_larger():
    def pool(x):
        return x[2:, 4:] * 1.0

    words = "forward gives an empty result, of shape (2, 0); x 4x3 is too small for it; give a larger one: x=4x6 does"
    with pytest.raises(ValueError, match=re.escape(words)) as said:
        verify_function(pool, lambda dy, x: dy, inputs=[(4, 3)], seed=0)
    assert "reference" not in str(said.value)
