"""What is advised for arguments of which nothing is known: labels, numbers, masks, shapes that fit together."""

import shlex
from pathlib import Path
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

from handgrad.subjects.file.asked import read_inputs
from handgrad.subjects.file.hints import read_hint
from handgrad.subjects.file.inputs import choose_inputs
from handgrad.subjects.file.load import load
from handgrad.subjects.file.pairs import Pair, list_both_in_one
from handgrad.subjects.file.shapes import Drawn, Kind


def advice(tmp_path: Path, code: str) -> str:
    """What is said of the arguments of f, whose backward pass is f_backward, if there is one."""
    path = tmp_path / "student.py"
    path.write_text(f"import numpy as np\n\n\n{dedent(code)}")
    with load(path) as file, pytest.raises(ValueError, match="type hint") as said:
        choose_inputs(Pair("f", 1, file.module.f, getattr(file.module, "f_backward", None)), {}, 0)
    return str(said.value)


LOGISTIC = """
    def f(w, b, X, Y):
        A = 1 / (1 + np.exp(-(np.dot(w.T, X) + b)))
        return -np.sum(Y * np.log(A)), (A, X, Y)

    def f_backward(dL, cache):
        A, X, Y = cache
        dw = dL * X @ (A - Y).T
        db = dL * np.sum(A - Y)
        return {"dw": dw, "db": db}
"""


def test_the_backward_pass_tells_what_has_no_gradient_and_what_is_one_number(tmp_path: Path) -> None:
    assert "give --inputs w=4x3 b=scalar X=4x5:data Y=3x5:data (" in advice(tmp_path, LOGISTIC)


@pytest.mark.parametrize(
    ("line", "guessed"),
    [
        ("p[np.arange(4), a]", 'a="4:int<3"'),
        ("(a[:, None] == np.arange(3)) * 1.0", 'a="4:int<3"'),
        ("(a == 1) * 1.0", 'a="4:int<3"'),
        ("a * np.sum(np.ones(3))", "a=0.1"),
        ("1 - np.sum(np.ones(3), axis=0) * a", "a=4x3"),  # no number is summed along an axis
        ("np.where(~a, 0, 1)", "a=4x3:bool"),
        ("np.ones(9)[: a]", "a==2"),
        ("1 if a == 'mean' else 0", "a=mean"),
        ("a * a", "a=4x3"),
    ],
)
def test_the_use_of_an_argument_tells(line: str, guessed: str, tmp_path: Path) -> None:
    assert f"give --inputs {guessed} (your own shapes; " in advice(
        tmp_path, f"p = np.ones((4, 3))\ndef f(a):\n    return {line}"
    )


NET = """
    def f(X, y, W1, b1, W2, b2, mask, reg):
        h = np.maximum(0, X.dot(W1) + b1) * mask
        scores = h @ W2 + b2
        return -scores[np.arange(len(y)), y].mean() + reg * np.sum(W1 * W1)
"""


def test_what_is_advised_for_a_network_can_be_run(tmp_path: Path) -> None:
    words = advice(tmp_path, NET)
    given = 'X=4x3 y="4:int<3" W1=3x5 b1=5 W2=5x6 b2=6 mask=4x5:bool reg=0.1'
    assert f"give --inputs {given} (" in words
    with load(tmp_path / "student.py") as file:
        inputs = choose_inputs(Pair("f", 1, file.module.f, None), read_inputs(shlex.split(given)), 0).inputs
        arrays = {n: np.ones(a) if isinstance(a, tuple) else a for n, a in inputs.items()}
        assert np.isfinite(file.module.f(**arrays))


@pytest.mark.parametrize(
    ("arguments", "given"),
    {
        "X: 'n d', y: 'n:int<c', W1, b1, W2, b2, mask, reg": "X=4x3 W1=3x5 b1=5 W2=5x6 b2=6 mask=4x5:bool reg=0.1",
        "X: '7 2', y, W1, b1: 'm', W2, b2, mask, reg": 'y="7:int<3" W1=2x4 b1=4 W2=4x3 b2=3 mask=7x4:bool reg=0.1',
        "X: 'n d', y: 'n:int<2', W1: 'd m', b1: 'm', W2: 'm k', b2: 'k', mask: 'n m', reg": "reg=0.1",
    }.items(),
)
def test_what_is_advised_fits_what_hints_say(arguments: str, given: str, tmp_path: Path) -> None:
    words = advice(tmp_path, NET.replace("X, y, W1, b1, W2, b2, mask, reg", arguments))
    assert f"give --inputs {given} (" in words
    with load(tmp_path / "student.py") as file:
        inputs = choose_inputs(Pair("f", 1, file.module.f, None), read_inputs(shlex.split(given)), 0).inputs
        arrays = {n: np.ones(a) if isinstance(a, tuple) else a for n, a in inputs.items()}
        assert np.isfinite(file.module.f(**arrays))


def test_labels_are_as_many_as_the_rows_of_what_has_a_hint(tmp_path: Path) -> None:
    assert 'give --inputs y="n:int<3" (' in advice(tmp_path, "def f(p: 'n c', y):\n    return p[np.arange(len(y)), y]")


DICTS = """
    def f(X, parameters, config):
        W, b = parameters["W1"], parameters["b1"]
        if "seed" in config:
            np.random.seed(config["seed"])
        if config["mode"] == "train":
            X = X * (1 - config["p"])
        config["mean"] = X.mean()
        return X @ parameters["W1"] + parameters["b1"]
"""


@pytest.mark.parametrize(
    ("body", "given"),
    {
        "return x @ W + b, (x, W)": "x=4x3 W=3x5 b=5",
        "s = np.einsum('bid,jd->bij', Q, K)\n    return np.where(mask, s, 0)": "Q=4x3x5 K=6x5 mask=3x6:bool",
        "N, T, D = x.shape\n    return x * 2": "x=4x3x5",
        "n, c, h, w = x.shape\n    return x[:, :, : h - size]": "x=4x3x5x6 size==2",
        "z, _ = x @ W + b, 1\n    return z": "x=4x3 W=3x5 b=5",
        "z = np.dot(W, x) + b\n    return z @ V": "x=4x3 W=5x4 b=5x1 V=3x6",
    }.items(),
)
def test_shapes_fit_wherever_a_product_stands(body: str, given: str, tmp_path: Path) -> None:
    names = [word.partition("=")[0] for word in given.split()]
    assert f"give --inputs {given} (" in advice(tmp_path, f"def f({', '.join(names)}):\n    {body}")


def test_of_a_dict_every_entry_is_guessed(tmp_path: Path) -> None:
    words = advice(tmp_path, DICTS)
    given = ["X=4x3", "parameters={'W1': (3, 5), 'b1': (5,)}", "config={'mode': 'train', 'p': 0.1}"]
    assert f'give --inputs {given[0]} parameters="{given[1][11:]}" config="{given[2][7:]}" (' in words
    with load(tmp_path / "student.py") as file:
        inputs = choose_inputs(Pair("f", 1, file.module.f, None), read_inputs(given), 0).inputs
    assert inputs == {"X": (4, 3), "parameters": {"W1": (3, 5), "b1": (5,)}, "config": {"mode": "train", "p": 0.1}}


def test_a_generator_is_to_have_a_default_value(tmp_path: Path) -> None:
    code = "def f(x, rng):\n    return x * rng.normal(size=x.shape)"
    path = tmp_path / "student.py"
    path.write_text(code)
    with load(path) as file, pytest.raises(ValueError, match="rng draws random numbers; give it a default value"):
        choose_inputs(Pair("f", 1, file.module.f, None), {}, 0)


def test_a_loss_with_its_gradient_beside_it_is_found(tmp_path: Path) -> None:
    path = tmp_path / "student.py"
    path.write_text("def loss(W, x):\n    dW = x\n    return W @ x, dW\n\ndef other(x):\n    return x, 2 * x\n")
    with load(path) as file:
        assert list_both_in_one(file) == [("loss", 1, "W")]


def test_a_hint_may_have_the_form_of_inputs() -> None:
    assert read_hint("n:int<3", {}) == Drawn(("n",), Kind.INT, 3)
    assert read_hint("n:int<k", {}) == Drawn(("n",), Kind.INT, "k")
    assert read_hint("n d:bool", {}) == Drawn(("n", "d"), Kind.BOOL)


def test_labels_are_below_the_size_that_is_named() -> None:
    def f(x: Any, y: Any) -> Any:
        return x[y]

    f.__annotations__ = {"x": "n k", "y": "40:int<k"}
    inputs = choose_inputs(Pair("f", 1, f, None), {}, 0).inputs
    assert set(inputs["y"]) == set(range(inputs["x"][1]))
