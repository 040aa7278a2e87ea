"""The three verdicts, which are also the words of a report and the exit codes of the command line."""

from collections.abc import Iterable
from enum import Enum


class Verdict(Enum):
    """CERTIFIED: every entry inside its bound. REFUTED: an entry outside. UNRESOLVED: it could not be said."""

    CERTIFIED = "CERTIFIED"
    REFUTED = "REFUTED"
    UNRESOLVED = "UNRESOLVED"

    @property
    def exit_code(self) -> int:
        """0, 1, 2."""
        return {"CERTIFIED": 0, "REFUTED": 1, "UNRESOLVED": 2}[self.value]


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict on a whole: refuted if one part is, certified only if all parts are.

    >>> together([Verdict.CERTIFIED, Verdict.UNRESOLVED])
    <Verdict.UNRESOLVED: 'UNRESOLVED'>
    """
    found = set(verdicts)
    if Verdict.REFUTED in found:
        return Verdict.REFUTED
    return Verdict.CERTIFIED if found == {Verdict.CERTIFIED} else Verdict.UNRESOLVED
