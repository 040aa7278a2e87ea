"""docs/kernels.md as a kernel's author reads it: its examples run, its test file passes and fails as it says."""

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

from handgrad.judge.promises import BREACHES, Promise

PAGE = Path(__file__).resolve().parents[1] / "docs" / "kernels.md"
KERNEL = """
import torch

class Silu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x.float() * torch.sigmoid(x.float())).to(x.dtype)

    @staticmethod
    def backward(ctx, dy):
        z, s = ctx.saved_tensors[0].float(), torch.sigmoid(ctx.saved_tensors[0].float())
        return (dy.float() * (s + z * s * (1 - s))).to(dy.dtype)
"""


def test_the_examples_run():
    pytest.importorskip("jax")
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert failed == 0
    assert tried > 0


def test_the_test_file_runs_in_another_process(tmp_path):
    (source,) = re.findall(r"```python\n(import pytest.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert source[source.index("@") :].count("\n") <= 6
    small = source.replace("[127, 128, 129]", "[9]").replace(', "bfloat16"]', "]").replace("=dtype", "=dtype, mend=0")
    (tmp_path / "my_kernels.py").write_text(KERNEL)
    (tmp_path / "wrong_kernels.py").write_text(KERNEL.replace("s + z * s * (1 - s)", "s"))
    (tmp_path / "test_right.py").write_text(small)
    (tmp_path / "test_wrong.py").write_text(small.replace("my_kernels", "wrong_kernels"))
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    report = done.stdout.partition("REFUTED")[2]
    assert "Silu" in report.splitlines()[0]
    report = re.sub(r"\nE?\s+", " ", report)  # a line is folded where its numbers are long
    assert re.search(r"dx\[\d,\d\] is \S+, autograd \S+ ± \S+; \d+ of \d+ entries are wrong", report)
    assert "a term of the product rule is missing" in report


def test_every_promise_is_listed_in_the_words_of_the_reports():
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    listed = {Promise(name): words for name, words in rows if name in set(Promise)}
    of_torch = {Promise.ONE_EACH, Promise.MARKS_WRITTEN, Promise.MARKS_CONSTANT, Promise.FREED, Promise.TWICE}
    of_torch |= {Promise.AUTOCAST, Promise.COMPILED, Promise.REGISTERED, Promise.FROZEN, Promise.LAYOUTS}
    assert of_torch <= listed.keys()
    usual = {Promise.SHAPES, Promise.FROZEN, Promise.LINEAR, Promise.SAME, Promise.COMPILED, Promise.AUTOCAST}
    assert {p: words.partition(" |")[0] for p, words in listed.items() if p in usual} == {p: BREACHES[p] for p in usual}
