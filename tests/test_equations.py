"""The equations that a page shows are those of docs/derivations.md, beside the lines of `manual` that bear their tags.

`python -m tests.test_equations` writes handgrad/html/equations.json anew.
"""

import json
import re
from pathlib import Path

import pytest

from handgrad.html.equations import equations, find_equation

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "handgrad" / "html" / "equations.json"
TAGGED = re.compile(r"^\s*(.+?)\s+#\s*(.*?)\s*eq\. ([a-z_]+\.\w+)", re.MULTILINE)


def formulas() -> dict[str, str]:
    """The LaTeX under each tag: the last formula that begins with its name, else the first."""
    page = (ROOT / "docs" / "derivations.md").read_text("utf-8")
    found = {}
    for tag, body in re.findall(r"^### eq\. (\S+)\n(.*?)(?=^###? |\Z)", page, re.MULTILINE | re.DOTALL):
        texts = re.findall(r"\$\$(.*?)\$\$", re.sub(r"```.*?```", "", body, flags=re.DOTALL), re.DOTALL)
        own = [text for text in texts if text.strip().startswith(tag.partition(".")[2])]
        found[tag] = " ".join((own or texts[:1])[-1].split())
    return found


def lines() -> dict[str, tuple[str, str]]:
    """The first line that bears each tag, without it, and its file."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted((ROOT / "manual").rglob("*.py")):
        for code, shape, tag in TAGGED.findall(path.read_text("utf-8")):
            found.setdefault(tag, (f"{code}  # {shape}" if shape else code, str(path.relative_to(ROOT))))
    return found


def as_json() -> str:
    """The whole file."""
    from latex2mathml.converter import convert

    known = lines()
    rows = {
        tag: {"math": convert(latex, display="block"), "code": known[tag][0], "file": known[tag][1]}
        for tag, latex in formulas().items()
        if tag in known
    }
    return json.dumps(rows, indent=1) + "\n"


def test_the_file_is_what_the_derivations_say() -> None:
    pytest.importorskip("latex2mathml", reason="latex2mathml, of the test extra, writes the equations")
    assert FILE.read_text("utf-8") == as_json()


def test_every_tag_of_a_line_has_its_equation() -> None:
    assert sorted(equations()) == sorted(lines())
    tanh = find_equation("tanh.dz")
    assert tanh is not None
    assert tanh.code == "dz = dh * (1 - h * h)  # (N, n)"
    assert tanh.math.startswith("<math ")
    assert find_equation("tanh.dW") is None


def test_nothing_in_an_equation_runs_or_loads() -> None:
    for equation in equations().values():
        assert re.sub(r' xmlns="http://www\.w3\.org/1998/Math/MathML"', "", equation.math).count("http") == 0
        assert set(re.findall(r"<(\w+)", equation.math)) <= {
            "math", "mrow", "mi", "mo", "mn", "msup", "msub", "msubsup", "mfrac", "msqrt", "munder", "munderover",
            "mover", "mtext", "mspace", "mstyle", "mpadded",
        }  # fmt: skip


if __name__ == "__main__":
    FILE.write_text(as_json(), "utf-8")
