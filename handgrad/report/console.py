"""Where a command prints, and what it writes for programs."""

import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from rich.console import Console

from manual.files.atomic_write import replacing

WIDTH = 160  # columns where there is no terminal


class Lines(Console):
    """A console whose exit code, where the reader (head, a pager) has seen enough, is not that of a refutation."""

    def on_broken_pipe(self) -> NoReturn:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(2)


def wide_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """The terminal; plain lines for a file or a pipe, of a fixed width, and where NO_COLOR is set."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return Lines(
        highlight=False,
        stderr=stderr,
        quiet=quiet,
        width=None if terminal else WIDTH,
        force_terminal=False if os.environ.get("NO_COLOR") else None,
    )


def write_json(path: Path, content: Any) -> None:
    """The content as a whole, or OSError and what stood there before. `check_writable` asks first."""
    with replacing(path) as file:
        file.write(json.dumps(content, indent=1).encode())
