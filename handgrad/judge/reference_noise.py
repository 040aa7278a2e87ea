"""How much rounding moves the reference: float64 autograd run several times with every operation's rounding imitated.

Another correct evaluation may differ by as much as these runs spread. The spread includes the conditioning of the whole
computation, so nobody has to say what a small difference is. The inputs are exact numbers and stay where they are: at a
kink they decide which side is right.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.imitated_torch import Rounding
from handgrad.judge.constants import REFERENCE_RUNS
from handgrad.judge.stage import Arrays

Float = NDArray[np.float64]


def noise(
    reference: Callable[[Arrays, Any], Mapping[str, Float]],
    inputs: Mapping[str, Float],
    dy: Float,
    arithmetic: Arithmetic,
    rng: np.random.Generator,
    constants: Sequence[Any] = (),
    runs: int = REFERENCE_RUNS,
    exact: Mapping[str, Float] | None = None,
) -> dict[str, Float]:
    """The root mean square, entry by entry, of what rounding does to each result of `reference`; inf where lost.

    constants: further arrays that are given to it, so that they are exact numbers like the inputs; exact: what it gives
    without roundings, if that is known.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    exact, found = reference(inputs, dy) if exact is None else exact, []
    for _ in range(runs):
        with Rounding(arithmetic, generator, given=[*inputs.values(), dy, *constants]):
            found.append(reference(inputs, dy))
    return spread(exact, found)


def spread(exact: Mapping[str, Float], runs: Sequence[Mapping[str, Float]]) -> dict[str, Float]:
    """The root mean square of the runs' differences from `exact`, entry by entry; inf where a run lost the number."""
    total = dict[str, Any]()
    with np.errstate(all="ignore"):
        for run in runs:
            for name, value in run.items():
                total[name] = np.hypot(total.get(name, 0.0), value - exact[name])  # squares of tiny numbers underflow
        return {name: np.nan_to_num(s / len(runs) ** 0.5, nan=np.inf, posinf=np.inf) for name, s in total.items()}
