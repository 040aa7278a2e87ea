"""Somebody's forward and backward pass beside each other: what is known of every line, and the wrong one changed."""

from collections.abc import Iterator, Mapping, Sequence

from handgrad.html.element import Html, element, join, with_code
from handgrad.mend.change import Change, Place, Replacement
from handgrad.report.code_lines import shown
from handgrad.report.ledger import Ledger, LedgerRow, LineVerdict
from handgrad.report.listing import Listing

At = tuple[str, int]  # a file and a line of it
CLASSES = {LineVerdict.WRONG: "wrong", LineVerdict.INHERITED: "inherited", LineVerdict.RIGHT: "right"}  # worst first


def side_by_side(listings: Sequence[Listing], ledger: Ledger, change: Change | None, suspect: Place | None) -> Html:
    """Every function in a column of its own, where the page is wide enough."""
    notes = note_lines(ledger)
    changes: dict[At, Replacement] = {(r.place.file, r.place.line): r for r in (change.replacements if change else ())}
    doubt = (suspect.file, suspect.line) if suspect and not change else None
    return element("div", *(show_listing(one, notes, changes, doubt) for one in listings), class_="pair")


def show_listing(
    listing: Listing, notes: Mapping[At, tuple[str, str]], changes: Mapping[At, Replacement], doubt: At | None
) -> Html:
    """One function, its lines numbered as in its file."""
    indent = min((len(t) - len(t.lstrip()) for t in listing.text.splitlines() if t.strip()), default=0)
    lines: list[Html] = []
    for number, text in enumerate(listing.text.splitlines(), listing.line):
        at = (listing.file, number)
        kind, note = notes.get(at, ("", ""))
        kind, note = ("wrong", note or "wrong") if at == doubt else (kind, note)
        if at in changes:
            lines += show_change(changes[at], indent, note)
        else:
            lines.append(show_line(str(number), text[indent:], kind, note))
    place = f"{shown(listing.file)}:{listing.line}"
    title = element("p", element("strong", listing.name), " ", element("span", place, class_="aside"))
    return element("div", title, element("pre", *lines, tabindex="0"))


def show_line(number: str, code: str, kind: str = "", note: str = "") -> Html:
    """A line with its number, or a sign, a border by what is known of it, and that in words."""
    words = element("span", f"\u2190 {note}", class_="note") if note else Html("")
    return element("span", element("b", number), code, words, class_=f"line {kind}".strip())


def show_change(r: Replacement, indent: int, note: str = "") -> Iterator[Html]:
    """The line with what should not stand there struck out; below it the line as it should be, if it should be."""
    text, (start, end) = r.place.text, r.place.columns
    if start == end and not r.before:
        start = end = len(text)
    after = r.after.strip("\n")
    if "\n" in r.before.strip() or (start, end) == (0, 0):
        start, end = len(text) - len(text.lstrip()), len(text)
    before, behind = text[min(indent, start) : start], text[end:]
    old = element("del", text[start:end]) if start < end else Html("")
    yield show_line(f"{r.place.line} -", join(before, old, behind), "wrong", note)
    if after.strip():
        yield show_line(f"{'':{len(str(r.place.line))}} +", join(before, element("ins", after), behind), "mended")


def show_suspect(place: Place) -> Html:
    """The one line of which another value would make every gradient right, though it is not known what should stand."""
    line = show_line(str(place.line), place.text.strip(), "wrong", "another value belongs here")
    words = place.breaks or place.words or "With another value here every gradient would be right."
    return join(show_place(place), element("pre", line, tabindex="0"), element("p", with_code(words)))


def show_place(place: Place) -> Html:
    return element("p", element("strong", f"{shown(place.file)}:{place.line}, in {place.function}"))


def show_changes(change: Change) -> Html:
    """Every line that is changed, with its place, and in words what is wrong with it."""
    found = []
    for r in change.replacements:
        indent = len(r.place.text) - len(r.place.text.lstrip())
        found.append(join(show_place(r.place), element("pre", *show_change(r, indent), tabindex="0")))
    return join(*found, *([element("p", with_code(change.words))] if change.words else []))


def note_lines(ledger: Ledger) -> dict[At, tuple[str, str]]:
    """What the ledger says of each line: a class and words; of several values in a line, the worst."""
    rows: dict[At, list[LedgerRow]] = {}
    for row in ledger:
        if row.verdict in CLASSES:
            rows.setdefault((row.file, row.line), []).append(row)
    found = {}
    for at, own in rows.items():
        worst = min(own, key=lambda row: list(CLASSES).index(row.verdict))
        alone = len(own) == 1 and worst.verdict is LineVerdict.RIGHT and worst.what
        found[at] = (CLASSES[worst.verdict], f"the {worst.what}" if alone else worst.words)
    return found
