"""A check-up as a page: what each check says, and its numbers as pictures."""

from collections.abc import Sequence
from math import inf

from handgrad.checkup.checks import FAST, MOSTLY, SATURATED, SLOW, SPREAD, Check, flat
from handgrad.checkup.numbers import Numbers
from handgrad.checkup.picture import draw_dots
from handgrad.checkup.text import RIGHT, WRONG, conclude
from handgrad.html.curves import draw_curves
from handgrad.html.element import Html, element, join
from handgrad.html.page import Shown
from handgrad.report.badges import badge


def show_checkup(name: str, checks: Sequence[Check], numbers: Numbers) -> Shown:
    """The verdict, every check in sentences, then the pictures."""
    words = conclude(checks)
    verdict = badge(RIGHT, "good") if all(check.healthy for check in checks) else badge(WRONG, "bad")
    body = [element("p", words), element("h2", "Check by check")]
    body += [part for check in checks for part in show_check(check)]
    body += [element("h2", "In pictures"), element("div", *runs(numbers), *layers(numbers), class_="pair")]
    return Shown(words, join(verdict, " ", name), body)


def show_check(check: Check) -> list[Html]:
    """Its name, what was measured, what is normal, what to do."""
    mark = badge(RIGHT, "good") if check.healthy else badge(WRONG, "bad")
    parts = [element("h3", mark, " ", check.name), element("p", check.measured)]
    parts += [element("p", element("b", "Do: "), check.advice)] if check.advice else []
    return [*parts, element("p", "Normal: ", check.normal, class_="aside")]


def runs(found: Numbers) -> list[Html]:
    """The losses of both short trainings, step by step."""
    first = [float(step) for step in range(1, len(found.losses) + 1)]
    constant = [found.constant] * len(first)
    heart = [float(step) for step in range(len(found.by_heart))]
    return [
        draw_curves("loss in the first steps", first, {"each batch": found.losses, "best constant": constant}, "step"),
        draw_curves(f"loss, {found.few} samples by heart", heart, {"these samples": found.by_heart}, "step"),
    ]


def layers(found: Numbers) -> list[Html]:
    """The numbers of each layer over what is normal."""
    names = [w.name for w in found.weights]
    norms = [w.gradient for w in found.weights]
    ratios = [w.ratio for w in found.weights]
    top = max((n for n in norms if n < inf), default=1.0) or 1.0
    dots = [
        draw_dots("norm of dW at the start", names, norms, top / SPREAD, top, logarithmic=True, form=".1e"),
        draw_dots("update to weight, median of a step", names, ratios, SLOW, FAST, logarithmic=True, form=".1e"),
    ]
    for title, units in (("at the start", found.units), ("after the first steps", found.units_after)):
        hidden = [u for u in units if u.hidden]
        dead, bounded = [u.dead / u.n for u in hidden], [u for u in hidden if u.saturated is not None]
        if hidden:
            own = [u.name for u in hidden]
            dots.append(draw_dots(f"dead units {title}", own, dead, 0, MOSTLY, logarithmic=False, form=".0%"))
        if bounded:
            shares = [flat(u) for u in bounded]
            own, words = [u.name for u in bounded], f"saturated outputs {title}"
            dots.append(draw_dots(words, own, shares, 0, SATURATED, logarithmic=False, form=".0%"))
    return dots
