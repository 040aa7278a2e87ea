"""Weights alone, in files that any program reads: .npz and plain text (Ando Ki's weight.txt).

Both hold the network and, under the lectures' names (W1, b1, gamma1, running_mean1, ...), its arrays; both give every
bit back. The text of a 2-1 network:

    handgrad weights 1, layers: 1
    layer 0: {"Linear": {"n_in": 2, "n_out": 1, "bias": true}}
    W1: 1 x 2, float64
    0.1 0.2
    b1: 1, float64
    0.0
    end

Nothing in them is ever run: .npz files with Python objects inside are refused.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import is_zipfile

import numpy as np
from numpy.typing import NDArray

from manual.files.architecture import network_from_plain, network_to_plain
from manual.files.atomic_write import replacing
from manual.files.serialise import (
    FLOATS,
    Named,
    check_shapes,
    flatten_weights,
    to_numpy,
    unflatten_weights,
    weight_shapes,
)
from manual.layers.batch_norm import BatchNorm1d, Running
from manual.names import output_names, param_names
from manual.network import Network
from manual.types import Params

HEAD = "handgrad weights 1, layers: "  # 1 is the format; a newer one begins otherwise


class Weights(NamedTuple):
    """What the save functions take, in their order."""

    network: Network
    params: tuple[Params, ...]
    running: tuple[Running | None, ...]  # per layer batch norm's running statistics, or None


def save_npz(
    path: str | Path, network: Network, params: Sequence[Params], running: Sequence[Running | None] | None = None
) -> None:
    """An .npz with one array per name, and the network as JSON text under "network".

    Raises what save_text raises, but takes nan and infinity.
    """
    plain = json.dumps(network_to_plain(network))
    entries: dict[str, Any] = {"network": np.array(plain), **_named(network, params, running)}
    with replacing(path) as file:
        np.savez(file, **entries)


def load_npz(path: str | Path) -> Weights:
    """The weights of `save_npz`. OSError where there is no such file, ValueError for a foreign or damaged one."""
    with Path(path).open("rb") as file:
        try:
            if not is_zipfile(path):  # NumPy would take it for a pickle, and advise to load it as one
                raise ValueError("no zip archive")
            with np.load(file, allow_pickle=False) as opened:
                arrays = {name: opened[name] for name in opened.files}
            plain = arrays.pop("network")
        except Exception as error:  # on damaged bytes zipfile, zlib and NumPy raise errors of a dozen kinds
            raise ValueError(f"{path}: is no .npz of weights, or a damaged one ({error})") from error
    try:
        network = network_from_plain(json.loads(str(plain)))
        return _weights(network, {name: to_numpy(name, array) for name, array in arrays.items()})
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error


def save_text(
    path: str | Path, network: Network, params: Sequence[Params], running: Sequence[Running | None] | None = None
) -> None:
    """A line per layer, then per array a line with name, shape and dtype, and a line of numbers per unit.

    Every digit is written, so that reading gives the same bits. running: needed with batch norm. Raises ValueError for
    missing, unexpected, misshapen or not finite arrays, TypeError for layers and arrays that no file can hold, OSError
    where writing fails; what stood at `path` is then as it was.
    """
    plain = network_to_plain(network)
    lines = [f"{HEAD}{len(plain)}", *(f"layer {i}: {json.dumps(layer)}" for i, layer in enumerate(plain))]
    for name, array in _named(network, params, running).items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name}: has entries that are nan or infinite, expected finite numbers")
        lines += [_title(name, array.shape) + array.dtype.name]
        lines += [" ".join(map(repr, row)) for row in np.atleast_2d(array).tolist()]
    with replacing(path) as file:
        file.write("\n".join([*lines, "end", ""]).encode("ascii"))


def load_text(path: str | Path) -> Weights:
    """The weights of `save_text`, or of such a file edited by hand.

    Raises OSError where there is no such file, ValueError with the line where it is damaged.
    """
    lines = _Lines(path)
    count = lines.parse(int, lines.after(HEAD))
    plain = [lines.parse(json.loads, lines.after(f"layer {i}: ")) for i in range(count)]
    network = lines.parse(network_from_plain, plain)
    arrays: Named = {}
    names = _lecture_names(network)
    for key, shape in weight_shapes(network).items():
        name = names[key]
        dtype = lines.after(_title(name, shape))
        if dtype not in FLOATS:
            raise lines.wrong(f"one of {', '.join(FLOATS)} at the end")
        rows = [lines.numbers(shape[-1], dtype) for _ in range(shape[0] if len(shape) > 1 else 1)]
        arrays[name] = np.array(rows).reshape(shape)
    lines.finish()
    return _weights(network, arrays)


class _Lines:
    """A text read line by line, with errors that say where."""

    def __init__(self, path: str | Path) -> None:
        try:  # an editor may have put a byte-order mark in front
            self.lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: no text at byte {error.start}, expected a file of weights as text") from error
        self.path, self.read = path, 0

    def wrong(self, expected: str) -> ValueError:
        """The error that says what stands in the last line read."""
        line = self.lines[self.read - 1]
        return ValueError(f"{self.path}, line {self.read}: {line[:60]!r}, expected {expected}")

    def after(self, start: str) -> str:
        """The next line without its start."""
        if self.read == len(self.lines):
            more = repr(start) if start else "more numbers"
            raise ValueError(f"{self.path}: ends after line {self.read}, expected {more}: the file was cut short")
        self.read += 1
        line = self.lines[self.read - 1]
        if not line.startswith(start):
            raise self.wrong(f"{start!r}")
        return line.removeprefix(start).strip()

    def parse(self, f: Callable[[Any], Any], given: Any) -> Any:
        """f of what was given; its ValueError, with the line."""
        try:
            return f(given)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{self.path}, line {self.read}: {error}") from error

    def numbers(self, count: int, dtype: str) -> NDArray[Any]:
        """The next line as `count` finite numbers."""
        words = self.after("").split()
        with np.errstate(over="ignore"):  # a number too large for its dtype is reported as infinite
            row = np.array(self.parse(lambda words: [float(word) for word in words], words)).astype(dtype)
        if len(row) != count or not np.isfinite(row).all():
            raise self.wrong(f"{count} finite numbers")
        return row

    def finish(self) -> None:
        """The last line, after which nothing but empty ones may come."""
        if self.after("end"):
            raise self.wrong("'end'")
        if any(line.strip() for line in self.lines[self.read :]):
            self.read += 1
            raise self.wrong("nothing after 'end'")


def _title(name: str, shape: tuple[int, ...]) -> str:
    return f"{name}: {' x '.join(map(str, shape))}, "


def _lecture_names(network: Network) -> dict[str, str]:
    """The lectures' name (W1) of every array (params.0.W)."""
    names: dict[str, str] = {}
    outputs = output_names(network.layers)
    for i, (layer, own) in enumerate(zip(network.layers, param_names(network.layers), strict=True)):
        names |= {f"params.{i}.{key}": name for key, name in own.items()}
        if isinstance(layer, BatchNorm1d):
            names |= {f"running.{i}.{key}": f"running_{key}{outputs[i][1:]}" for key in Running._fields}
    return names


def _named(network: Network, params: Sequence[Params], running: Sequence[Running | None] | None) -> Named:
    names = _lecture_names(network)
    return {names[key]: array for key, array in flatten_weights(network, params, running).items()}


def _weights(network: Network, arrays: Named) -> Weights:
    """ValueError unless the arrays are exactly the network's."""
    names = _lecture_names(network)
    check_shapes(arrays, {names[key]: shape for key, shape in weight_shapes(network).items()}, "the file")
    return Weights(network, *unflatten_weights(network, {key: arrays[name] for key, name in names.items()}))
