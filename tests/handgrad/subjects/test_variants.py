"""Inputs that a change was not found on: which axes belong together is found by trying; wrong changes show there."""

from dataclasses import replace

import numpy as np
import pytest

from handgrad import verify_function
from handgrad.mend.draw import Draw
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.reference import Reference
from handgrad.subjects.function.variants import Group, Variant, find_groups, hinted, other_sizes, smaller

RNG = np.random.default_rng(0)


def test_axes_of_one_size_are_told_apart():
    axes = {("x", 0): 3, ("x", 1): 3, ("W", 0): 3, ("U", 1): 6}

    def fits(sizes):
        now = axes | sizes
        return now["x", 1] == now["W", 0] and now["U", 1] == 2 * now["W", 0]

    assert find_groups(axes, fits) == [
        Group(3, {("x", 0): 1}),
        Group(3, {("x", 1): 1, ("W", 0): 1, ("U", 1): 2}),
    ]


def test_axes_that_hints_give_one_name_stay_together_where_they_can():
    axes = {("a", 0): 3, ("b", 0): 3, ("c", 0): 3}
    both, third = Group(3, {("a", 0): 1, ("b", 0): 1}), Group(3, {("c", 0): 1})
    assert find_groups(axes, lambda sizes: True, [[("a", 0), ("b", 0)]]) == [both, third]
    alone = find_groups(axes, lambda sizes: len(sizes) == 1, [[("a", 0), ("b", 0)]])
    assert [len(group.axes) for group in alone] == [1, 1, 1]


def pair(a: "n d", b: "n d", tags: "n:int<d", plain, wrong: "n d e"):  # noqa: F722
    return a @ b.T


def test_hints_are_read_from_the_signature():
    arrays = {name: np.zeros((3, 4)) for name in ("a", "b", "plain", "wrong")}
    code = Code(pair, lambda *args: None, (*arrays,), {"tags": np.zeros(3, int)})
    found = hinted(Variant(code, Reference(pair, code.names, {}), arrays))
    assert found == [[("a", 0), ("b", 0), ("tags", 0)], [("a", 1), ("b", 1)]]


def energy(pos, edges, k):
    d = pos[edges[:, 0]] - pos[edges[:, 1]]
    return 0.5 * np.sum(k * (d**2).sum(1)), (pos, edges, k, d)


def in_torch(pos, edges, k):
    return 0.5 * (k * ((pos[edges[:, 0]] - pos[edges[:, 1]]) ** 2).sum(1)).sum()


EDGES = np.array([[0, 1], [1, 2], [2, 3], [0, 3]])


def first_of():
    constants = {"edges": EDGES}
    code = Code(energy, lambda *args: None, ("pos", "edges", "k"), constants)
    inputs = {"pos": RNG.normal(size=(4, 2)), "k": RNG.uniform(1, 2, 4)}
    return Variant(code, Reference(in_torch, code.names, constants), inputs), code


def large(pos, k):
    first, code = first_of()
    return Variant(code, first.reference, {"pos": RNG.normal(size=pos), "k": RNG.uniform(1, 2, k)}), code


def test_what_has_too_many_numbers_is_made_small_as_long_as_it_shows_what_is_wrong():
    first, code = large((4, 90), 4)
    found = smaller(first, lambda: code, np.zeros(()), lambda variant: True)
    assert found.inputs["pos"].shape == (4, 2)
    assert np.array_equal(
        found.inputs["pos"][0], first.inputs["pos"][0, np.isin(first.inputs["pos"][0], found.inputs["pos"])]
    )
    found = smaller(first, lambda: code, np.zeros(()), lambda variant: variant.inputs["pos"].shape[1] > 2)
    assert found.inputs["pos"].shape == (4, 3)
    assert smaller(first, lambda: code, np.zeros(()), lambda variant: False) is None


def test_what_has_few_numbers_stays():
    first, code = large((4, 70), 4)
    assert smaller(first, lambda: code, np.zeros(()), lambda variant: True) is None


def test_no_two_sizes_are_equal_and_constants_grow_with_the_inputs():
    first, code = first_of()
    found = list(other_sizes(first, lambda: code, np.zeros(()), ["pos", "k"], np.random.default_rng(0)))
    shapes = [(v.inputs["pos"].shape[1], v.inputs["k"].shape[0], len(v.code.constants["edges"])) for v in found]
    space, springs, edges = shapes[0]
    assert springs == edges
    assert len({space, springs, 4, 2}) == 4  # 4 particles, 2 ends
    assert any(springs == 1 for _, springs, _ in shapes)


@pytest.mark.mends
def test_a_factor_that_is_a_size_by_chance_is_no_change():
    """0.5 is missing, and pos has two columns: / pos.shape[1] is right for two columns only."""

    def backward(cache):
        pos, edges, k, d = cache
        dpos = np.zeros_like(pos)
        np.add.at(dpos, edges[:, 0], k[:, None] * d)
        np.subtract.at(dpos, edges[:, 1], k[:, None] * d)
        return dpos, None, (d**2).sum(1)

    inputs = [(4, 2), EDGES, np.array([1.0, 1.5, 0.7, 2.0])]
    report = verify_function(energy, backward, in_torch, inputs, seed=0, mend=60)
    assert report.change is not None
    assert "shape" not in report.change.after
    assert report.change.place.text.strip().startswith("return")


def pairs(a, b):
    s = a @ b.T
    return (s**2).sum() / 2 - s[range(len(a)), range(len(a))].sum(), (a, b, s)


def pairs_backward(dE, cache):
    a, b, s = cache
    ds = dE * (s - np.eye(len(a)))  # as many rows as columns, which forward does not ask for
    return ds @ b, ds @ a


@pytest.mark.mends
def test_right_code_may_raise_at_sizes_at_which_the_wrong_code_raises_too():
    report = verify_function(pairs, pairs_backward, inputs={"a": (4, 3), "b": (4, 3)}, seed=0)
    assert report.change is not None
    assert report.change.after == "ds.T"


def test_where_the_code_raises_nothing_is_wrong_only_if_it_may():
    draw = Draw(lambda _: {}, lambda _: {}, np.ones(()), {"dx": np.ones(2)}, {"dx": np.ones(2)}, in_float64=True)
    assert draw.wrong(None) == {"dx"}
    assert replace(draw, may_raise=True).wrong(None) == set()
    assert replace(draw, may_raise=True).wrong({"dx": np.full(2, 9.0)}) == {"dx"}
