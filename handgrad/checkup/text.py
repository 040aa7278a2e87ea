"""A check-up as plain text."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from handgrad.checkup.checks import Check

RIGHT, WRONG = "healthy", "WRONG"
STYLES = {True: "green", False: "bold red"}


def conclude(checks: Sequence[Check]) -> str:
    """How many checks found something.

    >>> conclude([Check("dead units", True, "", "", "")])
    'healthy: nothing is wrong in 1 check'
    """
    wrong = sum(not check.healthy for check in checks)
    if not wrong:
        return f"{RIGHT}: nothing is wrong in {len(checks)} check{'' if len(checks) == 1 else 's'}"
    return f"{WRONG}: {wrong} of {len(checks)} checks found something"


def lay_out(name: str, checks: Sequence[Check]) -> RenderableType:
    """The verdict, then each check with its sentences."""
    parts: list[RenderableType] = [Text(name), Text(conclude(checks), STYLES[all(c.healthy for c in checks)])]
    for check in checks:
        word = Text(f"{RIGHT if check.healthy else WRONG}  ", STYLES[check.healthy])
        parts += [Text(""), Text.assemble(word, (check.name, "bold"))]
        lines = [check.measured, f"Normal: {check.normal}", *([f"Do: {check.advice}"] if check.advice else [])]
        parts += [Padding(Text(line), (0, 0, 0, 2)) for line in lines]
    return Group(*parts)
