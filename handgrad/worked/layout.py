"""Where everything lies in the picture of a network: units in columns, and the numbers of their edges before them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

from handgrad.worked.digits import round_to
from handgrad.worked.example import LOGITS
from handgrad.worked.notation import NameParts, name_parts
from handgrad.worked.quantities import layers_of, numbered, output_letter, units, weight
from handgrad.worked.solution import Solution

DIGITS = 4  # significant digits in the picture
ROW = 17  # from one line of text to the next
BASE = 4.5  # from where a line of text stands to its lower end
SPACE = 8  # above and below a value and its gradient, together
CARD, PILL, WIRE = 124, 128, 48  # widths: of a unit, of what stands on an edge, of the edge before it
GAP, EDGE = 20, 14  # between units above each other; around the picture
PAD = 8  # inside a card
HEAD = 20  # for the title of a column

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle with numbers in it, from above to below; x and y are its left upper corner."""

    x: float
    y: float
    width: float
    names: tuple[str, ...]

    @property
    def height(self) -> float:
        return stack_height(self.names)

    @property
    def left(self) -> Point:
        """The middle of the left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        return self.x + self.width, self.y + self.height / 2


@dataclass(frozen=True)
class Unit:
    """A unit's card, and before it a pill for each weight of an edge into it and for its bias."""

    card: Box
    pills: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Columns of units from the inputs to the loss, with their titles."""

    columns: tuple[tuple[Unit, ...], ...]
    titles: tuple[str, ...]
    width: float
    height: float


Column = Sequence[tuple[tuple[str, ...], tuple[str, ...]]]  # of each unit: the names on its pills, those in its card


def lay_out(solution: Solution) -> Plan:
    """The plan; every column stands in the middle of the height."""
    contents = list(columns_of(solution))
    height = max(column_height(column) for column in contents)
    x = float(EDGE)
    columns: list[tuple[Unit, ...]] = []
    for column in contents:
        has_pills = any(pills for pills, _ in column)
        x += WIRE if columns else 0
        columns.append(place_column(column, x, HEAD + EDGE + (height - column_height(column)) / 2))
        x += (PILL if has_pills else 0) + CARD
    titles = ("inputs", *(f"layer {i}" for i in units(len(contents) - 2)), "loss")
    return Plan(tuple(columns), titles, x + EDGE, HEAD + height + 2 * EDGE)


def columns_of(solution: Solution) -> Iterator[Column]:
    """The inputs, each layer, the loss."""
    example = solution.example
    bias = "b" in example.params[0]
    yield [((), (name,)) for name in numbered("x", example.sizes[0])]
    for layer, n_in, n_out in layers_of(example):
        inside = ("z", "h") if output_letter(example, layer) == "h" else ("z",)
        weights = [[weight(layer, k, j) for j in units(n_in)] for k in units(n_out)]
        biases = [[f"b{layer}_{k}"] if bias else [] for k in units(n_out)]
        cards = [tuple(f"{letter}{layer}_{k}" for letter in inside) for k in units(n_out)]
        yield [((*w, *b), card) for w, b, card in zip(weights, biases, cards, strict=True)]
    between = numbered(LOGITS[example.loss][0], example.sizes[-1]) if example.loss in LOGITS else []
    yield [((), (*between, *numbered("t", example.sizes[-1]), "E"))]


def place_column(column: Column, x: float, y: float) -> tuple[Unit, ...]:
    """The units of a column below each other from y on; what is lower of card and pills is in the middle."""
    placed = []
    for pills, card in column:
        height = unit_height(pills, card)
        top, boxes = y + (height - pills_height(pills)) / 2, []
        for name in pills:
            boxes.append(Box(x, top, PILL, (name,)))
            top += pair_height(name)
        left = x + (PILL if pills else 0)
        placed.append(Unit(Box(left, y + (height - stack_height(card)) / 2, CARD, card), tuple(boxes)))
        y += height + GAP
    return tuple(placed)


def pair_names(name: str) -> tuple[str, ...]:
    """A number and its gradient; targets, the loss and what is inside it have none."""
    return (name,) if name_parts(name).letter in "tpsE" else (name, f"d{name}")


def pair_height(name: str) -> float:
    return ROW * len(pair_names(name)) + SPACE


def pills_height(pills: Sequence[str]) -> float:
    return sum(map(pair_height, pills))


def stack_height(names: Sequence[str]) -> float:
    return pills_height(names) + (PAD if len(names) > 1 else 0)


def unit_height(pills: Sequence[str], card: Sequence[str]) -> float:
    return max(pills_height(pills), stack_height(card))


def column_height(column: Column) -> float:
    return sum(unit_height(*unit) for unit in column) + GAP * (len(column) - 1)


def boxes(plan: Plan) -> Iterator[tuple[Box, bool]]:
    """Every box, and whether it is a unit's card."""
    for column in plan.columns:
        for unit in column:
            yield from ((pill, False) for pill in unit.pills)
            yield unit.card, True


def wires(plan: Plan) -> Iterator[tuple[Point, Point, str]]:
    """Every edge from where to where: from each unit to its weights in the next layer, from each output to the loss.

    The name is that of the number on the edge; to the loss, of the output.
    """
    for before, after in zip(plan.columns, plan.columns[1:], strict=False):
        for unit in after:
            for source, pill in zip(before, unit.pills, strict=False):  # the last pill may be the bias
                yield source.card.right, pill.left, pill.names[0]
            if not unit.pills:
                yield from ((source.card.right, unit.card.left, source.card.names[-1]) for source in before)


def lines(box: Box) -> Iterator[tuple[str, float]]:
    """Every number in a box, gradients too, with the height of the line it stands on."""
    top = box.y + (PAD / 2 if len(box.names) > 1 else 0)
    for name in box.names:
        for i, line in enumerate(pair_names(name), 1):
            yield line, top + SPACE / 2 + ROW * i - BASE
        top += pair_height(name)


def short_name(name: str) -> NameParts:
    """The parts of what a number is called in the picture; a gradient stands below the number it belongs to.

    >>> "".join(short_name("W1_21")), "".join(short_name("dW1_21"))
    ('W121', 'dW')
    """
    found = name_parts(name)
    return found._replace(layer="", place="") if found.d else found


def in_picture(solution: Solution, name: str) -> Decimal:
    """At most DIGITS significant digits of a number, of its value and not of what is shown: it is rounded once."""
    shown = solution.shown[name]
    if shown.exact:
        return Context(prec=DIGITS).plus(shown.number)
    return round_to(solution.values[name].number, min(DIGITS, shown.digits))
