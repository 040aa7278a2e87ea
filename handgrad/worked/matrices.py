"""The same pass for whole layers: the equations of the house, each with the line of `manual` that computes it."""

from collections.abc import Iterator

from handgrad.html.element import Html, element
from handgrad.html.equations import Equation, find_equation
from handgrad.worked.example import LOSSES, Example
from manual import Linear
from manual.types import Facts, facts_of


def show_matrices(example: Example) -> Html:
    """Each kind of stage once, forward on the left, backward on the right."""
    found = (facts_of(stage) for stage in (*example.network.layers, LOSSES[example.loss]))
    stages = {facts.tag: facts for facts in found if facts}
    return element("div", *(part for facts in stages.values() for part in show_stage(facts)), class_="pair")


def show_stage(facts: Facts) -> Iterator[Html]:
    """Forward, then backward."""
    own = ("W", "b") if facts is Linear.facts else ()
    for tags in ([f"{facts.tag}.{facts.y}"], [f"{facts.tag}.d{name}" for name in (facts.x, *own)]):
        found = [equation for tag in tags if (equation := find_equation(tag))]
        yield element("div", *(show_equation(equation) for equation in found))


def show_equation(equation: Equation) -> Html:
    """The equation, and its line."""
    return element("div", equation.math, element("p", element("code", equation.code)))
