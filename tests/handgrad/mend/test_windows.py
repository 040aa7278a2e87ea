"""Another window of an array: the bounds of a slice, its step, along one axis or several."""

import ast

import numpy as np
import pytest

from handgrad import Verdict, verify_function
from handgrad.mend.bounds import NONE, Bound, Window
from handgrad.mend.material import AtHand, Item
from handgrad.mend.windows import edit_window
from tests.handgrad.mend.own_draws import after, make_draw


def windows(text, shape=(9, 9), elsewhere=(), **numbers):
    """What may stand between the brackets of a, as text."""
    items = tuple(Item(ast.Name(name, ast.Load()), value, 0.0) for name, value in numbers.items())
    slices = tuple(ast.parse(f"a[{index}]", mode="eval").body.slice for index in elsewhere)
    hand = AtHand({"a": np.zeros(shape), **numbers}, tuple(numbers), items, slices)
    edits = edit_window(ast.parse(text, mode="eval").body, hand, [hand.scope], [])
    return [[ast.unparse(ast.Subscript(ast.Name("a"), edit.node))[2:-1] for edit in alike] for alike in edits]


@pytest.mark.parametrize(
    ("text", "numbers", "expected"),
    [
        ("a[:H, :W]", {"H": 5, "W": 7, "p": 1}, "p:p + H, p:p + W"),
        ("a[p:p + H, p:p + W]", {"H": 5, "W": 7, "p": 1}, ":H, :W"),
        ("a[:H, :W]", {"H": 5, "W": 7, "ph": 1, "pw": 2}, "ph:ph + H, pw:pw + W"),
        ("a[p:, p:]", {"p": 1}, "p:-p, p:-p"),
        ("a[p:-p, p:-p]", {"p": 1}, "p:, p:"),
        ("a[p:-p, :]", {"p": 1}, "p:-p, p:-p"),
        ("a[:k]", {"k": 3}, "k:"),
        ("a[k:]", {"k": 3}, "k - 1:"),
        ("a[::2]", {"n": 3}, ":n"),
        ("a[:n]", {"n": 3, "s": 4}, "::s"),
        ("a[1::s]", {"s": 4}, "::s"),
        ("a[:, :]", {"s": 2}, ":, ::s"),
        ("a[..., :H]", {"H": 5, "p": 1}, "..., p:p + H"),
        ("a[i:i + k]", {"i": 1, "k": 2, "p": 3}, "i + p:i + k + p"),
        ("a[i:i + k]", {"i": 1, "k": 2, "n": 3}, "i:i + n"),
    ],
)
def test_the_window_that_was_meant_is_among_them(text, numbers, expected):
    assert expected in [text for alike in windows(text, **numbers) for text in alike]


def test_a_window_as_it_stands_elsewhere_comes_first():
    assert windows("a[:k]", elsewhere=["j:j + 2", "q:"], j=3, k=2)[0][0] == "j:j + 2"


def test_those_with_the_same_entries_are_together_and_few():
    found = windows("a[:, :H]", H=7, p=1, q=1, r=1, s=1)
    (alike,) = [texts for texts in found if ":, p:p + H" in texts]
    assert len(alike) == 3
    assert len(found) == len({tuple(texts) for texts in found})


def test_no_window_is_empty_or_the_same_or_none_at_all():
    assert all(":H" not in texts and ":9" not in texts for texts in windows("a[:H]", (9,), H=9))
    assert windows("a[:1.5]", p=1) == []


@pytest.mark.parametrize(
    ("window", "part"),
    [
        (Window(), (9, 0, 1)),
        (Window(Bound(ast.Name("p"), (2,)), Bound(ast.Name("q"), (-2,))), (5, 2, 1)),
        (Window(step=Bound(ast.Name("s"), (4,))), (3, 0, 4)),
        (Window(NONE, Bound(ast.Name("n"), (0,))), (0, 0, 1)),
        (Window(step=Bound(ast.Name("s"), (0,))), (0, 0, 1)),
    ],
)
def test_how_many_entries_a_window_has_from_where_on(window, part):
    assert window.part(9, 0) == part


def lag(x):
    k = 2
    return x[:, k:] * x[:, :-k], (x, k)


def lag_backward(dy, cache):
    x, k = cache
    dx = np.zeros_like(x)
    dx[:, k:] += dy * x[:, :-k]
    dx[:, :-k] += dy * x[:, k:]
    return dx


def lag_to_the_other_end(dy, cache):
    x, k = cache
    dx = np.zeros_like(x)
    dx[:, :-k] += dy * x[:, :-k]
    dx[:, :-k] += dy * x[:, k:]
    return dx


def lag_of_the_other_end(dy, cache):
    x, k = cache
    dx = np.zeros_like(x)
    dx[:, k:] += dy * x[:, k:]
    dx[:, :-k] += dy * x[:, k:]
    return dx


def every_other(x):
    s = 2
    return np.tanh(x[:, ::s, ::s]), (x.shape, np.tanh(x[:, ::s, ::s]), s)


def every_other_backward(dy, cache):
    shape, y, s = cache
    dx = np.zeros(shape)
    dx[:, ::s, ::s] = dy * (1 - y**2)
    return dx


def first_of_each(dy, cache):
    shape, y, s = cache  # noqa: RUF059
    dx = np.zeros(shape)
    dx[:, :3, :2] = dy * (1 - y**2)
    return dx


def padded(x, w):
    ph, pw = 1, 2
    H, W = x.shape
    xp = np.pad(x, ((ph, ph), (pw, pw)))
    return xp * w, (xp, w, H, W, ph, pw)


def padded_backward(dy, cache):
    xp, w, H, W, ph, pw = cache
    dxp = dy * w
    return dxp[ph : ph + H, pw : pw + W], dy * xp


def cut_at_the_far_ends(dy, cache):
    xp, w, H, W, ph, pw = cache  # noqa: RUF059
    dxp = dy * w
    return dxp[:H, :W], dy * xp


def cut_at_the_near_ends(dy, cache):
    xp, w, H, W, ph, pw = cache  # noqa: RUF059
    dxp = dy * w
    return dxp[ph:, pw:], dy * xp


def not_cut(dy, cache):
    xp, w, H, W, ph, pw = cache  # noqa: RUF059
    dxp = dy * w
    return dxp, dy * xp


def last_turn(x, w):
    k, L = len(w), x.shape[1]
    xp = np.pad(x, ((0, 0), (k - 1, 0)))
    return sum(w[i] * xp[:, i : i + L] for i in range(k)), (xp, w, k, L)


def last_turn_backward(dy, cache):
    xp, w, k, L = cache
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(k):
        dw[i] = (dy * xp[:, i : i + L]).sum()
        dxp[:, i : i + L] += w[i] * dy
    return dxp[:, k - 1 :], dw


def too_few_cut(dy, cache):
    xp, w, k, L = cache
    dxp, dw = np.zeros_like(xp), np.zeros_like(w)
    for i in range(k):
        dw[i] = (dy * xp[:, i : i + L]).sum()
        dxp[:, i : i + L] += w[i] * dy
    return dxp[:, :L], dw


@pytest.mark.mends
@pytest.mark.parametrize(
    ("forward", "right", "wrong", "shapes", "meant"),
    [
        (lag, lag_backward, lag_to_the_other_end, {"x": (3, 7)}, [":, k:"]),
        (lag, lag_backward, lag_of_the_other_end, {"x": (3, 7)}, [":, :-k"]),
        (every_other, every_other_backward, first_of_each, {"x": (2, 6, 4)}, [":, ::s, ::s"]),
        (padded, padded_backward, cut_at_the_far_ends, {"x": (3, 4), "w": (5, 8)}, ["ph:ph + H, pw:pw + W"]),
        (padded, padded_backward, cut_at_the_near_ends, {"x": (3, 4), "w": (5, 8)}, ["ph:-ph, pw:-pw"]),
        (padded, padded_backward, not_cut, {"x": (3, 4), "w": (5, 8)}, ["dxp[ph:-ph, pw:-pw]"]),
        (last_turn, last_turn_backward, too_few_cut, {"x": (2, 6), "w": (3,)}, [":, k - 1:", ":, -L:"]),
    ],
)
def test_the_window_is_found_that_is_wrong(forward, right, wrong, shapes, meant):
    assert after(forward, wrong, [make_draw(forward, right, shapes, seed) for seed in (1, 2)]) in meant


@pytest.mark.mends
def test_the_judge_certifies_a_gradient_cut_out_of_its_padding():
    report = verify_function(padded, cut_at_the_far_ends, inputs=[(3, 4), (5, 8)], seed=1)
    assert report.change is not None, report.text()
    assert (report.change.before, report.change.after) == (":H, :W", "ph:ph + H, pw:pw + W")
    assert verify_function(padded, padded_backward, inputs=[(3, 4), (5, 8)], seed=1).verdict is Verdict.CERTIFIED
