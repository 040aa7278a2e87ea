"""Where a measurement goes: docs/evidence/NAME.json, and its table into a page between two markers."""

import json
import platform
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "evidence.md"


def load(name: str) -> dict[str, Any]:
    """What was recorded under that name; empty if nothing was."""
    path = DOCS / "evidence" / f"{name}.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def save(name: str, result: dict[str, Any], table: str, page: Path = PAGE) -> None:
    """The result as JSON and its Markdown table on the page. ValueError where the page has no place for it."""
    write(name, table, page)
    path = DOCS / "evidence" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**result, "versions": versions()}, indent=1) + "\n")


def write(name: str, text: str, page: Path) -> None:
    """The text between the two markers of that name. ValueError where the page does not have them."""
    if section(name).search(page.read_text()) is None:
        raise ValueError(f"{page.name}: has no lines '<!-- {name} -->' and '<!-- end {name} -->'; add them first")
    page.write_text(section(name).sub(lambda found: f"{found[1]}\n{text}\n{found[3]}", page.read_text()))


def section(name: str) -> re.Pattern[str]:
    """The part of the page that belongs to a measurement: its opening marker, its table, its closing marker."""
    return re.compile(rf"(<!-- {name} -->)\n(.*?)\n(<!-- end {name} -->)", re.DOTALL)


def versions() -> dict[str, str]:
    """What the numbers depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
    }


def markdown(header: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table, the first column left, the others right."""
    lines = [header, [":--", *["--:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
