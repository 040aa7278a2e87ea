"""Where a command prints."""

from rich.console import Console

WIDTH = 160  # columns where there is no terminal


def wide_console() -> Console:
    """The terminal, or lines of a fixed width for a file or a pipe."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)
