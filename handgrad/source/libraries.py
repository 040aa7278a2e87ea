"""What is somebody's own code, and what is Python's, a package's, or the judge's."""

import sys
import sysconfig
from functools import cache
from pathlib import Path

LIBRARY_FOLDERS = (Path(sysconfig.get_path("stdlib")), Path(__file__).parents[1])
MANUAL = Path(__file__).parents[2] / "manual"  # no library wherever it is installed: its readers break its lines


@cache
def is_library(file: str | None) -> bool:
    """Whether a file is Python's, a package's, or the judge's own."""
    if file is None or file.startswith("<frozen"):
        return True
    path = Path(file)
    if path.is_relative_to(MANUAL):
        return False
    return "site-packages" in path.parts or any(path.is_relative_to(place) for place in LIBRARY_FOLDERS)


def is_users(kind: type) -> bool:
    """Whether a class is of nobody's library."""
    module = sys.modules.get(kind.__module__)
    return kind.__module__ == "__main__" or not is_library(getattr(module, "__file__", None))


def only_holds(kind: type) -> bool:
    """Whether a class of somebody's own has values alone, and nothing to call."""
    return type(kind) is type and is_users(kind) and not any(callable(v) for v in vars(kind).values())
