"""A checkpoint: a training with its network, loss and optimizer, in one safetensors file.

Arrays lie under the names of `manual.files.serialise`; the rest is JSON, the entry "handgrad" of the file's header:
format_version, handgrad_version, network, loss, optimizer, training (seed, epoch, step, history, ...), extra, and the
sha256 of everything. One entry, because safetensors writes several in an order of its own: so equal trainings make
equal files.
No file is ever read as code, a pickle least of all. Saving replaces the file as a whole or not at all.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import safetensors
import safetensors.numpy

from manual.files.architecture import (
    loss_from_plain,
    loss_to_plain,
    network_from_plain,
    network_to_plain,
    optimizer_from_plain,
    optimizer_to_plain,
)
from manual.files.atomic_write import check_writable, replacing
from manual.files.serialise import Named, differences, flatten, unflatten, weight_shapes
from manual.network import Network
from manual.training.state import Training
from manual.types import Loss

__all__ = ["FORMAT", "Checkpoint", "CheckpointError", "check_writable", "load", "save"]

FORMAT = 1  # the file's own version: raised when an older reader could not read what is written now


class CheckpointError(ValueError):
    """The file holds no checkpoint, or a damaged one, or one of another version or network."""


class Checkpoint(NamedTuple):
    """What `save` takes, in its order."""

    network: Network
    loss: Loss
    optimizer: Any
    training: Training
    extra: dict[str, str]


def save(
    path: str | Path,
    network: Network,
    loss: Loss,
    optimizer: Any,
    training: Training,
    extra: Mapping[str, str] | None = None,
) -> None:
    """Writes the checkpoint; `load` gives it back bit for bit. extra: more text to keep, such as the classes' names.

    Raises what `pack` raises, OSError where writing fails; then what stood at `path` is as it was.
    """
    data = pack(network, loss, optimizer, training, extra)
    with replacing(path) as file:
        file.write(data)


def pack(
    network: Network, loss: Loss, optimizer: Any, training: Training, extra: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of the checkpoint: their number is that of every later one too, but for the history.

    Raises TypeError for layers, losses, optimizers and arrays that no file can hold, ValueError where the training does
    not fit the network.
    """
    for name, given, kind in (("network", network, Network), ("training", training, Training)):
        if not isinstance(given, kind):
            raise TypeError(f"{name}: got {type(given).__name__}, expected a {kind.__name__}")
    for key, value in (extra or {}).items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise TypeError(f"extra[{key!r}]: is {type(value).__name__}, expected text under a text")
    content = {
        "format_version": FORMAT,
        "handgrad_version": _version(),
        "network": network_to_plain(network),
        "loss": loss_to_plain(loss),
        "optimizer": optimizer_to_plain(optimizer),
        "extra": dict(extra or {}),
    }
    arrays, content["training"] = flatten(network, optimizer, training)
    text = json.dumps({**content, "sha256": _digest(arrays, content)}, allow_nan=False)
    return safetensors.numpy.save(arrays, {"handgrad": text})


def load(path: str | Path, expect: Network | None = None) -> Checkpoint:
    """The checkpoint in the file, its arrays NumPy's. expect: the network that it must be of.

    Raises OSError where there is no such file and CheckpointError for a file that is no checkpoint, cut short, damaged,
    of a newer format, or of another network (with the names and shapes that differ). Nothing is ever half loaded.
    """
    arrays, text = _read(Path(path))
    try:
        content = json.loads(text)
        found, written = content.pop("sha256"), int(content["format_version"])
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: is damaged: its header cannot be read; use another copy") from error
    if written > FORMAT:
        raise CheckpointError(
            f"{path}: has format {written}, written by handgrad {content.get('handgrad_version')}; this handgrad reads "
            f"up to format {FORMAT}: install a newer one"
        )
    if found != _digest(arrays, content):
        raise CheckpointError(f"{path}: is damaged: its SHA-256 is not the one it was saved with; use another copy")
    try:
        network = network_from_plain(content["network"])
        if expect is not None:
            _check_same(network, expect)
        optimizer = optimizer_from_plain(content["optimizer"])
        training = unflatten(network, optimizer, arrays, content["training"])
        return Checkpoint(network, loss_from_plain(content["loss"]), optimizer, training, content["extra"])
    except KeyError as error:
        raise CheckpointError(f"{path}: has no entry {error}, expected a whole checkpoint") from error
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: {error}") from error


def _read(path: Path) -> tuple[Named, str]:
    """Arrays and our entry of the header."""
    with path.open("rb") as file:  # OSError with the plain reason, where there is no file or it is a folder
        start = file.read(9)
    try:
        with safetensors.safe_open(path, "np") as opened:
            header = opened.metadata() or {}
            if "handgrad" not in header:
                raise CheckpointError(f"{path}: is a safetensors file, but no checkpoint of handgrad's")
            return {name: opened.get_tensor(name) for name in opened.keys()}, header["handgrad"]  # noqa: SIM118
    except (safetensors.SafetensorError, KeyError) as error:
        if start[8:] == b"{":  # eight bytes of length, then JSON: it was one
            raise CheckpointError(f"{path}: is cut short or damaged ({error}); use another copy") from error
        raise CheckpointError(f"{path}: is no safetensors file; handgrad's checkpoints are") from error


def _check_same(network: Network, expect: Network) -> None:
    """ValueError with the names and shapes that differ; where none does, with the layers."""
    if wrong := differences(weight_shapes(network), weight_shapes(expect), "the file"):
        raise ValueError(f"holds another network: {wrong}")
    for i, pair in enumerate(zip(network_to_plain(network), network_to_plain(expect), strict=False)):
        if pair[0] != pair[1]:
            raise ValueError(
                f"holds another network: layer {i} is {_brief(pair[0])} in the file, expected {_brief(pair[1])}"
            )
    if len(network.layers) != len(expect.layers):
        raise ValueError(
            f"holds another network: it has {len(network.layers)} layers in the file, expected {len(expect.layers)}"
        )


def _brief(plain: dict[str, dict[str, Any]]) -> str:
    """A layer's kind and numbers, without the entries of a mask."""
    ((kind, numbers),) = plain.items()
    parts = (f"{name}={'...' if name == 'mask' else value}" for name, value in numbers.items())
    return f"{kind}({', '.join(parts)})"


def _digest(arrays: Named, content: Mapping[str, Any]) -> str:
    """SHA-256 of the JSON and of every array's name, dtype, shape and bytes: safetensors itself checks no content."""
    digest = sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\n{name} {array.dtype.name} {array.shape}\n".encode())
        digest.update(array.data if array.size else b"")
    return digest.hexdigest()


def _version() -> str:
    with suppress(PackageNotFoundError):
        return version("handgrad")
    return "unknown"
