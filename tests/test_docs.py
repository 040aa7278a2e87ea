"""The pages against the code: rules, notes, constants and a report as they are, short sentences, paths that exist.

`python -m tests.test_docs` writes the generated parts of docs/method.md and the report in README.md anew.
"""

import doctest
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from handgrad.explain.notes import NOTES
from handgrad.judge import constants
from handgrad.judge.rules import VERDICT_RULES
from handgrad.mend import constants as mend_constants
from handgrad.subjects.network.special_values import SPECIAL
from tests.test_readme import with_report

ROOT = Path(__file__).resolve().parents[1]
METHOD = ROOT / "docs" / "method.md"
README = ROOT / "README.md"
PAGES = [  # not CHANGELOG.md, which names what is gone
    README,
    ROOT / "CONTRIBUTING.md",
    ROOT / "benchmarks" / "README.md",
    *ROOT.glob("docs/*.md"),
]


def first_sentence(function: Callable[..., Any]) -> str:
    """The first paragraph of its docstring."""
    return " ".join((function.__doc__ or "").partition("\n\n")[0].split())


def list_functions(functions: Sequence[Callable[..., Any]]) -> str:
    """A numbered list: each function's name in code font, and its sentence."""
    return "\n".join(f"{i}. `{f.__name__}`: {first_sentence(f)}" for i, f in enumerate(functions, start=1))


def number(value: Any) -> str:
    """A constant as a reader writes it.

    >>> [number(v) for v in (32, 1_000_000, 2.0**-30, 3 / 4, 1e-10, (1e-5, 0.0))]
    ['32', '1,000,000', '2^-30', '3/4', '1e-10', '1e-05, 0']
    """
    if isinstance(value, tuple):
        return ", ".join(map(number, value))
    if isinstance(value, int):
        return f"{value:,}"
    part = Fraction(value)
    if part.denominator > 64 and part.numerator == 1:
        return f"2^-{part.denominator.bit_length() - 1}"
    return f"{value:g}" if part.denominator == 1 or part.denominator > 64 else str(part)


def constants_table() -> str:
    """Every constant in the order of its reasons."""
    rows = [
        f"| `{name}` | {number(getattr(constants, name))} | {reason.decides} | {reason.why} |"
        for name, reason in constants.REASONS.items()
    ]
    return "\n".join(["| name | value | decides | why |", "| :-- | --: | :-- | :-- |", *rows])


def search_constants_table() -> str:
    """The constants of the search for a change."""
    rows = [f"| `{n}` | {number(getattr(mend_constants, n))} | {why} |" for n, why in mend_constants.REASONS.items()]
    return "\n".join(["| name | value | why |", "| :-- | --: | :-- |", *rows])


def special_values() -> str:
    """Every special draw with what it puts in, and which stages take it."""
    rows = [f"| {draw.name} | {draw.what} | {', '.join(s.__name__ for s in draw.stages)} |" for draw in SPECIAL]
    return "\n".join(["| draw | numbers | stages |", "| :-- | :-- | :-- |", *rows])


GENERATED = {
    "special values": special_values(),
    "rules": list_functions(VERDICT_RULES),
    "notes": list_functions(NOTES),
    "constants": constants_table(),
    "constants of the search": search_constants_table(),
}


def section(name: str) -> re.Pattern[str]:
    """The part of the page between the two markers of that name."""
    return re.compile(rf"(<!-- {name} -->\n)(.*?)\n?(<!-- end {name} -->)", re.DOTALL)


def write() -> None:
    """Every generated part of docs/method.md and of the README, as the code has it now."""
    README.write_text(with_report(README.read_text("utf-8")), "utf-8")
    page = METHOD.read_text("utf-8")
    for name, text in GENERATED.items():
        page = section(name).sub(lambda found, text=text: f"{found[1]}{text}\n{found[3]}", page)
    METHOD.write_text(page, "utf-8")


@pytest.mark.parametrize("name", GENERATED)
def test_the_method_prints_what_the_code_has(name: str) -> None:
    shown = section(name).search(METHOD.read_text("utf-8"))
    assert shown is not None, f"docs/method.md has no lines <!-- {name} --> and <!-- end {name} -->"
    words = f"docs/method.md: the part '{name}' is not what the code has; python -m tests.test_docs writes it anew"
    assert shown[2] == GENERATED[name], words


def test_the_examples_of_the_method_run() -> None:
    failed, tried = doctest.testfile(str(METHOD), module_relative=False)
    assert failed == 0
    assert tried > 0


def test_the_sentences_of_the_method_are_short() -> None:
    page = METHOD.read_text("utf-8")
    for name in GENERATED:
        page = section(name).sub("", page)
    page = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    prose = re.sub(r"^(\||    |#).*$", "", page, flags=re.MULTILINE)
    parts = re.split(r"(?<=[\w)`*|][.?:])\s+|\n\n|\n(?=- |\d\. )", prose)
    lengths = {part: len(re.findall(r"[\w']+", part)) for part in parts if part.strip()}
    long = [" ".join(part.split()) for part, length in lengths.items() if length > 35]
    assert long == [], "sentences of more than 35 words"
    assert sum(lengths.values()) / len(lengths) < 19


def named_paths(page: str) -> set[str]:
    """Every file or folder that a page names in code font, in a command, or as the target of a link."""
    code = " ".join(re.findall(r"`([^`\n]+)`", page) + re.findall(r"```sh\n(.*?)```", page, re.DOTALL))
    named = set(re.findall(r"(?<![\w./<-])((?:\w[\w.-]*/)+(?:[\w.-]+\w)?)(?![\w*])", code))
    named |= set(re.findall(r"(?<![\w./*-])(\w+\.(?:py|md|json|toml))\b", code))
    return {name for name in named if not name.startswith(".venv") and "NAME" not in name}


def exists(page: Path, name: str) -> bool:
    """Whether a path is there: from the root, beside the page, or by its file name alone."""
    if "/" in name:
        return any((folder / name).exists() for folder in (ROOT, page.parent))
    return any(path.exists() for path in (ROOT / name, page.parent / name)) or any(ROOT.glob(f"[a-z]*/**/{name}"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    assert sorted(name for name in named_paths(text) if not exists(page, name)) == []
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", re.sub("`[^`]*`", "", text))  # in code, f[0](x) is a call
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_a_path_that_is_gone_is_found() -> None:
    assert named_paths("see `manual/nowhere.py`, `python benchmarks/power.py --seed 1` and `x / y`") == {
        "manual/nowhere.py",
        "benchmarks/power.py",
    }
    assert not exists(METHOD, "manual/nowhere.py")
    assert exists(METHOD, "manual/layers/")


if __name__ == "__main__":
    write()
