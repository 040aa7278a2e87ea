"""Every way to a gradient gives what the judged stages give; a slip in the lines around them is refuted in words."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from handgrad import Verdict, verify
from handgrad.subjects.network import entry_points
from manual import Dropout, HalfSquaredError, Linear, MeanSquaredError, Network, Tanh, mlp
from manual.gradients import gradients, loss_and_gradients


def judged(net: Network) -> Any:
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(20, 4)), rng.normal(size=(20, 2))
    return verify(net, net.init(0), x, target, MeanSquaredError(), seed=1)


class WrongDx(Network):
    def backward(self, params: Any, trace: Any, dy: Any, *, need_dx: bool = True) -> Any:
        stages = self.backward_trace(params, trace, dy, need_dx=need_dx)
        return stages[-1].dx, tuple(stage.dparams for stage in stages)


class NoBias(Network):
    def backward(self, params: Any, trace: Any, dy: Any, *, need_dx: bool = True) -> Any:
        dx, dparams = super().backward(params, trace, dy, need_dx=need_dx)
        return dx, dparams if need_dx else ({k: v for k, v in dparams[0].items() if k != "db"}, *dparams[1:])


class Raises(Network):
    def backward(self, params: Any, trace: Any, dy: Any, *, need_dx: bool = True) -> Any:
        raise IndexError("too far")


LAYERS = (Linear(4, 3), Tanh(), Linear(3, 2))
SLIPS: dict[str, tuple[type[Network], list[str]]] = {
    "dx of the last stage": (WrongDx, ["Network.backward: other values than the stages of the same pass give, in dx"]),
    "db lost in training": (
        NoBias,
        [
            "Network.backward without dx: other values than the stages of the same pass give, in db1",
            "loss_and_gradients: other values than the stages of the same pass give, in db1",
        ],
    ),
    "raises": (
        Raises,
        [
            f"{entry} stopped with IndexError: too far"
            for entry in ("Network.backward", "Network.backward without dx", "loss_and_gradients")
        ],
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_around_right_stages_is_refuted(slip: str) -> None:
    kind, words = SLIPS[slip]
    report = judged(kind(LAYERS))
    assert report.verdict is Verdict.REFUTED
    assert list(report.wiring) == words
    assert all(row.isolated.verdict is Verdict.CERTIFIED for row in report.stages)


class Doubled:
    """What a pass of twice the upstream gradient gives."""

    def __init__(self, found: Any) -> None:
        self.found = found

    def __getitem__(self, name: str) -> Any:
        return self.found[name] * (1 if name == "loss" else 2)


@pytest.mark.parametrize(
    ("entry", "wrong", "names"),
    [
        ("gradients", lambda *a, **k: Doubled(gradients(*a, **k)), "dx, dW1, db1, dW2, db2"),
        ("loss_and_gradients", lambda n, p, x, t, e, **k: loss_and_gradients(n, p, 2 * x, t, e), "loss, dW1, db1, dW2"),
    ],
)
def test_every_way_to_the_gradient_is_checked(
    entry: str, wrong: Callable[..., Any], names: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entry_points, entry, wrong)
    (problem,) = judged(Network(LAYERS)).wiring
    assert problem.startswith(f"{entry}: other values than the stages of the same pass give, in {names}")


def test_right_ways_of_a_network_with_states_and_frozen_stages() -> None:
    rng = np.random.default_rng(0)
    net = Network((Linear(4, 3), Dropout(0.5), Linear(3, 2, bias=False)))
    x = rng.normal(size=(20, 4))
    states = [None, Dropout(0.5).draw(rng, np.empty((20, 3))), None]
    report = verify(net, net.init(0), x, x[:, :2], HalfSquaredError(), states=states, seed=1)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert not judged(mlp([4, 3, 2], "tanh")).wiring
