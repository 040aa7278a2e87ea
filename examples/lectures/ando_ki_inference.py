"""Ando Ki's inference program: the network that ando_ki_train.py saved, loaded and asked.

    python examples/lectures/ando_ki_inference.py [weight.txt]

The file is text, so loading it runs no code of whoever wrote it. Exit code 2 where there is none or it is damaged.
"""

import argparse
import sys
from pathlib import Path

from handgrad.lectures.ando_ki_train import Float, X
from manual.files.weight_files import Weights, load_text
from manual.network import widths


def load(path: Path) -> Weights:
    """The network and its weights, bit for bit as saved.

    Raises OSError where there is no such file, ValueError where it is damaged or of a network of other inputs.
    """
    weights = load_text(path)
    n_in = widths(weights.network.layers[0])[0]
    if n_in != X.shape[1]:
        raise ValueError(f"{path}: its network takes {n_in} inputs, expected {X.shape[1]}")
    return weights


def infer(path: Path, x: Float) -> Float:
    """The outputs (N, 1) of the saved network for inputs (N, 3)."""
    net, params, running = load(path)
    y: Float = net.forward(params, x, running)[0]
    return y


def main() -> int:
    """Print the outputs for the four inputs of XOR."""
    top = argparse.ArgumentParser(description="What a saved network says to the four inputs of XOR.")
    top.add_argument("file", type=Path, nargs="?", default=Path("weight.txt"), help="by default weight.txt")
    path = top.parse_args().file
    try:
        y = infer(path, X)
    except FileNotFoundError:
        top.error(f"there is no {path}; ando_ki_train.py --out {path} makes one")
    except (OSError, ValueError) as error:
        top.error(str(error))
    print("input     output")
    for x, h in zip(X, y, strict=True):
        print(f"{x[0]:.0f} {x[1]:.0f} {x[2]:.0f}   {', '.join(f'{value:.9f}' for value in h)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
