"""The arguments of a training that `train` and `doctor` share, and what they say."""

import argparse
from typing import Any

from handgrad.commands.arguments import read_sizes
from handgrad.experiment.architecture import NORMS, OPTIMIZERS, per_layer
from handgrad.experiment.plan import BATCH, HIDDEN, Options
from handgrad.suite.run import DTYPES
from manual import PRESETS
from manual.layers.activations import DIFFERENTIABLE
from manual.losses import NAMED_LOSSES


def add_training(parser: argparse.ArgumentParser) -> None:
    """What is trained, on what, and how."""
    option = parser.add_argument
    decays = ", ".join(f"{k} {v.weight_decay:g}" for k, v in OPTIMIZERS.items())
    option("--data", metavar="digits|PATH", help="digits (bundled), an .npz, .csv, .tsv file, a text (.txt, "
           ".text, .md), or MNIST's idx")  # fmt: skip
    option("--target", metavar="COLUMN", help="of a table, what is learned: a name, or a number from 1 (label, target, "
           "class or y by its name, else the last)")  # fmt: skip
    option("--drop", action="append", metavar="COLUMN,...", help="columns of a table that are left out (none)")
    option("--standardise", action=argparse.BooleanOptionalAction, help="columns of numbers to mean 0 and variance 1, "
           "over the rows trained on; pixels by their largest (yes)")  # fmt: skip
    option(
        "--layers", metavar="N,N,...", help=f"sizes, inputs first, classes last ({'-'.join(map(str, HIDDEN))} between)"
    )
    option("--activation", metavar="NAME,...", help=f"of all hidden layers, or of each: {', '.join(DIFFERENTIABLE)} "
           "(relu)")  # fmt: skip
    option("--norm", choices=tuple(NORMS), metavar="NAME", help="before each activation: batch, layer (none)")
    option("--dropout", type=float, metavar="P", help="probability to drop a hidden unit in training (0)")
    option("--loss", choices=tuple(NAMED_LOSSES), metavar="NAME",
           help=f"{', '.join(NAMED_LOSSES)} (what fits the data); mse fits a table's numbers, also whole ones, "
           "which are classes otherwise")  # fmt: skip
    option("--preset", choices=tuple(PRESETS), metavar="NAME",
           help=f"conventions of {', '.join(PRESETS)}: initial values, loss, batches and more, each of which is "
           "printed; other options given besides go before it (none)")  # fmt: skip
    option("--optimizer", choices=tuple(OPTIMIZERS), metavar="NAME", help=f"{', '.join(OPTIMIZERS)} (adamw)")
    option("--lr", type=float, help=f"learning rate ({', '.join(f'{k} {v.lr:g}' for k, v in OPTIMIZERS.items())})")
    option("--weight-decay", type=float, metavar="X", help=f"of the optimizer ({decays})")
    option("--clip-norm", type=float, metavar="X", help="longer gradients are scaled down to this norm (not clipped)")
    option("--batch-size", type=int, metavar="N", help=f"samples in a batch, of all processes together ({BATCH})")
    option("--seed", type=int, help="of the weights, the batches and the choice of validation samples (0)")
    option("--dtype", choices=DTYPES, metavar="NAME", help="float32 or float64 (float32)")


def read_options(args: argparse.Namespace) -> dict[str, Any]:
    """The options of a plan that were given, None for the others. ValueError for what is not possible."""
    sizes = None if args.layers is None else read_sizes(args.layers, "64,32,10")
    for name, least in {"epochs": 1, "batch_size": 1, "seed": 0, "early_stopping": 1}.items():
        value = getattr(args, name, None)
        if value is not None and value < least:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, expected {least} or more")
    for name, zero in {"lr": False, "clip_norm": False, "weight_decay": True, "dropout": True}.items():
        value = getattr(args, name, None)
        if value is not None and not (0 < value < float("inf") or (zero and value == 0)):
            what = "a number, 0 or more" if zero else "a positive number"
            raise ValueError(f"--{name.replace('_', '-')} is {value:g}, expected {what}")
    if args.dropout is not None and args.dropout >= 1:
        raise ValueError(f"--dropout is {args.dropout:g}, expected a probability below 1")
    if args.activation is not None:
        per_layer(args.activation, args.activation.count(",") + 1)
    drop = None if args.drop is None else tuple(name.strip() for given in args.drop for name in given.split(","))
    return {name: getattr(args, name, None) for name in Options._fields} | {"layers": sizes, "drop": drop}
