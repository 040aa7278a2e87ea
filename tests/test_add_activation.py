"""An activation is added in one place on each side: a file, and its import and name in the room's __init__.

It is then judged, trained, saved, loaded, offered on the command line, and named in a diagnosis, and the tests of the
house judge it as well. Tried on a copy of the house, in a process of its own.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
# The tests that go through all activations.
LISTS = (
    "tests/manual/test_gradients.py",
    "tests/manual/test_neuron.py",
    "tests/manual/sklearn/test_sklearn.py",
    "tests/torch_ref/hand/test_gradients.py",
    "tests/handgrad/subjects/test_network.py",
    "tests/handgrad/judge/test_contracts.py",
)

MANUAL = '''"""The arc tangent, h = atan z."""

import math
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.namespace import array_namespace
from manual.types import Activation, Array, Facts, Grads, Params


class ArctanCache(NamedTuple):
    z: Array  # (N, n)


@dataclass(frozen=True)
class Arctan(Activation):
    """h = atan z. Shapes: z, h (N, n)."""

    facts: ClassVar[Facts] = Facts("arctan")

    def forward(self, params: Params, z: Array) -> tuple[Array, ArctanCache]:
        h = array_namespace(z).atan(z)  # (N, n)  eq. arctan.h
        return h, ArctanCache(z)

    def backward(self, params: Params, cache: ArctanCache, dh: Array) -> tuple[Array, Grads]:
        # forward: h = atan z
        # so:
        dz = dh / (1 + cache.z * cache.z)  # (N, n)  eq. arctan.dz
        return dz, {}

    def scalar(self, z: float) -> tuple[float, float]:
        return math.atan(z), 1 / (1 + z * z)
'''

TWIN = '''"""The twin of manual/layers/arctan.py."""

import torch
from torch import nn


class Arctan(nn.Module):
    """h = atan z."""

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.atan(z)
'''

DERIVED = """
### eq. arctan.h

$$h = \\arctan z$$

### eq. arctan.dz

$$dz = dh / (1 + z^2)$$
"""

USE = """
import sys
import pytest

assert pytest.main(["-k", "arctan", "-p", "no:cacheprovider", *sys.argv[1:]]) == 0

import numpy as np, torch
import manual, torch_ref
from handgrad.cli import main
from manual import Arctan
from manual.files.checkpoint import load
from tests.test_derivations import test_every_equation_of_the_code_is_derived_exactly_once as every_equation_is_derived

options = ["verify", "--activation", "arctan", "--loss", "mse", "--dtype", "float64", "--seed", "1"]
assert main(options) == 0
assert main(["train", "--activation", "arctan", "--layers", "64,8,10", "--epochs", "1", "--checkpoint", "c"]) == 0
assert main(["predict", "--checkpoint", "c", "--data", "digits"]) == 0
assert load("c").network.layers[1] == Arctan()

x = torch.tensor([[-2.0, 0.5]], requires_grad=True)
torch_ref.HandModule(Arctan())(x).sum().backward()
np.testing.assert_allclose(x.grad, [[0.2, 0.8]], rtol=1e-6)

neuron = manual.Neuron((0,), (1.0,), activation="arctan")
assert manual.evaluate([neuron], [-3.0]).h[neuron] == np.arctan(-3.0)
every_equation_is_derived()

Arctan.backward = lambda self, params, cache, dh: (dh * (1 + cache.z * cache.z), {})
assert main([*options, "--mend", "0"]) == 1
"""


def add(file: Path, source: str, kind: str) -> None:
    """A file in its room, its import and its name in the room's __init__."""
    file.write_text(source, encoding="utf-8")
    init = file.parent / "__init__.py"
    text = init.read_text("utf-8")
    room = ".".join(file.parts[-3:-1])
    text = text.replace("\nfrom ", f"\nfrom {room}.{file.stem} import {kind}\nfrom ", 1)
    init.write_text(text.replace("\n]\n", f'\n    "{kind}",\n]\n', 1), encoding="utf-8")


def run(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in the copy of the house."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_an_activation_is_one_file_each_side(tmp_path: Path) -> None:
    for folder in ("manual", "torch_ref", "handgrad", "tests"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "docs").mkdir()
    for name in ("docs/derivations.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    with (tmp_path / "docs/derivations.md").open("a", encoding="utf-8") as page:
        page.write(DERIVED)
    add(tmp_path / "manual/layers/arctan.py", MANUAL, "Arctan")
    add(tmp_path / "torch_ref/layers/arctan.py", TWIN, "Arctan")
    use = run(tmp_path, "-c", USE, *LISTS)
    assert use.returncode == 0, use.stdout + use.stderr
    assert "arctan, mse" in use.stdout
    assert "arctan.dz" in use.stdout  # the equation that the refutation names
    passed = re.search(r"(\d+) passed", use.stdout)
    assert passed is not None
    assert int(passed[1]) > 80, use.stdout  # so many tests try it
