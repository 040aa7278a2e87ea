"""A change of a file as a diff that `git apply` takes."""

from collections.abc import Sequence
from difflib import unified_diff
from pathlib import Path


def write_diff(file: str | Path, old: Sequence[str], new: Sequence[str]) -> str:
    """The lines of a file and what becomes of them, as git writes it; "" if nothing changes.

    In a repository the file is named as seen from its root, so that git applies the diff in any folder above the file;
    elsewhere as seen from the working directory.
    """
    name = name_in_diff(Path(file))
    tab = "\t" if " " in name else ""  # as git writes it
    lines = [*unified_diff(old, new, f"a/{name}{tab}", f"b/{name}{tab}")]
    head = [f"diff --git a/{name} b/{name}\n"] if lines else []
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in head + lines)


def name_in_diff(path: Path) -> str:
    """The path from the root of its repository, else from the working directory, if it is below one of them."""
    whole = path.resolve()
    root = next((p for p in whole.parents if (p / ".git").exists()), Path.cwd())
    below = whole.is_file() and whole.is_relative_to(root)  # a notebook's cell is no file
    return (whole.relative_to(root) if below else path).as_posix().lstrip("/")
