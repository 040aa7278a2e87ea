"""The network as SVG: every value, and below it its gradient.

Each number knows its name (data-of) and the step that computes it (data-at), so that a script can show one step.
"""

from collections.abc import Iterator, Mapping

from handgrad.html.element import Html, element, join
from handgrad.worked.layout import EDGE, PAD, Box, Plan, Point, boxes, in_picture, lay_out, lines, short_name, wires
from handgrad.worked.notation import shown_number
from handgrad.worked.solution import Solution, kind

BLANK = "____"
INSET = 3  # from a pill to the next
RAISED, LOWERED = 5, 3  # a layer above the line, an index below it


def draw_network(solution: Solution, *, blanks: bool = False) -> Html:
    """The picture. blanks: without the results."""
    plan, steps = lay_out(solution), steps_of(solution)
    parts = [draw_wire(*wire) for wire in wires(plan)] + [*draw_titles(plan)]
    for box, is_card in boxes(plan):
        parts.append(draw_box(box, is_card))
        parts += [draw_number(name, box, y, solution, steps, blanks) for name, y in lines(box)]
    title = f"{solution.example.title}: the network with its values and gradients"
    size = f"0 0 {plan.width:g} {plan.height:g}"
    return element("svg", *parts, viewBox=size, role="img", aria_label=title, width=f"{plan.width:g}")


def draw_wire(start: Point, end: Point, name: str) -> Html:
    """An edge."""
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2
    path = f"M{x0:g},{y0:g} C{middle:g},{y0:g} {middle:g},{y1:g} {x1:g},{y1:g}"
    return element("path", d=path, class_="edge", data_edge=name)


def draw_titles(plan: Plan) -> Iterator[Html]:
    """The title above each column."""
    for title, column in zip(plan.titles, plan.columns, strict=True):
        card = column[0].card
        yield element("text", title, x=f"{card.x + card.width / 2:g}", y=f"{EDGE + 2:g}", class_="head")


def draw_box(box: Box, is_card: bool) -> Html:
    """The ground of a card or a pill."""
    inset, shape = (0, "card") if is_card else (INSET, "pill")
    return element(
        "rect", x=f"{box.x:g}", y=f"{box.y + inset:g}", width=f"{box.width - inset:g}",
        height=f"{box.height - 2 * inset:g}", rx="10" if is_card else "6", class_=shape,
    )  # fmt: skip


def draw_number(name: str, box: Box, y: float, solution: Solution, steps: Mapping[str, int], blanks: bool) -> Html:
    """The name on the left, the number on the right."""
    colour = kind(name, solution.given)
    hidden = blanks and name not in solution.given
    words = BLANK if hidden else shown_number(in_picture(solution, name))
    label = element("text", label_of(name), x=f"{box.x + PAD:g}", y=f"{y:g}", class_=f"name {colour}")
    right = f"{box.x + box.width - PAD - INSET:g}"
    number = element("text", words, x=right, y=f"{y:g}", class_=f"end {colour}", data_name=name)
    return element("g", label, number, data_at=str(steps.get(name, 0)), data_of=name)


def label_of(name: str) -> Html:
    """Its short name as in the formulas: the layer above, the index below."""
    d, letter, layer, place = short_name(name)
    above = [element("tspan", f"({layer})", dy=f"-{RAISED}", class_="index")] if layer else []
    drop = LOWERED + (RAISED if layer else 0)
    below = [element("tspan", place, dy=str(drop), class_="index")] if place else []
    return join(d + letter, *above, *below)


def steps_of(solution: Solution) -> dict[str, int]:
    """The step that computes each result, counted from 1."""
    return {name: i for i, step in enumerate(solution.steps, 1) for name in step.formulas}
