"""How many digits are shown: enough to go on with, never more than are sure."""

import random
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from handgrad.worked.digits import DIGITS, Shown, choose_digits, sure_digits
from handgrad.worked.example import Example, make_example
from handgrad.worked.formula import Call, Difference, Formula, Name, Product, Quotient, Whole, compute
from handgrad.worked.key import grading_key
from handgrad.worked.latex import show_latex
from handgrad.worked.lectures import load_lecture
from handgrad.worked.notation import decimal_text, shown_number
from handgrad.worked.page import show_page
from handgrad.worked.solution import Solution, solve
from handgrad.worked.text import show_text
from handgrad.worked.values import Value
from manual import Sigmoid

A, B = Name("a"), Name("b")


@cache
def mazur() -> Solution:
    return solve(load_lecture("mazur"))


def choose(formulas: dict[str, Formula], **numbers: float) -> dict[str, Shown]:
    """Of one given number, a."""
    return choose_digits(["a"], formulas, {name: Value(n, abs(n) * 1e-15) for name, n in numbers.items()})


def test_a_number_that_ends_is_shown_to_its_end() -> None:
    shown = choose({"b": Product((A, A))}, a=0.35, b=0.35 * 0.35)
    assert shown == {"a": Shown(Decimal("0.35"), True), "b": Shown(Decimal("0.1225"), True)}


def test_one_that_does_not_end_has_five_digits() -> None:
    shown = choose({"b": Quotient(Whole(1), A)}, a=3.0, b=1 / 3)
    assert shown["b"] == Shown(Decimal("0.33333"), False)


def test_zero_times_anything_is_zero() -> None:
    """Behind a dead unit nothing is rounded, whatever it is multiplied by."""
    formulas: dict[str, Formula] = {"b": Quotient(Whole(1), A), "c": Product((B, Difference(A, A)))}
    assert choose(formulas, a=3.0, b=1 / 3, c=0.0)["c"] == Shown(Decimal(0), True)


def test_a_dead_unit_is_exactly_zero_whatever_its_z_is() -> None:
    """z = -1/3 does not end, and max(z, 0) does."""
    formulas: dict[str, Formula] = {"b": Quotient(Whole(-1), A), "c": Call("relu", B), "d": Call("positive", B)}
    shown = choose(formulas, a=3.0, b=-1 / 3, c=0.0, d=0.0)
    assert shown["c"] == shown["d"] == Shown(Decimal(0), True)
    assert not shown["b"].exact
    alive = choose({"b": Quotient(Whole(1), A), "d": Call("positive", B)}, a=3.0, b=1 / 3, d=1.0)
    assert alive["d"] == Shown(Decimal(1), True)


def test_what_a_formula_needs_is_shown() -> None:
    """1 - 3 b from five digits of b would be 0.00001; b has as many as give five digits of c."""
    b = 0.3333123456789
    formulas: dict[str, Formula] = {"b": Quotient(A, Whole(7)), "c": Difference(Whole(1), Product((Whole(3), B)))}
    shown = choose(formulas, a=7 * b, b=b, c=1 - 3 * b)
    assert shown["c"].number == Decimal("0.000062963")
    assert shown["b"].digits in (9, 10)
    assert abs(1 - 3 * shown["b"].number - shown["c"].number) < shown["c"].half_unit


def test_a_result_has_no_more_digits_than_are_left_of_it() -> None:
    """b is sure to nine digits, so c = 1 - 3 b has not five of them."""
    b = 0.333333312345678
    values = {"a": Value(7 * b, 0), "b": Value(b, 1e-10), "c": Value(1 - 3 * b, 3e-10)}
    formulas: dict[str, Formula] = {"b": Quotient(A, Whole(7)), "c": Difference(Whole(1), Product((Whole(3), B)))}
    assert sure_digits(values["b"]) < 11
    shown = choose_digits(["a"], formulas, values)
    assert shown["c"].digits < DIGITS


def test_the_digits_of_a_saturated_unit_are_sure() -> None:
    """Of 1 - h fewer are left than anyone would show, the nearer h is to 1."""
    shown = solve(saturated(28.0)).shown
    exact = 1 / (Decimal("28.0").exp() + 1)
    assert shown["dh1_1"].digits < 5
    assert abs(-exact - shown["dh1_1"].number) <= shown["dh1_1"].half_unit


@pytest.mark.parametrize("z", [30.5, 40.0])
def test_where_no_digit_is_sure_none_is_shown(z: float) -> None:
    with pytest.raises(ValueError, match="too few digits are sure to show how it is computed; smaller weights"):
        solve(saturated(z))


def saturated(z: float) -> Example:
    """One unit, whose output is nearly its target."""
    return make_example("saturated", [([[z]], [0.0])], [1.0], [1.0], "sigmoid", "half")


def test_a_wrong_formula_is_found() -> None:
    with pytest.raises(ValueError, match=r"b: is 0\.333, of which too few digits"):
        choose({"b": Quotient(Whole(2), A)}, a=3.0, b=1 / 3)


def test_small_numbers_keep_their_sign_and_digits() -> None:
    assert [decimal_text(Decimal(n)) for n in ("-0.00000012345", "0.00001234")] == ["-1.2345e-7", "0.00001234"]
    assert shown_number(Decimal("-1.2E-7")) == "\u22121.2·10⁻⁷"


# The questions, and the key they are graded by.


def right(quantity: dict[str, Any], answer: float) -> bool:
    return bool(abs(answer - quantity["value"]) <= quantity["tolerance"])


def test_the_key_takes_what_is_rounded_as_asked_and_nothing_else() -> None:
    key = grading_key(mazur())
    assert [q["name"] for q in key["quantities"]] == list(mazur().formulas)
    for quantity in key["quantities"]:
        shown = mazur().shown[quantity["name"]]
        assert right(quantity, float(shown.number))
        for off in (1, -1):
            assert not right(quantity, float(shown.number + 2 * off * shown.half_unit)), quantity["name"]


def test_whoever_goes_on_with_rounded_answers_is_right() -> None:
    """The whole sheet by a calculator that keeps only what was asked for."""
    key = grading_key(mazur())
    n, asked = dict(key["given"]), {q["name"]: q for q in key["quantities"]}

    def put(name: str, value: float) -> None:
        q = asked.pop(name)
        n[name] = value if q["exact"] else float(f"{value:.{q['digits'] - 1}e}")
        assert right(q, n[name]), name

    def sigmoid(z: float) -> float:
        return Sigmoid().scalar(z)[0]

    for layer, before in ((1, "x"), (2, "h1")):
        for k in (1, 2):
            z = sum(n[f"W{layer}_{k}{j}"] * n[f"{before}_{j}"] for j in (1, 2)) + n[f"b{layer}_{k}"]
            put(f"z{layer}_{k}", z)
            put(f"h{layer}_{k}", sigmoid(n[f"z{layer}_{k}"]))
    put("E", sum((n[f"h2_{k}"] - n[f"t_{k}"]) ** 2 for k in (1, 2)) / 2)
    for layer, before in ((2, "h1"), (1, "x")):
        for k in (1, 2):
            back = [n[f"dz2_{i}"] * n[f"W2_{i}{k}"] for i in (1, 2)] if layer == 1 else [n[f"h2_{k}"] - n[f"t_{k}"]]
            put(f"dh{layer}_{k}", sum(back))
            h = n[f"h{layer}_{k}"]
            put(f"dz{layer}_{k}", n[f"dh{layer}_{k}"] * h * (1 - h))
            put(f"db{layer}_{k}", n[f"dz{layer}_{k}"])
            for j in (1, 2):
                put(f"dW{layer}_{k}{j}", n[f"dz{layer}_{k}"] * n[f"{before}_{j}"])
    for j in (1, 2):
        put(f"dx_{j}", sum(n[f"dz1_{i}"] * n[f"W1_{i}{j}"] for i in (1, 2)))
    assert asked == {}


def test_an_exact_answer_is_asked_for_to_five_digits_at_least() -> None:
    key = {q["name"]: q for q in grading_key(mazur())["quantities"]}
    assert key["z1_1"] == {
        "name": "z1_1", "tensor": "z1", "index": [0, 0], "value": 0.3775, "tolerance": 5e-6, "digits": 5, "exact": True,
    }  # fmt: skip
    assert key["dW1_21"]["tensor"] == "dW1"
    assert key["dW1_21"]["index"] == [1, 0]
    assert key["E"]["tensor"] == "loss"


@pytest.mark.parametrize(
    ("number", "exact", "asked", "half"),
    [
        ("-0.6", True, 5, "0.000005"),
        ("0", True, 5, "0.000005"),
        ("0.1234567", True, 7, "0.00000005"),
        ("-0.60", False, 2, "0.005"),
    ],
)
def test_the_tolerance_is_half_a_unit_of_the_last_digit_asked_for(
    number: str, exact: bool, asked: int, half: str
) -> None:
    shown = Shown(Decimal(number), exact)
    assert (shown.asked, shown.half_unit) == (asked, Decimal(half))


def test_no_result_stands_on_the_question_sheet() -> None:
    whole = (show_text(mazur()), "".join(show_page(mazur()).body), show_latex(mazur()))
    sheets = (
        show_text(mazur(), blanks=True), "".join(show_page(mazur(), blanks=True).body), show_latex(mazur(), blanks=True)
    )  # fmt: skip
    for name in mazur().formulas:
        number = mazur().shown[name].number
        for answers, questions in zip(whole, sheets, strict=True):
            assert shown_number(number) in answers or decimal_text(number) in answers
            assert shown_number(number) not in questions
            assert decimal_text(number) not in questions
            assert decimal_text(number)[:6] not in questions
    text = sheets[0]
    assert text.count("_" * 14) == len(mazur().formulas)
    assert max(map(len, text.splitlines())) <= 80


def test_any_weights_come_to_an_end() -> None:
    """Random numbers of sixteen digits, and nearly equal ones: the digits are found, and every formula agrees."""
    rng = random.Random(0)
    for _ in range(3):
        W = [[rng.gauss(0, 3) for _ in range(2)] for _ in range(2)]
        example = make_example("random", [(W, [1e-9, 1 / 3])], [1 / 3, 1 / 3 + 1e-12], [0.1, 0.999999], "tanh", "mse")
        solution = solve(example)
        numbers = {name: shown.number for name, shown in solution.shown.items()}
        assert all(shown.digits <= 17 for shown in solution.shown.values())
        for name, formula in solution.formulas.items():
            unit = Decimal(1).scaleb(int(numbers[name].as_tuple().exponent))
            assert abs(compute(formula, numbers) - numbers[name]) <= unit / 2, name
