"""A training's epochs as they come: one JSON object a line, and TensorBoard's files where that is installed."""

import json
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

from manual import Training


def json_lines(path: Path) -> Callable[[Training], None]:
    """A callback that writes every whole epoch not yet written; the first time anew, with those before a resumption."""
    written = 0

    def write(training: Training) -> None:
        nonlocal written
        with path.open("a" if written else "w", encoding="utf-8") as file:
            for record in training.history[written : training.epoch]:
                file.write(json.dumps({key: null_unless_finite(value) for key, value in record.items()}) + "\n")
        written = training.epoch

    return write


def tensorboard(folder: Path) -> Callable[[Training], None]:
    """A callback that writes every whole epoch's numbers. ModuleNotFoundError, with what to install, without it."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ModuleNotFoundError("--tensorboard needs TensorBoard: pip install tensorboard") from error
    writer: Any = SummaryWriter(str(folder))
    written = 0

    def write(training: Training) -> None:
        nonlocal written
        for record in training.history[written : training.epoch]:
            for key, value in record.items():
                writer.add_scalar(key, value, record["epoch"])
        writer.flush()
        written = training.epoch

    return write


def null_unless_finite(value: Any) -> Any:
    """JSON has no nan and no infinity: null stands for them."""
    return value if isfinite(value) else None
