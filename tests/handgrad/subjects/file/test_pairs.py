"""Which functions and classes of a file belong together."""

from pathlib import Path
from typing import Any

import pytest

from handgrad import gradient_of
from handgrad.subjects.file.load import load
from handgrad.subjects.file.pairs import Pair, find_pairs, list_lonely


def pairs_of(folder: Path, text: str) -> list[Pair]:
    """All pairs of a file with this text."""
    path = folder / "student.py"
    path.write_text(text)
    with load(path) as file:
        return find_pairs(file)


def functions(*names: str) -> str:
    return "".join(f"def {name}(x):\n    return x\n" for name in names)


@pytest.mark.parametrize(
    ("forward", "backward", "reference"),
    [
        ("f", "f_backward", "f_reference"),
        ("f", "f_bwd", "f_reference"),
        ("f", "f_grad", "f_reference"),
        ("f_forward", "f_backward", "f_reference"),
        ("f_fwd", "f_bwd", "f_reference"),
        ("forward_f", "backward_f", "f_reference"),
        ("_f", "_f_backward", "_f_reference"),
        ("forward", "backward", "reference"),
        ("fwd", "bwd", "reference"),
        ("two_words", "two_words_backward", "two_words_reference"),
    ],
)
def test_by_name(forward: str, backward: str, reference: str, tmp_path: Path) -> None:
    (pair,) = pairs_of(tmp_path, functions(backward, forward, reference, "other", "clip_grad"))
    assert pair.backward is not None
    assert pair.reference is not None
    found = (pair.forward.__name__, pair.backward.__name__, pair.reference.__name__, pair.name, pair.line)
    assert found == (forward, backward, reference, backward, 1)


def test_functions_without_a_name_of_their_own(tmp_path: Path) -> None:
    (pair,) = pairs_of(tmp_path, "f = lambda x: x\nf_backward = lambda dy, x: dy\n" + functions("f_reference"))
    assert (pair.name, pair.names, pair.line) == ("f_backward", ("f_backward", "f"), 2)
    assert pair.reference is not None


@pytest.mark.parametrize("text", [
    functions("f", "f_backwards"),
    functions("f", "backward"),
    "f = 3\n" + functions("f_backward"),
    "from student_ops import f\n" + functions("f_backward"),
    "from student_ops import f, f_backward\n",
    "class f:\n    pass\n" + functions("f_backward"),
])  # fmt: skip
def test_what_is_no_pair(text: str, tmp_path: Path) -> None:
    (tmp_path / "student_ops.py").write_text(functions("f", "f_backward"))
    assert pairs_of(tmp_path, text) == []


def test_a_backward_pass_without_a_forward_pass_is_told(tmp_path: Path) -> None:
    path = tmp_path / "student.py"
    path.write_text(functions("f_backward", "g", "g_backward", "clip_grad", "total"))
    with load(path) as file:
        assert list_lonely(file) == [("f_backward", 1, ["f_forward", "f_fwd", "f"])]


def test_a_mark_comes_before_a_name(tmp_path: Path) -> None:
    text = "import handgrad\nfrom math import sin\n" + functions("f", "h")
    text += "@handgrad.gradient_of(h)\n" + functions("f_backward") + "@handgrad.gradient_of(sin)\n" + functions("slope")
    first, second = pairs_of(tmp_path, text)
    assert (first.forward.__name__, first.name, first.line) == ("h", "f_backward", 8)
    assert (second.forward.__name__, second.name) == ("sin", "slope")


def test_the_mark_leaves_a_function_as_it_is_and_refuses_what_is_none() -> None:
    def forward(x: Any) -> Any:
        return x

    def backward(dy: Any) -> Any:
        return dy

    assert gradient_of(forward)(backward) is backward
    assert backward(3) == 3
    with pytest.raises(TypeError, match="gradient_of: got str, expected the forward pass, a callable"):
        gradient_of("forward")  # type: ignore[arg-type]


LAYERS = """
import student_ops


class Layer:
    def forward(self, x):
        raise NotImplementedError

    def backward(self, dy):
        raise NotImplementedError


class Double(Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy


class Quiet(Double):
    def __init__(self, s):
        self.s = s


class Scale(Double):
    def __init__(self, s):
        if s > 3:
            raise ValueError("too large")
        self.s = s


class Fails(Double):
    def __init__(self, s=4):
        raise ValueError("too large")


scale = Scale(2)
double_reference = len
two_words_reference = len


class TwoWords(Double):
    def __init__(self, *sizes, **more):
        pass


Again = Double
Imported = student_ops.Other
"""


def test_objects_of_classes(tmp_path: Path) -> None:
    (tmp_path / "student_ops.py").write_text(
        LAYERS.split("\n\n\n", 2)[2].split("\n\n\n")[0].replace("Double(Layer)", "Other")
    )
    found = {pair.name: pair for pair in pairs_of(tmp_path, LAYERS)}
    assert sorted(found) == ["Double", "Fails", "Quiet", "Scale", "TwoWords"]
    assert (found["Double"].line, found["Double"].problem, found["TwoWords"].problem) == (17, "", "")
    assert found["Double"].forward(3) == found["Double"].backward(3) == 6  # type: ignore[misc]
    assert found["Double"].reference is len
    assert found["TwoWords"].reference is len
    assert found["Scale"].forward.__self__.s == 2
    needs = (
        "it cannot be made without s; give --inputs s=3 (your own numbers), or make one at the top level of the file: "
    )
    assert found["Quiet"].problem == f"{needs}quiet = Quiet(...)"
    assert found["Fails"].problem == "Fails() raises ValueError: too large"


FUNCTIONS = """
import torch
from torch.autograd import Function


class Base(Function):
    pass


class Square(Base):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, dy):
        return 2 * dy * ctx.saved_tensors[0]


square_reference = torch.square
"""


def test_a_torch_autograd_function(tmp_path: Path) -> None:
    (pair,) = pairs_of(tmp_path, FUNCTIONS)
    assert (pair.name, pair.line, pair.backward) == ("Square", 17, None)
    assert pair.reference is not None


def layer(arguments: str) -> str:
    return (
        "class Layer:\n    def forward(self, x):\n        return x\n"
        f"    def backward(self, {arguments}):\n        return dy\n"
    )


def test_a_learning_rate_that_backward_must_be_given_is_told(tmp_path: Path) -> None:
    (needed,) = pairs_of(tmp_path, layer("dy, learning_rate"))
    assert needed.problem.startswith("its backward must be given learning_rate; give it a default value: learning_rate")
    (usual,) = pairs_of(tmp_path, layer("dy, learning_rate=0.1"))
    assert usual.problem == ""
