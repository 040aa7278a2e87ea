"""Shapes read from words: every form that is understood, and prose that is none."""

import string
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handgrad.subjects.file.asked import read_inputs
from handgrad.subjects.file.described import read_described
from handgrad.subjects.file.judge import Judged, Options, judge_pair
from handgrad.subjects.file.load import load
from handgrad.subjects.file.pairs import find_pairs
from handgrad.subjects.file.shapes import Drawn, Kind
from handgrad.subjects.file.text import show
from handgrad.subjects.file.words import list_words

NAMES = ("x", "W", "b", "y", "q", "k", "v")
N, ND, DK = Drawn(("N",)), Drawn(("N", "D")), Drawn(("D", "K"))

FORMS: dict[str, dict[str, Drawn]] = {
    "x (N, D), W (D, K)": {"x": ND, "W": DK},
    "Affine layer of x (N, D) and W (D, K).": {"x": ND, "W": DK},
    "q, k, v: (B, T, C) projected. Returns (B, T, C).": dict.fromkeys("qkv", Drawn(("B", "T", "C"))),
    "x: (N, D); b: (D,) per channel": {"x": ND, "b": Drawn(("D",))},
    "x: (N, D), b: (D,)": {"x": ND, "b": Drawn(("D",))},
    "x : ndarray, shape (N, D)\n    The input.\nW : ndarray of shape (D, K)": {"x": ND, "W": DK},
    "x : ndarray\n    The input, of shape (N, D).\nW : ndarray\n    Weights of shape (D, K).": {"x": ND, "W": DK},
    "Inputs:\n- x: Input data, of shape (N, D)\n- W: Weights,\n  of shape (D, K)\n\nReturns:\n- y: (N, K)": {
        "x": ND,
        "W": DK,
    },
    "x has shape (N, D)": {"x": ND},
    "The input x is of shape (N, D)": {"x": ND},
    "x: [batch, time, dim]; b: [dim]": {"x": Drawn(("batch", "time", "dim")), "b": Drawn(("dim",))},
    "x -- input of shape (n, m)": {"x": Drawn(("n", "m"))},
    "x (np.ndarray of shape (N, D)): input": {"x": ND},
    "x (np.ndarray): input of shape (N, D)": {"x": ND},
    ":param x: input of shape (N, D)": {"x": ND},
    "`x` (N, D)": {"x": ND},
    "x.shape == (N, D)": {"x": ND},
    "x: input features (N, D)": {"x": ND},
    "x is multiplied by W of shape (D, K)": {"W": DK},
    "W (D, 4H), b (4*H,), x: (N - 1, D)": {
        "W": Drawn(("D", "4*H")),
        "b": Drawn(("4*H",)),
        "x": Drawn(("N-1", "D")),
    },
    "x of shape (m)": {"x": Drawn(("m",))},
    "x (K)": {"x": Drawn(("K",))},
    "x: (N x D)": {"x": ND},
    "x (N, D), later x (N, K)": {"x": ND},
    "out (N, K), dy: (N, K), x (N, D)": {"x": ND},
    "x: (N, D)\ny: (N,) integer labels": {"x": ND, "y": Drawn(("N",), Kind.INT)},
    "W (D, K), y: (N,) class labels < K": {"W": DK, "y": Drawn(("N",), Kind.INT, "K")},
    "W (D, K), y (N,) class index in [0, K)": {"W": DK, "y": Drawn(("N",), Kind.INT, "K")},
    "W (D, K), y (N,) ids, 0..K-1": {"W": DK, "y": Drawn(("N",), Kind.INT, "K")},
    "W (D, K), y (N,) indices 0 to K-1": {"W": DK, "y": Drawn(("N",), Kind.INT, "K")},
    "y: (N,) int, below < 7": {"y": Drawn(("N",), Kind.INT, 7)},
    "y: labels of shape (N,) where 0 <= y[i] < C": {"y": Drawn(("N",), Kind.INT)},
    "x, y: (N, D); y are 0 / 1": {"x": ND, "y": Drawn(("N", "D"), Kind.INT, 2)},
    "y: (N,) in {0, 1}": {"y": Drawn(("N",), Kind.INT, 2)},
    "y: binary (N,)": {"y": Drawn(("N",), Kind.INT, 2)},
    "y: boolean mask (N, D)": {"y": Drawn(("N", "D"), Kind.BOOL)},
    "x: (N, D) class scores": {"x": ND},
    "x: (N, D), one row for each class": {"x": ND},
    "W (D, K), y: class of shape (N,), 0 <= y[i] <= K - 1": {"W": DK, "y": Drawn(("N",), Kind.INT, "K")},
    "x: scores, of shape(N, D)": {"x": ND},
    "x: (N, D) where x[i, j] is the score of the jth class": {"x": ND},
}


@pytest.mark.parametrize("words", FORMS)
def test_what_is_read(words: str) -> None:
    assert read_described([words], NAMES) == FORMS[words]


@pytest.mark.parametrize("words", [
    "x (see below)", "x (optional, default)", "x (float, optional)", "x: (note)", "x (k)", "W: (1, 1)", "b in (0, 1)",
    "x: (N, D/2)", "x of shape (N, d_1, ..., d_k)", "x of shape (N, d_1, ..., d_k)\nx: (N, D)", "x: (..., D)",
    "the entry x (i, j) and x[N, D]", "f(x, W)", "softmax(y, W)", "x @ W: (N, K)", "x * W (N, K)", "self.W (D, K)",
    "x: input, h (N, H)", "out: (N, D)", "x, of any shape", "x: (N, 0)", "x: (N, D]", "(N, D)", "",
    "q: (k, v) pairs", "q: called as f(N, D)", "x: a tuple (N, D)", "x: (N, D) tuple of ints", "x: the range (lo, hi)",
    "x: N^(D)", "x: W @ b (N, D)", "xs (N, D)", "Returns\n-------\nx : (N, D)", "x is computed (as usual, quick)",
])  # fmt: skip
def test_what_is_not_read(words: str) -> None:
    assert read_described([words], ("x", "W", "b", "q", "k", "v")) == {}


def test_the_first_text_counts_and_a_gradient_makes_a_number_of_a_label() -> None:
    assert read_described(["x (N, D)", "x (N,) and W (D, K)"], ["x", "W"]) == {"x": ND, "W": DK}
    assert read_described(["x (N,) integer labels"], ["x"], ["x"]) == {"x": N}


AXES = st.lists(st.sampled_from(string.ascii_uppercase) | st.integers(1, 9), min_size=2, max_size=4)


@given(AXES.filter(lambda axes: any(isinstance(axis, str) for axis in axes)), st.sampled_from([
    "x ({})", "x: ({})", "x has shape ({})", "x : ndarray of shape ({})", "- x: data, of shape ({})", "x -- [{}]",
]))  # fmt: skip
def test_any_axes_in_any_form(axes: list[int | str], form: str) -> None:
    words = form.format(", ".join(map(str, axes)))
    assert read_described([words], ["x"]) == {"x": Drawn(tuple(axes))}


@given(st.text(alphabet="xWND()[],;:. \n-#4*", max_size=40))
def test_nothing_that_is_written_stops_the_reader(text: str) -> None:
    assert set(read_described([text], ["x", "W"])) <= {"x", "W"}


# above x: (A, A)
def commented(
    x: Any,
    W: Any,  # (D, K)
) -> Any:
    """Doc x."""
    # b: (K,)
    #    of weights
    h = x @ W  # h: (N, K)
    x = h + 1  # x: (N, K)
    return x


def test_where_words_are_looked_for() -> None:
    class Layer:
        """Class."""

    texts = ["Doc x.", "above x: (A, A)", "W: (D, K)", "b: (K,)\n   of weights", "_: (N, K)", "_: (N, K)"]
    assert list_words(commented, None, None) == texts
    assert list_words(len, None, None)[1:] == []
    assert list_words(commented, commented, Layer) == [*texts, *texts, "Class."]


AFFINE = '''
import numpy as np


def affine(x, W, y):
    """Squared error of a linear layer.

    x: (N, D), W: (D, K)
    y: (N,) class labels in [0, K)
    """
    h = x @ W
    return h[np.arange(len(y)), y], (x, W, y)


def affine_backward(dz, cache):
    x, W, y = cache
    dh = np.zeros((len(x), W.shape[1]))
    dh[np.arange(len(y)), y] = dz
    return dh @ W.T, x.T @ dh
'''


@pytest.fixture
def judged(tmp_path: Path) -> Callable[..., Judged]:
    """judged(code, inputs...): the only pair of a file with this code."""

    def judge(code: str, *asked: str) -> Judged:
        (tmp_path / "student.py").write_text(textwrap.dedent(code))
        with load(tmp_path / "student.py") as file:
            (pair,) = find_pairs(file)
            return judge_pair(pair, Options(read_inputs(asked), 1, mend=0))

    return judge


def text_of(judged: Judged, *, verbose: bool = False) -> str:
    from rich.console import Console

    console = Console(width=200)
    with console.capture() as shown:
        console.print(show(judged, Path("student.py"), verbose=verbose))
    return shown.get()


NOTE = "shapes as its words have them: x 3x4, W 4x5, y 3"


def test_a_right_and_a_wrong_function_are_judged_by_their_words(judged: Callable[..., Judged]) -> None:
    right = judged(AFFINE)
    assert right.verdict.value == "CERTIFIED"
    assert NOTE in text_of(right, verbose=True)
    assert NOTE not in text_of(right)
    wrong = judged(AFFINE.replace("x.T @ dh", "2 * x.T @ dh"))
    assert wrong.verdict.value == "REFUTED"
    assert NOTE in text_of(wrong)


def test_what_is_asked_for_wins_and_sizes_follow_it(judged: Callable[..., Judged]) -> None:
    assert judged(AFFINE, "x=6x7").in_words == "shapes as its words have them: W 7x3, y 6"


def test_words_at_which_forward_never_runs_accuse_nobody(judged: Callable[..., Judged]) -> None:
    found = judged(AFFINE.replace("x: (N, D), W", "x: (N, D, K), W"))
    assert found.report is None
    assert "forward raises ValueError with x 3x4x5, W 4x5, y 3, shapes as its words have them" in found.problem
    assert found.problem.endswith("give --inputs x=3x4x5 W=4x5 y=3:int (your own shapes)")


def test_the_advice_takes_the_shapes_that_are_described(judged: Callable[..., Judged]) -> None:
    found = judged(AFFINE.replace("W: (D, K)", "").replace("[0, K)", ""))
    assert found.problem.startswith("W has no type hint with a shape; give --inputs x=4x3 W=3x5 (your")


SCALE = '''
class Scale:
    def __init__(self, width):
        self.width = width

    def forward(self, x):
        """x: (N, width)"""
        assert x.shape[1] == self.width
        return x * (x == 0) + x * self.width

    def backward(self, dy):
        dx = dy * self.width
        return dx
'''


def test_a_size_that_is_a_number_given_to_the_object_is_that_number(judged: Callable[..., Judged]) -> None:
    found = judged(SCALE, "width=7")
    assert found.in_words == "shapes as its words have them: x 3x7"
    assert found.verdict.value == "CERTIFIED"
