"""The wrong line of somebody's code, with what should stand there."""

from pathlib import Path

from rich.text import Text

from handgrad.mend.change import Change, Replacement


def code_lines(change: Change) -> list[Text]:
    """Every line that is changed, what stands there underlined, and what should.

    student.py:21, in backward
      21 |     dz1 = dh * (1 - h)
         |                     ^ should be h ** 2
    """
    lines = []
    for r in change.replacements:
        lines.append(Text(f"{shown(r.place.file)}:{r.place.line}, in {r.place.function}", "bold"))
        lines += quoted(r)
    lines.append(Text("= with this change every gradient is CERTIFIED, on other draws and at other sizes too"))
    return lines


def quoted(r: Replacement) -> list[Text]:
    """The line, and under it the replacement."""
    number, text = str(r.place.line), r.place.text
    start, end = r.place.columns
    mark = "^" * max(1, end - start)
    words = f"should be {r.after.strip()}" if r.after.strip() else "should not be here"
    if "\n" in r.after.strip() or "\n" in r.before.strip():
        below = [f"{mark} should be", *r.after.strip("\n").splitlines()] if r.after.strip() else [f"{mark} {words}"]
    else:
        below = [f"{mark} {words}"]
    pad = " " * len(number)
    found = [Text(f"  {number} | {text}")]
    found += [Text(f"  {pad} | {' ' * start}{line}", "green") for line in below[:1]]
    return found + [Text(f"  {pad} | {line}", "green") for line in below[1:]]


def shown(file: str) -> str:
    """The path as seen from the working directory, if it is below it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_absolute() and path.is_relative_to(Path.cwd()) else file
