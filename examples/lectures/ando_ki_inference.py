"""Ando Ki's inference program: the network that ando_ki_train.py saved, loaded and asked.

    python examples/lectures/ando_ki_inference.py [weight.txt]

The file is text, so loading it runs no code of whoever wrote it. Exit code 2 where there is none or it is damaged.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path

import numpy as np
from handgrad.lectures.ando_ki_train import SMOOTH, Float, X

from manual import Layer, Linear, Network, Params
from manual.activations import activation

HEAD = re.compile(r"layer (\d+): W ([1-9]\d*) x ([1-9]\d*), (\w+)")


def load(path: Path) -> tuple[Network, tuple[Params, ...]]:
    """The network and its weights, bit for bit as saved.

    Raises OSError where there is no such file, ValueError with the line where it is damaged.
    """
    try:
        lines = enumerate(path.read_text(encoding="ascii").splitlines(), 1)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: no text at byte {error.start}, expected what ando_ki_train.py saves") from error
    layers: list[Layer] = []
    params: list[Params] = []
    for i, line in lines:
        if line == "end":
            break
        where, head = f"{path}, line {i}", HEAD.fullmatch(line)
        if head is None or int(head[1]) != len(layers) // 2 + 1:
            raise ValueError(f"{where}: {line[:40]!r}, expected 'layer {len(layers) // 2 + 1}: W 4 x 3, sigmoid' or so")
        n_out, n_in = int(head[2]), int(head[3])
        if head[4] not in SMOOTH or (not layers and n_in != X.shape[1]):
            raise ValueError(f"{where}: {line!r}, expected {X.shape[1]} inputs and one of {', '.join(SMOOTH)}")
        layers += [Linear(n_in, n_out, bias=False), activation(head[4])]
        params += [{"W": np.array([numbers(path, lines, n_in) for _ in range(n_out)])}, {}]
    else:
        raise ValueError(f"{path}: no line 'end': the file was cut short; train again")
    if rest := [i for i, line in lines if line.strip()]:
        raise ValueError(f"{path}, line {rest[0]}: something after 'end', expected nothing")
    try:
        return Network(tuple(layers)), tuple(params)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def numbers(path: Path, lines: Iterator[tuple[int, str]], count: int) -> Sequence[float]:
    """The next line as `count` finite numbers."""
    i, line = next(lines, (0, ""))
    if not i:
        raise ValueError(f"{path}: ends within a layer: the file was cut short; train again")
    try:
        row = [float(word) for word in line.split()]
    except ValueError as error:
        raise ValueError(f"{path}, line {i}: {error}") from error
    if len(row) != count or not all(map(isfinite, row)):
        raise ValueError(f"{path}, line {i}: {line[:40]!r}, expected {count} finite numbers")
    return row


def infer(path: Path, x: Float) -> Float:
    """The outputs (N, 1) of the saved network for inputs (N, 3)."""
    net, params = load(path)
    y: Float = net.forward(params, x)[0]
    return y


def main() -> int:
    """Print the outputs for the four inputs of XOR."""
    top = argparse.ArgumentParser(description="What a saved network says to the four inputs of XOR.")
    top.add_argument("file", type=Path, nargs="?", default=Path("weight.txt"), help="by default weight.txt")
    path = top.parse_args().file
    try:
        y = infer(path, X)
    except FileNotFoundError:
        top.error(f"there is no {path}; ando_ki_train.py makes one")
    except (OSError, ValueError) as error:
        top.error(str(error))
    print("input     output")
    for x, h in zip(X, y, strict=True):
        print(f"{x[0]:.0f} {x[1]:.0f} {x[2]:.0f}   {', '.join(f'{value:.9f}' for value in h)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
