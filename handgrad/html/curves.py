"""Curves as SVG inside the page: numbers by step or by epoch, on a logarithmic scale where they need one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from handgrad.html.element import Html, element

WIDTH, HEIGHT = 560, 220
LEFT, RIGHT, ABOVE, BELOW = 64, 10, 10, 28  # of the picture around the curves
TICKS = 4
FAR = 20  # times the smallest number, from which on the scale is logarithmic


@dataclass(frozen=True)
class Axes:
    """Where numbers lie in the picture. low and high are those of the logarithms where it is logarithmic."""

    first: float
    last: float
    low: float
    high: float
    logarithmic: bool

    def across(self, step: float) -> float:
        return LEFT + (step - self.first) / (self.last - self.first) * (WIDTH - LEFT - RIGHT)

    def up(self, height: float) -> float:
        return ABOVE + (self.high - height) / (self.high - self.low) * (HEIGHT - ABOVE - BELOW)

    def line(self, x: Sequence[float], values: Sequence[float], kind: int) -> Html:
        """A curve. What is not finite is left out, and what a logarithm does not take."""
        kept = [(s, v) for s, v in zip(x, values, strict=True) if math.isfinite(v) and (v > 0 or not self.logarithmic)]
        heights = [math.log10(v) if self.logarithmic else v for _, v in kept]
        points = (f"{self.across(s):.1f},{self.up(h):.1f}" for (s, _), h in zip(kept, heights, strict=True))
        return element("polyline", points=" ".join(points), class_=f"curve{kind}")

    def grid(self) -> Iterator[Html]:
        """Numbers beside the axis, each with its line across."""
        for k in range(TICKS + 1):
            height = self.low + (self.high - self.low) * k / TICKS
            up, words = f"{self.up(height):.1f}", f"{10**height if self.logarithmic else height:.3g}"
            across = element("line", x1=str(LEFT), x2=str(WIDTH - RIGHT), y1=up, y2=up)
            yield element("g", across, element("text", words, x=str(LEFT - 6), y=up, dy="4", class_="end"))


def draw_curves(title: str, x: Sequence[float], curves: Mapping[str, Sequence[float]], x_name: str) -> Html:
    """Each curve with its name and its last value below; nothing where no value is finite."""
    axes = choose_axes(x, [v for values in curves.values() for v in values if math.isfinite(v)])
    if axes is None:
        return Html("")
    ends = [element("text", f"{axes.first:g}", x=str(LEFT), y=str(HEIGHT - 8))]
    ends.append(element("text", f"{x_name} {axes.last:g}", x=str(WIDTH - RIGHT), y=str(HEIGHT - 8), class_="end"))
    lines = [axes.line(x, values, k) for k, values in enumerate(curves.values())]
    names = [
        element("li", f"{name}, last {values[-1]:.4g}", class_=f"curve{k}")
        for k, (name, values) in enumerate(curves.items())
    ]
    box = f"0 0 {WIDTH} {HEIGHT}"
    drawn = element("svg", *axes.grid(), *ends, *lines, viewBox=box, role="img", aria_label=title)
    words = f"{title}, logarithmic" if axes.logarithmic else title
    return element("figure", drawn, element("figcaption", words, element("ul", *names)), class_="curves")


def choose_axes(x: Sequence[float], finite: Sequence[float]) -> Axes | None:
    """Axes that hold all of these numbers, logarithmic where they are far apart."""
    positive = [v for v in finite if v > 0]
    logarithmic = bool(positive) and max(positive) > FAR * min(positive) and min(finite) >= 0
    shown = [math.log10(v) for v in positive] if logarithmic else finite
    if not shown:
        return None
    low, high = min(shown), max(shown)
    if low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    return Axes(min(x), max(max(x), min(x) + 1), low, high, logarithmic)
