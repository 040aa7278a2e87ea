"""The functions that are judged, as they stand in their files: the forward pass, the backward pass, what they call."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handgrad.judge.isolation import attempt
from handgrad.source.program import Part, read_program


@dataclass(frozen=True)
class Listing:
    """A function as it stands in its file, from its first line on."""

    name: str
    file: str
    line: int
    text: str


def list_passes(forward: Callable[..., Any], backward: Callable[..., Any] | None) -> tuple[Listing, ...]:
    """The forward pass first, then the backward pass; none where their source cannot be read.

    None either where it is the judge's own code, which stands around somebody's (a module's call).
    """
    program = attempt(read_program, forward, backward).value
    if program is None or program.is_ours:
        return ()
    return tuple(list_part(part) for part in sorted(program.parts, key=lambda part: part.backward))


def list_part(part: Part) -> Listing:
    """The lines of one function."""
    tree, lines = part.source.tree, part.source.text.splitlines()
    last = tree.end_lineno or tree.lineno
    return Listing(part.source.name, part.source.file, tree.lineno, "\n".join(lines[tree.lineno - 1 : last]))
