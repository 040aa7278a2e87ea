"""Elements: what is no element is text, and nothing in a text becomes markup."""

from html.parser import HTMLParser

import pytest

from handgrad.html.element import Html, element, fold, join, table, with_code
from handgrad.html.page import Shown, fragment, page

NASTY = "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>'\" & <b>"


class Seen(HTMLParser):
    """Every element and every attribute of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += attrs
        if tag not in ("img", "input", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "made",
    [
        lambda text: element("p", text),
        lambda text: element("p", "x", title=text),
        lambda text: join(text, element("br")),
        lambda text: table([text], [[text], [element("i", text)]], numbers=[text]),
        lambda text: fold(text, text),
        lambda text: with_code(f"`{text}` {text}"),
        lambda text: Html(fragment(Shown(text, text, [text]))),
        lambda text: Html(page(Shown(text, text, [text]))),
    ],
    ids=["child", "attribute", "join", "table", "fold", "code", "fragment", "page"],
)
def test_whatever_is_no_element_is_text(made):
    plain, nasty = Seen(made("x")), Seen(made(NASTY))
    assert nasty.elements == plain.elements
    assert [name for name, _ in nasty.attributes] == [name for name, _ in plain.attributes]
    assert nasty.open == [] or nasty.open == plain.open


def test_an_element_inside_another_is_not_escaped_again():
    assert element("p", element("b", "a & b")) == "<p><b>a &amp; b</b></p>"


def test_the_page_allows_its_own_script_alone():
    text = page(Shown("t", "h", []))
    assert "default-src &#x27;none&#x27;" in text
    assert text.count("<script") == 1
    assert "http:" not in text.replace("http-equiv", "")
    assert "https:" not in text
    assert "<script" not in fragment(Shown("t", "h", []))
