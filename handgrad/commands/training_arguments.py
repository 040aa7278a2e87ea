"""The arguments of a training that `train` and `doctor` share, and what they say."""

import argparse
from typing import Any

from handgrad.experiment.plan import BATCH, HIDDEN, OPTIMIZERS
from handgrad.suite.run import DTYPES
from manual import PRESETS
from manual.layers.activations import DIFFERENTIABLE
from manual.losses import NAMED_LOSSES


def add_training(parser: argparse.ArgumentParser) -> None:
    """What is trained, on what, and how."""
    option = parser.add_argument
    option("--data", metavar="digits|PATH", help="digits (bundled), an .npz, .csv, .tsv file, a text (.txt, "
           ".text, .md), or MNIST's idx")  # fmt: skip
    option(
        "--layers", metavar="N,N,...", help=f"sizes, inputs first, classes last ({'-'.join(map(str, HIDDEN))} between)"
    )
    option("--activation", choices=DIFFERENTIABLE, metavar="NAME", help=f"{', '.join(DIFFERENTIABLE)} (relu)")
    option("--loss", choices=tuple(NAMED_LOSSES), metavar="NAME",
           help=f"{', '.join(NAMED_LOSSES)} (what fits the data); mse fits a table's numbers, also whole ones, "
           "which are classes otherwise")  # fmt: skip
    option("--preset", choices=tuple(PRESETS), metavar="NAME",
           help=f"conventions of {', '.join(PRESETS)}: initial values, loss, batches and more, each of which is "
           "printed; other options given besides go before it (none)")  # fmt: skip
    option("--optimizer", choices=tuple(OPTIMIZERS), metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (adamw)")
    option("--lr", type=float, help=f"learning rate ({', '.join(f'{k} {v.lr:g}' for k, v in OPTIMIZERS.items())})")
    option("--clip-norm", type=float, metavar="X", help="longer gradients are scaled down to this norm (not clipped)")
    option("--batch-size", type=int, metavar="N", help=f"samples in a batch, of all processes together ({BATCH})")
    option("--seed", type=int, help="of the weights, the batches and the choice of validation samples (0)")
    option("--dtype", choices=DTYPES, metavar="NAME", help="float32 or float64 (float32)")


def read_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of a plan that were given, None for the others. ValueError for what is not possible."""
    sizes = None
    if args.layers is not None:
        try:
            sizes = tuple(int(size) for size in args.layers.split(","))
        except ValueError:
            sizes = ()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"--layers is {args.layers!r}, expected sizes such as 64,32,10")
    for name, least in {"epochs": 1, "batch_size": 1, "seed": 0}.items():
        value = getattr(args, name, None)
        if value is not None and value < least:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, expected {least} or more")
    for name in ("lr", "clip_norm"):
        value = getattr(args, name, None)
        if value is not None and not 0 < value < float("inf"):
            raise ValueError(f"--{name.replace('_', '-')} is {value:g}, expected a positive number")
    names = ("data", "activation", "loss", "optimizer", "lr", "epochs", "batch_size", "seed", "dtype", "clip_norm",
             "preset")  # fmt: skip
    return {"layers": sizes} | {name: getattr(args, name, None) for name in names}
