"""How to train: the keyword arguments that both sides' `fit` share, checked before anything is computed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from manual.optimizers.schedules import Schedule
from manual.training.metrics import Metric
from manual.training.state import Training
from manual.types import Array

Callback: TypeAlias = Callable[[Training], Any]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The arguments of `fit` by their names. Raises ValueError and TypeError for what does not fit."""

    epochs: int
    batch_size: int
    seed: int
    validation: float | tuple[Array, Array] | None = None
    metrics: Sequence[str | Metric] = ()
    schedule: Schedule | None = None
    patience: int | None = None
    clip_norm: float | None = None
    callbacks: Sequence[Callback] = ()
    on_step: Callable[[float, int], Any] | None = None
    shuffle: bool = True
    alpha: float = 0.0
    train_biases: bool = True

    def __post_init__(self) -> None:
        self._whole("epochs", 1)
        self._whole("batch_size", 1)
        self._whole("seed", 0)
        v = self.validation
        if isinstance(v, int | float | np.number):
            if not 0 < v < 1:
                raise ValueError(f"validation: is {v!r}, expected a fraction between 0 and 1, or (x, target)")
        elif v is not None and not (isinstance(v, tuple | list) and len(v) == 2):
            raise TypeError(f"validation: got {type(v).__name__}, expected a fraction between 0 and 1, or (x, target)")
        if self.patience is not None:
            self._whole("patience", 1)
            if v is None:
                raise ValueError("patience: waits for a better val_loss, but there is no validation; give a fraction")
        c = self.clip_norm
        if c is not None and not (isinstance(c, int | float | np.number) and isfinite(c) and c > 0):
            raise ValueError(f"clip_norm: is {c!r}, expected a positive number, or None for no clipping")
        if callable(self.callbacks) or not all(callable(f) for f in self.callbacks):
            raise TypeError(f"callbacks: got {self.callbacks!r}, expected a sequence of functions of a Training")
        a = self.alpha
        if not (isinstance(a, int | float | np.number) and isfinite(a) and a >= 0):
            raise ValueError(f"alpha: is {a!r}, expected a finite number, 0 or more")
        for name in ("shuffle", "train_biases"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name}: is {getattr(self, name)!r}, expected True or False")
        for name in ("schedule", "on_step"):
            if not (getattr(self, name) is None or callable(getattr(self, name))):
                raise TypeError(f"{name}: got {getattr(self, name)!r}, expected a function or None")

    def factor(self, step: int) -> float:
        """The schedule's factor on the learning rate at a step (from 0). Raises ValueError unless it is positive."""
        factor = 1.0 if self.schedule is None else float(self.schedule(step))
        if not (isfinite(factor) and factor > 0):
            raise ValueError(
                f"schedule: gives {factor} at step {step}, expected a positive factor on lr at every step of the "
                "training; a schedule that ends earlier needs a floor above 0"
            )
        return factor

    def factors(self, steps: range) -> NDArray[np.float64]:
        """The factors of several steps."""
        return np.ones(len(steps)) if self.schedule is None else np.asarray([self.factor(step) for step in steps])

    def _whole(self, name: str, least: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise ValueError(f"{name}: is {value!r}, expected an integer, {least} or more")
        object.__setattr__(self, name, int(value))
