"""Where a command prints, how it says an error or a count, and how it writes JSON and pages."""

import json
import os
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from rich.console import Console, RenderableType
from rich.progress import track

from handgrad.html.page import Shown, page
from manual.files.atomic_write import replacing

Item = TypeVar("Item")

WIDTH = 80  # columns of a report where there is no terminal


class Lines(Console):
    """A console that leaves no blanks at the end of a line in a file or a pipe, but for lines that are printed whole.

    Where the reader (head, a pager) has seen enough, the exit code is not that of a refutation.
    """

    def print(self, *objects: Any, **options: Any) -> None:
        if self.is_terminal or options.get("soft_wrap"):
            super().print(*objects, **options)
            return
        with self.capture() as captured:
            super().print(*objects, **options)
        super().print(without_blanks(captured.get()), end="", soft_wrap=True, markup=False)

    def on_broken_pipe(self) -> NoReturn:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(2)


def report_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """The terminal; plain lines for a file or a pipe, of 80 columns or as many as COLUMNS says, and for NO_COLOR."""
    fitted = (sys.stderr if stderr else sys.stdout).isatty() or os.environ.get("COLUMNS", "").isdigit()
    return Lines(
        highlight=False,
        stderr=stderr,
        quiet=quiet,
        width=None if fitted else WIDTH,
        force_jupyter=False,
        force_terminal=False if os.environ.get("NO_COLOR") else None,
    )


def render(what: RenderableType, *, color: bool, width: int) -> str:
    """A rich renderable as a string, in a notebook too, where rich would show it at once and leave the string empty."""
    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=color,
        force_jupyter=False,
        no_color=not color,
        highlight=False,
    )
    console.print(what)
    file = console.file
    assert isinstance(file, StringIO)
    return without_blanks(file.getvalue())


def without_blanks(text: str) -> str:
    """Without blanks at the end of lines.

    >>> without_blanks("a  \\nb ")
    'a\\nb'
    """
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def print_lines(console: Console, *lines: str) -> None:
    """Whole lines as they are: no names of files folded, no brackets read as styles."""
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def describe_error(error: Exception) -> str:
    """An error's words, without the number that the system gives it."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


@contextmanager
def print_warnings(*, quiet: bool = False) -> Iterator[None]:
    """What a reader of data warns of in the block, as a line each when it ends."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", UserWarning)
        yield
    print_lines(report_console(stderr=True, quiet=quiet), *(f"note: {warning.message}" for warning in found))


def count_of(n: int, noun: str) -> str:
    """
    >>> count_of(1, "epoch"), count_of(2, "epoch")
    ('1 epoch', '2 epochs')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def show_progress(items: Iterable[Item], what: str, count: int) -> Iterable[Item]:
    """The items one after the other, with a line that moves while they come, where there is a terminal."""
    console = report_console(stderr=True)
    return track(items, what, count, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def show_waiting(what: str) -> Iterator[None]:
    """A line that moves until the work is done, where there is a terminal."""
    console = report_console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def write_page(path: Path, shown: Shown) -> None:
    """Write the whole page; where that fails, OSError, and the file is as it was before."""
    with replacing(path) as file:
        file.write(page(shown).encode())


def write_json(path: Path, content: Any) -> None:
    """Write all of the content; where that fails, OSError, and the file is as it was before."""
    with replacing(path) as file:
        file.write(json.dumps(content, indent=1).encode())
