"""The functions that are judged, as they stand in their files: the forward pass, the backward pass, what they call."""

from handgrad.judge.isolation import attempt
from handgrad.report.listing import Listing
from handgrad.source.program import Part, Program, read_program
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.mending import is_own


def list_functions(code: Code) -> tuple[Listing, ...]:
    """The forward pass first, then the backward pass; none where their source cannot be read, or is ours."""
    program = attempt(read_program, code.graph or code.forward, None if code.graph else code.backward).value
    if program is None or is_own(program):
        return ()
    return tuple(list_part(part) for part in in_order(program))


def in_order(program: Program) -> list[Part]:
    """The parts of the forward pass alone, then those of the backward pass."""
    return sorted(program.parts, key=lambda part: part.backward)


def list_part(part: Part) -> Listing:
    """The lines of one function."""
    tree, lines = part.source.tree, part.source.text.splitlines()
    last = tree.end_lineno or tree.lineno
    return Listing(part.source.name, part.source.file, tree.lineno, "\n".join(lines[tree.lineno - 1 : last]))
