"""What does each checker say of historical wrong backward passes, and of their right versions?

    python benchmarks/museum.py [NAME ...]

The exhibits are in examples/museum/. Without names all are asked, and the tables in docs/museum.md and the lines in
README.md are written. Exit code 1 if handgrad misses a wrong version or does not pass a right one.
"""

import argparse
import inspect
import logging
import sys
from collections.abc import Iterable, Sequence
from time import perf_counter
from typing import Any

from museum_checkers import CHECKERS, SEED, Says
from museum_exhibits import EXHIBITS
from record import DOCS, markdown, save, write

from handgrad import verify_function

PAGE, README = DOCS / "museum.md", DOCS.parent / "README.md"
WORDS = {
    "wrong": {Says.WRONG: "caught", Says.RIGHT: "missed", Says.UNRESOLVED: "unresolved"},
    "right": {Says.WRONG: "accused", Says.RIGHT: "passed", Says.UNRESOLVED: "unresolved"},
}
GOOD = "caught, passed"
MEND = 10.0  # seconds, handgrad's default
Row = dict[str, dict[str, Any]]


def ask(name: str) -> Row:
    """What every checker says of both versions of an exhibit, and in how many seconds."""
    exhibit, row = EXHIBITS[name], {}
    for checker, says in CHECKERS.items():
        start = perf_counter()
        wrong, right = says(exhibit, exhibit.wrong), says(exhibit, exhibit.right)
        row[checker] = {"wrong": wrong, "right": right, "seconds": round(perf_counter() - start, 3)}
    return row


def mend(name: str) -> dict[str, Any]:
    """Whether handgrad names a line of the wrong version that the right one does not have, and what it would change."""
    exhibit = EXHIBITS[name]
    asked = {"inputs": exhibit.inputs, **exhibit.asked}
    report = verify_function(exhibit.forward, exhibit.wrong, exhibit.reference, seed=SEED, mend=MEND, **asked)
    right = {line.strip() for line in inspect.getsource(exhibit.right).splitlines()}
    place = report.place
    located = place is not None and place.function != "forward" and place.text.strip() not in right
    changes = report.change.replacements if report.change else ()
    return {"located": located, "change": [[r.before, r.after] for r in changes]}


def mended(found: dict[str, Any], name: str) -> str:
    """What handgrad shows beside the verdict, in the table."""
    shown = found["mended"][name]
    line = "line" if shown["located"] else "another line" if shown["change"] else "-"
    return f"{line}, change" if shown["change"] else line


def cell(said: dict[str, Any]) -> str:
    """'caught, passed': the wrong version first, then the right one."""
    if said["wrong"] == Says.NOTHING:
        return "-"
    return ", ".join(WORDS[version][Says(said[version])] for version in WORDS)


def table(found: dict[str, Any]) -> str:
    """One row per exhibit, a column per checker, what is not good in bold; the last row is seconds."""
    rows = []
    for name, row in found["exhibits"].items():
        cells = [cell(row[checker]) for checker in CHECKERS]
        rows.append([link(name), *(c if c in (GOOD, "-") else f"**{c}**" for c in cells), mended(found, name)])
    seconds = [sum(row[checker]["seconds"] for row in found["exhibits"].values()) for checker in CHECKERS]
    last = ["seconds in all", *(f"{s:.2g}" for s in seconds), ""]
    return markdown(["exhibit", *CHECKERS, "it shows"], [*rows, last])


def link(name: str) -> str:
    """The exhibit's file."""
    return f"[{name.replace('_', ' ')}](../examples/museum/{name}.py)"


def list_exhibits() -> str:
    """What was wrong in each, why it was not seen, and where it was reported."""
    rows = []
    for name, exhibit in EXHIBITS.items():
        owner, _, rest = exhibit.report.removeprefix("https://github.com/").partition("/")
        place = f"[{owner}/{rest.split('/')[0]} {rest.split('/')[-1]}]({exhibit.report})" if rest else exhibit.report
        rows.append([link(name), exhibit.what, exhibit.why_unseen, place])
    return markdown(["exhibit", "what was wrong", "why it was not seen", "report"], rows).replace("--:", ":--")


def count(rows: Iterable[Row], checker: str, version: str, says: Says) -> int:
    return sum(row[checker][version] == says for row in rows)


def summary(found: dict[str, Any]) -> str:
    """For the README: how many each checker catches, and how many right versions it accuses."""
    rows = found["exhibits"].values()
    caught, accused = [], []
    for checker in reversed(CHECKERS):
        asked = sum(row[checker]["wrong"] != Says.NOTHING for row in rows)
        of = "" if asked == len(rows) else f" (of {asked})"
        caught.append(f"{checker} {count(rows, checker, 'wrong', Says.WRONG)}{of}")
        accused.append(f"{checker} {count(rows, checker, 'right', Says.WRONG)}")
    return (
        f"[The museum](docs/museum.md) has {len(rows)} wrong backward passes from bug reports, in a few lines each.\n"
        f"Caught by {', '.join(caught)}.\nRight versions accused: {', '.join(accused)}."
    )


def judge_well(row: Row) -> bool:
    """Whether handgrad catches the wrong version and passes the right one."""
    return cell(row["handgrad"]) == GOOD


def main(names: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXHIBITS)}")
    chosen = parser.parse_args(names).names
    if unknown := [name for name in chosen if name not in EXHIBITS]:
        parser.error(f"unknown: {', '.join(unknown)}; the files in examples/museum/ are {', '.join(EXHIBITS)}")
    logging.getLogger("jax").setLevel(logging.CRITICAL)  # it prints what an exhibit raises, which is caught here
    found: dict[str, Any] = {"seed": SEED, "exhibits": {}}
    for name in chosen or EXHIBITS:
        row = found["exhibits"][name] = ask(name)
        print(name, *(f"  {c:20}{cell(said):24}{said['seconds']:7.3f} s" for c, said in row.items()), sep="\n")
    if not chosen:
        found["mended"] = {name: mend(name) for name in EXHIBITS}
        save("museum", found, table(found), PAGE)
        write("exhibits", list_exhibits(), PAGE)
        write("museum", summary(found), README)
    failed = [name for name, row in found["exhibits"].items() if not judge_well(row)]
    print(f"handgrad misses or accuses: {', '.join(failed)}" if failed else "handgrad catches and passes all")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
