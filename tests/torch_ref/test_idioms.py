"""Every feature of torch that takes a module: the same on HandModule as on torch's own, or refused in a sentence.

`python -m tests.torch_ref.test_idioms` writes the table of docs/drop_in.md.
"""

import importlib
import re
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from tests.torch_ref.idioms.setting import IDIOMS, Idiom, hand, plain

GROUPS = {
    "structure": "The module as a container",
    "parameters": "Parameters",
    "hooks": "Hooks",
    "training": "Training",
    "losses": "Losses",
    "transforms": "Derivatives and torch.func",
    "compilers": "Compilers and tracers",
}
for group in GROUPS:
    importlib.import_module(f"tests.torch_ref.idioms.{group}")
PAGE = Path(__file__).parents[2] / "docs" / "drop_in.md"
SECTION = re.compile(r"(<!-- idioms -->\n).*?(\n<!-- end idioms -->)", re.DOTALL)
TORCHS_OWN = (  # what torch warns of inside itself
    "Dynamo detected a call to a `functools.lru_cache`:UserWarning",
    "<class 'torch.autograd.function.Function'> should not be instantiated:DeprecationWarning",
    ".torch.jit:DeprecationWarning",
    "`torch.nn.utils.:FutureWarning",
    "Attempted to insert a get_attr Node:UserWarning",
    "Converting a tensor to a Python boolean:torch.jit.TracerWarning",
    "Anomaly Detection:UserWarning",
    "There is a performance drop:UserWarning",
    "torch.ao.quantization is deprecated:DeprecationWarning",
)
REFUSALS = (ValueError, TypeError, RuntimeError, NotImplementedError, AssertionError)
pytestmark = [pytest.mark.filterwarnings(f"ignore:{warning}") for warning in TORCHS_OWN]


@pytest.mark.parametrize("each", IDIOMS, ids=lambda each: each.told)
def test_idiom(each: Idiom) -> None:
    torch._dynamo.reset()
    compare(each, normed=True)


IN_LINE = [each for each in IDIOMS if not each.normed and each.group not in ("transforms", "compilers")]


@pytest.mark.parametrize("each", IN_LINE, ids=lambda each: each.told)
def test_idiom_in_a_straight_line(each: Idiom) -> None:
    compare(each, normed=False)


def compare(each: Idiom, normed: bool) -> None:
    """The same on both sides, or refused on ours."""
    if each.refused:
        with pytest.raises(REFUSALS, match=each.refused):
            each.do(hand(normed))
        return
    found = []
    for side in (plain(normed), hand(normed)):
        torch.manual_seed(1)
        found.append(each.do(side))
    parts = [torch.utils._pytree.tree_leaves(each) for each in found]
    assert len(parts[0]) == len(parts[1])
    for expected, got in zip(*parts, strict=True):
        if isinstance(expected, torch.Tensor):
            near = {"rtol": 1e-9, "atol": 1e-11} if expected.dtype == torch.float64 else {}
            assert_close(got, expected, **near, equal_nan=True)
        else:
            assert got == expected


def table() -> str:
    """A line an idiom, the words of its refusal beside it."""
    lines = ["| what one does | what comes |", "| :-- | :-- |"]
    for group, title in GROUPS.items():
        lines.append(f"| **{title}** | |")
        lines += [
            f"| {each.told} | {'refused' if each.refused else each.instead or 'the same'} |"
            for each in IDIOMS
            if each.group == group
        ]
    return "\n".join(lines)


def test_the_page_has_every_idiom() -> None:
    assert SECTION.sub(lambda m: m[1] + table() + m[2], PAGE.read_text("utf-8")) == PAGE.read_text("utf-8")
    assert table() in PAGE.read_text("utf-8")


if __name__ == "__main__":
    PAGE.write_text(SECTION.sub(lambda m: m[1] + table() + m[2], PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write(f"{len(IDIOMS)} idioms\n")
