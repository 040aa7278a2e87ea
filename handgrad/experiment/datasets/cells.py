"""What a cell of a table is: a number, a word, or nothing."""

import re

MISSING = ("", "?", "na", "n/a", "#n/a", "nan", "null")
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")  # 1,000


def is_missing(cell: str) -> bool:
    """
    >>> is_missing(" NA "), is_missing("0")
    (True, False)
    """
    return cell.strip().casefold() in MISSING


def is_number(cell: str) -> bool:
    """Whether Python reads it as a float."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def is_grouped(cell: str) -> bool:
    """Whether it is a number whose thousands are parted by commas."""
    return GROUPED.fullmatch(cell.strip()) is not None


def is_word(cell: str) -> bool:
    """Whether it is neither missing nor a number, not even one written with commas.

    >>> is_word("male"), is_word("1,5"), is_word("1,000,000"), is_word("?")
    (True, False, False, False)
    """
    return not (is_missing(cell) or is_number(cell.replace(",", ".", 1)) or is_grouped(cell))
