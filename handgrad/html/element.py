"""Elements of a page. Whatever is no element is text, and is written so that a browser takes it for nothing else."""

from collections.abc import Sequence
from html import escape

VOID = ("img", "input", "meta")  # elements that have no end


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def element(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """One element. An attribute that is a Python word has a _ behind it; one that is True stands alone.

    >>> element("p", "a < b, ", element("b", "bold"), class_="words")
    '<p class="words">a &lt; b, <b>bold</b></p>'
    >>> element("details", "more", open=True), element("details", "more", open=False)
    ('<details open>more</details>', '<details>more</details>')
    """
    words = [name]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        words += [attribute] if value is True else [f'{attribute}="{escape(value)}"'] if value is not False else []
    end = "" if name in VOID else f"</{name}>"
    return Html(f"<{' '.join(words)}>{join(*children)}{end}")


def join(*parts: str) -> Html:
    """Elements and texts one after the other.

    >>> join("a < ", element("i", "b"))
    'a &lt; <i>b</i>'
    """
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def with_code(text: str) -> Html:
    """A sentence whose words between backticks are code.

    >>> with_code("`1 - h < 2` is wrong")
    '<code>1 - h &lt; 2</code> is wrong'
    """
    return join(*(element("code", part) if i % 2 else part for i, part in enumerate(text.split("`"))))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> Html:
    """Rows under their titles; each row's first cell names it. numbers: titles of the columns set to the right.

    It scrolls by itself where the page is narrow, by the keyboard as well.
    """
    kinds = ["number" if title in numbers else "" for title in titles]

    def cell(kind: str, text: str, head: str = "") -> Html:
        shown = {"class_": kind} if kind else {}
        scope = {"scope": head} if head else {}
        return element("th" if head else "td", text, **shown, **scope)

    head = element("tr", *(cell(kind, title, "col") for kind, title in zip(kinds, titles, strict=True)))
    body = [
        element(
            "tr", *(cell(kind, text, "" if i else "row") for i, (kind, text) in enumerate(zip(kinds, row, strict=True)))
        )
        for row in rows
    ]
    grid = element("table", element("thead", head), element("tbody", *body))
    return element("div", grid, class_="scroll", tabindex="0", role="region", aria_label="table: " + ", ".join(titles))


def fold(summary: str, *children: str, open: bool = False) -> Html:
    """What can be folded away under its summary."""
    return element("details", element("summary", summary), *children, open=open)
