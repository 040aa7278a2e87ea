"""A small picture, one pixel for each number, as a PNG inside the page.

Colours are laid over the page's own ground, light or dark: the nearer to zero, the less of them. Blue and orange stay
apart for colour-blind readers, and what is no number has a colour of its own.
"""

import struct
import zlib
from base64 import b64encode
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from handgrad.html.element import Html, element

LEVELS = 20  # shades on either side of zero
GAMMA = 0.6  # below 1: small numbers can be told from zero, which alone has no colour
BLUE, ORANGE, RED, PURPLE = (0, 102, 204), (214, 120, 0), (204, 0, 41), (150, 70, 200)
Colour = tuple[int, int, int]


class Scale(Enum):
    """SIGNED: blue below zero, orange above; of -1 to 1. SHARE: blue up to the bound, at 1, and red beyond it."""

    SIGNED = "signed"
    SHARE = "share"


def draw(values: NDArray[np.float64], scale: Scale, words: str) -> Html:
    """The picture of an array of two axes. words: what it shows, for those who do not see it."""
    return element("img", src=data_uri(indices(values, scale), palette(scale)), alt=words, class_="map",
                   width=str(values.shape[1]), height=str(values.shape[0]))  # fmt: skip


def indices(values: NDArray[np.float64], scale: Scale) -> NDArray[np.uint8]:
    """Each number as one of the shades: 0 for what is no number, LEVELS + 1 for zero."""
    with np.errstate(invalid="ignore"):
        size = np.clip(np.nan_to_num(np.abs(values)), 0, 1) ** GAMMA
        steps = np.copysign(np.ceil(size * LEVELS), values)
        beyond = (values > 1) & (scale is Scale.SHARE)
    shades = np.where(beyond, -LEVELS, steps) + LEVELS + 1
    return np.asarray(np.where(np.isnan(values), 0, shades), dtype=np.uint8)


def palette(scale: Scale) -> NDArray[np.uint8]:
    """Red, green, blue and how much of them, for every shade."""
    below, above = (BLUE, ORANGE) if scale is Scale.SIGNED else (RED, BLUE)
    shades = [(*(below if k < 0 else above), 255 * abs(k) // LEVELS) for k in range(-LEVELS, LEVELS + 1)]
    return np.array([(*PURPLE, 255), *shades], dtype=np.uint8)


def data_uri(pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> str:
    """A PNG with a palette, as an address that holds the picture itself."""
    rows, columns = pixels.shape
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    data = np.concatenate([np.zeros((rows, 1), np.uint8), pixels], axis=1).tobytes()
    parts = [
        chunk(b"IHDR", header),
        chunk(b"PLTE", colours[:, :3].tobytes()),
        chunk(b"tRNS", colours[:, 3].tobytes()),
        chunk(b"IDAT", zlib.compress(data, 9)),
        chunk(b"IEND", b""),
    ]
    return "data:image/png;base64," + b64encode(b"\x89PNG\r\n\x1a\n" + b"".join(parts)).decode()


def chunk(kind: bytes, data: bytes) -> bytes:
    """One part of a PNG: its length, its kind, its bytes and their checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
