"""Where data lie: as a training needs it, and as its checkpoint tells it to others."""

import os
from pathlib import Path


def locate(source: str) -> str:
    """The place of the data as it is known from every folder. ValueError where none is named."""
    if not source:
        raise ValueError("--data is '', expected digits or the path of a file")
    return source if source == "digits" else os.path.realpath(source)  # pathlib raises at a circle of links


def without_folder(source: str) -> str:
    """The place of the data as a checkpoint keeps it: seen from the working directory, or else the name alone.

    Where the data lie is nobody's business who is given the checkpoint.
    """
    here = Path.cwd().resolve()
    path = Path(source)
    return str(path.relative_to(here)) if path.is_relative_to(here) else path.name


def find(kept: str, checkpoint: str | Path) -> str:
    """The data that a checkpoint names: in the working directory, or beside it. FileNotFoundError where neither is."""
    if kept == "digits":
        return kept
    for folder in (Path.cwd(), Path(checkpoint).parent):
        if (folder / kept).exists():
            return locate(str(folder / kept))
    raise FileNotFoundError(
        f"--data: there is no {kept}, neither here nor beside {checkpoint}; say where the data are, as --data PATH"
    )


def is_found(source: str, checkpoint: str | Path) -> bool:
    """Whether the data are where their checkpoint will look for them."""
    try:
        return find(without_folder(source), checkpoint) == source
    except FileNotFoundError:
        return False
