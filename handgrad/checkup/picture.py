"""One number of each layer as dots beside each other, over the range that is normal."""

from collections.abc import Sequence
from math import isfinite, log10

from handgrad.html.element import Html, element

WIDTH, ROW = 560, 26
LEFT, RIGHT, BELOW = 64, 92, 24  # beside and below the dots
GOOD, BAD = "#2e9e4f", "#d0312d"
RADIUS = 6


def draw_dots(
    title: str, names: Sequence[str], values: Sequence[float], low: float, high: float, *, logarithmic: bool, form: str
) -> Html:
    """A row for each layer: its name, a dot, its number. low to high is normal. form: how a number is written.

    Green dots are normal and round, the others red and square. What is not finite or, on the logarithmic scale, not
    above zero stands at the edge.
    """
    positive = [v for v in (*values, low, high) if isfinite(v) and v > 0]
    first, last = (min(positive) / 2, max(positive) * 2) if logarithmic else (0.0, 1.0)

    def across(value: float) -> float:
        if logarithmic:
            value = 0.0 if value <= first else (log10(value) - log10(first)) / (log10(last) - log10(first))
        share = min(max(value, 0.0), 1.0) if value == value else 1.0
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    height = ROW * len(names)
    band = (across(low), across(high))
    parts = [element("rect", x=f"{band[0]:.1f}", width=f"{band[1] - band[0]:.1f}", y="0", height=str(height),
                     fill=GOOD, fill_opacity="0.18")]  # fmt: skip
    for i, (name, value) in enumerate(zip(names, values, strict=True)):
        up = ROW * i + ROW // 2
        fine = isfinite(value) and low <= value <= high
        mark = draw_mark(min(across(value), float(WIDTH - RIGHT)), up, fine=fine)
        line = element("line", x1=str(LEFT), x2=str(WIDTH - RIGHT), y1=str(up), y2=str(up))
        parts += [line, mark, element("text", name, x=str(LEFT - 12), y=str(up), dy="4", class_="end")]
        parts.append(element("text", format(value, form), x=str(WIDTH - RIGHT + 12), y=str(up), dy="4"))
    for value, side in ((low, "start"), (high, "end")):
        if value > 0:
            words = element("text", format(value, form), x=f"{across(value):.1f}", y=str(height + 16),
                            text_anchor="middle" if side == "start" else "end")  # fmt: skip
            parts.append(words)
    box = f"0 0 {WIDTH} {height + BELOW}"
    drawn = element("svg", *parts, viewBox=box, role="img", aria_label=title)
    return element("figure", drawn, element("figcaption", title), class_="curves")


def draw_mark(x: float, y: float, *, fine: bool) -> Html:
    """A green dot, or a red square."""
    if fine:
        return element("circle", cx=f"{x:.1f}", cy=str(y), r=str(RADIUS), fill=GOOD)
    size = str(2 * RADIUS)
    return element("rect", x=f"{x - RADIUS:.1f}", y=str(y - RADIUS), width=size, height=size, fill=BAD)
