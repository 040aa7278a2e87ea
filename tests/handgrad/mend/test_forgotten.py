"""Lines left out in a loop are put in where they were; a loop that is right gets none."""

import ast

import numpy as np
import pytest
import torch

from handgrad.arrays.on_torch.array import OnTorch
from handgrad.arrays.on_torch.copies import on_torch
from handgrad.mend.change import describe_edits
from handgrad.mend.draw import Draw
from handgrad.mend.forgotten import with_readings
from handgrad.mend.search import Search
from handgrad.mend.tiers import of_forgotten
from handgrad.mend.trial import Trial
from handgrad.source.clock import clock
from handgrad.source.program import read_program
from handgrad.source.tree import located


def forward(x, W, U):
    h = np.zeros((x.shape[1], U.shape[0]))
    states = [h]
    for step in x:
        h = np.tanh(step @ W + h @ U)
        states.append(h)
    return h, (x, W, U, states)


def right(dh, cache):
    x, W, U, states = cache
    dW, dU = np.zeros_like(W), np.zeros_like(U)
    rows = []
    for t in range(len(x) - 1, -1, -1):
        dz = dh * (1 - states[t + 1] ** 2)
        before = states[t]
        step = x[t]
        dW += step.T @ dz
        dU += before.T @ dz
        rows.append(dz @ W.T)
        dh = dz @ U.T
    return np.stack(rows[::-1]), dW, dU


def nothing_added(dh, cache):
    x, W, U, states = cache
    dW = np.zeros_like(W)
    dU = np.zeros_like(U)
    rows = []
    for t in range(len(x) - 1, -1, -1):
        dz = dh * (1 - states[t + 1] ** 2)
        before = states[t]  # noqa: F841  what the missing line reads
        step = x[t]
        dW += step.T @ dz
        rows.append(dz @ W.T)
        dh = dz @ U.T
    return np.stack(rows[::-1]), dW, dU


def another_slope(dh, cache):
    x, W, U, states = cache
    dW, dU = np.zeros_like(W), np.zeros_like(U)
    rows = []
    for t in range(len(x) - 1, -1, -1):
        dz = dh * (1 - states[t + 1])
        dW += x[t].T @ dz
        dU += states[t].T @ dz
        rows.append(dz @ W.T)
        dh = dz @ U.T
    return np.stack(rows[::-1]), dW, dU


def draw_for(seed):
    rng = np.random.default_rng(seed)
    x, W, U, dy = (rng.normal(size=shape) for shape in ((2, 2, 2), (2, 3), (3, 3), (2, 3)))
    y, cache = forward(x, W, U)
    dx, dW, dU = right(dy, cache)

    def results(passes, array):
        y, cache = passes.forward(*map(array, (x, W, U)))
        dx, dW, dU = passes.backward(array(dy), cache)
        return {"y": y, "dx": dx, "dW": dW, "dU": dU}

    def follow(passes):
        return {n: v.tensor for n, v in results(on_torch(passes), lambda a: OnTorch(torch.tensor(a))).items()}

    expected = {"y": y, "dx": dx, "dW": dW, "dU": dU}
    bound = {n: np.full(v.shape, 1e-8) for n, v in expected.items()}
    return Draw(lambda passes: results(passes, np.copy), follow, dy, expected, bound, in_float64=True)


def lines_put_in(backward):
    """With which everything is right on both draws."""
    program, draws = read_program(forward, backward), [draw_for(0), draw_for(1)]
    trial = Trial(program, draws, clock() + 60)
    wrong = [draw.wrong(draw.outputs(program.passes)) for draw in draws]
    fitting = Search(trial, lambda trees: None).fitting(of_forgotten(trial), wrong[0], wrong)
    return {describe_edits({c.part: c.edits}).diff for c in fitting} if wrong[0] else set()


@pytest.mark.mends
def test_what_a_loop_should_add_is_put_at_the_end_of_its_turn():
    assert any("+        dU = dU + before.T @ dz\n" in diff for diff in lines_put_in(nothing_added))


@pytest.mark.mends
def test_no_line_is_put_in_where_what_is_wrong_is_another_line():
    assert lines_put_in(another_slope) == set()


def test_what_is_read_again_in_a_loop():
    tree = ast.parse(
        "def backward(dy, x):\n"
        "    g, dW, n = dy, np.zeros(3), 4\n"
        "    db = np.zeros(3)\n"
        "    for row in x:\n"
        "        dW += g * row\n"
        "        late = 2 * row\n"
        "    return dW, db\n"
    )
    made, readings = with_readings(tree)
    loop = ast.unparse(located(made)).split("for row in x:\n")[1]
    assert loop.split("    return")[0].split("\n")[:-1] == [
        "        dW = dW",
        "        dW += g * row",
        "        late = 2 * row",
        "        dW = dW",
        "        db = db",
    ]
    assert len(readings) == 3 + 3  # those of the line that sets three as well


def test_what_a_line_writes_into_is_read_again_behind_it():
    tree = ast.parse("def backward(p, y):\n    dz = p.copy()\n    dz[y] -= 1\n    return dz\n")
    made, _ = with_readings(tree)
    assert ast.unparse(located(made)).split("\n")[2:4] == ["    dz[y] -= 1", "    dz = dz"]
