"""Text: the letters before and the letter after, whatever the text's line ends, marks and alphabets."""

from pathlib import Path

import numpy as np
import pytest

from handgrad.experiment.datasets import DataError, Form, load
from handgrad.experiment.datasets.load import CONTEXT, MOST_LETTERS
from handgrad.experiment.datasets.text import LETTERS, clean, next_letters

TALE = "Él llegó — tarde; \u0416\u0443\u043a 42.\r\nThe second line, naïve & short!\r\n" * 40


def spelled(x: np.ndarray) -> list[str]:
    """The letters that rows of one-hot numbers stand for."""
    return ["".join(LETTERS[k] for k in row.reshape(-1, 28).argmax(1)) for row in x]


@pytest.mark.parametrize("name", ["own.txt", "own.md", "OWN.TXT"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order mark"])
def test_every_letter_from_those_before_it(tmp_path: Path, name: str, mark: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(mark + TALE.encode())
    data, letters = load(path), clean(TALE)
    assert letters.startswith("el llego _ tarde_ _ _the second line_ naive _ short_ el".replace("_ _the", "_ _ the"))
    assert spelled(data.x) == [letters[i : i + CONTEXT] for i in range(len(letters) - CONTEXT)]
    assert np.array_equal(data.x.sum(1), np.full(len(data.x), CONTEXT))
    assert "".join(LETTERS[k] for k in np.asarray(data.target)) == letters[CONTEXT:]
    assert data.classes == tuple(LETTERS)
    assert (data.form.n_in, data.form.n_out) == (28 * CONTEXT, 28)


def test_unix_and_windows_line_ends_are_alike(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(TALE.encode())
    (tmp_path / "b.txt").write_bytes(TALE.replace("\r\n", "\n").encode())
    assert np.array_equal(load(tmp_path / "a.txt").x, load(tmp_path / "b.txt").x)


def test_a_long_text_is_used_in_part_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("ab " * 40_000)
    data = load(path)
    assert len(data.x) == MOST_LETTERS - CONTEXT
    assert data.title == f"long.txt: {MOST_LETTERS} of 119999 letters, the next one from {CONTEXT} before it"


def test_prediction_from_a_short_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TALE, encoding="utf-8")
    form = Form.from_json(load(path).form.to_json())
    path.write_text("the sea")
    assert spelled(load(path, form).x) == ["the s", "he se"]
    path.write_text("sea")
    with pytest.raises(DataError, match="3 letters after cleaning, expected 6 or more"):
        load(path, form)
    with pytest.raises(DataError, match=r"numbers, but the network was trained on text; expected \.txt"):
        load("digits", form)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 letters after cleaning, expected 1000 or more"),
        (b"x", "1 letter after cleaning"),
        (b"a" * 2000, "every letter is 'a' after cleaning"),
        (
            TALE.replace("\u0416\u0443\u043a", "").replace("—", "-").encode("latin-1"),
            r"row 1: byte 0 is no UTF-8 \(0xc9, in Latin-1 'É'\)",
        ),
        (TALE.encode("utf-16"), "row 1: the file is UTF-16"),
    ],
    ids=["empty", "short", "one letter", "Latin-1", "UTF-16"],
)
def test_texts_that_cannot_be_used(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "own.txt"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message) as error:
        load(path)
    assert str(path) in str(error.value)


def test_letters_of_another_script_are_told(tmp_path: Path) -> None:
    """Russian text, every letter of which would become an underscore; and English text with some Greek in it."""
    path, russian, greek = tmp_path / "own.txt", "\u043f\u0440\u0438\u0432\u0435\u0442 ", "\u03b1\u03b2\u03b3 "
    path.write_text(russian * 300, encoding="utf-8")
    with pytest.raises(DataError, match=r"own\.txt: 100 % of its letters are not a to z, .* expected text in Latin"):
        load(path)
    path.write_text(("the letters " + greek) * 100, encoding="utf-8")
    with pytest.warns(
        UserWarning, match="23 % of its letters are not a to z, and each of those becomes an und"
    ) as told:
        form = load(path).form
    assert told[0].filename == __file__
    assert load(path, form).form is form  # told when it was learned from
    path.write_text(russian * 3, encoding="utf-8")
    with pytest.raises(DataError, match="100 % of its letters"):
        load(path, form)


def test_a_text_no_longer_than_its_context_has_no_samples() -> None:
    for text in ("", "a", "ab"):
        x, target = next_letters(text, 2)
        assert x.shape == (0, 56)
        assert target.shape == (0,)
