"""The changes found as one patch, as `git apply` takes it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from handgrad.mend.change import Change
from handgrad.mend.diff import name_in_diff, write_diff

HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+")


@dataclass(frozen=True)
class Edit:
    """Lines `start` to `stop` (from 0, without `stop`) are replaced."""

    start: int
    stop: int
    lines: tuple[str, ...]


def write_patch(changes: Iterable[Change]) -> str:
    """All changes as one patch; each file that is changed comes once."""
    of_file: dict[str, list[str]] = {}
    for change in changes:
        sections = re.split(r"^(?=diff --git )", change.diff, flags=re.MULTILINE)
        for file in dict.fromkeys(r.place.file for r in change.replacements):
            head = f"diff --git a/{name_in_diff(Path(file))} b/"
            of_file.setdefault(file, []).extend(section for section in sections if section.startswith(head))
    return "".join(join_changes(Path(file), diffs) for file, diffs in of_file.items())


def join_changes(path: Path, diffs: Sequence[str]) -> str:
    """One diff of the file; "" if nothing changes.

    Of two changes of the same lines the first stays: the second belongs to a file without it.
    """
    old = path.read_bytes().decode().splitlines(keepends=True)
    kept: list[Edit] = []
    for edit in (edit for diff in diffs for edit in read_edits(diff)):
        if all(edit.stop <= other.start or other.stop <= edit.start for other in kept) and edit not in kept:
            kept.append(edit)
    new, end = list(old), "\r\n" if old and old[0].endswith("\r\n") else "\n"
    for edit in sorted(kept, key=lambda edit: edit.start, reverse=True):
        new[edit.start : edit.stop] = [line + end for line in edit.lines]
    if new and old and not old[-1].endswith("\n") and new[-1].rstrip() == old[-1]:
        new[-1] = old[-1]
    return write_diff(path, old, new)


def read_edits(diff: str) -> Iterator[Edit]:
    """What a unified diff does, without the lines around it.

    >>> list(read_edits("--- a\\n+++ b\\n@@ -7,3 +7,3 @@\\n x\\n-y\\n+z\\n w\\n"))
    [Edit(start=7, stop=8, lines=('z',))]
    """
    at, start = 0, 0
    added: list[str] = []
    changing = inside = False
    for line in [*diff.split("\n"), "@@ -1 +1"]:
        hunk = HUNK.match(line)
        sign = line[:1] if inside and not hunk else ""
        if sign not in ("-", "+", "\\") and changing:
            yield Edit(start, at, tuple(added))
            added, changing = [], False
        if hunk:
            at, inside = int(hunk[1]) - (hunk[2] != "0"), True
        elif sign in ("-", "+"):
            start, changing = (start if changing else at), True
            at += sign == "-"
            added += [line[1:].rstrip("\r")] if sign == "+" else []
        elif sign == " " or (inside and line == ""):
            at += 1
