r"""A worked example as a LaTeX document: the answers with their formulas, or the questions with blanks.

It needs amsmath and TikZ. Formulas stand in the text, where LaTeX breaks long ones into lines by itself.
"""

from collections.abc import Iterator

from handgrad.worked.formula import Formula, Name
from handgrad.worked.notation import IN_TEXT, LATEX, latex_name, latex_number, write
from handgrad.worked.picture import in_picture
from handgrad.worked.quantities import incoming, layers_of, numbered, output_letter, units, weight
from handgrad.worked.solution import BLANKS, DIGITS, NAMES, Solution, describe
from handgrad.worked.text import asked

DOCUMENT = r"""\documentclass[11pt]{article}
\usepackage[T1]{fontenc}
\usepackage[margin=2.2cm]{geometry}
\usepackage{amsmath}
\usepackage{tikz}
\setlength{\parindent}{0pt}
\setlength{\parskip}{4pt}
\newcommand{\answer}[1]{\par\hangindent=2em\hangafter=1 #1}
\newcommand{\blank}{\underline{\hspace{4cm}}}
\begin{document}
\raggedright
%s
\end{document}
"""
ESCAPED = str.maketrans(
    {"\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
     "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "≈": r"$\approx$", "≥": r"$\geq$"}
)  # fmt: skip
ACROSS, DOWN = 4.6, 1.9  # centimetres from column to column, from unit to unit


def show_latex(solution: Solution, *, blanks: bool = False) -> str:
    """The whole document. blanks: every result is left out, and so is its formula."""
    example = solution.example
    lines = [
        rf"\section*{{{escape(example.title)}}}",
        escape(example.note),
        "",
        escape(" ".join(describe(example))),
        "",
    ]
    lines += [escape(NAMES), "", *draw(solution, blanks), ""]
    given = [f"${latex_name(n).markup} = {latex_number(solution.shown[n].number).markup}$" for n in solution.given]
    lines += [r"\subsection*{Given}", ",\n".join(given) + "."]
    for step in solution.steps:
        lines += [rf"\subsection*{{{escape(step.title)}}}", "" if blanks else escape(step.why)]
        for name, formula in step.formulas.items():
            lines.append(question(name, solution) if blanks else answer(name, formula, solution))
    lines += [r"\subsection*{How the digits are chosen}", escape(BLANKS if blanks else DIGITS)]
    return DOCUMENT % "\n".join(lines)


def answer(name: str, formula: Formula, solution: Solution) -> str:
    """The name, its formula, the formula with the numbers put in, the number."""
    shown = solution.shown
    pieces = [latex_name(name).markup, "=", write(formula, LATEX, latex_name).markup]
    if not isinstance(formula, Name):
        pieces += ["=", write(formula, LATEX, lambda other: latex_number(shown[other].number)).markup]
    relation = "=" if shown[name].exact else r"\approx"
    return rf"\answer{{${' '.join(pieces)} {relation} {latex_number(shown[name].number).markup}$}}"


def question(name: str, solution: Solution) -> str:
    """The name and a blank."""
    return rf"\answer{{${latex_name(name).markup} =$ \blank\ ({asked(solution.shown[name])})}}"


def escape(text: str) -> str:
    """Text that LaTeX takes for nothing else, its names of numbers as in the formulas.

    >>> escape("50 % of W1_11")
    '50 \\\\% of $W^{(1)}_{11}$'
    """
    pieces = enumerate(IN_TEXT.split(text))
    return "".join(f"${latex_name(piece).markup}$" if i % 2 else piece.translate(ESCAPED) for i, piece in pieces)


# The picture.


def draw(solution: Solution, blanks: bool) -> Iterator[str]:
    """Units in columns, weights on their edges; every value above its gradient."""
    sizes = solution.example.sizes
    yield r"\begin{center}\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
    yield r"\begin{tikzpicture}[unit/.style={draw, rounded corners, align=left, font=\small},"
    yield r"  weight/.style={fill=white, inner sep=1pt, align=center, font=\scriptsize}]"
    letters = {layer: output_letter(solution.example, layer) for layer, _, _ in layers_of(solution.example)}
    for j in units(sizes[0]):
        yield node(f"x_{j}", 0, j, sizes[0], solution, blanks, [f"x_{j}"])
    for layer, _, n_out in layers_of(solution.example):
        for k in units(n_out):
            own = [f"{letter}{layer}_{k}" for letter in ("b", "z", "h") if f"{letter}{layer}_{k}" in solution.shown]
            yield node(f"{letters[layer]}{layer}_{k}", layer, k, n_out, solution, blanks, own)
    n = sizes[-1]
    yield node("E", len(sizes), 1, 1, solution, blanks, [*numbered("t", n), "E"])
    for layer, n_in, n_out in layers_of(solution.example):
        for k in units(n_out):
            for j in units(n_in):
                place = 0.5 + 0.3 * ((j - 0.5) / n_in - 0.5)  # labels of edges that cross do not meet
                words = pair(weight(layer, k, j), solution, blanks, r"\\")
                source, target = f"{incoming(solution.example, layer)}_{j}", f"{letters[layer]}{layer}_{k}"
                label = rf"node[weight, pos={place:.2f}] {{{words}}}"
                yield rf"\draw ({tikz(source)}.east) -- {label} ({tikz(target)}.west);"
    last = len(sizes) - 1
    for k in units(n):
        yield rf"\draw ({tikz(f'{letters[last]}{last}_{k}')}.east) -- (E.west);"
    yield r"\end{tikzpicture}}\end{center}"


def node(name: str, column: int, place: int, count: int, solution: Solution, blanks: bool, own: list[str]) -> str:
    """A unit with its numbers."""
    height = ((count + 1) / 2 - place) * DOWN * (1.2 if len(own) > 2 else 1)
    rows = r" \\ ".join(pair(n, solution, blanks, r"\quad ") for n in own)
    return rf"\node[unit] ({tikz(name)}) at ({column * ACROSS:g}, {height:g}) {{{rows}}};"


def pair(name: str, solution: Solution, blanks: bool, between: str) -> str:
    """A number and its gradient, where it has one."""

    def one(n: str) -> str:
        hidden = blanks and n not in solution.given
        number = r"\_\_\_" if hidden else latex_number(in_picture(solution.shown[n].number)).markup
        return rf"${latex_name(n).markup} = {number}$"

    return between.join(one(n) for n in (name, f"d{name}") if n in solution.shown)


def tikz(name: str) -> str:
    """A name that TikZ takes for a node."""
    return name.replace("_", "-")
