"""A training's checkpoint, written after every epoch by one training alone."""

import errno
from collections.abc import Callable
from pathlib import Path

from handgrad.experiment.plan import Plan
from manual import Training
from manual.files.checkpoint import save


class TakenError(OSError):
    """Another training writes the same checkpoint."""


def keep(path: Path, plan: Plan) -> Callable[[Training], None]:
    """A callback that writes the checkpoint. TakenError, and nothing written, where another training has since."""
    own = stamp(path) if plan.resume else None

    def write(training: Training) -> None:
        nonlocal own
        if stamp(path) not in (own, None):
            words = (
                "another training has written it meanwhile, and it is left as it is; give each training its own file"
            )
            raise TakenError(errno.EEXIST, f"{path}: {words}")
        save(path, plan.network, plan.loss, plan.optimizer, training, plan.extra)
        own = stamp(path)

    return write


def stamp(path: Path) -> tuple[int, int, int] | None:
    """What differs from one file to the one that replaces it; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
