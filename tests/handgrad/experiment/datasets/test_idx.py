"""MNIST's idx files, packed or not, alone or in a folder, and every way in which one can be damaged."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from handgrad.experiment.datasets import DataError, idx, load

RNG = np.random.default_rng(4)
IMAGES, LABELS = RNG.integers(0, 256, (12, 3, 2), dtype=np.uint8), np.arange(12, dtype=np.uint8) % 3


def packed(array: np.ndarray, code: int = 8) -> bytes:
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def put(folder: Path, part: str = "train", zipped: bool = False, images: bytes | None = None) -> Path:
    end = ".gz" if zipped else ""
    for name, data in (
        (f"{part}-images-idx3-ubyte", images or packed(IMAGES)),
        (f"{part}-labels-idx1-ubyte", packed(LABELS)),
    ):
        (folder / f"{name}{end}").write_bytes(gzip.compress(data) if zipped else data)
    return folder / f"{part}-images-idx3-ubyte{end}"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("by_folder", [False, True])
def test_images_and_labels(tmp_path: Path, zipped: bool, by_folder: bool) -> None:
    path = put(tmp_path, zipped=zipped)
    put(tmp_path, "t10k", not zipped, packed(IMAGES[:, ::-1]))
    data = load(tmp_path if by_folder else path)
    assert np.array_equal(data.x, IMAGES.reshape(12, 6) / IMAGES.max())
    assert np.array_equal(np.asarray(data.target), LABELS)
    assert data.classes == ("0", "1", "2")


def test_other_names(tmp_path: Path) -> None:
    (tmp_path / "my.images").write_bytes(packed(IMAGES))
    (tmp_path / "my.labels").write_bytes(packed(LABELS))
    assert load(tmp_path / "my.images").x.shape == (12, 6)
    assert load(tmp_path).x.shape == (12, 6)


def test_packed_labels_beside_unpacked_images(tmp_path: Path) -> None:
    path = put(tmp_path)
    labels = tmp_path / "train-labels-idx1-ubyte"
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels.read_bytes()))
    labels.unlink()
    assert np.array_equal(np.asarray(load(path).target), LABELS)


@pytest.mark.parametrize(("code", "dtype"), [(8, "u1"), (9, "i1"), (11, ">i2"), (12, ">i4"), (13, ">f4"), (14, ">f8")])
def test_every_type_of_number(tmp_path: Path, code: int, dtype: str) -> None:
    numbers = np.array([[1, 2, 100], [-3 if dtype != "u1" else 3, 4, 127]], dtype=dtype)
    (tmp_path / "a").write_bytes(packed(numbers, code))
    found = idx.array(tmp_path / "a")
    assert np.array_equal(found, numbers)
    assert found.dtype.isnative


WHOLE = packed(IMAGES)
DAMAGED = {
    "no magic number": (b"\0\1" + WHOLE[2:], r"begins with 00010803, expected the magic number of an idx file"),
    "unknown type": (b"\0\0\x0a" + WHOLE[3:], "begins with 00000a03"),
    "three bytes": (WHOLE[:3], "begins with 000008"),
    "a page in its place": (b"<html>404</html>", "begins with 3c68746d"),
    "sizes cut short": (WHOLE[:9], "9 bytes, expected 16 or more: cut short"),
    "numbers cut short": (WHOLE[:-1], "87 bytes, expected 88 for 12 x 3 x 2 numbers: cut short or damaged"),
    "too long": (WHOLE + b"\0", "89 bytes, expected 88"),
    "a huge size": (WHOLE[:4] + b"\xff" * 12 + WHOLE[16:], "88 bytes, expected 792"),
    "no sizes": (b"\0\0\x08\0" + b"1", "begins with 00000800, expected the magic number"),
    "fewer images": (packed(IMAGES[:-1]), "11 inputs but 12 labels, expected as many of both"),
    "labels": (packed(LABELS), "one number per sample, expected images"),
    "gzip cut short": (gzip.compress(WHOLE)[:-12], "the gzip file is damaged or cut short"),
    "gzip damaged": (gzip.compress(WHOLE)[:12] + b"\xff" * 40, "the gzip file is damaged or cut short"),
    "gzip of something else": (gzip.compress(b"1,2,3\n"), "begins with 312c322c"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damage_is_told(tmp_path: Path, damage: str) -> None:
    data, message = DAMAGED[damage]
    path = put(tmp_path, images=data)
    with pytest.raises(DataError, match=message) as error:
        load(path)
    assert str(path) in str(error.value)


def test_labels_missing_or_no_labels(tmp_path: Path) -> None:
    path = put(tmp_path)
    labels, form = tmp_path / "train-labels-idx1-ubyte", load(path).form
    labels.write_bytes(packed(IMAGES[:, 0]))
    with pytest.raises(DataError, match="labels-idx1-ubyte: 2 sizes of uint8, expected one, of whole numbers"):
        load(path)
    labels.unlink()
    with pytest.raises(DataError, match="no file of labels beside it"):
        load(path)
    assert load(path, form).target is None


def test_folders_that_say_too_little(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="files of images in this folder: none; expected one, or one called train"
    ) as told:
        load(tmp_path)
    assert "numpy.savez('FILE.npz', x=pictures, y=labels)" in str(told.value)
    put(tmp_path, "a")
    put(tmp_path, "b")
    with pytest.raises(DataError, match="a-images-idx3-ubyte, b-images-idx3-ubyte; expected one"):
        load(tmp_path)
