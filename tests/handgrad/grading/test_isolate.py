"""A quantity from right values of the others, however they are set: by name, in a loop, in a dict, in place."""

import ast
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from handgrad.grading.child.isolate import ISOLATED, MISSING, Isolated, isolate

NAMES = ["a", "b", "dz"]
RIGHT = {"a": np.array([10.0, 20.0])}


def value(body: str, asked: str = "b", given: dict[str, Any] | None = None, returned: str = "b") -> Any:
    """The asked quantity of a function with this body; a (wrong) is [1, 2], and [10, 20] is given for it."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    tree = ast.parse(f"def f(np, one):\n{lines}")
    isolate(tree, ["f"], NAMES)
    own = Isolated(asked, RIGHT if given is None else given)
    space: dict[str, Any] = {ISOLATED: own}
    exec(compile(tree, "f", "exec"), space)
    result = None
    with suppress(ZeroDivisionError):
        result = space["f"](np, np.array([1.0, 2.0]))
    return own.result(result, returned.split())


WAYS = {
    "by name": "a = one\nb = a + 1\nreturn b",
    "without a return": "a = one\nb = a + 1",
    "returned alone": "a = one\nreturn a + 1",
    "together": "a, b = one, one\nb = a + 1\nreturn b",
    "with a type": "a: object = one\nb: object = a + 1",
    "in two steps": "a = one\nb = a\nb = b + 1\nreturn b",
    "changed in place": "a = one.copy()\na *= 5\nb = a.copy()\nb += 1\nreturn b",
    "through a mask": "a = one.copy()\na[one > 1] = 0\nb = a + 1\nreturn b",
    "through a slice": "a = one.copy()\na[:1] = 0\nb = np.zeros(2)\nb[:] = a + 1\nreturn b",
    "with out=": "a = one.copy()\nnp.multiply(a, 3, out=a)\nb = a + 1\nreturn b",
    "in a dict": "d = {}\nd['a'] = one\nd['b'] = d['a'] + 1\nreturn d",
    "in a condition": "if len(one) > 1:\n    a = one\nelse:\n    a = 0\nb = a + 1\nreturn b",
    "in with and try": "try:\n    with np.errstate():\n        a = one\nfinally:\n    b = a + 1\nreturn b",
    "where the other raises": "a = one / (1 // 0)\nb = a + 1\nreturn b",
    "before an exception": "a = one\nb = a + 1\n1 // 0",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_quantity_is_computed_from_what_is_given(way: str) -> None:
    np.testing.assert_array_equal(value(WAYS[way]), [11, 21])


def test_nothing_is_replaced_that_is_not_given() -> None:
    np.testing.assert_array_equal(value(WAYS["by name"], given={}), [2, 3])


def test_what_is_given_stays_as_it_is() -> None:
    given = {"a": np.array([10.0, 20.0])}
    value("a = one\na += 5\nb = a\nb *= 2\nreturn b", given=given)
    np.testing.assert_array_equal(given["a"], [10, 20])


LOOP = "dz = [None] * 4\nfor i in (3, 2, 1):\n    dz[i] = one if i == 3 else dz[i + 1] + 1\nreturn dz"


@pytest.mark.parametrize("body", [LOOP, LOOP.replace("[None] * 4", "{}"), LOOP.replace("return dz", "")])
def test_an_entry_of_a_list_is_computed_from_the_entries_given(body: str) -> None:
    found = value(body, "dz[1]", {"dz[2]": np.array([5.0, 6.0])}, "dz")
    np.testing.assert_array_equal(found, [6, 7])


def test_a_list_made_at_once_has_its_entries() -> None:
    np.testing.assert_array_equal(value("dz = [None, one, one + 1]", "dz[2]", {}, "dz"), [2, 3])


@pytest.mark.parametrize(("body", "asked"), [("a = one", "b"), ("b = 1 // 0", "b"), ("dz = [one]\nreturn dz", "dz[3]")])
def test_a_quantity_that_is_never_set_is_missing(body: str, asked: str) -> None:
    assert value(body, asked, {}, "b dz") is MISSING


def test_results_come_in_the_order_of_the_skeleton() -> None:
    np.testing.assert_array_equal(value("return one, one + 1", "b", {}, "a b"), [2, 3])
