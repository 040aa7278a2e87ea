"""The picture's plan: every number in a box of its own, every edge from its unit to its weight."""

import re
from itertools import combinations

import pytest

from handgrad.worked.example import draw_example
from handgrad.worked.latex import show_latex
from handgrad.worked.layout import Plan, boxes, lay_out, lines, wires
from handgrad.worked.lectures import SOURCES, load_lecture
from handgrad.worked.page import show_page, with_names
from handgrad.worked.picture import draw_network
from handgrad.worked.solution import Solution, solve
from handgrad.worked.tikz import draw

DRAWN = {"1-1": (1, 1), "6-6-6": (6, 6, 6), "1-6-2-1-3": (1, 6, 2, 1, 3)}


@pytest.fixture(scope="module", params=[*SOURCES, *DRAWN])
def solution(request: pytest.FixtureRequest) -> Solution:
    name = request.param
    if name in SOURCES:
        return solve(load_lecture(name))
    loss = "cross_entropy" if DRAWN[name][-1] > 1 else "binary_cross_entropy"
    return solve(draw_example(DRAWN[name], "tanh", loss, 1))


@pytest.fixture
def plan(solution: Solution) -> Plan:
    return lay_out(solution)


def test_no_box_lies_on_another_and_all_are_on_the_picture(plan: Plan) -> None:
    found = [box for box, _ in boxes(plan)]
    for box in found:
        assert box.x > 0
        assert box.y > 0
        assert box.right[0] < plan.width
        assert box.y + box.height < plan.height
        assert all(box.y < y < box.y + box.height for _, y in lines(box))
    for one, other in combinations(found, 2):
        beside = one.right[0] <= other.x or other.right[0] <= one.x
        assert beside or one.y + one.height <= other.y or other.y + other.height <= one.y


def test_every_number_has_one_place(solution: Solution, plan: Plan) -> None:
    placed = [name for box, _ in boxes(plan) for name, _ in lines(box)]
    assert sorted(placed) == sorted(solution.shown)


def test_an_edge_leads_from_its_unit_to_its_weight(solution: Solution, plan: Plan) -> None:
    """W2_31 starts where unit 1 of layer 1 ends, and ends where the number W2_31 stands, before unit 3."""
    sizes = solution.example.sizes
    found = list(wires(plan))
    weights = [wire for wire in found if wire[2].startswith("W")]
    assert len(weights) == sum(n for p in solution.example.params if p for n in [p["W"].size])
    assert len(found) == len(weights) + sizes[-1]
    for start, end, name in weights:
        layer, to, source = (int(digit) for digit in name.replace("_", "")[1:])
        before, after = plan.columns[layer - 1][source - 1], plan.columns[layer][to - 1]
        assert start == before.card.right
        assert end == next(pill.left for pill in after.pills if pill.names == (name,))


def test_the_tikz_picture_fits_a_page(solution: Solution, plan: Plan) -> None:
    scale = float(re.search(r"x=([\d.]+)pt", "\n".join(draw(solution)))[1])  # type: ignore[index]
    assert plan.width * scale < 511
    assert plan.height * scale < 641


def test_the_picture_says_its_numbers_where_the_plan_has_them(solution: Solution, plan: Plan) -> None:
    svg = draw_network(solution)
    for box, _ in boxes(plan):
        for name, y in lines(box):
            line = svg.partition(f'data-name="{name}"')[0].rpartition("<text")[2]
            assert f'y="{y:g}"' in line


def test_a_number_is_called_the_same_in_picture_and_formula() -> None:
    """W with its layer above and its index below, on the page, in its sentences and in LaTeX."""
    solution = solve(load_lecture("mazur"))
    label = '>W<tspan dy="-5" class="index">(1)</tspan><tspan dy="8" class="index">11</tspan></text>'
    assert label in draw_network(solution)
    assert "{$W^{(1)}_{11}$}" in "\n".join(draw(solution))
    assert "$W^{(1)}$" in show_latex(solution)
    words, *_ = show_page(solution).body
    assert "<msup><mi>W</mi><mtext>(1)</mtext></msup>" in words
    assert "W1" not in words


def test_a_note_stands_below_the_title() -> None:
    solution = solve(load_lecture("scikit_learn"))
    words, *others = show_page(solution).body
    own = with_names(solution.example.note)
    assert own in words
    assert own not in "".join(others)


def test_the_tikz_picture_of_two_layers_can_be_read() -> None:
    """Seven points at least, where 5.8 were too small."""
    font = re.search(r"fontsize\{([\d.]+)\}", "\n".join(draw(solve(load_lecture("mazur")))))
    assert font is not None
    assert float(font[1]) >= 7
