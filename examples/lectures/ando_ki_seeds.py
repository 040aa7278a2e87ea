"""Ando Ki's considerations over many starts: how often XOR is learned, by initial values, rate and activation.

    python examples/lectures/ando_ki_seeds.py [--seeds 1000]

S networks 3-4-1 stand side by side in one network 3-4S-S, whose connection mask lets no unit of one reach another: the
gradient of each is what it would be alone, and all are trained at once.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from handgrad.lectures.ando_ki_train import Float, Y, start, train
from manual import SGD, Linear, Network, Params, SquaredError, activation, mlp
from manual.initial import constant

ALONE, SSE = mlp([3, 4, 1], "sigmoid", "sigmoid", bias=False), SquaredError()
CHUNK = 100  # networks side by side; the mask grows with their square


@dataclass(frozen=True)
class Setting:
    """One way to train: weights uniform from low to 1, or all equal; an output bias that starts at `bias`.

    ulps: every weight starts that many units of its last place higher, which only shows what rounding can do.
    """

    name: str
    lr: float = 1.0
    iterations: int = 1000
    low: float = 0.0
    equal: float | None = None
    bias: float | None = None
    f: str = "sigmoid"
    ulps: int = 0

    def start(self, seed: int) -> tuple[Params, ...]:
        if self.equal is not None:
            return ALONE.init(0, constant(self.equal))
        drawn = ({"W": self.low + (1 - self.low) * p["W"]} if p else {} for p in start(ALONE, "rand", seed))
        return tuple({"W": p["W"] + self.ulps * np.spacing(p["W"])} if p else {} for p in drawn)


class Outcome(NamedTuple):
    """Per network its last loss, and whether its rounded outputs are XOR; both as the listing's nn.output has them."""

    losses: Float
    learned: NDArray[np.bool_]


LECTURE = Setting("weights from 0 to 1, rate 1: the lecture")
EQUAL, ZERO = Setting("all weights 0.5", equal=0.5), Setting("all weights 0", equal=0.0)
RATES = {lr: Setting(f"rate {lr:g}", lr) for lr in (0.1, 0.5, 2.0, 5.0, 10.0, 50.0)}
TANH = {lr: Setting(f"tanh, rate {lr:g}", lr, f="tanh") for lr in (1.0, 0.3, 0.1, 0.03)}
CENTRED, BIAS = Setting("weights from -1 to 1", low=-1.0), Setting("a bias at the output", bias=0.0)
SETTINGS = (LECTURE, CENTRED, BIAS, EQUAL, ZERO, *RATES.values(), *TANH.values())


def side_by_side(setting: Setting, seeds: Sequence[int]) -> tuple[Network, tuple[Params, ...], Float]:
    """The network 3-4S-S of the networks from these seeds, its weights, and its targets (4, S)."""
    starts, S = [setting.start(seed) for seed in seeds], len(seeds)
    mask = np.kron(np.eye(S), np.ones((1, 4)))
    f, bias = activation(setting.f), {} if setting.bias is None else {"b": np.full(S, setting.bias)}
    net = Network((Linear(3, 4 * S, bias=False), f, Linear(4 * S, S, bias=bool(bias), mask=mask), f))
    W1 = np.concatenate([p[0]["W"] for p in starts])
    W2 = mask * np.concatenate([p[2]["W"] for p in starts], axis=1)
    return net, ({"W": W1}, {}, {"W": W2, **bias}, {}), np.tile(Y, (1, S))


def outcome(setting: Setting, seeds: Sequence[int]) -> Outcome:
    """Train them all."""
    losses, learned = [], []
    for i in range(0, len(seeds), CHUNK):
        net, params, targets = side_by_side(setting, seeds[i : i + CHUNK])
        y = train(net, params, SSE, SGD(setting.lr), setting.iterations, targets).output
        losses.append(np.sum((y - targets) ** 2, axis=0))
        learned.append(np.all(np.round(y) == targets, axis=0))
    return Outcome(np.concatenate(losses), np.concatenate(learned))


def main() -> int:
    """The table."""
    top = argparse.ArgumentParser(description="How often XOR is learned, by initial values, rate and activation.")
    top.add_argument("--seeds", type=int, default=50, help="how many starts; by default 50")
    count = top.parse_args().seeds
    if count < 1:
        top.error(f"argument --seeds: got {count}, expected 1 or more")
    print(f"{'':42} learned      median loss   5 %           95 %          worst")
    for setting in SETTINGS:
        losses, learned = outcome(setting, range(1 if setting.equal is not None else count))
        shown = (f"{v:<12.6g}" for v in (*np.percentile(losses, (50, 5, 95)), losses.max()))
        print(f"{setting.name:42} {learned.sum():4} of {len(learned):4}", *shown, sep="  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
