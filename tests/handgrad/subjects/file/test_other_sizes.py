"""Sizes of letters at which forward runs, and objects that are made with arrays of these sizes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handgrad.subjects.file.asked import read_inputs
from handgrad.subjects.file.inputs import argument_names, choose_inputs
from handgrad.subjects.file.judge import Judged, Options, judge_pair
from handgrad.subjects.file.load import load
from handgrad.subjects.file.other_sizes import choose_running_inputs
from handgrad.subjects.file.pairs import Pair, find_pairs, with_object


def judge_text(text: str, folder: Path, *asked: str) -> Judged:
    """What comes out of a file with this text, which has one pair."""
    (folder / "student.py").write_text(text)
    with load(folder / "student.py") as file:
        (pair,) = find_pairs(file)
        return judge_pair(pair, Options(read_inputs(asked), 1, mend=0))


def correlate(x: "n w", k: "m"):  # type: ignore[no-untyped-def, name-defined]  # noqa: F722, F821
    if k.shape[0] > x.shape[1]:
        raise ValueError("the kernel is larger than the image")
    return x[:, : k.shape[0]] * k


def halve(x: "n d"):  # type: ignore[no-untyped-def, name-defined]  # noqa: F722
    return x.reshape(x.shape[0], 2, x.shape[1] // 2)


def refuse(x: "n d"):  # type: ignore[no-untyped-def, name-defined]  # noqa: F722
    raise ValueError("never")


def sizes_of(forward: Any) -> tuple[dict[str, Any], str]:
    chosen = choose_running_inputs(Pair("f", 1, forward, None), {}, 0)
    return chosen.inputs, chosen.problem


def test_a_kernel_becomes_smaller_than_its_image() -> None:
    found, problem = sizes_of(correlate)
    assert found["k"][0] <= found["x"][1]
    assert len({*found["x"], *found["k"]}) == 3
    assert problem == "forward does not run (ValueError) with x 3x4, k 5"


def test_a_size_becomes_one_that_divides() -> None:
    assert sizes_of(halve)[0]["x"][1] % 2 == 0


def test_what_raises_at_all_sizes_stays_at_the_first() -> None:
    assert sizes_of(refuse) == ({"x": (3, 4)}, "")


SCALE = """
class Scale:
    def __init__(self, gamma: "d", eps=1e-5):
        self.gamma = gamma

    def forward(self, x: "n d"):
        self.x = x
        return self.gamma * x

    def backward(self, dy):
        return dy * self.gamma
"""


def test_an_object_is_made_with_arrays_of_the_sizes_of_its_inputs(tmp_path: Path) -> None:
    (tmp_path / "student.py").write_text(SCALE)
    with load(tmp_path / "student.py") as file:
        (pair,) = find_pairs(file)
    first, again, other = (choose_inputs(pair, {}, seed) for seed in (1, 1, 2))
    gamma, same, fresh = (chosen.pair.forward.__self__.gamma for chosen in (first, again, other))
    assert gamma.shape == first.inputs["x"][1:] != (1,)
    assert np.array_equal(gamma, same)
    assert not np.array_equal(gamma, fresh)


@pytest.mark.parametrize(("beta", "verdict"), [("dy.sum(axis=0)", "CERTIFIED"), ("dy.mean(axis=0)", "REFUTED")])
def test_gradients_of_its_arrays_may_be_returned(beta: str, verdict: str, tmp_path: Path) -> None:
    code = SCALE.replace("eps=1e-5", "beta: 'd'").replace("= gamma\n", "= gamma\n        self.beta = beta\n")
    code = code.replace("self.gamma * x", "self.gamma * x + self.beta")
    code = code.replace("dy * self.gamma", f"dy * self.gamma, (dy * self.x).sum(axis=0), {beta}")
    judged = judge_text(code, tmp_path)
    assert judged.verdict.value == verdict
    assert judged.report is not None
    assert [t.name for t in judged.report.stages[0].isolated.tensors][-3:] == ["dx", "dgamma", "dbeta"]


SIZED = """
import numpy as np

class Affine:
    def __init__(self, n_in, n_out=4, scale=1):
        self.W, self.scale = np.ones((n_in, n_out)), scale

    def forward(self, x):
        self.x = x
        return x @ self.W * self.scale

    def backward(self, dy):
        self.dW = self.x.T @ dy
        return dy @ self.W.T
"""


@pytest.mark.parametrize(("asked", "found"), [
    (["n_in=3", "x=5x3"], "CERTIFIED"),
    (["Affine.n_in=3", "x=5x3"], "CERTIFIED"),
    (["n_in=3", "scale=2", "x=5x3"], "REFUTED"),
    (["n_in=3", "scale==1.0", "n_out=2", "x=5x3"], "CERTIFIED"),
])  # fmt: skip
def test_an_object_is_made_with_what_is_asked_for(asked: list[str], found: str, tmp_path: Path) -> None:
    assert judge_text(SIZED, tmp_path, *asked).verdict.value == found


@pytest.mark.parametrize(("asked", "says"), [
    (["x=5x3"], "it cannot be made without n_in; give --inputs n_in=3 (your own numbers), or make one at the top"),
    (["n_out=2", "x=5x3"], "it cannot be made without n_in; give --inputs n_in=3"),
    (["n_in=3"], "x has no type hint with a shape; give --inputs x=4x3"),
    (["n_in==-3", "x=5x3"], "Affine(n_in -3) raises ValueError: negative dimensions are not allowed"),
])  # fmt: skip
def test_what_an_object_lacks_is_told(asked: list[str], says: str, tmp_path: Path) -> None:
    assert judge_text(SIZED, tmp_path, *asked).problem.startswith(says)


def test_an_object_of_the_file_is_taken_before_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "student.py").write_text(SIZED + "\naffine = Affine(3)\n")
    with load(tmp_path / "student.py") as file:
        (pair,) = find_pairs(file)
    assert argument_names([pair]) == ["x", "Affine.x"]
    assert with_object(pair, read_inputs(["scale=2"])) is pair


BLOCK = """
import numpy as np

class Block:
    def __init__(self, d, h):
        self.W, self.U = np.eye(d, h), np.eye(h, d)

    def forward(self, x: "n d"):
        return x @ self.W @ self.U

    def backward(self, dy):
        return dy @ self.U.T @ self.W.T

block = Block(8, 13)
"""


def test_inputs_fit_the_arrays_of_an_object_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "student.py").write_text(BLOCK)
    with load(tmp_path / "student.py") as file:
        (pair,) = find_pairs(file)
        n, d = choose_running_inputs(pair, {}, 0).inputs["x"]
    assert (n, d) == (3, 8)  # and n is as it was drawn first


def stride(x: "n w", k: "m"):  # type: ignore[no-untyped-def, name-defined]  # noqa: F722, F821
    return np.stack([x[:, i : i + k.size] @ k for i in range(0, x.shape[1] - k.size + 1, 2)], axis=1)


def test_a_window_gets_more_than_one_place() -> None:
    found, _ = sizes_of(stride)
    assert found["x"][1] - found["k"][0] >= 2


def test_sizes_that_are_asked_for_stay() -> None:
    pair = Pair("f", 1, stride, None)
    assert choose_running_inputs(pair, read_inputs(["x=4x3", "k=5"]), 0).inputs == {"x": (4, 3), "k": (5,)}
