"""Curves as SVG inside the page: numbers by step or by epoch, on a logarithmic scale where they need one."""

import math
from collections.abc import Mapping, Sequence

from handgrad.html.element import Html, element

WIDTH, HEIGHT, LEFT, BELOW, ABOVE = 560, 220, 64, 28, 10
TICKS = 4


def draw_curves(title: str, x: Sequence[float], curves: Mapping[str, Sequence[float]], x_name: str) -> Html:
    """Each curve with its name and its last value below. What is not finite, or is not above zero where the scale is
    logarithmic, is left out."""
    finite = [v for values in curves.values() for v in values if math.isfinite(v)]
    positive = [v for v in finite if v > 0]
    logarithmic = bool(positive) and max(positive) > 20 * min(positive) and min(finite) >= 0
    shown = [math.log10(v) for v in positive] if logarithmic else finite
    if not shown:
        return Html("")
    low, high = min(shown), max(shown)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    first, last = min(x), max(max(x), min(x) + 1)

    def place(step: float, value: float) -> str:
        across = LEFT + (step - first) / (last - first) * (WIDTH - LEFT - 10)
        up = ABOVE + (high - value) / (high - low) * (HEIGHT - ABOVE - BELOW)
        return f"{across:.1f},{up:.1f}"

    def line(values: Sequence[float], kind: int) -> Html:
        kept = [(s, v) for s, v in zip(x, values, strict=True) if math.isfinite(v) and (v > 0 or not logarithmic)]
        points = " ".join(place(s, math.log10(v) if logarithmic else v) for s, v in kept)
        return element("polyline", points=points, class_=f"curve{kind}")

    marks = [low + (high - low) * k / TICKS for k in range(TICKS + 1)]
    grid = [tick(place(first, m), f"{10**m if logarithmic else m:.3g}") for m in marks]
    ends = [element("text", f"{first:g}", x=str(LEFT), y=str(HEIGHT - 8))]
    ends.append(element("text", f"{x_name} {last:g}", x=str(WIDTH - 10), y=str(HEIGHT - 8), class_="end"))
    lines = [line(values, k) for k, values in enumerate(curves.values())]
    names = [
        element("li", f"{name}, last {values[-1]:.4g}", class_=f"curve{k}")
        for k, (name, values) in enumerate(curves.items())
    ]
    drawn = element("svg", *grid, *ends, *lines, viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img", aria_label=title)
    caption = element("figcaption", title + (", logarithmic" if logarithmic else ""), element("ul", *names))
    return element("figure", drawn, caption, class_="curves")


def tick(at: str, words: str) -> Html:
    """A number beside the axis, with its line across."""
    _, up = at.split(",")
    across = element("line", x1=str(LEFT), x2=str(WIDTH - 10), y1=up, y2=up)
    return element("g", across, element("text", words, x=str(LEFT - 6), y=up, dy="4", class_="end"))
