"""A worked example with everything that is said of it: every number as it is shown, every step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handgrad.worked.digits import Shown, choose_digits
from handgrad.worked.example import Example
from handgrad.worked.formula import Formula
from handgrad.worked.notation import name_parts
from handgrad.worked.quantities import Step, given_names, incoming, output_letter, units, work_out
from handgrad.worked.values import Value, values

LOSS_WORDS = {
    "half": "half the sum of the squared errors",
    "squared": "the sum of the squared errors",
    "mse": "the mean of the squared errors",
    "cross_entropy": "the cross-entropy of the outputs' softmax",
    "binary_cross_entropy": "the mean binary cross-entropy of the outputs' sigmoids",
}
NAMES = (
    "z is what a unit adds up and h what its activation makes of that. W1_21 is the weight in layer 1 to unit 2 from "
    "unit 1: row 2, column 1 of W1, counted from 1. A d before a name is the gradient of E with respect to it."
)
DIGITS = (
    "What stands after = is exact; what stands after ≈ is rounded to its last digit, and every digit is sure. Where a "
    "formula needs more digits of what goes into it, these are shown: whoever puts the shown numbers into a formula "
    "gets the shown result."
)
BLANKS = (
    "Round every answer to the number of significant digits that stands beside it. These are so many that whoever goes "
    "on computing with the rounded answers gets the next ones right. Where it says exact, the number ends: write it to "
    "its end."
)


@dataclass(frozen=True, eq=False)
class Solution:
    """values and shown: of every number, by its name. given: the names of those that are no result."""

    example: Example
    given: Sequence[str]
    steps: Sequence[Step]
    values: Mapping[str, Value]
    shown: Mapping[str, Shown]

    @property
    def formulas(self) -> dict[str, Formula]:
        """The formula of every result, in the order of computation."""
        return formulas_of(self.steps)


def formulas_of(steps: Sequence[Step]) -> dict[str, Formula]:
    """The formulas of all these steps."""
    return {name: formula for step in steps for name, formula in step.formulas.items()}


def solve(example: Example) -> Solution:
    """Every number of one forward and backward pass. Raises ValueError for what does not fit or overflows."""
    given, steps = given_names(example), work_out(example)
    formulas = formulas_of(steps)
    found = values(example, [*given, *formulas])
    return Solution(example, given, steps, found, choose_digits(given, formulas, found))


def kind(name: str, given: Sequence[str]) -> str:
    """What a number is, which gives it its colour: "given", "forward" or "gradient"."""
    return "given" if name in given else "gradient" if name.startswith("d") else "forward"


def in_layers(solution: Solution) -> list[str]:
    """Every number that is no gradient, from the inputs through the layers to the loss."""
    forward = [name for name in solution.shown if kind(name, solution.given) != "gradient"]
    return sorted(forward, key=lambda name: 0 if name.startswith("x") else int(name_parts(name).layer or 99))


def describe(example: Example) -> list[str]:
    """The network in words: a line for each layer, and the loss."""
    lines = []
    for layer in units(len(example.sizes) - 1):
        bias = f" + b{layer}" if "b" in example.params[0] else ""
        after = f", h{layer} = {example.activation}(z{layer})" if output_letter(example, layer) == "h" else ""
        lines.append(f"Layer {layer}: z{layer} = W{layer} {incoming(example, layer)}{bias}{after}.")
    return [*lines, f"E is {LOSS_WORDS[example.loss]}."]
