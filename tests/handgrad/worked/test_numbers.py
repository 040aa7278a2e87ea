"""Every number of every lecture's worked example, read back from the page, the text and LaTeX, beside autograd's."""

import re
from decimal import Context, Decimal
from functools import cache
from html.parser import HTMLParser
from importlib import import_module
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from handgrad.course.lecture import autograd
from handgrad.html.equations import find_equation
from handgrad.html.page import page
from handgrad.worked.example import LOSSES, Example, make_example
from handgrad.worked.latex import show_latex
from handgrad.worked.lectures import SOURCES, load_lecture
from handgrad.worked.page import show_page
from handgrad.worked.solution import Solution, solve
from handgrad.worked.text import show_text
from manual import HalfSquaredError, mlp

# What the lecture's own script computes with: network, parameters, sample, target, loss.
OWN: dict[str, tuple[str, str, str, str, str, str]] = {
    "lee": ("lee", "RULES", "RULES_PARAMS", "RULES_X", "RULES_T", "LOSS"),
    "ando_ki": ("ando_ki_neurons", "", "CHAIN", "CHAIN_X", "TARGET", "HALF"),
    "banerjee": ("banerjee_network", "NET", "PARAMS", "X", "Y", ""),
    "eum": ("eum_worked", "NET", "PARAMS", "X", "TARGET", "HALF"),
    "mazur": ("mazur", "NET", "PARAMS", "X", "TARGET", "LOSS"),
    "scikit_learn": ("scikit_learn", "NET", "PARAMS", "X", "TARGET", "LOSS"),
}
OTHERS = {  # what no lecture has, among it a dead unit and numbers below 1e-5
    "relu, cross_entropy": make_example(
        "three classes",
        [([[0.5, -1.0], [2.0, 0.25]], [0.1, -3.0]), ([[1.0, 2.0], [-0.5, 0.5], [1e-7, 0.3]], [0.0, 0.1, 0.2])],
        [0.75, -0.5], 2, "relu", "cross_entropy",
    ),
    "tanh, mse": make_example("mse", [([[0.3], [-0.2]], [0.1, 0.2])], [0.7], [0.5, -0.5], "tanh", "mse"),
    "identity, squared": make_example(
        "linear", [([[0.3, 1.5]], None), ([[2.0]], None)], [1 / 3, 0.7], [0.1], "identity", "squared"
    ),
    "softplus, half": make_example("half", [([[0.3]], [0.4]), ([[-1.5]], [0.2])], [0.7], [0.1], "softplus", "half"),
    "silu, binary_cross_entropy": make_example(
        "binary", [([[0.3, 0.2]], [0.4]), ([[-1.5], [2.0]], [0.2, 0.0])],
        [0.7, 3.0], [0.25, 1.0], "silu", "binary_cross_entropy",
    ),
}  # fmt: skip
ALL = (*SOURCES, *OTHERS)


@cache
def solution(name: str) -> Solution:
    return solve(OTHERS[name] if name in OTHERS else load_lecture(name))


@cache
def html(name: str) -> str:
    return page(show_page(solution(name)))


def own(name: str) -> tuple[Any, ...]:
    """A lecture's network, parameters, sample, target and loss, as its script has them."""
    if name.startswith("selker"):
        script = import_module("handgrad.lectures.selker")
        W, x = (script.FIGURE_4, script.FIGURE_4_INPUT) if name == "selker" else (script.DIAMOND, script.DIAMOND_INPUT)
        net = mlp([W[0].shape[1], *map(len, W)], "tanh", "tanh", bias=False)
        return net, ({"W": W[0]}, {}, {"W": W[1]}, {}), x, script.ZERO, HalfSquaredError()
    module, *parts = OWN[name]
    script = import_module(f"handgrad.lectures.{module}")
    net, params, x, t, loss = (getattr(script, part) if part else None for part in parts)
    return net or mlp([2, 1, 1], "sigmoid", "sigmoid"), params, x, t, loss or HalfSquaredError()


def by_autograd(name: str) -> dict[str, Any]:
    """Every tensor by torch, from the lecture's own numbers."""
    if name in OTHERS:
        example: Example = OTHERS[name]
        point = (example.network, example.params, example.x, example.t, LOSSES[example.loss])
    else:
        point = own(name)
    found = dict(autograd(*point))
    y = torch.tensor(found[f"z{sum(key.startswith('z') for key in found)}"])
    return found | {
        "E": found["loss"], "t": point[3], "p": torch.softmax(y, 1).numpy(), "s": torch.sigmoid(y).numpy(),
    }  # fmt: skip


def right_value(tensors: dict[str, Any], name: str) -> float:
    """The entry that a name means: units are counted from 1, one sample is row 0."""
    tensor, _, place = name.partition("_")
    values = np.asarray(tensors[tensor])
    digits = tuple(int(digit) - 1 for digit in place)
    return float(values[digits] if re.match("d?[WbE]", tensor) else values[(0, *digits)])


class Read(HTMLParser):
    """The numbers of a page with their names, in the picture, behind the formulas, in the table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.name, self.tag = "", ""
        self.found: dict[str, dict[str, str]] = {"text": {}, "mn": {}, "span": {}}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.name, self.tag = dict(attrs).get("data-name") or "", tag

    def handle_data(self, data: str) -> None:
        if self.name:
            assert self.name not in self.found[self.tag], "said twice"
            self.found[self.tag][self.name] = data
            self.name = ""


def as_decimal(shown: str) -> Decimal:
    """A number as it stands on a page."""
    digits, _, power = shown.replace("\u2212", "-").partition("·10")
    small = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return Decimal(f"{digits}e{small}" if small else digits)


def rounds_to(value: float, shown: Decimal) -> bool:
    """Whether the value is the shown number, to half a unit of its last digit and the rounding of float64."""
    exponent = shown.as_tuple().exponent
    assert isinstance(exponent, int)
    if not shown:
        return value == 0
    return abs(Decimal(value) - shown) <= Decimal(5).scaleb(exponent - 1) + Decimal(abs(value)) * Decimal("1e-13")


@pytest.mark.parametrize("name", ALL)
def test_every_number_of_the_page_is_autograds(name: str) -> None:
    found, tensors = Read(html(name)).found, by_autograd(name)
    expected = set(solution(name).shown)
    sizes = solution(name).example.sizes
    weights = sum(n_in * n_out for n_in, n_out in pairwise(sizes))
    assert sum(re.fullmatch(r"dW\d_\d\d", n) is not None for n in expected) == weights
    assert set(found["text"]) == expected, "the picture"
    assert set(found["span"]) == expected, "the table"
    assert set(found["mn"]) == set(solution(name).formulas), "the formulas"
    for place, numbers in found.items():
        for n, shown in numbers.items():
            assert rounds_to(right_value(tensors, n), as_decimal(shown)), (place, n, shown)


def text_answers(text: str) -> dict[str, tuple[str, str, str]]:
    """name: the formula with numbers (or without, where it is a copy), = or ≈, the result."""
    found = {}
    for block in re.split(r"\n  (?=[a-zA-Z]\w*_?\w* = )", text)[1:]:
        lines = " ".join(line.strip() for line in block.split("\n\n")[0].splitlines())
        name, *sides = re.split(r" ([=≈]) ", lines)
        found[name] = (sides[-3], sides[-2], sides[-1])
    return found


def compute(formula: str) -> float:
    """A line of the text as Python has it."""
    code = formula.replace("·", "*").replace("²", "**2")
    code = re.sub(r"\[(.*?)>0\]", r"float(\1 > 0)", code)
    functions = {"sigmoid": lambda z: 1 / (1 + np.exp(-z)), "tanh": np.tanh, "exp": np.exp, "log": np.log}
    return float(eval(code, {"__builtins__": {}}, {**functions, "max": max, "float": float}))


@pytest.mark.parametrize("name", ALL)
def test_the_shown_numbers_put_in_give_the_shown_result(name: str) -> None:
    text = show_text(solution(name))
    assert max(map(len, text.splitlines())) <= 80
    head, _, rest = text.partition("\nGiven\n")[2].partition("\n\n")
    given = dict(re.findall(r"(\w+) = (\S+)", head))
    answers, tensors = text_answers(rest.partition("\nAll numbers")[0]), by_autograd(name)
    assert set(answers) | set(given) == set(solution(name).shown)
    for n, shown in given.items():
        assert float(shown) == right_value(tensors, n)
    for n, (formula, relation, result) in answers.items():
        shown = Decimal(result)
        assert rounds_to(right_value(tensors, n), shown), n
        again = float(answers[formula][2]) if formula in answers else compute(formula)
        digits = max(len(shown.as_tuple().digits), 1)
        if relation == "≈" or again:
            assert Decimal(f"{again:.{digits - 1}e}") == shown, (n, formula, result)
        if relation == "=":
            assert Decimal(repr(round(again, 12))) == shown, n


@pytest.mark.parametrize("name", ALL)
def test_every_number_in_latex_is_autograds(name: str) -> None:
    latex, tensors = show_latex(solution(name)), by_autograd(name)
    answers = re.findall(r"\\answer\{\$(\S+) = .*(?:=|\\approx) (\S+?)(?: \\cdot 10\^\{(-\d+)\})?\$\}", latex)
    assert len(answers) == len(solution(name).formulas)
    for (symbol, digits, power), n in zip(answers, solution(name).formulas, strict=True):
        d, letter, layer, place = re.fullmatch(r"(d?)([A-Za-z])(?:\^\{\((\d)\)\})?(?:_\{(\d+)\})?", symbol).groups()  # type: ignore[union-attr]
        assert n == d + letter + (layer or "") + (f"_{place}" if place else "")
        assert rounds_to(right_value(tensors, n), Decimal(f"{digits}e{power}" if power else digits)), n
    assert latex.count("{") == latex.count("}")


def test_the_page_has_the_equations_of_its_layers_and_of_its_loss() -> None:
    for tag in ("linear.z", "linear.dx", "linear.dW", "linear.db", "sigmoid.h", "sigmoid.dz", "squared_error.dy"):
        equation = find_equation(tag)
        assert equation is not None
        assert html("mazur").count(equation.math) == 1
    dW, dz = find_equation("linear.dW"), find_equation("softmax_cross_entropy.dz")
    assert dW is not None
    assert dz is not None
    assert dz.math in html("relu, cross_entropy")
    assert dW.math not in "".join(show_page(solution("mazur"), blanks=True).body)


def test_mazurs_digits_are_those_of_his_post() -> None:
    shown = solution("mazur").shown
    printed = {
        "z1_1": "0.3775",
        "h1_1": "0.593269992",
        "E": "0.298371109",
        "dW2_11": "0.082167041",
        "dW1_11": "0.000438568",
    }
    for name, digits in printed.items():
        number = shown[name].number
        assert Context(prec=len(number.as_tuple().digits)).plus(Decimal(digits)) == number
    assert shown["z1_1"].exact
    assert not shown["h1_1"].exact
