"""A line of `manual` that somebody broke: file, line and change are named, and the change is right in every option."""

import inspect
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handgrad import Verdict, verify
from handgrad.report.report import Report
from handgrad.source import libraries
from handgrad.suite import run
from handgrad.suite.problems import Problem
from manual import LayerNorm, Linear, MeanSquaredError, Network, ReLU, SquaredError, Tanh, mlp
from manual.layers.layer_norm import LayerNormCache
from manual.layers.tanh import TanhCache
from manual.losses.reduction import divisor
from manual.namespace import array_namespace
from manual.precision import in_float32

pytestmark = pytest.mark.mends
ROOT = Path(__file__).parents[3]
NET = mlp([4, 3, 2], "tanh")
NORMED = Network((Linear(4, 3), LayerNorm(3), ReLU(), Linear(3, 2)))


def square_missing(self, params, cache, dh):
    h = cache.h
    dz = dh * (1 - h)
    return dz, {}


def doubled(self, params, z):
    h = array_namespace(z).tanh(2 * z)
    return h, TanhCache(h)


def of_samples(self, params, cache, dz, *, needs=("x", "W", "b")):
    W = self._connected(params["W"])
    dparams = {"dW": self._connected(dz.T @ cache.x)}
    if self.bias:
        dparams["db"] = array_namespace(dz).mean(dz, axis=0)
    return dz @ W, dparams


def undivided(self, cache, dE):
    e, D = cache.e, divisor(self.reduction, cache.e)
    dy = dE * (2 * self.factor * e)
    assert D > 0
    return dy


def twice(self, W):
    if self.mask is None:
        return 2 * W
    return W * array_namespace(W).asarray(self.mask, dtype=W.dtype)


@in_float32
def unscaled(self, params, cache, dy, *, needs=("x", "gamma", "beta")):
    xp, xhat, s = array_namespace(dy), cache.xhat, cache.s
    dxhat = dy * params["gamma"]
    mean = xp.mean(dxhat, axis=1, keepdims=True)
    dx = (dxhat - mean - xhat * xp.mean(dxhat * xhat, axis=1, keepdims=True)) * s
    return dx, {"dgamma": xp.sum(dy * xhat, axis=0), "dbeta": xp.sum(dy, axis=0)}


@in_float32
def of_columns(self, params, x):
    xp = array_namespace(x)
    xc = x - xp.mean(x, axis=0, keepdims=True)
    s = xp.sqrt(xp.mean(xc * xc, axis=1, keepdims=True) + self.eps)
    xhat = xc / s
    return params["gamma"] * xhat + params["beta"], LayerNormCache(xhat, s)


def transposed(self, params, cache, dz, *, needs=("x", "W", "b")):
    dx, dparams = None, {}
    if "x" in needs:
        W = self._connected(params["W"])
        dx = dz @ W.T
    if "W" in needs:
        dparams["dW"] = self._connected(dz.T @ cache.x)
    if "b" in needs and self.bias:
        dparams["db"] = array_namespace(dz).sum(dz, axis=0)
    return dx, dparams


def judged(network, **asked) -> Report:
    rng = np.random.default_rng(0)
    params, x, target = network.init(0), rng.normal(size=(6, 4)), rng.normal(size=(6, 2))
    return verify(network, params, x, target, MeanSquaredError(), seed=1, **asked)


@pytest.mark.parametrize(
    ("kind", "name", "broken", "line", "change", "network"),
    [
        (Tanh, "backward", square_missing, "dz = dh", ("h", "h ** 2"), NET),
        (Tanh, "forward", doubled, "tanh(2", ("2", "z"), NET),
        (Linear, "backward", of_samples, ".mean(", (".mean(", ".sum("), NET),
        (Linear, "_connected", twice, "2 * W", ("2", "W"), NET),
        (SquaredError, "backward", undivided, "dy", ("", "/ D"), NET),
        (LayerNorm, "backward", unscaled, "dx = ", ("* s", "/ s"), NORMED),
        (LayerNorm, "forward", of_columns, "xc = ", ("0", "1"), NORMED),
        (Linear, "backward", transposed, "dx = dz", ("W.T", "W"), NET),
    ],
    ids=["tanh", "forward", "linear", "helper", "squared_error", "layer_norm", "axis", "it raises"],
)
def test_the_line_and_the_change(monkeypatch, kind, name, broken, line, change, network):
    monkeypatch.setattr(kind, name, broken)
    report = judged(network)
    assert report.verdict is Verdict.REFUTED
    assert report.change is not None, report.text()
    assert (report.place.file, report.place.function) == (__file__, broken.__name__)
    assert line in report.place.text
    before, after = report.change.before, report.change.after
    assert change[0] in before
    assert change[1] in after
    culprit = report.culprit.name
    assert f"= with this change every gradient of {culprit} is CERTIFIED" in report.text(width=200)


def test_what_raises_is_told_with_its_line(monkeypatch):
    monkeypatch.setattr(Linear, "backward", transposed)
    report = judged(NET, mend=0)
    line = inspect.getsourcelines(transposed)[1] + 4
    assert "ValueError: matmul: " in report.text(width=500)
    assert f"({__file__}:{line})" in report.text(width=500)
    monkeypatch.setattr(Linear, "forward", lambda self, params, x: x @ params["V"])
    problem = Problem("one", mlp((64, 3, 10), "tanh"), MeanSquaredError())
    (found,) = run.run_suite([problem], ["float64"], seed=0, mend=0)
    assert found.reports[0].notes[0].startswith(f"it stopped with KeyError: 'V' ({__file__}:")


def test_what_is_right_is_not_searched(monkeypatch):
    def search(*args):
        raise AssertionError("a change of what is right was looked for")

    monkeypatch.setattr("handgrad.subjects.network.mending.search_change", search)
    report = judged(NET)
    assert (report.verdict, report.change, report.suspect) == (Verdict.CERTIFIED, None, None)
    monkeypatch.setattr(Tanh, "backward", square_missing)
    assert judged(NET, mend=0).change is None
    with pytest.raises(ValueError, match="mend: got -1, expected a number of seconds"):
        judged(NET, mend=-1)


def test_once_for_all_networks_with_the_same_wrong_layer(monkeypatch):
    """The suite asks for the change where the layer is found wrong first."""
    monkeypatch.setattr(Tanh, "backward", square_missing)
    asked = []

    def judge(*args, mend, **more):
        asked.append(mend)
        return verify(*args, mend=0, **more)

    monkeypatch.setattr(run, "verify", judge)
    problems = [Problem(title, mlp((64, 3, 10), "tanh"), MeanSquaredError()) for title in ("one", "another")]
    found = list(run.run_suite(problems, ["float64", "float32"], seed=0, mend=4))
    assert [result.verdict for result in found] == [Verdict.REFUTED, Verdict.REFUTED]
    assert asked == [0, 4, 0, 0, 0]


def test_the_command_names_the_line_of_a_broken_copy(tmp_path):
    shutil.copytree(ROOT / "manual", tmp_path / "manual", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "manual" / "layers" / "tanh.py"
    text = file.read_text()
    file.write_text(text.replace("1 - h * h)  # (N, n)", "1 - h)  # (N, n)"))
    line = 1 + text[: text.index("1 - h * h)  # (N, n)")].count("\n")
    command = "handgrad verify --activation tanh --loss mse --dtype float64 --mend 60"
    done = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"manual/layers/tanh.py:{line}, in backward" in done.stdout
    assert "^ should be h ** 2" in done.stdout


def test_manual_is_no_library_where_it_is_installed(monkeypatch):
    installed = Path("/env/lib/python3/site-packages")
    monkeypatch.setattr(libraries, "MANUAL", installed / "manual")
    is_library = inspect.unwrap(libraries.is_library)
    assert not is_library(str(installed / "manual" / "layers" / "tanh.py"))
    assert is_library(str(installed / "torch" / "nn" / "functional.py"))


class Own(Tanh):
    """A reader's layer, with manual's forward pass."""

    def backward(self, params, cache, dh):
        return dh * (1 - cache.h), {}


def test_manual_is_not_to_blame_for_a_layer_of_the_readers():
    report = judged(Network((Linear(4, 3), Own(), Linear(3, 2))))
    assert (report.place.file, report.change.before, report.change.after) == (__file__, "cache.h", "cache.h ** 2")
