"""The ledger of a backward pass: what each value is, and which line made it wrong."""

import importlib.util
import json
import sys
from dataclasses import replace
from types import ModuleType

import array_api_strict
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

from handgrad import Verdict, verify_function
from handgrad.explain.change import Searched
from handgrad.report.ledger import Ledger, LineVerdict
from handgrad.source.clock import clock
from handgrad.subjects.function import mending
from handgrad.subjects.function.case import Case, Kind
from handgrad.subjects.function.form import arrange
from handgrad.subjects.function.ledger import write_ledger
from handgrad.subjects.function.prepare import prepare

verify = sys.modules[verify_function.__module__]

MLP = """import numpy as np

def forward(x, W1, b1, W2, b2, W3, b3):
    z1 = x @ W1 + b1
    h1 = np.tanh(z1)
    z2 = h1 @ W2 + b2
    h2 = np.tanh(z2)
    z3 = h2 @ W3 + b3
    return z3, (x, h1, h2, W1, W2, W3)

def backward(dz3, cache):
    x, h1, h2, W1, W2, W3 = cache
    dW3, db3 = h2.T @ dz3, dz3.sum(axis=0)
    dh2 = dz3 @ W3.T
    slope = 1 - h2**2
    dz2 = dh2 * slope
    dW2, db2 = h1.T @ dz2, dz2.sum(axis=0)
    dh1 = dz2 @ W2.T
    dz1 = dh1 * (1 - h1**2)
    dW1, db1 = x.T @ dz1, dz1.sum(axis=0)
    dx = dz1 @ W1.T
    return dx, dW1, db1, dW2, db2, dW3, db3
"""
SHAPES = ((5, 4), (4, 3), (3,), (3, 6), (6,), (6, 2), (2,))
RIGHT, WRONG, INHERITED = LineVerdict.RIGHT, LineVerdict.WRONG, LineVerdict.INHERITED


def arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.fixture
def module(tmp_path, request):
    """Makes a module of a text."""

    def make(text: str) -> ModuleType:
        path = tmp_path / f"code_{len(list(tmp_path.iterdir()))}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        made = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
        request.addfinalizer(lambda: sys.modules.pop(path.stem, None))
        spec.loader.exec_module(made)
        return made

    return make


def ledger(forward, backward, *inputs):
    """The ledger without the judge, which takes longer; and by variable what it is, and the words of its verdict."""
    code, _, given = prepare(forward, backward, None, arrange(forward, None, inputs, {}))
    found = write_ledger(code, Case("given", given, Kind.GIVEN), 0, certified=False)
    assert found.problem == ""
    return found, {row.variable: (row.what, row.words) for row in found}


def test_it_prints_as_its_table(module):
    net = module(MLP.replace("dz1 = dh1 * (1 - h1**2)", "dz1 = dh1 * (1 - h1)"))
    lines = str(ledger(net.forward, net.backward, *arrays(*SHAPES))[0]).splitlines()
    assert lines[0].split() == ["line", "variable", "is", "the", "by", "hand", "autograd", "apart"]
    assert "wrong: 19 | dz1 = dh1 * (1 - h1)" in lines
    assert max(map(len, lines)) <= 80


def test_every_value_of_a_right_network_is_told_as_what_it_is(module):
    code = module(MLP)
    found, rows = ledger(code.forward, code.backward, *arrays(*SHAPES))
    names = ("x", "W1", "b1", "W2", "b2", "W3", "b3", "h1", "h2", "z1", "z2")
    assert {f"d{n}": (f"gradient of {n}", "right") for n in names}.items() <= rows.items()
    assert rows["h1"] == ("value of h1", "right")
    assert rows["slope"] == ("derivative of h2 by z2", "right")
    assert (found.culprit, found.suspect) == (None, None)
    row = next(row for row in found if row.variable == "dW2")
    assert (row.line, row.code) == (17, "dW2, db2 = h1.T @ dz2, dz2.sum(axis=0)")
    assert (row.shape, row.true.shape, row.times) == ((3, 6), (3, 6), 1)
    assert row.difference == abs(row.hand - row.autograd) <= row.bound


AFTER_DZ2 = {"dW2", "db2", "dh1", "dz1", "dW1", "db1", "dx"}
AFTER_DH1 = {"dz1", "dW1", "db1", "dx"}


@pytest.mark.parametrize(
    ("old", "new", "variable", "line", "after"),
    [
        ("slope = 1 - h2**2", "slope = 1 - h2", "slope", 15, {"dz2", *AFTER_DZ2}),
        ("dz2 = dh2 * slope", "dz2 = dh2", "dz2", 16, AFTER_DZ2),
        ("dh1 = dz2", "dh1 = -dz2", "dh1", 18, AFTER_DH1),
        ("h1.T @ dz2", "(x.T @ dz2)[:3]", "dW2", 17, set()),
        ("dz2.sum(axis=0)", "dz2.sum(axis=1)", "db2", 17, set()),
        ("dz1 @ W1.T", "dz1 @ W1.T * 1.5", "dx", 21, set()),
    ],
)
def test_a_slip_is_the_first_wrong_line_and_the_rest_follows_from_it(module, old, new, variable, line, after):
    code = module(MLP.replace(old, new))
    found, _ = ledger(code.forward, code.backward, *arrays(*SHAPES))
    assert (found.culprit.variable, found.culprit.line) == (variable, line)
    assert {row.variable for row in found if row.verdict is INHERITED} == after
    assert {row.because for row in found if row.verdict is INHERITED} <= {line}
    assert {row.variable for row in found if row.verdict is WRONG} == {variable}
    assert all(row.verdict is RIGHT for row in found if row.variable not in {variable, *after})
    if variable == "slope":  # what it should be depends on the line that multiplies by it
        assert found.suspect is None
    else:
        assert (found.suspect.line, found.suspect.function) == (line, "backward")
    assert not found.culprit.difference <= found.culprit.bound


def test_two_slips_are_two_wrong_lines(module):
    code = module(MLP.replace("dh1 = dz2", "dh1 = -dz2").replace("dz3.sum(axis=0)", "dz3.sum(axis=0) / 2"))
    found, _ = ledger(code.forward, code.backward, *arrays(*SHAPES))
    assert [row.variable for row in found if row.verdict is WRONG] == ["db3", "dh1"]
    assert {row.because for row in found if row.verdict is INHERITED} == {18}
    assert found.suspect is None


def test_what_has_no_name_is_right_if_all_is_right_and_unexplained_before_a_wrong_value():
    def forward(z):
        e = np.exp(z)
        return e / e.sum(axis=1, keepdims=True), e / e.sum(axis=1, keepdims=True)

    def backward(dy, y):
        s = (dy * y).sum(axis=1, keepdims=True)
        return y * (dy - s)

    def wrong(dy, y):
        s = (dy * y).sum(axis=0, keepdims=True)
        return y * (dy - s)

    assert ledger(forward, backward, *arrays((5, 4)))[1] == {"s": ("", "right"), "return": ("gradient of z", "right")}
    found, rows = ledger(forward, wrong, *arrays((5, 4)))
    assert rows == {"s": ("", "unexplained"), "return": ("gradient of z", "wrong, or what goes into it is")}
    assert "what goes into it is: " in str(found)
    assert found.suspect is None  # either of the two lines could be meant
    found, rows = ledger(forward, lambda dy, y: y * (dy - (dy * y).sum(axis=0, keepdims=True)), *arrays((5, 4)))
    assert rows == {"return": ("gradient of z", "wrong")}  # one line, and nothing unexplained goes into it


def test_a_closure():
    def make(scale, right):
        def forward(x, W):
            z = scale * (x @ W)
            return np.tanh(z), (x, np.tanh(z), W)

        def backward(dh, cache):
            x, h, W = cache
            dz = dh * (1 - h**2)
            dx = scale * dz @ W.T
            return dx, scale * x.T @ dz if right else x.T @ dz

        return forward, backward

    assert ledger(*make(3.0, True), *arrays((5, 4), (4, 3)))[1]["return[1]"] == ("gradient of W", "right")
    _, rows = ledger(*make(3.0, False), *arrays((5, 4), (4, 3)))
    assert rows["dz"] == ("gradient of z", "right")
    assert rows["return[1]"] == ("gradient of W", "wrong")


class Dense:
    def __init__(self, slip):
        self.W, self.slip = np.random.default_rng(1).normal(size=(4, 3)), slip

    def forward(self, x):
        self.x = x
        self.z = x @ self.W
        return np.sin(self.z)

    def backward(self, dy):
        dz = dy * (np.sin(self.z) if self.slip else np.cos(self.z))
        self.dW = self.x.T @ dz
        return dz @ self.W.T


def test_a_method():
    right, wrong = Dense(False), Dense(True)
    rows = ledger(right.forward, right.backward, *arrays((5, 4)))[1]
    assert rows == {
        "dz": ("gradient of self.z", "right"),
        "self.dW": ("", "unexplained"),  # leads to no gradient that is judged
        "return": ("gradient of x", "right"),
    }
    found, rows = ledger(wrong.forward, wrong.backward, *arrays((5, 4)))
    assert rows["dz"] == ("gradient of self.z", "wrong")
    line = found.culprit.line
    assert rows["self.dW"][1] == rows["return"][1] == f"wrong because of line {line}"


def relu_rows(x, W):
    z = x @ W
    return torch.relu(z).sum(dim=1), (x, z, W)


def relu_rows_backward(dy, cache):
    x, z, W = cache
    dh = dy[:, None].expand(-1, 3)
    dz = dh * (z > 0)
    return dz @ W.T, x.T @ dz


def relu_rows_wrong(dy, cache):
    x, z, W = cache
    dh = dy[:, None].expand(-1, 3)
    dz = dh * (z < 0)
    return dz @ W.T, x.T @ dz


def test_a_torch_function():
    inputs = [torch.as_tensor(a) for a in arrays((5, 4), (4, 3))]
    assert ledger(relu_rows, relu_rows_backward, *inputs)[1]["dz"] == ("gradient of z", "right")
    found, rows = ledger(relu_rows, relu_rows_wrong, *inputs)
    assert rows["dz"] == ("gradient of z", "wrong")
    assert found.suspect.text.strip() == "dz = dh * (z < 0)"


@pytest.mark.parametrize("asarray", [np.asarray, array_api_strict.asarray, torch.as_tensor])
def test_code_of_the_array_api(asarray):
    def forward(x, W):
        z = x @ W
        return array_namespace(z).sin(z), (x, z, W)

    def backward(dy, cache):
        x, z, W = cache
        dz = dy * array_namespace(z).sin(z)
        return dz @ W.T, x.T @ dz

    found, rows = ledger(forward, backward, *map(asarray, arrays((5, 4), (4, 3))))
    assert rows["dz"] == ("gradient of z", "wrong")
    assert found.suspect.text.strip() == "dz = dy * array_namespace(z).sin(z)"


class Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W):
        z = x @ W
        ctx.save_for_backward(x, W, z)
        return torch.sin(z)

    @staticmethod
    def backward(ctx, dy):
        x, W, z = ctx.saved_tensors
        dz = dy * torch.cos(z)
        dW = x.T @ dz
        return dz @ W.T, 2 * dW


def test_an_autograd_function():
    inputs = [torch.as_tensor(a) for a in arrays((5, 4), (4, 3))]
    found, rows = ledger(Scaled, None, *inputs)
    assert rows["dz"] == ("gradient of z", "right")
    assert rows["dW"] == ("gradient of W", "right")
    assert rows["return[1]"] == ("gradient of W", "wrong")
    assert found.suspect.text.strip() == "return dz @ W.T, 2 * dW"


def stack(x, W1, W2, W3):
    Ws, hs, h = [W1, W2, W3], [x], x
    for W in Ws:
        z = h @ W
        h = np.tanh(z)
        hs.append(h)
    return h, (Ws, hs)


def stack_backward(dh, cache):
    Ws, hs = cache
    grads = {}
    for i in (2, 1, 0):
        dz = dh * (1 - hs[i + 1] ** 2)
        grads[f"W{i + 1}"] = hs[i].T @ dz
        dh = dz @ Ws[i].T
    grads["x"] = dh
    return grads


def stack_wrong(dh, cache):
    Ws, hs = cache
    grads = {}
    for i in (2, 1, 0):
        dz = dh * (1 - hs[i + 1])
        grads[f"W{i + 1}"] = hs[i].T @ dz
        dh = dz @ Ws[i].T
    grads["x"] = dh
    return grads


def test_a_loop_is_one_row_with_its_count():
    inputs = arrays((5, 4), (4, 3), (3, 6), (6, 2))
    found, rows = ledger(stack, stack_backward, *inputs)
    assert rows["dz"] == ("gradient of z (1 of 3)", "right")
    assert {row.variable: row.times for row in found}["dz"] == 3
    found, rows = ledger(stack, stack_wrong, *inputs)
    assert rows["dz"] == ("gradient of z (3 of 3)", "wrong")
    assert [row.variable for row in found if row.verdict is WRONG] == ["dz"]
    assert found.suspect.text.strip() == "dz = dh * (1 - hs[i + 1])"


def summed(x, W):
    h = x @ W
    h[h < 0] = 0
    return h.sum(axis=1), (x, W, h)


def summed_backward(dy, cache):
    x, W, h = cache
    dh = np.zeros_like(h)
    dh += dy[:, None]
    dh[h <= 0] = 0
    dW = np.zeros_like(W)
    for i in range(len(x)):
        dW += np.outer(x[i], dh[i])
    return dh @ W.T, dW


def test_a_variable_that_is_written_into_has_a_row_for_every_statement():
    found, _ = ledger(summed, summed_backward, *arrays((5, 4), (4, 3)))
    assert [(row.what, row.times) for row in found if row.variable == "dW"] == [("zeros", 1), ("gradient of W", 5)]
    assert [row.what for row in found if row.variable == "dh"][1] == "gradient of h"
    assert all(row.verdict is RIGHT for row in found)


def test_at_a_kink_a_certified_pass_has_no_wrong_line():
    def forward(z):
        return np.maximum(z, 0), z

    def backward(dh, z):
        dz = dh * (z >= 0)
        return dz

    report = verify_function(forward, backward, inputs=[np.array([-1.0, 0.0, 2.0])], seed=0)
    assert report.verdict is Verdict.CERTIFIED
    assert [row.words for row in report.ledger] == ["right"]


def test_wrong_in_a_lower_precision_too():
    inputs = [a.astype(np.float32) for a in arrays((5, 4), (4, 3))]

    def forward(x, W):
        z = x @ W
        return z**2, (x, W, z)

    def backward(dy, cache):
        x, W, z = cache
        dz = dy * z
        return dz @ W.T, x.T @ dz

    assert ledger(forward, backward, *inputs)[1]["dz"] == ("gradient of z", "wrong")


def test_json_has_the_rows_and_no_arrays(module):
    code = module(MLP.replace("dh1 = dz2", "dh1 = -dz2"))
    report = verify_function(code.forward, code.backward, inputs=arrays(*SHAPES), seed=0, mend=0)
    told = json.loads(report.to_json())["ledger"]
    assert [row["variable"] for row in told["rows"]] == [row.variable for row in report.ledger]
    row = next(row for row in told["rows"] if row["variable"] == "dz1")
    assert (row["words"], row["because"], row["what"]) == ("wrong because of line 18", 18, "gradient of z1")
    assert "true" not in row
    assert report.ledger is report.ledger  # kept once


def test_a_report_that_is_certified_keeps_no_ledger_until_it_is_asked(monkeypatch):
    from handgrad.subjects.function import ledger as of_functions

    def refuse(*args):
        raise AssertionError("nobody asked")

    monkeypatch.setattr(of_functions, "trace", refuse)
    report = verify_function(np.tanh, lambda dh, z: dh * (1 - np.tanh(z) ** 2), inputs=arrays((3,)), seed=0)
    assert report.verdict is Verdict.CERTIFIED


def without_source(names):
    scope = {"np": np}
    exec("def forward(z):\n    return np.tanh(z)\ndef backward(dh, z):\n    return dh * (1 - np.tanh(z))", scope)
    return [scope[name] for name in names]


def opens_a_file(dh, z):
    if dh is None:
        open("log")  # noqa: SIM115
    return dh * (1 - np.tanh(z))


@pytest.mark.parametrize(
    ("backward", "why"),
    [
        (without_source(["backward"])[0], "the source of the backward pass cannot be read"),
        (opens_a_file, "the code does more than compute (it opens files, or runs others), so it is not traced"),
    ],
)
def test_no_ledger_says_why(backward, why):
    report = verify_function(np.tanh, backward, inputs=arrays((3,)), seed=0, mend=0)
    assert (report.ledger.rows, report.ledger.problem) == ((), why)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, dy):
        return 3 * dy


class Module(torch.nn.Module):
    def forward(self, x):
        return Doubled.apply(x)


INSIDE = "the backward pass stands inside forward, where its values are not seen; give the torch.autograd.Function"


@pytest.mark.parametrize(
    ("forward", "backward", "reference", "x", "why"),
    [
        (Module(), None, lambda x: 2 * x, torch.ones(3), INSIDE),
        (lambda x: Doubled.apply(x), None, lambda x: 2 * x, torch.ones(3), INSIDE),
        (jnp.sin, lambda dy, x: dy, torch.sin, jnp.ones(3), "JAX compiles the code, so the values inside it are not"),
    ],
)
def test_no_ledger_of_what_stands_inside(forward, backward, reference, x, why):
    found = verify_function(forward, backward, reference, [x], seed=0, mend=0).ledger
    assert found.rows == ()
    assert found.problem.startswith(why)


def test_nothing_of_the_code_is_changed(module):
    code = module(MLP.replace("dh1 = dz2", "dh1 = -dz2"))
    inputs = arrays(*SHAPES)
    before = [a.copy() for a in inputs]
    ledger(code.forward, code.backward, *inputs)
    assert all(np.array_equal(a, b) for a, b in zip(inputs, before, strict=True))
    layer = Dense(True)
    ledger(layer.forward, layer.backward, *arrays((5, 4)))
    assert layer.W.shape == (4, 3)
    assert not hasattr(layer, "handgrad")


def largest(x):
    a = np.maximum(x, 0)
    return a.max(axis=1), (a.argmax(axis=1), x)


def at_the_largest(factor, mask):
    def backward(dy, cache):
        best, x = cache
        da = np.zeros_like(x)
        da[np.arange(len(x)), best] = factor * dy
        dx = da * (x > 0) if mask else da
        return dx

    return backward


def test_a_line_is_not_named_for_the_gradient_of_another_value_than_its_name_says():
    """Where a row of a is zero, which entry is its largest nobody knows, so da is not known to be right."""
    x = np.array([[1.0, 2.0, -1.0], [-1.0, -2.0, -0.5]])
    found, _ = ledger(largest, at_the_largest(factor=1, mask=False), x)
    assert found.suspect is None

    def unnamed(dy, cache):
        best, x = cache
        t = np.zeros_like(x)
        t[np.arange(len(x)), best] = dy
        dx = t
        return dx

    found, _ = ledger(largest, unnamed, x)
    assert found.suspect is None
    found, _ = ledger(largest, at_the_largest(factor=2, mask=True), x)
    assert found.suspect.text.strip() == "da[np.arange(len(x)), best] = factor * dy"


def carried(x, W):
    h = np.tanh(x @ W)
    return h + x, (x, W, h)


def carried_wrong(dy, cache):
    """The first line is wrong, though it is the gradient of h."""
    x, W, h = cache
    dz = dy * (1 - h * h)
    dx = 2 * dy
    dx = dx + dz @ W.T
    return dx, x.T @ dz


def path_left_out(dy, cache):
    """What the second line gives is added nowhere."""
    x, W, h = cache
    dx = 1.0 * dy
    dz = dy * (1 - h * h)
    passed = dz @ W.T  # noqa: F841
    return dx, x.T @ dz


def scattered(x):
    return x[np.array([0, 1, 1])], (x,)


def scattered_wrong(dy, cache):
    """Zeros are right; what is added to them is not."""
    (x,) = cache
    dx = np.zeros_like(x)
    np.add.at(dx, np.array([0, 1, 0]), dy)
    return dx


def test_no_line_is_named_for_one_before_it_one_that_is_missing_or_a_call_that_writes():
    assert ledger(carried, carried_wrong, *arrays((4, 3), (3, 3)))[0].suspect is None
    assert ledger(carried, path_left_out, *arrays((4, 3), (3, 3)))[0].suspect is None
    assert ledger(scattered, scattered_wrong, *arrays((2, 3)))[0].suspect is None


@pytest.mark.parametrize("seconds", [0.05, 5])
def test_the_ledger_takes_no_time_that_the_search_has_used_up(seconds, monkeypatch):
    asked = []

    def search(*args):
        end = clock() + 0.2
        while clock() < end:
            pass
        return Searched()

    def keep(*args, deadline=np.inf):
        asked.append(deadline)
        return Ledger()

    monkeypatch.setattr(mending, "find_change", search)
    monkeypatch.setattr(verify, "keep_ledger", keep)
    begun = clock()
    verify_function(np.tanh, lambda dy, x: dy, inputs=[(3,)], seed=0, mend=seconds)
    assert len(asked) == (seconds == 5)
    assert all(deadline > begun + 4 for deadline in asked)


def test_nothing_is_asked_of_a_wrong_value_after_the_deadline(module):
    net = module(MLP.replace("dz1 = dh1 * (1 - h1**2)", "dz1 = dh1 * (1 - h1)"))
    code, _, given = prepare(net.forward, net.backward, None, arrange(net.forward, None, arrays(*SHAPES), {}))
    case = Case("given", given, Kind.GIVEN)
    assert write_ledger(code, case, 0, certified=False).culprit is not None
    assert write_ledger(code, case, 0, certified=False, deadline=-np.inf).culprit is None


@pytest.mark.mends
def test_where_no_change_is_found_the_ledger_names_the_line():
    """dh comes before dz and could make everything right as well; but it is right, and dz is not."""

    def forward(x, W):
        z = x @ W
        h = np.sin(z) * np.exp(-z)
        return 2 * h, (x, W, z)

    def backward(dy, cache):
        x, W, z = cache
        dh = 2 * dy
        dz = dh * np.arctan(z + 0.37)
        return dz @ W.T, x.T @ dz

    report = verify_function(forward, backward, inputs=arrays((5, 4), (4, 3)), seed=0, mend=5)
    assert report.change is None
    assert report.place is not None
    assert report.place.text.strip() == "dz = dh * np.arctan(z + 0.37)"


def test_where_the_forward_passes_differ_no_line_of_the_backward_pass_is_blamed(monkeypatch):
    def forward(x, w):
        z = x * w
        h = np.tanh(z)
        return h, (x, w, h)

    def backward(dy, cache):
        x, w, h = cache
        dz = dy * (1 - h)
        return dz * w, (dz * x).sum(0)

    monkeypatch.setattr(mending, "find_change", lambda *args: Searched())
    own, other = (
        verify_function(forward, backward, reference, [(3, 4), (4,)], seed=1, mend=5)
        for reference in (lambda x, w: torch.tanh(x * w), lambda x, w: torch.tanh(x + w))
    )
    assert own.place.text.strip() == "dz = dy * (1 - h)"
    assert own.place.words.startswith("dz should be the gradient of z: at [")
    assert f"= {own.place.words}" in " ".join(own.text().replace("|", "").split())
    assert other.place is None
    assert "the forward passes differ" in other.text()


HELPED = """import numpy as np

def dense_backward(dz, x, W):
    dW = x.T @ dz
    dx = dz @ W.T
    return dx, dW

def forward(x, W1, W2):
    h1 = x @ W1
    h2 = h1 @ W2
    return h2, (x, h1, W1, W2)

def backward(dh2, cache):
    x, h1, W1, W2 = cache
    dh1, dW2 = dense_backward(dh2, h1, W2)
    dx, dW1 = dense_backward(dh1, x, W1)
    return dx, dW1, dW2
"""


def test_a_helper_that_is_given_the_wrong_thing_is_not_what_is_wrong(module):
    inputs = arrays((5, 4), (4, 4), (4, 4))
    code = module(HELPED)
    assert all(row.verdict is RIGHT for row in ledger(code.forward, code.backward, *inputs)[0])
    code = module(HELPED.replace("dense_backward(dh1, x, W1)", "dense_backward(dh1, x, W2)"))
    found, rows = ledger(code.forward, code.backward, *inputs)
    assert rows["W"] == ("value of W2", "right")
    assert (found.culprit.variable, found.culprit.times) == ("dx", 2)
    assert found.suspect is None  # the line is that of the helper, the mistake its caller's
    code = module(HELPED.replace("dz @ W.T", "dz @ W"))
    found, _ = ledger(code.forward, code.backward, *inputs)
    assert found.suspect.text.strip() == "dx = dz @ W"


COMPUTED = """import numpy as np

def dense_backward(dz, x, W):
    dW = x.T @ dz
    return dz @ W.T, dW

def forward(x, W1, W2):
    z = x @ W1
    h = np.tanh(z)
    return h @ W2, (x, h, W1, W2)

def backward(dy, cache):
    x, h, W1, W2 = cache
    dh, dW2 = dense_backward(dy, h, W2)
    dx, dW1 = dense_backward(dh * (1 - h**2), x, W1)
    return dx, dW1, dW2
"""


def test_the_line_that_hands_a_helper_something_wrong_is_what_is_wrong(module):
    inputs = arrays((5, 4), (4, 3), (3, 2))
    code = module(COMPUTED)
    _, rows = ledger(code.forward, code.backward, *inputs)
    assert rows["argument (of dense_backward)"] == ("gradient of z", "right")
    code = module(COMPUTED.replace("1 - h**2", "1 - h"))
    found, rows = ledger(code.forward, code.backward, *inputs)
    assert rows["dz"] == ("gradient of z", "wrong because of line 15")
    assert (found.culprit.variable, found.culprit.line) == ("argument (of dense_backward)", 15)
    assert found.suspect.text.strip() == "dx, dW1 = dense_backward(dh * (1 - h), x, W1)"
    report = verify_function(code.forward, code.backward, inputs=inputs, seed=1, mend=0)
    words = "what dense_backward is given is not the gradient of z; dx and dW1 are wrong because of it. dW2 is right."
    assert replace(report, suspect=found.suspect).sentence == words


def test_a_file_that_was_saved_again_is_read_again(tmp_path):
    path = tmp_path / "code.py"
    for slip in ("", " * 1.5"):
        path.write_text(MLP.replace("dz1 @ W1.T", f"dz1 @ W1.T{slip}"))
        scope = {}
        exec(compile(path.read_text(), str(path), "exec"), scope)
        found, _ = ledger(scope["forward"], scope["backward"], *arrays(*SHAPES))
        assert ("dx = dz1 @ W1.T" + slip) in [row.code for row in found]
