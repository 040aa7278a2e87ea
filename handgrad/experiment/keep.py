"""A training's checkpoint, written as its epochs end by one training alone."""

import errno
from math import inf
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

from handgrad.experiment.plan import Plan
from manual import Training
from manual.files.checkpoint import save

# At least, from one write to the next. To force a file to the disk, and to write its history anew, takes some ten
# milliseconds, in which a small network could train for ten epochs.
SECONDS = 1.0


class TakenError(OSError):
    """Another training writes the same checkpoint."""


class Keeper:
    """To be called after each epoch: writes the checkpoint, once in SECONDS at most, and the last as the block ends.

    However the block ends, by Ctrl-C or an error too, the last epoch is then on the disk. TakenError, and nothing
    written, where another training has written the file since. Without a path nothing is kept.
    """

    def __init__(self, path: Path | None, plan: Plan) -> None:
        self.path, self.plan = path, plan
        self.kept = plan.resume if path else None  # what the file holds
        self.waiting: Training | None = None  # newer than that, and not yet written
        self.own, self.last = stamp(path) if path and plan.resume else None, -inf

    def __call__(self, training: Training) -> None:
        self.waiting = training
        if monotonic() >= self.last + SECONDS:
            self.write()

    def write(self) -> None:
        """What waits to be written, if anything does: once, even if it fails. Raises TakenError and OSError."""
        training, self.waiting = self.waiting, None
        if self.path is None or training is None:
            return
        if stamp(self.path) not in (self.own, None):
            words = (
                "another training has written it meanwhile, and it is left as it is; give each training its own file"
            )
            raise TakenError(errno.EEXIST, f"{self.path}: {words}")
        save(self.path, self.plan.network, self.plan.loss, self.plan.optimizer, training, self.plan.extra)
        self.own, self.kept, self.last = stamp(self.path), training, monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.write()


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs from one file to the one that replaces it; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
