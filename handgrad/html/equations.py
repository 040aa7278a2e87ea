"""The equations of docs/derivations.md as MathML, each with the line of `manual` that computes it."""

import json
from functools import cache
from typing import NamedTuple

from handgrad.html.element import Html
from handgrad.html.page import read


class Equation(NamedTuple):
    """math: MathML; code: the line of `manual` that bears the tag; file: where that stands."""

    math: Html
    code: str
    file: str


def find_equation(tag: str) -> Equation | None:
    """The equation with this tag ("tanh.dz"); None where there is none."""
    return equations().get(tag)


@cache
def equations() -> dict[str, Equation]:
    """All of them, by their tags."""
    found = json.loads(read("equations.json"))
    return {tag: Equation(Html(e["math"]), e["code"], e["file"]) for tag, e in found.items()}
