"""The network as SVG: units in columns, the weights on their edges; every value, and below it its gradient.

Each number knows its name (data-name) and the step that computes it (data-at), so that a script can show one step.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from handgrad.html.element import Html, element, join
from handgrad.worked.notation import name_parts, shown_number
from handgrad.worked.quantities import layers_of, numbered, output_letter, units, weight
from handgrad.worked.solution import Solution, kind

DIGITS = 4  # significant digits in the picture
ROW = 17  # from one line of text to the next
PAIR = 2 * ROW + 8  # a value and its gradient
CARD, PILL, WIRE = 116, 112, 54  # widths: of a unit, of what stands on an edge, of the edge before it
GAP, EDGE = 20, 14  # between units above each other; around the picture
PAD = 8  # inside a card
HEAD = 20  # for the title of a column
BLANK = "____"


@dataclass(frozen=True)
class Box:
    """A rectangle with its pairs of numbers in it, from above to below."""

    x: float
    y: float
    width: float
    names: tuple[str, ...]

    @property
    def height(self) -> float:
        return len(self.names) * PAIR + (PAD if len(self.names) > 1 else 0)

    @property
    def left(self) -> tuple[float, float]:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        return self.x + self.width, self.y + self.height / 2


@dataclass(frozen=True)
class Unit:
    """A unit's card, with a pill for each number that comes in: its weights and its bias."""

    card: Box
    pills: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Where everything lies: columns of units from the inputs to the loss."""

    columns: tuple[tuple[Unit, ...], ...]
    titles: tuple[str, ...]
    width: float
    height: float


def draw_network(solution: Solution, *, blanks: bool = False) -> Html:
    """The picture. blanks: without the results."""
    plan = lay_out(solution)
    title = f"{solution.example.title}: the network with its values and gradients"
    box = f"0 0 {plan.width:g} {plan.height:g}"
    parts = [*edges(plan), *heads(plan)]
    for unit in (unit for column in plan.columns for unit in column):
        parts += [
            draw_box(box, "card" if box is unit.card else "pill", solution, blanks) for box in (*unit.pills, unit.card)
        ]
    return element("svg", *parts, viewBox=box, role="img", aria_label=title, width=f"{plan.width:g}", class_="network")


# Where everything lies.


def lay_out(solution: Solution) -> Plan:
    """Columns as wide as what stands in them; every column in the middle of the height."""
    contents = list(columns_of(solution))
    height = max(column_height(column) for column in contents)
    x = float(EDGE)
    columns: list[tuple[Unit, ...]] = []
    for column in contents:
        pills = any(incoming_names for incoming_names, _ in column)
        x += WIRE if columns else 0
        columns.append(place_column(column, x, HEAD + EDGE + (height - column_height(column)) / 2))
        x += (PILL if pills else 0) + CARD
    titles = ("inputs", *(f"layer {i}" for i in units(len(contents) - 2)), "loss")
    return Plan(tuple(columns), titles, x + EDGE, HEAD + height + 2 * EDGE)


Column = Sequence[tuple[tuple[str, ...], tuple[str, ...]]]  # of each unit: the names on its pills, those in its card


def columns_of(solution: Solution) -> Iterator[Column]:
    """The inputs, each layer, the loss."""
    example = solution.example
    bias = "b" in example.params[0]
    yield [((), (name,)) for name in numbered("x", example.sizes[0])]
    for layer, n_in, n_out in layers_of(example):
        inside = ("z", "h") if output_letter(example, layer) == "h" else ("z",)
        yield [
            (
                (*(weight(layer, k, j) for j in units(n_in)), *([f"b{layer}_{k}"] if bias else [])),
                tuple(f"{letter}{layer}_{k}" for letter in inside),
            )
            for k in units(n_out)
        ]
    of_loss = {"cross_entropy": "p", "binary_cross_entropy": "s"}.get(example.loss)
    between = numbered(of_loss, example.sizes[-1]) if of_loss else []
    yield [((), (*between, *numbered("t", example.sizes[-1]), "E"))]


def unit_height(pills: Sequence[str], card: Sequence[str]) -> float:
    return max(len(pills) * PAIR, len(card) * PAIR + PAD)


def column_height(column: Column) -> float:
    return sum(unit_height(*unit) for unit in column) + GAP * (len(column) - 1)


def place_column(column: Column, x: float, y: float) -> tuple[Unit, ...]:
    """The units of a column below each other, each card in the middle of its pills."""
    placed = []
    for pills, card in column:
        height = unit_height(pills, card)
        top = y + (height - len(pills) * PAIR) / 2
        boxes = tuple(Box(x, top + i * PAIR, PILL, (name,)) for i, name in enumerate(pills))
        left = x + (PILL if pills else 0)
        own = Box(left, 0, CARD, card)
        placed.append(Unit(Box(left, y + (height - own.height) / 2, CARD, card), boxes))
        y += height + GAP
    return tuple(placed)


# What is drawn.


def edges(plan: Plan) -> Iterator[Html]:
    """A curve from each unit to each of its weights in the next layer, and from each output to the loss."""
    for before, after in zip(plan.columns, plan.columns[1:], strict=False):
        for unit in after:
            if not unit.pills:
                for source in before:
                    yield curve(source.card.right, unit.card.left, source.card.names[-1])
            for source, pill in zip(before, unit.pills, strict=False):  # the last pill may be the bias
                yield curve(source.card.right, pill.left, pill.names[0])


def curve(start: tuple[float, float], end: tuple[float, float], name: str) -> Html:
    """An edge. name: the number that stands on it."""
    (x0, y0), (x1, y1) = start, end
    middle = (x0 + x1) / 2
    path = f"M{x0:g},{y0:g} C{middle:g},{y0:g} {middle:g},{y1:g} {x1:g},{y1:g}"
    return element("path", d=path, class_="edge", data_edge=name)


def heads(plan: Plan) -> Iterator[Html]:
    """The title above each column."""
    for title, column in zip(plan.titles, plan.columns, strict=True):
        card = column[0].card
        yield element("text", title, x=f"{card.x + card.width / 2:g}", y=f"{EDGE + 2:g}", class_="head")


def draw_box(box: Box, shape: str, solution: Solution, blanks: bool) -> Html:
    """A card or a pill with its numbers."""
    inset = 0 if shape == "card" else 3
    rect = element(
        "rect", x=f"{box.x:g}", y=f"{box.y + inset:g}", width=f"{box.width - inset:g}",
        height=f"{box.height - 2 * inset:g}", rx="10" if shape == "card" else "6", class_=shape,
    )  # fmt: skip
    top = box.y + (PAD / 2 if len(box.names) > 1 else 0)
    pairs = (draw_pair(name, box, top + i * PAIR, solution, blanks) for i, name in enumerate(box.names))
    return element("g", rect, *pairs)


def draw_pair(name: str, box: Box, y: float, solution: Solution, blanks: bool) -> Html:
    """A number under its name, and its gradient below it; a target and the loss have none."""
    found = [n for n in (name, f"d{name}") if n in solution.shown]
    first = y + (PAIR - ROW * len(found)) / 2 + ROW - 4.5
    lines = (draw_number(n, box, first + ROW * i, solution, blanks) for i, n in enumerate(found))
    return join(*lines)


def draw_number(name: str, box: Box, y: float, solution: Solution, blanks: bool) -> Html:
    """The name on the left, the number on the right."""
    colour = kind(name, solution.given)
    hidden = blanks and name not in solution.given
    words = BLANK if hidden else shown_number(in_picture(solution.shown[name].number))
    at = steps_of(solution).get(name, 0)
    label = element("text", short_name(name), x=f"{box.x + PAD:g}", y=f"{y:g}", class_=f"name {colour}")
    right = box.x + box.width - PAD - (0 if box.width == CARD else 3)
    number = element("text", words, x=f"{right:g}", y=f"{y:g}", class_=f"end {colour}", data_name=name)
    return element("g", label, number, data_at=str(at), data_of=name)


def short_name(name: str) -> Html:
    """z1 with its index below; of a gradient dz alone, since it stands below z1."""
    d, letter, layer, place = name_parts(name)
    if d:
        return join(d, letter)
    return join(letter, layer, element("tspan", place, dy="3", class_="index"))


def in_picture(number: Decimal) -> Decimal:
    """At most DIGITS significant digits of it.

    >>> in_picture(Decimal("0.0004385678")), in_picture(Decimal("0.35"))
    (Decimal('0.0004386'), Decimal('0.35'))
    """
    return Context(prec=DIGITS).plus(number)


def steps_of(solution: Solution) -> Mapping[str, int]:
    """The step that computes each result, counted from 1."""
    return {name: i for i, step in enumerate(solution.steps, 1) for name in step.formulas}
