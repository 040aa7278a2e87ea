"""Grading: each quantity alone, one slip costs one quantity, any consistent formula passes, and hints by level."""

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from handgrad.grading import process
from handgrad.grading.exercise import Exercise, find_exercise, list_exercises
from handgrad.grading.grade import Grade, draw_rights, grade
from handgrad.grading.gradescope import as_results
from handgrad.grading.handout import write_skeleton
from handgrad.grading.names import find_forbidden
from handgrad.grading.process import Submission, clean
from handgrad.grading.questions import ask, given_for
from handgrad.grading.right import Right
from handgrad.grading.shapes import name_shape

RIGHT = Path(__file__).parent / "right"


@cache
def exercise(name: str) -> tuple[Exercise, list[Right]]:
    found = find_exercise(name)
    return found, draw_rights(found, 0)


def right_source(name: str, *edits: tuple[str, str]) -> str:
    """A right submission with slips."""
    source = (RIGHT / f"{name}.py").read_text("utf-8")
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    return source


def graded(name: str, source: str, level: str = "shape") -> Grade:
    return grade("ann.py", source, *exercise(name), level)


def lost(found: Grade) -> dict[str, str]:
    """The wrong quantities with their hints."""
    return {row.name: row.hint for row in found.rows if row.slip is not None}


@pytest.mark.parametrize("name", list_exercises())
def test_the_right_submission_has_all_points_and_the_skeleton_none(name: str) -> None:
    found, blank = graded(name, right_source(name)), graded(name, exercise(name)[0].skeleton)
    assert lost(found) == {}
    assert found.earned == found.exercise.total > 0
    assert blank.earned == 0
    assert all("is a blank" in hint for hint in lost(blank).values())


OTHER_STYLES = {
    "two_layer": [
        ("1 - h1**2", "1 - np.tanh(z1) ** 2"),
        ("dz1.sum(0)", "np.einsum('ij->j', dz1)"),
        (
            "dW1 = dz1.T @ x",
            "dW1 = np.zeros_like(W1)\n    for i in range(len(x)):\n        dW1 += np.outer(dz1[i], x[i])",
        ),
        ("return dW1, db1, dW2, db2", "return {'dW2': dW2, 'db2': db2, 'dW1': dW1, 'db1': db1}"),
    ],
    "batch_norm": [
        (
            "dx = dxhat / np.sqrt(var + eps) + dvar * 2 * (x - mu) / n + dmu / n",
            "dx = (n * dxhat - dxhat.sum(0) - xhat * (dxhat * xhat).sum(0)) / (n * np.sqrt(var + eps))",
        )
    ],
    "softmax_cross_entropy": [
        ("dz = p.copy()", "dz = (p - np.eye(p.shape[1])[t]) / n"),
        ("    dz[np.arange(n), t] -= 1\n    dz /= n\n", ""),
    ],
}


@pytest.mark.parametrize("name", OTHER_STYLES)
def test_any_consistent_formula_passes(name: str) -> None:
    assert lost(graded(name, right_source(name, *OTHER_STYLES[name]))) == {}


SLIPS = {  # the quantities that they cost
    "two_layer": {
        ("1 - h1**2", "1 - h1"): {"dz1"},
        ("z2 - t\n", "t - z2\n"): {"dz2"},
        ("dz1.sum(0)", "dz1.sum(1)"): {"db1"},
        ("dz2.T @ h1", "np.nonsense"): {"dW2"},
        ("np.tanh(z1)", "np.tan(z1)"): {"h1"},
    },
    "units": {("dz2 * w2", "dz2 * w1"): {"dh1"}},
    "softmax_cross_entropy": {("dz /= n", "pass"): {"dz"}, ("e.sum(axis=1", "e.sum(axis=0"): {"p"}},
    "batch_norm": {("+ dmu / n", ""): {"dx"}, ("** -1.5", "** -0.5"): {"dx"}},
    "layers": {
        ("h[i] ** 2", "h[i]"): {"dz"},
        ("dz[i] @ W[i]", "dh[i] @ W[i]"): {"dh"},
        ("h[L] - t", "t - h[L]"): {"dh"},
    },
}


@pytest.mark.parametrize(("name", "slip"), [(name, slip) for name, slips in SLIPS.items() for slip in slips])
def test_one_slip_costs_one_quantity(name: str, slip: tuple[str, str]) -> None:
    found = graded(name, right_source(name, slip), "none")
    assert set(lost(found)) == SLIPS[name][slip]
    assert found.earned == found.exercise.total - sum(row.points for row in found.rows if row.slip)


def test_a_slip_in_what_has_no_points_costs_the_quantity_that_uses_it() -> None:
    assert "dvar" not in given_for(exercise("batch_norm")[0], "dx")
    assert "dxhat" in given_for(exercise("batch_norm")[0], "dx")


def test_each_level_says_more_and_a_name_stands_in_the_place_of_the_count() -> None:
    source = right_source("two_layer", ("1 - h1**2", "1 - h1"), ("dz1.sum(0)", "dz1.sum(1)"))
    said = {level: lost(graded("two_layer", source, level)) for level in ("none", "stage", "shape", "name")}
    assert said["none"] == {"dz1": "", "db1": ""}
    assert said["stage"]["dz1"] == "dz1 is wrong, even from the right dh1."
    assert said["shape"]["dz1"].startswith(said["stage"]["dz1"])
    assert "entries are wrong; the shape is right" in said["shape"]["dz1"]
    assert "Its shape is (7,), expected (3,)." in said["shape"]["db1"]
    assert said["name"]["dz1"] == (
        "dz1 is wrong, even from the right dh1. The square is missing. dz = dh (1 - h) where dh (1 - h^2) belongs."
    )


def test_an_exception_costs_the_quantity_of_its_line_and_tells_the_line() -> None:
    hints = lost(graded("two_layer", right_source("two_layer", ("dW2 = dz2.T @ h1", "dW2 = dz2 @ h1"))))
    assert list(hints) == ["dW2"]
    assert hints["dW2"].startswith("ValueError: matmul")
    assert hints["dW2"].endswith("(line 14).")


def test_a_loop_that_does_not_end_costs_what_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS", 0.1)
    source = right_source("two_layer", ("dW1 = dz1.T @ x", "while True:\n        pass"))
    hints = lost(graded("two_layer", source))
    assert list(hints) == ["dW1", "db1"]
    assert "it took too long" in hints["dW1"]
    assert "(line 18)" in hints["db1"] or "(line 19)" in hints["db1"]


def test_a_function_that_sleeps_costs_what_comes_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS", 0.04)
    hints = lost(graded("two_layer", right_source("two_layer", ("dW1 = dz1.T @ x", "import time; time.sleep(90)"))))
    assert list(hints) == ["dW1", "db1"]
    assert "it took too long" in hints["dW1"]


def test_an_answer_tells_whether_the_function_raised_an_exception() -> None:
    """After the quantity was set; what another quantity's statement raises is that one's own slip."""
    found, rights = exercise("two_layer")
    source = right_source(
        "two_layer", ("dW2 = dz2.T @ h1", "dW2 = h1.amax()"), ("return dW1, db1", "1 / 0; return dW1")
    )
    with Submission(source, found) as submission:
        answer = ask(submission, "backward", "dW1", rights[0].values)
    assert (answer.value is not None, answer.raised) == (True, 1)


def test_words_of_a_submission_have_no_folder_of_ours() -> None:
    words = f"{process.__file__}, {np.__file__}, {Path(os.__file__)}, /etc/passwd"
    assert clean(words) == "handgrad/grading/process.py, __init__.py, os.py, /etc/passwd"


def test_a_right_value_that_did_not_stand_there_is_not_said_to() -> None:
    source = right_source("two_layer", ("1 - h1**2", "1 - h1"), ("def backward(", "def own(")) + "\nbackward = own\n"
    hints = lost(graded("two_layer", source, "stage"))
    assert hints["dW1"] == "dW1 is wrong, from your own dz1: the function itself does not set dz1 by name."


def test_the_skeleton_says_that_quantities_are_set_by_name() -> None:
    assert "by its name" in write_skeleton(exercise("two_layer")[0])


STEPS = {
    "dz2 = dh2 * np.imag(s(z2))": "def s(z):\n    a = z + np.roots([1, 0, 1])[0] * 1e-9\n    return np.tanh(a) * 1e9\n",
    "dz2 = dh2 * s(z2)": "def s(z):\n    a = np.asarray(z, 'g')\n    return np.float64(1 - np.tanh(a) ** 2)\n",
}


@pytest.mark.parametrize("line", STEPS)
def test_numbers_that_differentiate_by_themselves_are_found_where_a_variable_holds_them(line: str) -> None:
    source = right_source("units", ("dz2 = dh2 * (1 - h2 * h2)", line)) + "\n\n" + STEPS[line]
    assert "a: it computes with complex numbers, or with more than 64 bits" in lost(graded("units", source))["dz2"]


def test_a_wrong_shape_is_named_where_the_numbers_prove_it() -> None:
    values = exercise("two_layer")[1][0].values
    returned = exercise("two_layer")[0].returned("backward")
    assert "the transpose of the right dW1" in name_shape("dW1", values["dW1"].T, values, returned)
    assert "dz1 summed over axis 1" in name_shape("db1", values["dz1"].sum(1), values, returned)
    assert "the right dW2: is the order" in name_shape("dW1", values["dW2"], values, returned)
    assert name_shape("dW1", values["dz1"], values, returned) == "It is the right dz1."
    assert name_shape("dz1", values["dW1"], values, returned) == "It is the right dW1."
    assert name_shape("dW1", values["dW1"].T + 1, values, returned) == ""


def test_the_numbers_of_a_wrong_shape_are_compared_at_their_own_size() -> None:
    values = {name: 1e-12 * np.random.default_rng(0).normal(size=shape) for name, shape in {"a": 2, "b": 3}.items()}
    assert name_shape("a", values["b"], values, ()) == "It is the right b."
    assert name_shape("a", -values["b"], values, ()) == ""


def test_a_file_that_is_no_python_says_where() -> None:
    found = graded("two_layer", "def forward(x:\n")
    assert (found.earned, found.problem) == (0, "the file cannot be run: SyntaxError: '(' was never closed (line 1)")


def test_forbidden_names_are_told_before_anything_runs() -> None:
    found = graded("two_layer", right_source("two_layer", ("import numpy as np", "import numpy as np\nimport torch")))
    assert found.earned == 0
    assert found.problem.startswith("uses torch (line 2): the gradients are to be derived by hand")
    assert find_forbidden("x = y.jax\n# torch\nz = 'torch'", ["torch", "jax"]) == [("jax", 1)]
    assert find_forbidden("def f(:", ["f"]) == []


def test_a_variable_that_is_called_as_a_library_is_forbidden_only_where_that_is_imported() -> None:
    assert find_forbidden("jax = 1", ["jax"]) == []
    assert find_forbidden("jax = 1\nimport jax", ["jax"]) == [("jax", 2)]


AROUND = """
import numpy as np
import matplotlib.pyplot as plt
import logging
jax = 1
RIGHT
x = W1 = W2 = np.ones((2, 2))
b1 = b2 = np.zeros(2)
print(forward(x, W1, b1, W2, b2, x)[3])
assert backward(x, W1, b1, W2, b2, x, x, x, x + 1)[0].shape == (2, 2)
plt.show()
"""


def test_what_stands_around_the_functions_costs_nothing() -> None:
    """Imports that are not there, a variable that is called as a library, and a test of the student's own."""
    found = graded("two_layer", AROUND.replace("RIGHT", right_source("two_layer")))
    assert lost(found) == {}
    assert type(found.earned) is int
    assert [words.partition(":")[0] for words in found.left_out] == ["ImportError", "ImportError", "NameError"]


def test_a_name_that_is_not_there_costs_what_uses_it() -> None:
    source = "import scipy.special\n" + right_source("two_layer", ("dz2.sum(0)", "scipy.special.nothing(dz2)"))
    hints = lost(graded("two_layer", source))
    assert list(hints) == ["db2"]
    assert hints["db2"].startswith("NameError: name 'scipy' is not defined")


def test_a_process_that_ends_costs_its_function_alone() -> None:
    hints = lost(graded("two_layer", right_source("two_layer", ("dz2 = z2 - t", "import os; os._exit(0)")), "stage"))
    assert set(hints) == {"dz2", "dW2", "db2", "dh1", "dz1", "dW1", "db1"}
    assert "its process ended 3 times" in hints["db1"]


def test_results_of_gradescope_add_up() -> None:
    found = graded("two_layer", right_source("two_layer", ("1 - h1**2", "1 - h1")))
    results = as_results(found)
    assert sum(test["score"] for test in results["tests"]) == found.earned == 14
    assert sum(test["max_score"] for test in results["tests"]) == 16
    wrong = [test for test in results["tests"] if test["status"] == "failed"]
    assert [test["name"] for test in wrong] == ["dz1 in backward"]
    assert "even from the right dh1" in wrong[0]["output"]


OVERWRITTEN = {  # a line put before that of dz1, the quantity that it costs, and what is said of that
    "h1 -= h1": ("dz1", "Line 17 overwrites h1: dz1 is right from what that was before."),
    "h1 = 1 - h1**2; h1 *= -1": ("dz1", "Line 17 overwrites h1: dz1 is right from what that was before."),
    "x[:] = 0": ("dW1", "Line 17 overwrites x: dW1 is right from what that was before."),
}


@pytest.mark.parametrize("line", OVERWRITTEN)
def test_the_line_is_told_that_overwrites_what_a_quantity_is_computed_from(line: str) -> None:
    """Its own line is right, so it has no other name: not even that it is zero."""
    name, words = OVERWRITTEN[line]
    told = lost(graded("two_layer", right_source("two_layer", ("    dz1 =", f"    {line}\n    dz1 =")), "name"))
    assert list(told) == [name]
    assert told[name].endswith(words)


def test_an_argument_that_is_overwritten_is_no_mistake_where_the_quantity_is_meant_to_be_in_it() -> None:
    slip = "dz2 = z2 - t", "z2 -= t\n    dz2 = -z2"
    assert "overwrites" not in lost(graded("two_layer", right_source("two_layer", slip), "name"))["dz2"]
