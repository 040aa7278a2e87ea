"""The wrong line of somebody's code, with what should stand there."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from handgrad.mend.change import Change, Place, Replacement

ELSEWHERE = "with another value here every gradient would be right"


@dataclass(frozen=True)
class CodeLines:
    """Every line that is changed, what stands there underlined, and what should. stage: of a network, the one changed.

    20 |     dh = dy @ W2
    21 |     dz1 = dh * (1 - h)
       |                     ^ should be h ** 2
       |
       = the square is missing: `1 - h` where `1 - h ** 2` belongs
       = with this change every gradient is CERTIFIED
    """

    change: Change | None
    suspect: Place | None
    stage: str = ""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self.lines(options.max_width)

    def lines(self, width: int) -> Iterator[Text]:
        """At most so wide, as far as that can be."""
        if self.change is None:
            return self._of_suspect(width)
        return self._of_change(self.change, width)

    def _of_change(self, change: Change, width: int) -> Iterator[Text]:
        gutter = max(len(str(r.place.line)) for r in change.replacements)
        before: Place | None = None
        for r in change.replacements:
            yield from leading(r.place, before, gutter, width)
            yield from quoted(r, gutter, width)
            before = r.place
        yield Text(f"{'':{gutter}} |")
        yield from reasons(change.words, gutter, width)
        yield from reasons(f"with this change every gradient{f' of {self.stage}' * bool(self.stage)} is CERTIFIED",
                           gutter, width)  # fmt: skip

    def _of_suspect(self, width: int) -> Iterator[Text]:
        if self.suspect is None:
            return
        gutter = len(str(self.suspect.line))
        yield from above(self.suspect, gutter, width)
        yield Text(cut(f"{self.suspect.line} | {self.suspect.text}", width))
        yield Text(f"{'':{gutter}} |")
        yield from reasons(self.suspect.words, gutter, width)
        yield from reasons(self.suspect.breaks or ELSEWHERE, gutter, width)


def leading(place: Place, before: Place | None, gutter: int, width: int) -> Iterator[Text]:
    """What stands above a line: the one before it. Apart from another place by a blank line; next to it nothing."""
    if before is not None:
        same = (place.file, place.function) == (before.file, before.function)
        if same and before.line >= place.line - 1:
            return
        yield Text()
        if not same:
            yield Text(place_word(place), "bold")
    yield from above(place, gutter, width)


def above(place: Place, gutter: int, width: int) -> Iterator[Text]:
    """The line before it, if there is anything in it."""
    if place.above.strip():
        yield Text(cut(f"{place.line - 1:>{gutter}} | {place.above}", width))


def quoted(r: Replacement, gutter: int, width: int) -> Iterator[Text]:
    """The line with what should stand there; of a line that is too long, what is around it."""
    if (added := added_lines(r)) is not None:
        before, after = added
        yield from (line for text in before for line in plus(text, gutter, width))
        yield Text(cut(f"{r.place.line:>{gutter}} | {r.place.text}", width))
        yield from (line for text in after for line in plus(text, gutter, width))
    else:
        yield from replaced(r, gutter, width)


def added_lines(r: Replacement) -> tuple[list[str], list[str]] | None:
    """The whole lines that come before and after a line that stays as it is; None where something else is changed.

    >>> added_lines(Replacement(Place("a.py", 9, "f", "  dx = dy", (2, 9)), "dx = dy", "dx = dy\\n  dx *= h"))
    ([], ['  dx *= h'])
    """
    indent, old, new = " " * r.place.columns[0], r.before.splitlines(), r.after.splitlines()
    if not old or len(new) <= len(old) or len(old) > 1 or r.place.text.strip() != r.before.strip():
        return None
    if new[0] == old[0]:
        return [], new[1:]
    if new[-1].strip() == old[0].strip():
        return [f"{indent}{new[0]}", *new[1:-1]], []
    return None


def plus(text: str, gutter: int, width: int) -> Iterator[Text]:
    """A line that is to be put in, with a sign in place of its number."""
    indent = " " * (len(text) - len(text.lstrip()))
    for i, line in enumerate(wrap(text, width - gutter - 3, subsequent_indent=f"{indent}    ", break_on_hyphens=False)):
        yield Text(f"{'+' * (i == 0):>{gutter}} | {line}", "green")


def replaced(r: Replacement, gutter: int, width: int) -> Iterator[Text]:
    """The line, and under what is to give way what should stand there."""
    start, end = r.place.columns
    mark, indent = "^" * max(1, end - start), " " * start
    before, after = r.before.strip(), r.after.strip("\n") if "\n" in r.after.strip() else r.after.strip()
    words = f"should be {after}" if after else "should not be here"
    pad, room = f"{'':{gutter}} | ", width - gutter - 3
    text, start = window(r.place.text, start, end, room)
    yield Text(f"{r.place.line:>{gutter}} | {text}")
    if after and ("\n" in after or "\n" in before):
        first, *others = after.splitlines()
        yield Text(f"{pad}{cut(' ' * start + mark + ' should be', room)}", "green")
        yield from (line for text in (f"{indent}{first}", *others) for line in plus(text, gutter, width))
        return
    one_line = start + len(mark) + 1 + len(words) <= room
    shown = f"{mark} {words}" if one_line else mark
    yield Text(f"{pad}{cut(' ' * start + shown, room)}", "green")
    if not one_line:
        indent = " " * min(start, max(0, room - len(words)))
        for line in wrap(f"{indent}{words}", room, subsequent_indent=f"{indent}          ", break_on_hyphens=False):
            yield Text(f"{pad}{line}", "green")


def window(text: str, start: int, end: int, room: int) -> tuple[str, int]:
    """So much of a line as there is room for, and where the part from start to end begins in it.

    >>> window("dx = rstd * (a - b.mean() - c)", 26, 27, 20)
    ('...  - b.mean() - c)', 16)
    """
    if len(text) <= room:
        return text, start
    first = max(0, min(start, len(text) - room + 4))
    text, start = (text, start) if not first else (f"... {text[first:]}", start - first + 4)
    return cut(text, room), start


def cut(text: str, room: int) -> str:
    """
    >>> cut("dx = dy * 2", 20), cut("dx = dy * 2", 8)
    ('dx = dy * 2', 'dx = ...')
    """
    return text if len(text) <= room else f"{text[: room - 3]}..."


def reasons(words: str, gutter: int, width: int) -> Iterator[Text]:
    """Behind a sign of equality, below the code."""
    pad = " " * (gutter + 1)
    for line in wrap(words, width, initial_indent=f"{pad}= ", subsequent_indent=f"{pad}  ", break_on_hyphens=False):
        yield Text(line)


def place_word(place: Place, known: str = "") -> str:
    """File and line, and the function they are in, if it is another than the one known."""
    return f"{shown(place.file)}:{place.line}" + ("" if place.function == known else f", in {place.function}")


def shown(file: str) -> str:
    """The path as seen from the working directory, if it is below it; a notebook's cell as the notebook calls it.

    >>> shown("<ipython-input-3-1f2e>"), shown("/tmp/ipykernel_7/99.py")
    ('In [3]', 'cell')
    """
    path = Path(file)
    if cell := re.fullmatch(r"<ipython-input-(\d+)-.*>", file):
        return f"In [{cell[1]}]"
    if path.parent.name.startswith("ipykernel_") and not path.exists():
        return "cell"
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file
