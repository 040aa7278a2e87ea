r"""A worked example as a LaTeX document: the answers with their formulas, or the questions with blanks.

It needs amsmath and TikZ. Formulas stand in the text, where LaTeX breaks long ones into lines by itself.
"""

from handgrad.worked.formula import Formula, Name
from handgrad.worked.notation import IN_TEXT, LATEX, latex_name, latex_number, write
from handgrad.worked.solution import BLANKS, DIGITS, NAMES, Solution, describe
from handgrad.worked.text import asked
from handgrad.worked.tikz import draw

DOCUMENT = r"""\documentclass[11pt]{article}
\usepackage[T1]{fontenc}
\usepackage[margin=1.5cm]{geometry}
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


def show_latex(solution: Solution, *, blanks: bool = False) -> str:
    """The whole document. blanks: every result is left out, and so is its formula."""
    example = solution.example
    lines = [rf"\section*{{{escape(example.title)}}}"]
    lines += [part for text in (example.note, " ".join(describe(example)), NAMES) for part in (escape(text), "")]
    lines += [*draw(solution, blanks=blanks), ""]
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
