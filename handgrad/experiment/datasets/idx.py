"""MNIST's idx files: two zero bytes, the type, the number of sizes, the sizes (4 bytes each), the numbers, big-endian.

Source: the description on the page of the MNIST database, Y. LeCun, C. Cortes, C. Burges.
"""

import gzip
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handgrad.experiment.datasets.form import DataError, Form, Raw

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"


def read(path: Path, form: Form | None = None) -> Raw:
    """The images (N, rows, columns) of a file, or of a folder (the part called train), with the labels beside them.

    Raises OSError if a file cannot be read, DataError where the magic number is wrong, a file is cut short or too
    long, or the labels are missing (with a form they may be) or no whole numbers.
    """
    images = _images_in(path) if path.is_dir() else path
    x, labels_path = array(images), _labels_of(images)
    if x.ndim < 2:
        raise DataError(f"{images}: one number per sample, expected images; give the file of images, not of labels")
    labels = None
    if labels_path is not None:
        labels = array(labels_path)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(
                f"{labels_path}: {labels.ndim} sizes of {labels.dtype.name}, expected one, of whole numbers"
            )
    elif form is None:
        raise DataError(f"{images}: no file of labels beside it, expected one of that name with labels for images")

    def where(i: int, j: int | None) -> str:
        return f"label {i}" if j is None else f"image {i}, number {j}"

    return Raw(x.reshape(len(x), prod(x.shape[1:])), labels, where)


def array(path: Path) -> NDArray[Any]:
    """The numbers of one idx file, packed by gzip or not."""
    data = path.read_bytes()
    if data[:2] == GZIP:
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(f"{path}: the gzip file is damaged or cut short ({error})") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES or data[3] == 0:
        raise DataError(
            f"{path}: begins with {data[:4].hex() or 'nothing'}, expected the magic number of an idx file, 00000803 "
            "(images) or 00000801 (labels)"
        )
    dtype, start = np.dtype(TYPES[data[2]]), 4 + 4 * data[3]
    if len(data) < start:
        raise DataError(f"{path}: {len(data)} bytes, expected {start} or more: cut short; fetch it again")
    shape = tuple(np.frombuffer(data[4:start], dtype=">u4").tolist())
    if len(data) != (expected := start + prod(shape) * dtype.itemsize):
        numbers = f"{' x '.join(map(str, shape))} numbers"
        raise DataError(
            f"{path}: {len(data)} bytes, expected {expected} for {numbers}: cut short or damaged; fetch it again"
        )
    found = np.frombuffer(data, dtype=dtype, offset=start).reshape(shape)
    return found if dtype.itemsize == 1 else found.astype(dtype.newbyteorder("="))


def is_idx(path: Path) -> bool:
    """Whether a file's name or its first bytes say idx."""
    name = path.name.removesuffix(".gz")
    if name.endswith("ubyte") or ".idx" in name:
        return True
    with path.open("rb") as file:
        head = file.read(4)
    return head[:2] == GZIP or (head[:2] == b"\0\0" and len(head) == 4 and head[2] in TYPES)


def _images_in(folder: Path) -> Path:
    """The one file of images, that of the part called train where there are several; unpacked before packed."""
    found = {path.name.removesuffix(".gz"): path for path in sorted(folder.iterdir(), reverse=True) if _is_images(path)}
    chosen = [path for name, path in found.items() if "train" in name] if len(found) > 1 else list(found.values())
    if len(chosen) != 1:
        names = ", ".join(sorted(path.name for path in found.values())) or "none"
        raise DataError(
            f"{folder}: files of images in this folder: {names}; expected one, or one called train, as in "
            "train-images-idx3-ubyte; pictures of your own, such as .png, are read from a file of arrays: "
            "numpy.savez('FILE.npz', x=pictures, y=labels)"
        )
    return chosen[0]


def _is_images(path: Path) -> bool:
    return "images" in path.name and path.is_file() and is_idx(path)


def _labels_of(images: Path) -> Path | None:
    """train-labels-idx1-ubyte beside train-images-idx3-ubyte, packed or not."""
    name = images.name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
    beside = (images.with_name(name + end) for end in ("", ".gz"))
    return next((path for path in beside if "images" in images.name and path.is_file()), None)
