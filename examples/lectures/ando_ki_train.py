"""Ando Ki's training program: 3-4-1 without biases on XOR, squared error, rate 1, 1,000 iterations, then weight.txt.

    python examples/lectures/ando_ki_train.py --out weight.txt   trains and saves, for ando_ki_inference.py
    python examples/lectures/ando_ki_train.py --help             each of his "considerations" is an option to try

He sets no seed, so no run of his can be repeated; here it is an option too. Exit code 1 where training blows up.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from manual import (
    ACTIVATIONS,
    INITIALS,
    SGD,
    Adam,
    BinaryCrossEntropy,
    HalfSquaredError,
    Linear,
    Loss,
    MeanSquaredError,
    Network,
    Params,
    SquaredError,
    mlp,
)
from manual.files.weight_files import save_text
from manual.initial import constant
from manual.layers.activations import NOT_DIFFERENTIABLE, activation

Float = NDArray[np.float64]

X = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])  # the third input, always 1, is the hidden units' bias
Y = np.array([[0.0], [1], [1], [0]])  # XOR of the first two

SMOOTH = [name for name, f in ACTIVATIONS.items() if not isinstance(f, NOT_DIFFERENTIABLE)]
LOSSES: dict[str, Loss] = {
    "sse": SquaredError(),
    "half_sse": HalfSquaredError(),
    "mse": MeanSquaredError(),
    "cross_entropy": BinaryCrossEntropy("sum"),
}
OPTIMIZERS: dict[str, Callable[[float], Any]] = {"sgd": SGD, "momentum": partial(SGD, momentum=0.9), "adam": Adam}
RATES = {"sgd": 1.0, "momentum": 0.2, "adam": 0.02}  # the lecture's; the others need less for steps as long
STARTS = ["rand", "equal", *INITIALS]


class Trained(NamedTuple):
    """params after the last update; losses[i] and output belong to the weights before update i and the last one."""

    params: Sequence[Params]
    losses: Float
    output: Float  # the listing's nn.output


def start(net: Network, init: str, seed: int) -> tuple[Params, ...]:
    """Initial weights: the lecture's np.random.rand, uniform from 0 to 1, all 0.5, or by a name of `manual`."""
    if init == "rand":
        rng = np.random.RandomState(seed)  # the stream behind his np.random.rand
        # his W is [from][to]: rand(n_x, n_h), then rand(n_h, n_y); ours is the transpose
        return tuple({"W": rng.rand(f.n_in, f.n_out).T} if isinstance(f, Linear) else {} for f in net.layers)
    return net.init(seed, constant(0.5) if init == "equal" else init)


def train(net: Network, params: Sequence[Params], loss: Loss, optimizer: Any, iterations: int, t: Float = Y) -> Trained:
    """`iterations` updates, each from all four samples. FloatingPointError where it blows up."""
    losses, state, y = [], optimizer.initial(params), t
    for i in range(iterations):
        with np.errstate(over="ignore", invalid="ignore"):
            y, trace = net.forward(params, X)
            E, cache = loss.forward(y, t)
            _, dparams = net.backward(params, trace, loss.backward(cache, 1.0))
            params, state = optimizer.step(params, dparams, state)
        if not np.isfinite(E):
            raise FloatingPointError(
                f"the loss is {E} at iteration {i + 1}: the steps are too long; try a smaller --lr"
            )
        losses.append(float(E))
    return Trained(params, np.array(losses), y)


def options() -> argparse.ArgumentParser:
    """The considerations."""
    top = argparse.ArgumentParser(description="Train XOR as Ando Ki's lecture does, or otherwise.")
    top.add_argument("--init", choices=STARTS, default="rand", help="initial weights: rand (0 to 1), equal (0.5), ...")
    top.add_argument("--activation", choices=SMOOTH, default="sigmoid", help="of hidden and output units")
    top.add_argument("--loss", choices=LOSSES, default="sse", help="cross_entropy: the output is a sigmoid")
    top.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    top.add_argument("--lr", type=float, help=f"learning rate; by default {RATES}")
    top.add_argument("--layers", type=int, nargs="+", default=[4], metavar="N", help="units of each hidden layer")
    top.add_argument("--iterations", type=int, default=1000)
    top.add_argument("--seed", type=int, default=1)
    top.add_argument("--out", type=Path, metavar="FILE", help="write the weights to FILE; weight.txt in the lecture")
    top.add_argument("--plot", type=Path, metavar="FILE.png", help="the loss curve")
    return top


def main() -> int:
    """Train, save, and say what came out: the listing's nn.output, and what the saved weights give."""
    top = options()
    args = top.parse_args()
    if args.iterations < 1:
        top.error(f"argument --iterations: got {args.iterations}, expected 1 or more")
    if args.plot is not None and args.plot.suffix != ".png":
        top.error(f"argument --plot: got {args.plot}, expected a name that ends in .png")
    if args.plot is not None:
        from handgrad.course.text import prepare_folder  # loads torch, which training does without

        try:
            prepare_folder(args.plot.parent)
        except (ModuleNotFoundError, OSError) as error:
            top.error(f"argument --plot: {error}")
    from_logits = args.loss == "cross_entropy"  # it holds the output's sigmoid
    lr = RATES[args.optimizer] if args.lr is None else args.lr
    try:
        optimizer = OPTIMIZERS[args.optimizer](lr)
        net = mlp([3, *args.layers, 1], args.activation, None if from_logits else args.activation, bias=False)
        params = start(net, args.init, args.seed)
    except ValueError as error:
        top.error(str(error))
    sizes = "-".join(map(str, [3, *args.layers, 1]))
    print(f"{sizes} without biases, {args.activation}, {args.loss}, start {args.init}, seed {args.seed}")
    print(f"{args.optimizer} at rate {lr:g}, {args.iterations} iterations")
    try:
        trained = train(net, params, LOSSES[args.loss], optimizer, args.iterations)
        y, _ = net.forward(trained.params, X)
    except FloatingPointError as error:
        print(f"{error}. Nothing is saved.", file=sys.stderr)
        return 1
    for i in sorted({0, *(args.iterations * k // 10 - 1 for k in range(1, 11))} - {-1}):
        print(f"iteration {i + 1:6}   loss {trained.losses[i]:.9f}")
    output = "sigmoid" if from_logits else args.activation
    last = activation(output if from_logits else "identity")
    before, after = (last.forward({}, out)[0].ravel() for out in (trained.output, y))
    print("\ninput      wanted   nn.output, before the last update   the saved weights, after it")
    for x, t, a, b in zip(X, Y.ravel(), before, after, strict=True):
        print(f"{x[0]:.0f} {x[1]:.0f} {x[2]:.0f} {t:10.0f}   {a:.9f}{b:35.9f}")
    print("XOR is learned" if np.array_equal(np.round(after), Y.ravel()) else "XOR is not learned: try another start")
    if args.out is not None:
        try:
            if from_logits:  # what is saved gives the sigmoid itself
                save_text(args.out, Network((*net.layers, last)), (*trained.params, {}))
            else:
                save_text(args.out, net, trained.params)
        except OSError as error:
            top.error(f"argument --out: {error}")
        print(f"wrote {args.out}")
    if args.plot is not None:
        plot(trained.losses, args.plot)
    return 0


def plot(losses: Float, path: Path) -> None:
    """The loss curve as a picture."""
    from handgrad.course.text import draw
    from handgrad.report.console import report_console

    draw({path.stem: lambda ax: curve(ax, losses)}, path.parent, report_console())


def curve(ax: Any, losses: Float, label: str = "") -> None:
    """Loss over iterations."""
    ax.plot(losses, label=label)
    ax.set(xlabel="iteration", ylabel="loss", title="Ando Ki: loss while XOR is learned")


if __name__ == "__main__":
    sys.exit(main())
