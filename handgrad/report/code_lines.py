"""The wrong line of somebody's code, with what should stand there."""

from pathlib import Path

from rich.text import Text

from handgrad.mend.change import Change, Place, Replacement


def code_lines(change: Change | None, suspect: Place | None, stage: str = "") -> list[Text]:
    """Every line that is changed, what stands there underlined, and what should. stage: of a network, the one changed.

    student.py:21, in backward
      21 |     dz1 = dh * (1 - h)
         |                     ^ should be h ** 2
    = the square is missing: `1 - h` where `1 - h ** 2` belongs
    """
    if change is None:
        return [] if suspect is None else point_at(suspect)
    lines = []
    for r in change.replacements:
        lines.append(heading(r.place))
        lines += quoted(r)
    lines += [Text(f"= {change.words}")] if change.words else []
    of = f" of {stage}" if stage else ""
    lines.append(Text(f"= with this change every gradient{of} is CERTIFIED"))
    return lines


def point_at(place: Place) -> list[Text]:
    """A line that must be wrong, though it is not known what should stand there."""
    words = "= with another value here every gradient would be right; no small change was found that gives it"
    known = [Text(f"= {place.words}")] if place.words else []
    return [heading(place), Text(f"  {place.line} | {place.text}"), *known, Text(words)]


def heading(place: Place) -> Text:
    return Text(f"{shown(place.file)}:{place.line}, in {place.function}", "bold")


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
