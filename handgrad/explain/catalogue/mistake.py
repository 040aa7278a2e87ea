"""A mistake of the catalogue: its name, why it happens, and what it makes of each tensor; one at a time or as a table.

A table is a tuple of rows, and a row is one mistake: the formula beside its name, as it would stand on a blackboard.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

from handgrad.judge.compare import Float

ABSENT = "the gradient is absent"  # the one mistake that a tensor which was not given can have
Result: TypeAlias = Float | tuple[Float, ...] | None


@dataclass(frozen=True, eq=False)
class Undo:
    """The given result with the mistake undone, where nothing was lost: the proof that the name is right."""

    by: str  # "dividing by 64"
    tensors: Mapping[str, Float]
    gain: Any = 1.0  # how many times larger undoing makes the rounding; a number or an array


@dataclass(frozen=True)
class Fitted:
    """What was read off the given result, and therefore agrees with it without proving anything."""

    numbers: int = 0  # so many entries count for nothing
    rows: tuple[int, ...] = ()  # all rows, where the name shows the first few; a fresh draw must have the same
    vague: bool = False  # a description: any mistake whose name says more is preferred


NOT_FITTED = Fitted()


@dataclass(frozen=True, eq=False)
class Rounding:
    """How far rounding carries the mistaken result, where that is not as far as the right one."""

    gain: float = 1.0  # so many times as far
    bound: Mapping[str, Float] = field(default_factory=dict)  # of single tensors, in place of the usual bound


@dataclass(frozen=True, eq=False)
class Mistake:
    """One mistake, and what it makes of each tensor. The last three are needed by few."""

    name: str
    why: str
    tensors: Mapping[str, Float]
    undo: Undo | None = None
    fitted: Fitted = NOT_FITTED
    rounding: Rounding = field(default_factory=Rounding)

    @property
    def key(self) -> tuple[str, tuple[int, ...]]:
        """What must be the same on a fresh draw."""
        return self.name, self.fitted.rows


class Parts(Protocol):
    """A recognised stage: whatever its formulas need, and what the stage calls dx, dW and so on."""

    @property
    def names(self) -> Mapping[str, str]: ...


P = TypeVar("P", contravariant=True)
Recognised = TypeVar("Recognised", bound=Parts)


class Row(NamedTuple, Generic[P]):
    """One mistake: `tensor` becomes formula(parts), or is not touched where that is None.

    Several tensors, such as "dx dW", have a formula that gives as many arrays. undo and bound: see Mistake.
    """

    name: str
    why: str
    tensor: str
    formula: Callable[[P], Result]
    undo: Callable[[P], tuple[str, Float, Any]] | None = None  # how, the result, the gain
    bound: Callable[[P], Float] | None = None


def mistakes(table: Iterable[Row[Recognised]], parts: Recognised) -> Iterator[Mistake]:
    """Every row as a mistake of this stage, under the stage's own names; rows that cannot be made here are left out."""
    for row in table:
        names = [parts.names.get(tensor) for tensor in row.tensor.split()]
        result = row.formula(parts) if None not in names else None
        if result is None:
            continue
        arrays = result if isinstance(result, tuple) else (result,)
        tensors = {name: array for name, array in zip(names, arrays, strict=True) if name is not None}
        first = next(iter(tensors))
        undo = None
        if row.undo:
            how, undone, gain = row.undo(parts)
            undo = Undo(how, {first: undone}, gain)
        rounding = Rounding(bound={first: row.bound(parts)}) if row.bound else Rounding()
        yield Mistake(row.name, row.why, tensors, undo, rounding=rounding)
