"""verify_function on code as people write it: right code passes, wrong code is refuted, and the report says why."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from handgrad.arrays.precision import to64
from handgrad.judge.rules import UNINFORMATIVE
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.verify import verify_function
from tests.handgrad.subjects.functions import (
    AFFINE,
    LABELS,
    RIGHT,
    WRONG,
    affine,
    judged,
    refuted,
    sigmoid,
    softmax_back,
    softplus,
    square,
)


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_passes(name):
    report = verify_function(*RIGHT[name], seed=3)
    assert report.verdict is Verdict.CERTIFIED, report.text()


@pytest.mark.parametrize("name", RIGHT)
def test_right_code_passes_in_float32(name):
    forward, backward, reference, inputs = RIGHT[name]
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=i).astype(np.float32) if isinstance(i, tuple) else i for i in inputs]
    report = verify_function(forward, backward, reference, arrays, seed=4)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.dtype == "float32"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_code_is_refuted(name):
    right, backward = WRONG[name]
    forward, _, reference, inputs = RIGHT[right]
    report = verify_function(forward, backward, reference, inputs, seed=3)
    assert report.verdict is Verdict.REFUTED, report.text()
    assert report.culprit.isolated.worst.name != "y"


def test_forward_passes_of_different_functions_say_nothing_of_gradients():
    report = refuted(sigmoid, lambda dy, s: dy * s * (1 - s), torch.tanh, "the forward passes differ: y[")
    assert [t.name for t in report.stages[0].isolated.tensors] == ["y"]


def test_forward_of_another_shape():
    refuted(
        lambda x: (x.sum(axis=1, keepdims=True), x),
        lambda dy, x: dy * np.ones_like(x),
        lambda x: x.sum(1),
        "the forward passes differ: right values in another shape: (4, 1), expected (4,)",
    )


def test_nearly_equal_forward_passes_are_unresolved():
    """A softplus that is x above 20: 2e-9 off, and nobody's rounding."""
    cut = lambda x: torch.where(x > 20, x, F.softplus(x))  # noqa: E731
    report = judged(softplus, RIGHT["softplus"][1], cut, [np.array([-1.0, 3.0, 21.5])])
    assert report.verdict is Verdict.UNRESOLVED
    assert "inexact reference" in report.text(width=10_000)


@pytest.mark.parametrize(
    ("grads", "words"),
    [
        (
            lambda dy, c: (dy @ c[1].T, (c[0].T @ dy).T, dy.sum(0)),
            "dw: right values in another shape: (4, 3), expected (3, 4)",
        ),
        (
            lambda dy, c: (dy @ c[1].T, c[0].T @ dy, dy.sum(0)[:, None]),
            "db: right values in another shape: (4, 1), expected (4,)",
        ),
        (lambda dy, c: (dy @ c[1].T, c[0].T @ dy, dy), "db: shape is (5, 4), expected (4,): right once summed"),
        (lambda dy, c: (dy @ c[1].T, c[0].T @ dy), "returned 2 gradients, expected 3, for x, w, b"),
        (lambda dy, c: {"dx": dy @ c[1].T, "dw": c[0].T @ dy}, "db: the gradient is absent (None)"),
        (lambda dy, c: {"dA": dy @ c[1].T}, "backward returned no gradient for x, w, b (keys: dA)"),
        (lambda dy, c: (None, None, None), "dx, dw and db: backward returned nothing but None: has it no return"),
        (lambda dy, c: None, "dx, dw and db: backward returned nothing but None: has it no return statement?"),
        (lambda dy, c: (None, None, dy.sum(0)), "dx and dw: the gradient is absent (None), and it is not zero"),
        (lambda dy, c, more: dy, "backward takes 3 arguments, expected backward(dy, cache)"),
    ],
)
def test_reasons_of_a_wrong_return(grads, words):
    refuted(affine, grads, RIGHT["affine"][2], words, AFFINE)


def test_wrong_values_in_another_shape_are_not_called_right():
    grads = lambda dy, c: (dy @ c[1].T, 1.001 * (c[0].T @ dy).T, dy.sum(0))  # noqa: E731
    report = refuted(affine, grads, RIGHT["affine"][2], "dw: shape is (4, 3), expected (3, 4)", AFFINE)
    assert "right values" not in report.text(width=10_000)


def test_an_input_that_y_does_not_depend_on_has_gradient_zero():
    forward, reference = lambda x, unused: (2 * x, unused), lambda x, unused: 2 * x
    report = judged(forward, lambda dy, unused: (2 * dy, 0 * unused), reference, [(3,), (2,)])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    refuted(forward, lambda dy, unused: (2 * dy, unused), reference, "dunused", [(3,), (2,)])


def test_none_is_right_where_the_gradient_is_zero():
    report = judged(*RIGHT["mse"])
    assert report.verdict is Verdict.CERTIFIED
    assert "backward gives no gradient for target, where the reference's is zero" in report.notes


def test_none_is_wrong_where_it_is_not():
    forward, backward, _, inputs = RIGHT["mse"]
    report = refuted(forward, backward, F.mse_loss, "dtarget: the gradient is absent (None), and it is", inputs)
    assert report.culprit.diagnosis.name == "the gradient is absent"


def test_a_backward_pass_without_upstream_is_completed_and_admitted():
    report = judged(*RIGHT["derivative"])
    assert "backward takes no upstream gradient: what it gives, times a random dy, was judged" in report.notes


def test_an_ignored_upstream_is_named():
    refuted(
        lambda x: (np.sum(x**2), x),
        lambda dy, x: 2 * x,
        lambda x: (x**2).sum(),
        "right only for an upstream gradient of ones",
    )


@pytest.mark.parametrize("inside", ["result", "middle"])
def test_float32_inside(inside):
    def backward(dy, s):
        narrow = (dy * s * (1 - s)).astype(np.float32)
        return narrow if inside == "result" else narrow.astype(np.float64)

    refuted(sigmoid, backward, torch.sigmoid, "float32")


def square_back_with_one_entry_off(dy, x):
    out = 2 * x * dy
    out[0, 0] *= 1 + 1e-12
    return out


@pytest.mark.parametrize(
    ("backward", "dtype"),
    [
        *((lambda dy, x, e=e: 2 * x * dy * (1 + e), np.float64) for e in (1e-8, 1e-10, 1e-12)),
        (lambda dy, x: 2 * x * dy * (1 + 1e-8 * abs(x)), np.float64),
        (square_back_with_one_entry_off, np.float64),
        (lambda dy, x: 2 * x * dy * (1 + 1e-5), np.float32),
    ],
)
def test_a_small_mistake_is_no_coarse_rounding(backward, dtype):
    x = np.random.default_rng(1).normal(size=(6, 5)).astype(dtype)
    for given in (x, torch.as_tensor(x)):
        text = judged(square, backward, lambda x: x * x, [given]).text(width=10_000)
        assert text.startswith("REFUTED"), text
        assert "inside, or loses as much" not in text


def test_a_part_in_float32_is_told():
    """The result itself is no float32 number: only the size and the signs of the error say so."""
    back = lambda dy, s: dy * (s * (1 - s)).astype(np.float32).astype(np.float64)  # noqa: E731
    refuted(sigmoid, back, torch.sigmoid, "computes in float32 inside", [(6, 5)])


def test_no_diagnosis_where_all_inputs_are_equal():
    report = refuted(
        lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x >= 0), torch.relu, "another value at the kink."
    )
    rows = {row.name: row for row in report.stages}
    assert rows["zeros"].isolated.verdict is Verdict.REFUTED
    assert [row.name for row in report.stages if row.diagnosis] == ["kinks"]


def test_no_diagnosis_at_a_single_zero():
    """A mask by the output leaves 0 at 0, and so do many formulas; no fresh draw of a zero is another number."""
    for seed in range(6):
        report = verify_function(
            lambda x: (np.tanh(x),) * 2, lambda dh, h: dh * (1 - h * h) * (h > 0), torch.tanh, [(1, 1)], seed=seed
        )
        assert report.verdict is Verdict.REFUTED
        assert not any(row.diagnosis and row.diagnosis.known for row in report.stages), report.text()


def test_an_unsummed_bias_gradient_of_one_sample_is_not_told_from_a_reshaped_one():
    x, W, b = (np.random.default_rng(2).normal(size=s) for s in ((1, 3), (3, 4), (4,)))
    report = refuted(
        affine, lambda dy, c: (dy @ c[1].T, c[0].T @ dy, +dy), RIGHT["affine"][2],
        "not summed over the batch of 1, or right values reshaped", (x, W, b),
    )  # fmt: skip
    name = report.stages[0].diagnosis.name
    assert "the gradient is not reduced over the batch" in name
    assert "cannot be told apart" in name


@pytest.mark.parametrize(("shapes", "axis"), [(((5, 1), (5,)), 1), (((5,), (5, 1)), 0)])
def test_a_target_of_another_shape_is_told_by_the_axis_it_spreads(shapes, axis):
    """(N, 1) against (N,): every output meets every target, and the batch is not what is left over."""
    y, t = (np.random.default_rng(2).normal(size=s) for s in shapes)
    report = refuted(
        lambda y, t: (np.mean((y - t) ** 2), y - t), lambda dE, e: (2 * dE * e / e.size, None),
        lambda y, t: torch.mean((y - t.detach()) ** 2), "once summed over the axes that were broadcast", (y, t),
    )  # fmt: skip
    name = report.stages[0].diagnosis.name
    assert name == f"the gradient is not reduced along axis {axis}, which was broadcast"


@pytest.mark.parametrize("N", [4, 5])
def test_a_bias_gradient_summed_over_everything(N):
    back = lambda dy, c: (dy @ c[1].T, c[0].T @ dy, dy.sum())  # noqa: E731
    report = refuted(affine, back, RIGHT["affine"][2], "the sum over the units as well", [(N, 3), (3, 4), (4,)])
    assert "over the batch" not in report.stages[0].diagnosis.name


@pytest.mark.parametrize(
    ("forward", "words"),
    [
        (lambda x: [x * x, None], "forward returned a list of 2, expected an array y or the tuple"),
        (lambda x: [x * x, x], "forward returned a list of 2, expected an array y or the tuple"),
        (lambda x: {"y": x * x}, "forward returned a dict of 1, expected an array y or the tuple"),
        (lambda x: None, "forward returned None, expected an array y or (y, cache)"),
        (lambda x: (None, x), "forward returned (None, cache), expected an array y or (y, cache)"),
        (lambda x: (x * x + 5j, x), "forward returned complex128 numbers, expected real ones"),
    ],
)
def test_forward_must_return_an_array_or_a_pair(forward, words):
    refuted(forward, lambda dy, x: 2 * x * dy, lambda x: x * x, words)


def test_right_for_this_batch_size_only():
    forward, _, reference, inputs = RIGHT["mse"]
    report = refuted(
        forward, lambda d, c: (2 * d * (c[0] - c[1]) / 15, None), reference, "right at the sizes given only", inputs
    )
    assert report.stages[0].isolated.verdict is Verdict.CERTIFIED


@pytest.mark.parametrize("reached", ["forward", "backward"])
def test_code_that_raises_is_unresolved(reached):
    def boom(*_):
        raise KeyError("no such cache")

    report = judged(*((boom, boom) if reached == "forward" else (sigmoid, boom)), torch.sigmoid)
    assert report.verdict is Verdict.UNRESOLVED
    text = report.text(width=10_000)
    assert f"{reached} raises KeyError" in text
    assert "= KeyError: 'no such cache'" in text
    assert "test_function.py:" in report.text(width=10_000)


def test_values_that_are_not_finite_are_refuted():
    def forward(x):
        e = np.exp(x)
        p = e / e.sum(axis=1, keepdims=True)
        return p, p

    report = refuted(
        forward, softmax_back, lambda x: torch.softmax(x, 1), "forward gives values that are not finite: y["
    )
    assert report.stages[0].isolated.verdict is Verdict.CERTIFIED


def test_an_inexact_reference_does_not_convict():
    """A reference whose own backward pass is off by 1e-6: the code's forward pass bears the code out."""

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.sin(x)

        @staticmethod
        def backward(ctx, g):
            return g * torch.cos(ctx.saved_tensors[0]) * (1 + 1e-6)

    x = np.random.default_rng(0).normal(size=(4, 3))
    report = judged(lambda x: (np.sin(x), x), lambda dy, x: dy * np.cos(x), Off.apply, [x])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert any("the reference is inexact here" in note for note in report.notes)
    wrong = judged(lambda x: (np.sin(x), x), lambda dy, x: dy * np.cos(x) * (1 + 2e-6), Off.apply, [x])
    assert wrong.verdict is Verdict.REFUTED


def test_no_quotient_bears_out_a_choice_at_a_kink():
    """At a kink a central difference is half the jump: it must not acquit code that says so."""
    x = np.array([-1.0, 0.0, 2.0])
    half = judged(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * ((x > 0) + 0.5 * (x == 0)), torch.relu, [x])
    assert half.verdict is Verdict.REFUTED


def test_a_reference_that_cancels_is_allowed_its_own_rounding():
    x = np.random.default_rng(2).normal(size=20)
    report = judged(lambda x: (2 * x, None), lambda dy, _: 2 * dy, lambda x: ((1e3 * x + 1) - 1e3 * x) + 2 * x - 1, [x])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.stages[0].isolated.worst.ratio > 1e-3


def test_seed_and_slack():
    first, again, other = (judged(*RIGHT["gelu"]), judged(*RIGHT["gelu"]), verify_function(*RIGHT["gelu"], seed=8))
    assert first.to_dict() == again.to_dict() != other.to_dict()
    nearly = lambda dy, s: dy * s * (1 - s) * (1 + 1e-12)  # noqa: E731
    assert judged(sigmoid, nearly, torch.sigmoid).verdict is Verdict.REFUTED
    assert judged(sigmoid, nearly, torch.sigmoid, slack=1e6).verdict is Verdict.CERTIFIED


@pytest.mark.parametrize(
    ("kwargs", "error", "words"),
    [
        ({"forward": 3}, TypeError, "forward: got int"),
        ({"reference": 1.0}, TypeError, "reference: got float"),
        ({"backward": 1.0}, TypeError, "backward: got float"),
        ({"inputs": (4, 3)}, TypeError, "wrap a single one in a list"),
        ({"inputs": np.ones(3)}, TypeError, "inputs: got ndarray"),
        ({"inputs": [LABELS]}, ValueError, "no floating-point array or shape"),
        ({"inputs": []}, ValueError, "no floating-point array or shape"),
        ({"inputs": [np.ones(2, np.longdouble)]}, TypeError, "longdouble|float128"),
        ({"slack": 0.5}, ValueError, "slack is 0.5, expected a finite number"),
        ({"slack": "a"}, TypeError, r"slack is 'a' \(str\), expected a finite number"),
        ({"inputs": [(3,), (3,)]}, TypeError, r"inputs: got 2 \(x0, x1\), but forward takes \(x\)"),
        ({"reference": lambda x, w: x}, TypeError, r"inputs: got 1 \(x\), but reference takes \(x, w\)"),
        ({"inputs": [np.full(3, np.nan)]}, ValueError, "inputs: x has 3 values that are not finite"),
        ({"reference": lambda x: x.view(7, 7)}, ValueError, "the reference raised RuntimeError"),
        ({"reference": lambda x: x.long()}, ValueError, "reference returned a Tensor, expected a floating-point"),
    ],
)
def test_bad_arguments(kwargs, error, words):
    good = {
        "forward": sigmoid,
        "backward": lambda dy, s: dy * s * (1 - s),
        "reference": torch.sigmoid,
        "inputs": [(3,)],
    }
    with pytest.raises(error, match=words):
        verify_function(**{**good, **kwargs})


def test_a_bound_as_large_as_the_value_certifies_nothing():
    """1 - tanh^2 is 0 at 20, the right value 1e-17: inside the bound, and so would be 10 times as much."""
    steady = lambda x: 1 - 2 / (torch.exp(2 * x) + 1)  # noqa: E731
    forward, backward = lambda x: (np.tanh(x),) * 2, lambda dy, y: dy * (1 - y * y)
    x = 20 + np.random.default_rng(0).normal(size=(4, 3))
    given = judged(forward, backward, steady, [x])
    assert given.verdict is Verdict.UNRESOLVED
    assert f"dx: {UNINFORMATIVE}" in given.text(width=10_000)
    mixed = judged(forward, backward, steady, [np.concatenate([x[:1], 0 * x[1:] + 0.5])])
    assert mixed.verdict is Verdict.UNRESOLVED
    assert "dx: no digit of 3 of 12 entries is left in float64" in mixed.text(width=10_000)


def test_what_is_zero_but_for_rounding_is_certified():
    """The gradient of a shift before a mean is taken off is zero; autograd gives 1e-17 or so."""

    def forward(x, b):
        z = x + b
        return z - z.mean(axis=0), None

    def backward(dy, _):
        dz = dy - dy.mean(axis=0)
        return dz, dz.sum(axis=0)

    report = judged(forward, backward, lambda x, b: x + b - (x + b).mean(0), [(7, 3), (3,)])
    assert report.verdict is Verdict.CERTIFIED, report.text()
    db = next(t for t in report.stages[0].isolated.tensors if t.name == "db")
    assert db.floor_median > 1


def test_complex_gradients_are_refused():
    refuted(
        square, lambda dy, x: 2 * x * dy + 5j, torch.square, "for dx, returned complex128 numbers, expected real ones"
    )
    with pytest.raises(TypeError, match="complex128"):
        to64(np.ones(2) + 1j)


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda dy, h: np.clip(dy * (1 - h * h), -5, 5), "dx for 2^20 dy is not 2^20 times dx"),
        (lambda dy, h: np.where(np.abs(dy) > 1e-3, dy, 0) * (1 - h * h), "dx for 2^-20 dy is not 2^-20 times dx"),
        (lambda dy, h: np.abs(dy) * (1 - h * h), "dx for -1 dy is not -1 times dx"),
        (lambda dy, h: dy * (1 - h * h) if dy.any() else dy + 1, "zero upstream gradient gives zero: dx is not zero"),
    ],
)
def test_what_is_not_linear_in_dy(backward, words):
    x = np.random.default_rng(0).normal(size=(1, 3))
    tanh = lambda x: (np.tanh(x),) * 2  # noqa: E731
    for seed in range(40):
        report = verify_function(tanh, backward, torch.tanh, [x], seed=seed)
        if report.stages[0].isolated.verdict is Verdict.CERTIFIED:  # the dy drawn may give it away
            break
    assert report.verdict is Verdict.REFUTED, report.text()
    assert words in report.text(width=10_000)


def test_a_guided_relu_is_refuted_whatever_dy_was_drawn():
    guided = lambda dy, x: dy * (x > 0) * (dy > 0)  # noqa: E731
    x = np.array([[1.0, 2.0, -3.0]])
    verdicts = {
        verify_function(lambda x: (np.maximum(x, 0), x), guided, torch.relu, [x], seed=s).verdict for s in range(9)
    }
    assert verdicts == {Verdict.REFUTED}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_another_precision_than_the_inputs_is_told(dtype):
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(dtype)
    report = judged(lambda x: (np.tanh(x),) * 2, lambda dy, h: np.float64(dy * (1 - h * h)), torch.tanh, [x])
    assert report.verdict is Verdict.CERTIFIED
    told = "dtype and device are kept: no, dx has dtype float64, expected float32" in report.notes
    assert told is (dtype is np.float32)


def test_overflow_at_large_inputs_is_told():
    naive = lambda x: (np.exp(x) / (1 + np.exp(x)),) * 2  # noqa: E731
    report = judged(naive, lambda dy, s: dy * s * (1 - s), torch.sigmoid, [np.array([0.5, -2.0, 3.0])])
    assert report.verdict is Verdict.CERTIFIED
    assert any("finite at inputs up to 1e4: no, y, dx has nan" in note for note in report.notes)


@pytest.mark.parametrize("rows", [lambda dx: dx[:4], lambda dx: np.concatenate([dx[:4], 0 * dx[4:]])])
def test_a_batch_larger_than_the_one_given(rows):
    refuted(
        square, lambda dy, x: rows(2 * x * dy), torch.square, "right at the sizes given only: wrong at batch 9: 9x3"
    )


@pytest.mark.parametrize("wrong", ["softmax diagonal", "softmax of ones", "layer norm mean", "layer norm variance"])
def test_where_the_right_gradient_of_ones_is_zero_nothing_is_said_of_dy(wrong):
    right, backward = WRONG[wrong]
    forward, _, reference, inputs = RIGHT[right]
    text = verify_function(forward, backward, reference, inputs, seed=3).text(width=10_000)
    assert text.startswith("REFUTED")
    assert "right only for an upstream gradient of ones" not in text


def test_a_linear_backward_pass_uses_dy():
    """The mean of dy is right for ones as well, and is linear in it all the same."""
    back = lambda dy, x: 2 * x * np.mean(dy)  # noqa: E731
    text = judged(square, back, torch.square).text(width=10_000)
    assert text.startswith("REFUTED")
    assert "right only for an upstream gradient of ones" not in text


def test_the_culprit_is_where_the_mistake_has_a_name():
    relu = judged(lambda x: (np.maximum(x, 0), x), lambda dy, x: dy * (x >= 0), torch.relu)
    wrong = [row.name for row in relu.stages if row.isolated.verdict is Verdict.REFUTED]
    assert wrong == ["zeros", "kinks", "sparse"] or len(wrong) > 2
    assert relu.culprit.name == "kinks"
    assert relu.culprit.diagnosis.name.startswith("another value at the kink")
    first = judged(square, lambda dy, x: np.where(np.abs(x) < 1, 2, 1.7 + np.sin(x)) * x * dy, torch.square)
    assert first.culprit is first.stages[0]


def test_special_inputs_stay_in_the_domain():
    report = judged(lambda x: (np.log(x), x), lambda dy, x: dy / x, torch.log)
    names = {row.name for row in report.stages}
    assert {"ordinary", "ties", "tiny (1e-30)", "large (1e4)"} <= names, report.text()
    assert report.verdict is Verdict.CERTIFIED


def test_warnings_of_the_reference_are_not_passed_on(recwarn):
    report = judged(
        lambda p, t: (np.mean((p - t) ** 2), p - t),
        lambda d, e: (2 * d * e / e.size, -np.sum(2 * d * e / e.size, axis=0, keepdims=True)),
        F.mse_loss,
        [(5, 3), (1, 3)],
    )
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert not recwarn.list


def test_a_gradient_written_as_lists():
    right = judged(square, lambda dy, x: (2 * x * dy).tolist(), torch.square)
    assert right.verdict is Verdict.CERTIFIED, right.text()
    both = judged(
        lambda a, b: a * b, lambda dy, a, b: [(dy * b).tolist(), (dy * a).tolist()], torch.mul, [(4, 3), (4, 3)]
    )
    assert both.verdict is Verdict.CERTIFIED, both.text()
    refuted(square, lambda dy, x: (3 * x * dy).tolist(), torch.square, "every entry is 1.5 times the right one")
