"""Where code raises: the expressions of the line that does."""

import traceback
from collections.abc import Iterator

from handgrad.source.taps import Tapped, TappedPlace


def places_at_error(tapped: Tapped, error: BaseException | None) -> Iterator[TappedPlace]:
    """Every expression of the statement in which it was raised: the innermost line of the program's own code."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    files = {part.source.file for part in tapped.program.parts}
    line = next(((f.filename, f.lineno or 0) for f in reversed(frames) if f.filename in files), None)
    for place in tapped.places:
        first, last = place.statement.lineno, place.statement.end_lineno or 0
        if line is not None and place.part.source.file == line[0] and first <= line[1] <= last:
            yield place
