"""The pytest plugin in a session of its own."""

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from handgrad import pytest_plugin
from handgrad.assertions import assert_verified
from handgrad.subjects.function.verify import verify_function
from manual import HalfSquaredError, mlp

pytest_plugins = ["pytester"]

TESTS = """
import numpy as np
import torch

def forward(x):
    h = np.tanh(x)
    return h, h

def test_right(handgrad):
    handgrad.assert_verified(forward, lambda dh, h: dh * (1 - h**2), torch.tanh, [(3, 4)], seed=1)

def test_wrong(handgrad):
    handgrad.assert_verified(forward, lambda dh, h: dh * (1 - h), torch.tanh, [(3, 4)], seed=1)

def test_own_assertion(handgrad):
    report = handgrad.verify_function(forward, lambda dh, h: dh * h, torch.tanh, [(3, 4)], seed=1, name="mine")
    assert report.verdict.value == "CERTIFIED"

def test_network(handgrad):
    from manual import HalfSquaredError, mlp
    network = mlp([3, 2])
    rng = np.random.default_rng(0)
    handgrad.verify(network, network.init(0), rng.normal(size=(4, 3)), rng.normal(size=(4, 2)), HalfSquaredError())
"""


def test_a_session(pytester, monkeypatch):
    for name in ("CI", "BUILD_NUMBER"):  # where these are set, pytest repeats whole messages in its summary
        monkeypatch.delenv(name, raising=False)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_inprocess("--handgrad-json", "reports.json", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, failed=2)
    text = result.stdout.str()
    assert text.count("REFUTED  forward  (float64, numpy on cpu, seed 1)") == 1  # once, not in a section as well
    assert text.count("REFUTED  mine") == 1  # the report of a failing test is shown although it asserts itself
    found = json.loads((pytester.path / "reports.json").read_text())
    assert [(entry["test"].rpartition("::")[2], entry["report"]["verdict"]) for entry in found] == [
        ("test_right", "CERTIFIED"),
        ("test_wrong", "REFUTED"),
        ("test_own_assertion", "REFUTED"),
        ("test_network", "CERTIFIED"),
    ]
    assert found[1]["report"]["stages"][0]["isolated"]["tensors"]


def test_the_plugin_itself_imports_nothing_heavy():
    code = (
        "import runpy, sys; before = set(sys.modules); runpy.run_path(sys.argv[1]); "
        "print([m for m in ('torch', 'numpy', 'handgrad') if m in sys.modules and m not in before])"
    )
    plugin = Path(pytest_plugin.__file__)
    done = subprocess.run([sys.executable, "-c", code, str(plugin)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert runpy.run_path(str(plugin))["PROPERTY"] == "handgrad"


def test_assert_verified():
    report = verify_function(lambda x: (2 * x, None), lambda dy, _: 3 * dy, lambda x: x + x, [(3,)], seed=0)
    with pytest.raises(AssertionError, match="REFUTED") as failed:
        assert_verified(report)
    assert str(failed.value).strip() == str(report).strip() == report.text().strip()
    with pytest.raises(TypeError, match="no further arguments"):
        assert_verified(report, 1)
    network, x = mlp([3, 2]), torch.randn(4, 3, dtype=torch.float64).numpy()
    assert assert_verified(network, network.init(0), x, x[:, :2], HalfSquaredError()).stages
