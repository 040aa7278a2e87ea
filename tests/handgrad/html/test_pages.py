"""Every kind of page, opened from disk in a real browser: nothing loaded, nothing complained of, all of it legible.

Skipped where there is no Chromium; then the pages are still made and read as text.
"""

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from handgrad.html.page import fragment, page

HERE = Path(__file__).parent


def load(name: str) -> ModuleType:
    """A file beside this one."""
    spec = importlib.util.spec_from_file_location(f"{__name__}_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages, browsers = load("pages"), load("browser")
LOOK = (HERE / "look.js").read_text("utf-8")
UNFOLD = "document.querySelectorAll('details').forEach((d) => { d.open = true; })"
VISIBLE_ROWS = "[...document.querySelectorAll('tbody tr')].filter((r) => r.checkVisibility()).length"
SEARCH = """(text) => {
  const box = document.querySelector("input");
  box.value = text;
  box.dispatchEvent(new Event("input"));
}"""
FOCUSED = """(() => {
  const e = document.activeElement, style = getComputedStyle(e);
  return [e.localName, style.outlineStyle, parseFloat(style.outlineWidth)];
})()"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The files."""
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, shown in pages.PAGES.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(page(shown()), "utf-8")
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all pages."""
    path = browsers.find_browser()
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(browsers.NAMES)} is installed (Debian: apt-get install chromium)")
    opened = browsers.Browser(path, tmp_path_factory.mktemp("browser"))
    yield opened
    opened.close()


def test_every_page_in_a_browser(browser: Any, written: dict[str, Path]) -> None:
    for name, file in written.items():
        for dark, width in ((False, 1200), (True, 390)):
            browser.open(file, width=width, dark=dark)
            browser.evaluate(UNFOLD)
            seen = browser.evaluate(LOOK)
            assert browser.loaded() == [file.resolve().as_uri()], name
            assert browser.complaints() == [], name
            assert seen["scripts"] == 1, name
            assert seen["faint"] == [], name
            assert (seen["ground"] < 64) is dark, name
            assert seen["wide"] == 0, f"{name} is {seen['wide']} pixels wider than {width}"
            assert (seen["broken"], seen["unnamed"]) == (0, 0), name
            levels = seen["headings"]
            assert levels[0] == 1, name
            assert levels.count(1) == 1, name
            assert all(after - before <= 1 for before, after in pairwise(levels)), (name, levels)
    browser.open(written["network"])
    seen = browser.evaluate(LOOK)
    assert seen["equations"] >= 8
    assert seen["pictures"] >= 24


def test_the_keyboard_alone_folds_and_unfolds(browser: Any, written: dict[str, Path]) -> None:
    browser.open(written["network"])
    reached = []
    for _ in range(4):
        browser.press("Tab")
        reached.append(browser.evaluate(FOCUSED))
    assert [name for name, _, _ in reached[:2]] == ["input", "div"]  # the search, a table that scrolls
    assert ["summary", "solid", 3] in reached
    before = browser.evaluate("document.querySelectorAll('details[open]').length")
    while browser.evaluate(FOCUSED)[0] != "summary":
        browser.press("Tab")
    browser.press("Enter", "\r")
    assert browser.evaluate("document.querySelectorAll('details[open]').length") == before + 1


def test_search_hides_what_does_not_have_the_words(browser: Any, written: dict[str, Path]) -> None:
    browser.open(written["suite"])
    browser.evaluate(UNFOLD)
    whole = browser.evaluate(VISIBLE_ROWS)
    browser.evaluate(f"({SEARCH})('dW1')")
    few = browser.evaluate(VISIBLE_ROWS)
    assert 0 < few < whole
    browser.evaluate(f"({SEARCH})('')")
    assert browser.evaluate("document.querySelectorAll('tr[hidden], details[hidden]').length") == 0
    browser.evaluate(f"({SEARCH})('no such words')")
    assert browser.evaluate(VISIBLE_ROWS) == 0
    assert browser.evaluate("document.querySelector('output').textContent") == "0 places"


def test_a_page_with_nothing_folded_has_no_search(written: dict[str, Path]) -> None:
    for name, has in (("worked", False), ("checkup", False), ("network", True), ("suite", True)):
        assert ("<search" in written[name].read_text("utf-8")) is has, name


def test_a_picture_that_is_cut_off_says_that_it_scrolls(browser: Any, written: dict[str, Path]) -> None:
    for width, seen in ((390, True), (1200, False)):
        browser.open(written["worked"], width=width, height=800)
        hint = "document.querySelector('.worked .wide')"
        assert browser.evaluate(f"getComputedStyle({hint}).display !== 'none'") is seen, width


def test_the_slider_shows_one_step(browser: Any, written: dict[str, Path]) -> None:
    seen = "filter((e) => getComputedStyle(e).display !== 'none')"
    shown = f"[...document.querySelectorAll('[data-step]')].{seen}.map((e) => e.dataset.step)"
    numbers, marked = (
        f"[...document.querySelectorAll('svg {kind}[data-of]')].{seen}.map((e) => e.dataset.of)"
        for kind in ("", ".now")
    )
    said = "document.querySelector('.stepper output').textContent"
    browser.open(written["worked"], width=390, height=800)
    steps, whole = browser.evaluate(shown), browser.evaluate(numbers)
    assert len(steps) == 8
    assert browser.evaluate(said) == "all steps"
    while browser.evaluate(FOCUSED)[0] != "button":
        browser.press("Tab")
    browser.press("Tab")
    assert browser.evaluate(FOCUSED)[0] == "input"
    browser.evaluate("document.querySelectorAll('.stepper button')[1].click()")
    assert browser.evaluate(shown) == ["1"]
    assert browser.evaluate(said) == "1 of 8: Forward: unit 1 of layer 1"
    assert browser.evaluate(marked) == ["z1_1", "h1_1"]
    assert not {"z1_2", "E", "dW1_11"} & set(browser.evaluate(numbers))
    browser.evaluate("(s => { s.value = 6; s.dispatchEvent(new Event('input')); })(document.querySelector('.slider'))")
    assert browser.evaluate(shown) == ["6"]
    assert set(browser.evaluate(marked)) == {"dh1_1", "dz1_1", "dW1_11", "dW1_12", "db1_1"}
    assert {"E", "dW2_11"} < set(browser.evaluate(numbers))
    assert browser.evaluate(LOOK)["faint"] == []
    inside = """(() => {
      const box = (e) => e.getBoundingClientRect(), frame = box(document.querySelector(".worked .scroll"));
      return [...document.querySelectorAll("svg .now[data-of]")].every(
        (e) => box(e).left >= frame.left - 1 && box(e).right <= frame.right + 1);
    })()"""
    assert browser.evaluate(inside)
    browser.send("Emulation.setEmulatedMedia", media="print", features=[])
    assert browser.evaluate(shown) == steps
    assert browser.evaluate(numbers) == whole
    assert browser.complaints() == []


def test_what_is_folded_is_printed(browser: Any, written: dict[str, Path]) -> None:
    browser.open(written["network"], media="print")
    seen = "[...document.querySelectorAll('figure')].map((f) => f.checkVisibility())"
    assert set(browser.evaluate(seen)) == {True}
    assert browser.evaluate("document.querySelector('input').checkVisibility()") is False


@pytest.mark.parametrize("name", pages.PAGES)
def test_a_name_is_text_wherever_it_stands(name: str, written: dict[str, Path]) -> None:
    text = written[name].read_text("utf-8")
    assert pages.NASTY not in text
    assert text.count("<script") == 1
    if name not in ("comparison", "trajectory"):
        assert "&lt;/pre&gt;" in text


def test_a_notebook_gets_the_same_without_a_script() -> None:
    report = pages.function_report()
    shown = report.shown()
    assert report._repr_html_() == fragment(shown)
    assert report.to_html() == page(shown)
    assert "<script" not in report._repr_html_()
    assert all(part in report.to_html() for part in shown.body)


def test_the_one_line_that_can_be_wrong_is_shown_with_its_place() -> None:
    report = pages.function_report()
    suspect = replace(report, change=None, suspect=report.change.place)
    text = suspect.to_html()
    assert "test_pages" not in text
    assert "pages.py:" in text
    assert "\u2190 another value belongs here" in text
    assert "With another value here every gradient would be right" in text
    assert "<ins>" not in text
    assert "<ins>" in report.to_html()


def test_a_broken_promise_has_a_badge_of_its_own() -> None:
    report = pages.network_report(wrong=False)
    assert "contract broken" not in report.to_html()
    kept = report.contracts[0].contracts[0]
    broken = replace(report.contracts[0], contracts=(replace(kept, held=False),))
    text = replace(report, contracts=(broken,)).to_html()
    assert '<span class="verdict good">CERTIFIED</span> <span class="verdict bad">contract broken</span>' in text


def test_of_a_wrong_layer_both_passes_are_shown(written: dict[str, Path]) -> None:
    assert "return dh + 0, {}" in pages.network_report(wrong=True).to_html()
    assert "h = array_namespace(z).tanh(z)" in pages.network_report(wrong=True).to_html()
    assert "side by side" not in written["network"].read_text("utf-8")


def test_the_suite_has_equations_and_the_worst_tensor_of_what_is_right() -> None:
    right = pages.SuiteResult("right", (pages.network_report(wrong=False),))
    text = page(pages.show_suite([right], pages.Verdict.CERTIFIED, 1))
    assert text.count("<math") == 12  # of two linear layers four each, of tanh two, of the loss two
    assert text.count("forward and backward</summary>") == 4
    assert text.count("<figure>") == 1
    assert "<details open>" not in text


def test_verdicts_stand_where_a_telephone_shows_them(browser: Any, written: dict[str, Path]) -> None:
    outside = (
        "[...document.querySelectorAll('td .verdict')].filter((b) => b.getBoundingClientRect().right > 390).length"
    )
    for name in ("function", "network", "suite", "comparison", "errata", "systems"):
        browser.open(written[name], width=390)
        browser.evaluate(UNFOLD)
        assert browser.evaluate(outside) == 0, name


def test_a_function_is_shown_line_by_line(written: dict[str, Path]) -> None:
    text = written["function"].read_text("utf-8")
    code = "dz = dh * (1 - {})  # &quot;&lt;b&gt;&quot; &amp; &#x27;&lt;/pre&gt;&#x27; are text"
    assert code.format("<del>h</del>") in text
    assert code.format("<ins>h ** 2</ins>") in text  # on a line of its own
    assert "\u2190 wrong because of line" in text
    assert "\u2190 the gradient of " not in text.partition("def backward")[0]
    assert "<code>1 - h</code> &amp; <code>1 - h ** 2</code>" in text
