"""What one input is to be: an array of these axes, or a constant."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any


class Kind(Enum):
    """What stands in an array."""

    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    DATA = "data"  # floats without a gradient


@dataclass(frozen=True)
class Drawn:
    """An array to be drawn. axes: sizes, or names of sizes that are the same wherever they stand; () is one number.

    below      whole numbers are 0 or more and below this number, or size of that name; below the smallest size of all
               inputs if None
    precision  that its type hint asks for: float32
    in_torch   its type hint says that it is a torch tensor
    """

    axes: tuple[int | str, ...]
    kind: Kind = Kind.FLOAT
    below: int | str | None = None
    precision: str | None = None
    in_torch: bool = False

    def at(self, sizes: Mapping[str, int]) -> "Drawn":
        """With the numbers that these names stand for.

        >>> Drawn(("N", "4*H")).at({"H": 3}).axes, Drawn(("n",)).at({"n": 2}).axes
        (('N', '4*3'), (2,))
        """

        def size(axis: int | str) -> int | str:
            text = re.sub(r"[^\W\d]\w*", lambda name: str(sizes.get(name[0], name[0])), str(axis))
            return int(text) if text.isdigit() else text

        return replace(self, axes=tuple(map(size, self.axes)), below=None if self.below is None else size(self.below))


@dataclass(frozen=True)
class Constant:
    """Passed on as it is."""

    value: Any


Asked = Drawn | Constant
