"""Arguments that stay at a default of 0 are told, with how to judge another value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from handgrad.cli import main
from handgrad.subjects.file.pairs import Pair
from handgrad.subjects.file.zeros import say_zeros


def lasso(x: Any, lam: float = 0.0) -> Any:
    return x + lam


def padded(x: Any, pad: int = 0, flip: bool = False) -> Any:
    return x + pad if flip else x


def others(x: Any, seed: int = 0, unused: int = 0, scale: float = 1.0, mode: Any = None) -> Any:
    return x * scale * seed if mode else x


class Layer:
    def __init__(self, n: int, pad: int = 0, seed: int = 0) -> None:
        self.n, self.pad, self.seed = n, pad, seed

    def forward(self, x: Any) -> Any:
        return x


@pytest.mark.parametrize(("forward", "given", "says"), [
    (lasso, {"x"}, "lam was its default 0.0 alone; --inputs lam=0.1 judges another value"),
    (lasso, {"x", "lam"}, ""),
    (padded, {"x"}, "pad, flip were their defaults 0, False alone; --inputs pad=1 flip=True judges other values"),
    (others, {"x"}, ""),
    (len, {"x"}, ""),
])  # fmt: skip
def test_what_is_told(forward: Callable[..., Any], given: set[str], says: str) -> None:
    assert say_zeros(Pair("f", 1, forward, None), given) == says


def test_what_a_new_object_is_made_with_counts() -> None:
    forward = object.__new__(Layer).forward
    asked = "pad was its default 0 alone; --inputs pad=1 judges another value"
    assert say_zeros(Pair("Layer", 1, forward, None, makes=Layer), {"x"}) == asked
    assert say_zeros(Pair("Layer", 1, forward, None), {"x"}) == ""


RIDGE = """
def ridge(x: "n", lam=0.0):
    return x * x + lam * x, (x, lam)

def ridge_backward(dy, cache):
    x, lam = cache
    return dy * 2 * x
"""


def test_a_factor_that_is_forgotten_is_told_and_then_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("student.py").write_text(RIDGE)
    note = "note: lam was its default 0.0 alone; --inputs lam=0.1 judges another value"
    assert main(["check", "student.py", "--json", "found.json"]) == 0
    assert note.removeprefix("note: ") in Path("found.json").read_text()
    assert capsys.readouterr().out.splitlines()[1].strip() == note
    assert main(["check", "student.py", "--inputs", "lam=0.1", "--mend", "0"]) == 1
    assert note not in " ".join(capsys.readouterr().out.split())
    Path("student.py").write_text(RIDGE.replace("2 * x", "2 * x + dy * lam"))
    assert main(["check", "student.py", "--inputs", "lam=0.1", "--mend", "0"]) == 0
