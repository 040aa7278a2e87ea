"""docs/checkup.md and docs/presets.md: their commands and examples run, and print what stands there.

`python -m tests.test_checkup_page` writes both anew.
"""

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

from handgrad.checkup.checkup import Checkup, examine
from handgrad.cli import main
from handgrad.experiment.datasets.digits import digits
from manual import PRESETS, AdamW, SoftmaxCrossEntropy, mlp

DOCS = Path(__file__).resolve().parents[1] / "docs"
CHECKUP, PRESETS_PAGE = DOCS / "checkup.md", DOCS / "presets.md"
COMMAND = re.compile(r"```console\n\$ handgrad ([^\n]*)\n(.*?)```", re.DOTALL)
ROWS = re.compile(r"<!-- checks -->\n(.*?)<!-- end checks -->", re.DOTALL)
MEASURED = {
    "loss at the start": "the loss before the first step, beside chance",
    "one batch by heart": "the loss on a few samples after 300 steps of Adam, or fewer where 1 % of chance is reached",
    "first steps": "the loss on samples held back, after the first steps as planned",
    "update to weight": "the change of W divided by W, as norms; the median of the first steps",
    "gradient norms": "the norm of dW of each layer, before the first step",
    "dead units": "units that let no gradient through, before and after the first steps",
    "saturation": "outputs of hidden units on the flat ends, before and after the first steps",
    "units alike": "hidden units that do the same as another",
}


def healthy() -> Checkup:
    net, data = mlp([64, 12, 10]), digits()
    params = net.init(0, "he_uniform")
    return examine(net, params, data.x[:200], data.labels[:200], SoftmaxCrossEntropy(), AdamW(1e-2))


def rows() -> str:
    """Every check with what it measures and what is normal, as it says itself."""
    return "".join(f"| {c.name} | {MEASURED[c.name]} | {c.normal} |\n" for c in healthy().checks)


def run(words: str) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(words.split())
    return out.getvalue()


def presets() -> str:
    """All of them, as a doctest prints blank lines."""
    return "\n\n".join(map(str, PRESETS.values())).replace("\n\n", "\n<BLANKLINE>\n")


def written_checkup(page: str) -> str:
    page = ROWS.sub(lambda found: f"<!-- checks -->\n{rows()}<!-- end checks -->", page)
    return COMMAND.sub(lambda found: f"```console\n$ handgrad {found[1]}\n{run(found[1])}```", page)


def written_presets(page: str) -> str:
    head, line, rest = page.partition('>>> print(*PRESETS.values(), sep="\\n\\n")\n')
    return f"{head}{line}{presets()}\n\n{rest[rest.index('```') :]}"


def without_digits(page: str) -> str:
    """Rounding is not the same on every machine, and a training enlarges it; so lines may break elsewhere too."""
    return " ".join(re.sub(r"(?<![\w.])\d[\d.e+-]*", "#", page).split())


@pytest.mark.parametrize(("path", "write"), [(CHECKUP, written_checkup), (PRESETS_PAGE, written_presets)])
def test_the_page_prints_what_the_code_gives(path: Path, write: object) -> None:
    assert callable(write)
    page = path.read_text("utf-8")
    words = f"{path.name} is out of date; python -m tests.test_checkup_page writes it anew"
    assert without_digits(write(page)) == without_digits(page), words


@pytest.mark.parametrize("path", [CHECKUP, PRESETS_PAGE])
def test_its_examples_run(path: Path) -> None:
    failed, tried = doctest.testfile(str(path), module_relative=False)
    assert failed == 0
    assert tried > 0


if __name__ == "__main__":
    CHECKUP.write_text(written_checkup(CHECKUP.read_text("utf-8")), "utf-8")
    PRESETS_PAGE.write_text(written_presets(PRESETS_PAGE.read_text("utf-8")), "utf-8")
