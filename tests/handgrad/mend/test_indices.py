"""Indices, slices, bounds of loops and counts: other ones that stand in the passes, and whether forward has them."""

import ast

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.counted import uses_own_counts
from handgrad.mend.indices import exchange_slices, list_indices, rewrite_indices, scale_slices, turn_targets
from handgrad.source.program import read_program
from handgrad.source.tree import changed, parents_of

POOL = """
def backward(dy, x, k):
    m = len(x) // k
    dx = np.zeros_like(x)
    for j in range(m - 1):
        dx[j] += dy[j] * x[2 * j:2 * j + 2]
    return dx
"""


def rewritten():
    tree = ast.parse(POOL).body[0]
    edits = rewrite_indices(tree, list_indices([tree]), ["dy", "x", "k", "m", "dx", "j"])
    return {ast.unparse(changed(tree, changes, parents_of(tree))) for changes, _ in edits}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dx[j]", "dx[2 * j]"),
        ("range(m - 1)", "range(m - 1 + 1)"),
        ("range(m - 1)", "range(m)"),
        ("2 * j:2 * j + 2", "2 * j:2 * j + 2 - 1"),
        ("dx[j] += dy[j] * x[2 * j:", "dx[2 * j] += dy[j] * x[j:"),
    ],
)
def test_another_index_of_the_passes_one_more_or_less_and_two_exchanged(old, new):
    assert ast.unparse(ast.parse(POOL.replace(old, new))) in rewritten()


def test_all_indices_of_a_statement_that_are_alike_become_another_together():
    tree = ast.parse("for t in range(n):\n    x, v = xs[t + 1], vs[t + 1]\n    dk[t] += v * x").body[0]
    edits = rewrite_indices(tree, list_indices([tree]), ["t", "n"])
    lines = {ast.unparse(changed(tree, changes, parents_of(tree))).splitlines()[1].strip() for changes, _ in edits}
    assert {"x, v = (xs[t], vs[t])", "x, v = (xs[t], vs[t + 1])"} <= lines


def test_a_count_gets_one_more():
    tree = ast.parse("def f(H, k, s):\n    n = (H - k) // s\n    return n").body[0]
    edits = rewrite_indices(tree, list_indices([tree]), ["H", "k", "s"])
    texts = {ast.unparse(changed(tree, changes, parents_of(tree))) for changes, _ in edits}
    assert "def f(H, k, s):\n    n = (H - k) // s + 1\n    return n" in texts


WINDOWS = """
def backward(dy, w, k, s):
    dx = np.zeros((9, 9))
    for i in range(3):
        for j in range(3):
            a, b = i * s, j * s
            dw += dy[i, j] * x[a:a + k, b:b + k]
            dx[i:i + k, j:j + k] += dy[i, j] * w
    return dx[1:-1, :]
"""


def with_slices(edits):
    tree = ast.parse(WINDOWS).body[0]
    return {ast.unparse(changed(tree, changes, parents_of(tree))) for changes, _ in edits(tree)}


def test_the_loop_variables_of_a_slice_times_a_name():
    scaled = with_slices(lambda tree: scale_slices(tree, ["dy", "w", "k", "s", "dx", "i", "j", "a", "b"]))
    new = "dx[i * s:i * s + k, j * s:j * s + k]"
    assert ast.unparse(ast.parse(WINDOWS.replace("dx[i:i + k, j:j + k]", new))) in scaled
    assert all("dx[1:-1, :]" in text for text in scaled)


def test_what_is_written_into_is_turned_and_what_is_read_is_not():
    tree = ast.parse("def f(dx, dy, i):\n    dx[i] += dy[i]").body[0]
    texts = {ast.unparse(changed(tree, changes, parents_of(tree))) for changes, _ in turn_targets(tree)}
    assert texts == {f"def f(dx, dy, i):\n    dx[{index}] += dy[i]" for index in (":, i", ":, :, i")}


def test_two_slices_of_one_statement_or_of_one_array_are_exchanged():
    lag = "def f(dx, dy, k):\n    dx[:-k] += dy[k:]\n    dx[k:] += dy[1:]\n    return dx"
    tree = ast.parse(lag).body[0]
    texts = {ast.unparse(changed(tree, changes, parents_of(tree))) for changes, _ in exchange_slices(tree)}
    assert lag.replace("dx[:-k] += dy[k:]", "dx[k:] += dy[:-k]") in texts
    assert lag.replace("dx[:-k]", "dx[_:]").replace("dx[k:]", "dx[:-k]").replace("dx[_:]", "dx[k:]") in texts
    assert len(texts) == 4  # and of dy's two; those of two arrays in two statements are not


def pool(x):
    y = np.zeros(len(x) // 2)
    for j in range(len(x) // 2):
        y[j] = np.max(x[2 * j : 2 * j + 2])
    return y, x


def pool_backward(dy, x):
    dx = np.zeros_like(x)
    for j in range(len(x) // 2):
        k = np.argmax(x[2 * j : 2 * j + 2])
        dx[j + k] += dy[j]
    return dx


def scaled_backward(dy, x):
    n = len(x) // 2
    dx = np.zeros_like(x)
    for j in range(n):
        dx[2 * j : 2 * j + 2] += dy[j] * (x[2 * j : 2 * j + 2] == np.max(x[2 * j : 2 * j + 2]))
    return dx


def fewer_backward(dy, x):
    n = len(x) // 2 - 1
    dx = np.zeros_like(x)
    for j in range(n):
        dx[2 * j : 2 * j + 2] += dy[j] * (x[2 * j : 2 * j + 2] == np.max(x[2 * j : 2 * j + 2]))
    return dx


def twice_backward(dy, x):
    z = 2 * x
    dx = np.zeros_like(x)
    for j in range(len(x) // 2):
        dx[2 * j : 2 * j + 2] += dy[j] * z[2 * j : 2 * j + 2]
    return dx


@pytest.mark.parametrize(
    ("backward", "expected"),
    [(pool_backward, True), (scaled_backward, False), (fewer_backward, True), (twice_backward, False)],
)
def test_whether_a_line_uses_a_count_that_forward_does_not_have(backward, expected):
    program = read_program(pool, backward)
    part = program.parts[0]
    (line,) = (n for n in ast.walk(part.source.tree) if isinstance(n, ast.AugAssign))
    assert uses_own_counts(part, line, program.parts) is expected


def heads(x):
    n, t, d = x.shape
    y = np.tanh(x).reshape(n, t, 2, d // 2).transpose(0, 2, 1, 3)
    return y, (x, n, t, d)


def heads_backward(dy, cache):
    x, n, t, d = cache
    return dy.reshape(n, t, d) * (1 - np.tanh(x) ** 2)


@pytest.mark.mends
@pytest.mark.parametrize(
    ("forward", "backward", "shape", "edit"),
    [
        (pool, pool_backward, (6,), ("j", "2 * j")),
        (heads, heads_backward, (2, 3, 4), ("dy.reshape(n, t, d)", "dy.transpose(0, 2, 1, 3).reshape(n, t, d)")),
    ],
)
def test_the_index_and_the_order_of_axes_are_found(forward, backward, shape, edit):
    report = verify_function(forward, backward, inputs=[shape], seed=1)
    assert report.change is not None, report.text()
    assert (report.change.before, report.change.after) == edit
