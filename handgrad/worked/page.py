"""A worked example as a page: the picture, the steps with their formulas, every number in a table.

Without its script, in a notebook and on paper everything is there; the script (steps.js) shows one step at a time.
"""

from collections.abc import Sequence

from handgrad.html.element import Html, element, join, table
from handgrad.html.page import Shown
from handgrad.worked.formula import Formula, Name, names
from handgrad.worked.matrices import show_matrices
from handgrad.worked.notation import IN_TEXT, MATH, Written, math_name, math_number, shown_number, write
from handgrad.worked.picture import draw_network
from handgrad.worked.quantities import Step
from handgrad.worked.solution import BLANKS, DIGITS, NAMES, Solution, describe, in_layers, kind
from handgrad.worked.text import asked, relation

COLOURS = {"given": "given", "forward": "computed forward", "gradient": "gradient"}
WHOLE = (
    "Forward on the left, backward on the right, with the line of code that computes it. A sample is a row of x. c is "
    "the factor of the loss, D what it is divided by."
)
ROUNDED = "A gradient stands below its value. In the picture they are rounded to four significant digits."
WIDE = "There is more of the picture: scroll it sideways\u00a0\u2192"


def show_page(solution: Solution, *, blanks: bool = False) -> Shown:
    """The whole. blanks: every result is left out, and so is its formula."""
    example = solution.example
    steps = [show_step(i, step, solution, blanks) for i, step in enumerate(solution.steps, 1)]
    body = [
        element("p", with_names(" ".join(filter(None, (example.note, *describe(example)))))),
        figure(solution, blanks),
        element("h2", "Step by step"),
    ]
    body += [] if blanks else [stepper(len(steps))]
    body.append(element("ol", *steps, class_="steps"))
    if not blanks:
        body += [element("h2", "All numbers"), all_numbers(solution)]
        body += [element("h2", "The same for whole layers"), element("p", WHOLE), show_matrices(example)]
    notes = (NAMES, BLANKS if blanks else DIGITS)
    body += [element("h2", "Names and digits"), *(element("p", with_names(text)) for text in notes)]
    return Shown(example.title, example.title, body, ("steps",))


def with_names(text: str) -> Html:
    """A sentence whose names of numbers stand as in the formulas.

    >>> with_names("z1_2 is a sum")
    '<math><mrow><msubsup><mi>z</mi><mn>2</mn><mtext>(1)</mtext></msubsup></mrow></math> is a sum'
    """
    pieces = enumerate(IN_TEXT.split(text))
    return join(*(element("math", math_name(piece).markup) if i % 2 else piece for i, piece in pieces))


def figure(solution: Solution, blanks: bool) -> Html:
    """The picture over its legend; it scrolls by itself where the page is narrow, and the script says so."""
    legend = (element("span", words, class_=name) for name, words in COLOURS.items())
    drawn = element(
        "div", draw_network(solution, blanks=blanks), class_="scroll", tabindex="0", role="region",
        aria_label="the picture",
    )  # fmt: skip
    wide = element("p", WIDE, class_="wide aside", hidden=True)
    caption = element("figcaption", *legend, "" if blanks else ROUNDED)
    return element("figure", wide, drawn, caption, class_="worked")


def stepper(count: int) -> Html:
    """Two buttons and a slider, which the script brings to life."""
    back, on = (
        element("button", sign, type="button", aria_label=words)
        for sign, words in (("←", "one step back"), ("→", "one step on"))
    )
    slider = element("input", type="range", min="0", max=str(count), value="0", aria_label="step", class_="slider")
    return element("div", back, slider, on, element("output", aria_live="polite"), class_="stepper", hidden=True)


def show_step(number: int, step: Step, solution: Solution, blanks: bool) -> Html:
    """One step: its title, what is done and why, and each number with its formula."""
    used = sorted({name for formula in step.formulas.values() for name in names(formula)} - step.formulas.keys())
    lines: Sequence[Html] = [
        show_blank(name, solution) if blanks else show_formula(name, formula, solution)
        for name, formula in step.formulas.items()
    ]
    why = [] if blanks else [element("p", with_names(step.why), class_="why")]
    return element("li", element("h3", step.title), *why, *lines, data_step=str(number), data_uses=" ".join(used))


def show_formula(name: str, formula: Formula, solution: Solution) -> Html:
    """The name = its formula = the formula with the numbers put in = the number. Each may go to a line of its own."""

    def symbol(other: str) -> Written:
        return math_name(other, kind(other, solution.given))

    def number(other: str) -> Written:
        return math_number(solution.shown[other].number, kind(other, solution.given))

    equals, shown = element("mo", "="), solution.shown[name]
    result = element("mn", shown_number(shown.number), class_=f"result {kind(name, solution.given)}", data_name=name)
    pieces: list[tuple[str, ...]] = [(symbol(name).markup, equals, write(formula, MATH, symbol).markup)]
    if not isinstance(formula, Name):
        pieces.append((equals, write(formula, MATH, number).markup))
    pieces.append((element("mo", relation(shown)), result))
    return element("p", *(element("math", *piece) for piece in pieces), class_="formula")


def show_blank(name: str, solution: Solution) -> Html:
    """The name = a blank, and how many digits are asked for."""
    symbol = math_name(name, kind(name, solution.given)).markup
    words = element("span", f"({asked(solution.shown[name])})", class_="aside")
    left, blank = element("math", symbol, element("mo", "=")), element("span", class_="blank")
    return element("p", left, blank, words, class_="formula")


def all_numbers(solution: Solution) -> Html:
    """Every number with its gradient."""

    def cell(name: str) -> str:
        if name not in solution.shown:
            return ""
        words = shown_number(solution.shown[name].number)
        return element("span", words, class_=kind(name, solution.given), data_name=name)

    rows = [
        [element("math", math_name(name, kind(name, solution.given)).markup), cell(name), cell(f"d{name}")]
        for name in in_layers(solution)
    ]
    return table(("number", "value", "gradient"), rows, numbers=("value", "gradient"))
