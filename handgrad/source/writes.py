"""Which statements write into arrays that are not theirs to write into."""

import ast
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import Any, NamedTuple

from handgrad.judge.isolation import contents
from handgrad.source.program import Part
from handgrad.source.tree import statement_at


class Write(NamedTuple):
    """A statement that writes, and the name of what it writes into."""

    part: Part
    statement: ast.stmt
    name: str


@dataclass(eq=False)
class Watched:
    """The arrays to look at, by name, and every line that wrote into one of them."""

    parts: Sequence[Part]
    arrays: dict[str, Any] = field(default_factory=dict)
    before: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    line: tuple[Part, int] | None = None  # the one that runs
    writes: list[Write] = field(default_factory=list)

    def watch(self, name: str, value: Any) -> None:
        """From now on, with what it holds now."""
        self.arrays[name], self.before[name] = value, contents(value)

    def look(self) -> None:
        """Note what the line that ran has written into."""
        for name, value in self.arrays.items():
            if (now := contents(value)) != self.before[name]:
                self.before[name] = now
                if self.line is None:
                    continue
                part, number = self.line
                if (statement := statement_at(part.source.tree, number)) is not None:
                    self.writes.append(Write(part, statement, name))


Run = Callable[[Callable[[str, Any], None]], Any]  # is given watch(name, value), and calls the code


def list_writes(parts: Sequence[Part], run: Run) -> list[Write]:
    """Every statement of the parts that writes into what is watched, once, in the order in which they first ran."""
    watched = Watched(parts)
    with traced(watched):
        run(watched.watch)
    watched.look()
    first = {id(w.statement): w for w in reversed(watched.writes)}
    return sorted(first.values(), key=watched.writes.index)


def any_written(run: Run) -> bool:
    """Whether anything that is watched holds other numbers at the end."""
    watched = Watched(())
    run(watched.watch)
    return any(contents(value) != watched.before[name] for name, value in watched.arrays.items())


@contextmanager
def traced(watched: Watched) -> Iterator[None]:
    """Until it ends, a look after every line of the parts; whoever traced before does so again then."""
    part_of: dict[CodeType, Part] = {part.source.function.__code__: part for part in watched.parts}

    def called(frame: FrameType, event: str, arg: Any) -> Any:
        part = part_of.get(frame.f_code)
        if part is None:
            return None
        outer = watched.line

        def stepped(frame: FrameType, event: str, arg: Any) -> Any:
            watched.look()
            watched.line = (part, frame.f_lineno) if event == "line" else outer if event == "return" else watched.line
            return stepped

        watched.look()
        return stepped

    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield
    finally:
        sys.settrace(before)
