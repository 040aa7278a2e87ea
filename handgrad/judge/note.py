"""The notes that are more than their words. Any other note of a judgement or a report is a plain string."""

from typing import Self


class HowJudged(str):
    """How something was judged, not what was found. brief: what five lines say of it; "" where that is nothing."""

    brief: str

    def __new__(cls, words: str, brief: str = "") -> Self:
        """The note."""
        note = super().__new__(cls, words)
        note.brief = brief
        return note


class Grave(str):
    """Something is wrong, or was not judged, though every value that was judged is right."""
