"""A whole page in one file, and the same content as a piece of a notebook.

The page may load nothing and run nothing but what stands in it; its own policy forbids the browser the rest.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, NamedTuple

from handgrad.html.element import Html, element, join

SEARCH = "search this page"


class Shown(NamedTuple):
    """What a page says. title: for the browser's window, plain text.

    parts: names of what this page has besides, a NAME.css and a NAME.js each.
    """

    title: str
    heading: str
    body: Sequence[str]
    parts: Sequence[str] = ()


class Paged:
    """What can be shown as a page, by itself or in a notebook."""

    _repr_pretty_: Callable[..., None]

    def shown(self) -> Shown:
        """What its page says."""
        raise NotImplementedError

    def to_html(self) -> str:
        """The whole as a page: one file that opens from disk, and loads nothing."""
        return page(self.shown())

    def _repr_html_(self) -> str:
        """The same in a notebook, where it is the last expression of a cell."""
        return fragment(self.shown())

    def __init_subclass__(cls) -> None:
        """IPython asks each class in turn, and would find the __repr__ of a dataclass before what stands here."""
        cls._repr_pretty_ = cls.show_text

    def show_text(self, printer: Any, cycle: bool) -> None:
        """Its text, where IPython has no browser."""
        printer.text(str(self).rstrip("\n"))


def page(shown: Shown) -> str:
    """The file: head, heading, the body, and before it a box to search in where something in it is folded away.

    What is not folded away the browser's own search finds.
    """
    script = "".join(read(f"{name}.js") for name in ("page", *shown.parts))
    allowed = b64encode(sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'"
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", shown.title),
        element("style", style(shown)),
    ]
    search = [search_box()] if any("<details" in part for part in shown.body) else []
    main = element("main", element("h1", shown.heading), *search, *shown.body, class_="handgrad")
    whole = element("html", element("head", *head), element("body", main, element("script", Html(script))), lang="en")
    return f"<!doctype html>\n{whole}\n"


def search_box() -> Html:
    """A line to type in, and how many places have the words; the script brings it to life."""
    box = element("input", type="search", placeholder=SEARCH, aria_label=SEARCH, hidden=True)
    return element("search", box, " ", element("output", aria_live="polite"))


def fragment(shown: Shown) -> str:
    """For the output of a notebook's cell: the same content and style, no script."""
    body = element("div", element("h2", shown.heading), *shown.body, class_="handgrad")
    return join(element("style", style(shown)), body)


def style(shown: Shown) -> Html:
    """What the page looks like."""
    return Html("".join(read(f"{name}.css") for name in ("style", *shown.parts)))


@cache
def read(name: str) -> str:
    """A file beside this one."""
    return files("handgrad.html").joinpath(name).read_text("utf-8")
