"""docs/derivations.md: it derives every equation of `manual`, each once, and every one of its Python blocks runs.

The blocks of a section run in order, in one namespace that starts with what the notation's block defines.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manual

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "derivations.md").read_text(encoding="utf-8")
SECTIONS = {section.split("\n", 1)[0]: section for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
TAG = r"eq\. ([a-z_]+\.\w+)"


def run(section: str, namespace: dict[str, object]) -> int:
    """Executes the section's blocks; how many there were."""
    blocks = re.findall(r"^```python\n(.*?)^```", SECTIONS[section], flags=re.MULTILINE | re.DOTALL)
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"derivations.md, {section}, block {number}", "exec"), namespace)
    return len(blocks)


def test_every_equation_of_the_code_is_derived_exactly_once() -> None:
    in_code = {tag for file in (ROOT / "manual").rglob("*.py") for tag in re.findall(TAG, file.read_text("utf-8"))}
    assert sorted(re.findall(TAG, PAGE)) == sorted(in_code)
    assert PAGE.count("eq. ") == PAGE.count("\n### eq. "), "a tag stands outside a heading"


def test_every_equation_is_followed_by_a_block_of_its_section() -> None:
    for name, section in SECTIONS.items():
        last_tag, last_block = section.rfind("### eq. "), section.rfind("```python")
        assert last_block > last_tag, f"the last equation of {name!r} is not executed"


def test_a_formula_that_does_not_hold_for_complex_numbers_is_told() -> None:
    namespace: dict[str, Any] = {}
    run("Notation", namespace)
    size = manual.LeakyReLU(-1.0)  # h = |z|
    with pytest.raises(ValueError, match=r"write z \* np\.sign\(z\.real\) for np\.abs\(z\)"):
        namespace["check"](size, np.abs)
    namespace["check"](size, lambda z: z * np.sign(z.real))


@pytest.mark.parametrize("section", [name for name in SECTIONS if name != "Notation"])
def test_blocks_run(section: str) -> None:
    namespace: dict[str, object] = {}
    run("Notation", namespace)
    assert run(section, namespace) > 0
