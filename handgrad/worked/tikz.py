"""The network as a TikZ picture, laid out as on the page: every value, and below it its gradient."""

from collections.abc import Iterator

from handgrad.worked.layout import EDGE, PAD, Box, boxes, in_picture, lay_out, lines, short_name, wires
from handgrad.worked.notation import latex_number, latex_parts
from handgrad.worked.solution import Solution

LINE, PAGE = 510, 640  # points: what a line of the document holds, and a page
LARGEST = 0.85  # points for a unit of the layout
LETTERS = 13  # of these units: the size of what is written


def draw(solution: Solution, *, blanks: bool = False) -> Iterator[str]:
    """The lines of the picture. blanks: without the results."""
    plan = lay_out(solution)
    scale = min(LARGEST, LINE / plan.width, PAGE / plan.height)
    font = rf"\fontsize{{{LETTERS * scale:.1f}}}{{{LETTERS * scale:.1f}}}\selectfont"
    yield r"\begin{center}"
    yield rf"\begin{{tikzpicture}}[x={scale:.4f}pt, y=-{scale:.4f}pt, inner sep=0pt, font={font}]"
    for (x0, y0), (x1, y1), _ in wires(plan):
        middle = (x0 + x1) / 2
        yield (
            rf"\draw[gray] ({x0:g},{y0:g}) .. controls ({middle:g},{y0:g}) and ({middle:g},{y1:g}) .. ({x1:g},{y1:g});"
        )
    for title, column in zip(plan.titles, plan.columns, strict=True):
        card = column[0].card
        yield rf"\node[anchor=base] at ({card.x + card.width / 2:g},{EDGE:g}) {{{title}}};"
    for box, is_card in boxes(plan):
        if is_card:
            corner = f"({box.x:g},{box.y:g}) rectangle ({box.x + box.width:g},{box.y + box.height:g})"
            yield rf"\draw[rounded corners=3pt] {corner};"
        yield from draw_lines(box, solution, blanks)
    yield r"\end{tikzpicture}"
    yield r"\end{center}"


def draw_lines(box: Box, solution: Solution, blanks: bool) -> Iterator[str]:
    """Each number in a box, its name on the left."""
    for name, y in lines(box):
        hidden = blanks and name not in solution.given
        number = r"\_\_\_\_" if hidden else f"${latex_number(in_picture(solution, name)).markup}$"
        label = latex_parts(short_name(name))
        yield rf"\node[anchor=base west] at ({box.x + PAD:g},{y:g}) {{${label}$}};"
        yield rf"\node[anchor=base east] at ({box.x + box.width - PAD:g},{y:g}) {{{number}}};"
