"""A worked example as plain text of 80 columns: the answers with their formulas, or the questions with blanks."""

from collections.abc import Iterator, Sequence
from textwrap import wrap

from handgrad.worked.digits import Shown
from handgrad.worked.formula import Formula, Name
from handgrad.worked.notation import TEXT, Written, decimal_text, text_number, write
from handgrad.worked.solution import BLANKS, DIGITS, NAMES, Solution, describe, in_layers

WIDTH = 80
BLANK = "_" * 14


def show_text(solution: Solution, *, blanks: bool = False) -> str:
    """The whole. blanks: every result is left out, and so is its formula."""
    example = solution.example
    lines = [
        example.title,
        "",
        *paragraph(example.note),
        *(line for text in describe(example) for line in paragraph(text)),
    ]
    lines += ["", *paragraph(NAMES), *paragraph(BLANKS if blanks else DIGITS), "", "Given"]
    lines += columns([f"{name} = {decimal_text(solution.shown[name].number)}" for name in solution.given])
    for step in solution.steps:
        lines += ["", step.title]
        lines += [] if blanks else paragraph(step.why, "  ")
        for name, formula in step.formulas.items():
            lines += question(name, solution.shown[name]) if blanks else answer(name, formula, solution)
    return "\n".join(lines if blanks else [*lines, *table(solution)]) + "\n"


def answer(name: str, formula: Formula, solution: Solution) -> Iterator[str]:
    """The name, its formula, the formula with the numbers put in, the number."""
    shown = solution.shown
    numbers = write(formula, TEXT, lambda other: text_number(shown[other].number)).markup
    result = f"{relation(shown[name])} {decimal_text(shown[name].number)}"
    indent = " " * (len(name) + 3)
    yield from paragraph(f"{name} = {write(formula, TEXT, Written).markup}", "  ", indent)
    if not isinstance(formula, Name):  # a number that only takes another's place is said once
        yield from paragraph(f"= {numbers}", indent)
    yield f"{indent}{result}"


def question(name: str, shown: Shown) -> Iterator[str]:
    """The name and a blank."""
    yield f"  {name:6} = {BLANK}  ({asked(shown)})"


def asked(shown: Shown) -> str:
    """How many digits a blank asks for.

    >>> from decimal import Decimal
    >>> asked(Shown(Decimal("0.3775"), True)), asked(Shown(Decimal("0.35"), False))
    ('exact', '2 digits')
    """
    return "exact" if shown.exact else f"{shown.digits} digits"


def relation(shown: Shown) -> str:
    """= before what is exact, ≈ before what is rounded."""
    return "=" if shown.exact else "≈"


def paragraph(text: str, indent: str = "", more: str = "") -> list[str]:
    """Lines of at most WIDTH columns."""
    return wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + more,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def columns(cells: Sequence[str]) -> list[str]:
    """Cells side by side, as many as fit."""
    width = max(map(len, cells)) + 3
    count = max(1, (WIDTH - 2) // width)
    return [
        "  " + "".join(cell.ljust(width) for cell in cells[i : i + count]).rstrip() for i in range(0, len(cells), count)
    ]


def table(solution: Solution) -> Iterator[str]:
    """Every number with its gradient."""
    yield from ("", "All numbers", f"  {'':8}{'value':>24}{'gradient':>24}")
    for name in in_layers(solution):
        value, gradient = (solution.shown.get(n) for n in (name, f"d{name}"))
        cells = (decimal_text(shown.number) if shown else "" for shown in (value, gradient))
        yield f"  {name:8}" + "".join(f"{cell:>24}" for cell in cells).rstrip()
