"""Plain text: 28 letters, and from a few of them the next one.

The letters are a to z, the space, and an underscore for every other character, as in Selker's lecture.
"""

from pathlib import Path
from unicodedata import category, normalize

import numpy as np

from handgrad.experiment.datasets.form import DataError, Float, Ints

LETTERS = "abcdefghijklmnopqrstuvwxyz _"  # the underscore is every other character


def clean(text: str) -> str:
    """a..z, single spaces and single underscores: accents dropped, white space a space, all else an underscore.

    >>> clean("\\ufeffCaf\\u00e9,\\r\\n  42 Stra\\u00dfen")
    'cafe_ _ strassen'
    """
    found: list[str] = []
    for c in normalize("NFKD", text.casefold()):
        if category(c) in ("Mn", "Cf"):  # an accent by itself, a byte-order mark, a soft hyphen
            continue
        letter = " " if c.isspace() else c if c in LETTERS else "_"
        if letter in " _" and found and found[-1] == letter:
            continue
        found.append(letter)
    return "".join(found).strip(" ")


def foreign(text: str) -> float:
    """The share of its letters that are not a to z, also without their accents: those become underscores.

    >>> foreign("na\u00efve"), foreign("\u0436\u0443\u043a a"), foreign("42.")
    (0.0, 0.75, 0.0)
    """
    letters = [c in LETTERS for c in normalize("NFKD", text.casefold()) if c.isalpha()]
    return 1 - sum(letters) / len(letters) if letters else 0.0


def read(path: Path) -> str:
    """The text of a UTF-8 file. OSError if it cannot be read, DataError if it is no UTF-8."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise no_utf8(path) from error


def no_utf8(path: Path) -> DataError:
    """The error that says where a file stops being UTF-8, and what it may be instead."""
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        row, byte = data.count(b"\n", 0, error.start) + 1, data[error.start]
        if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
            what = "the file is UTF-16"
        elif b"\0" in data[:1024]:
            what = f"byte {error.start} is no UTF-8 (0x{byte:02x}): this is no text"
        else:
            what = f"byte {error.start} is no UTF-8 (0x{byte:02x}, in Latin-1 {bytes([byte]).decode('latin-1')!r})"
        return DataError(f"{path}, row {row}: {what}; save it as UTF-8, with or without a byte-order mark")
    return DataError(f"{path}: changed while it was read")


def indices(text: str) -> Ints:
    """The place of each letter in the alphabet; what is not in it counts as an underscore."""
    return np.array([LETTERS.find(c) % len(LETTERS) for c in text], dtype=np.int64)


def spell(x: Float) -> str:
    """The letters of one sample of `next_letters`.

    >>> spell(next_letters("abc", 2)[0][0])
    'ab'
    """
    return "".join(LETTERS[k] for k in x.reshape(-1, len(LETTERS)).argmax(1))


def next_letters(text: str, context: int) -> tuple[Float, Ints]:
    """x (N, 28 context): one-hot, every run of `context` letters, the oldest first; target (N,): the letter after it.

    >>> x, target = next_letters("abc", 2)
    >>> x.argmax(1).tolist(), x.sum(1).tolist(), target.tolist()
    ([0], [2.0], [2])
    """
    at = indices(text)
    N = max(0, len(text) - context)
    x = np.zeros((N, context * len(LETTERS)))
    for k in range(context):
        x[np.arange(N), len(LETTERS) * k + at[k : k + N]] = 1
    return x, at[context:]
