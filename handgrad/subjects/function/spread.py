"""Code whose last bits vary, as sums by atomic additions do: several runs, each inside the bound, and their spread."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from handgrad.arrays.precision import to64
from handgrad.judge.constants import REPEATED_RUNS
from handgrad.judge.contracts import outside
from handgrad.judge.judgement import Judgement
from handgrad.subjects.function.calling import Code
from handgrad.subjects.function.case import run

Runs = Sequence[Mapping[str, Any]]


def repeat(code: Code, found: Judgement) -> Runs:
    """The second run; more of them if it differs from the first bit for bit."""
    trial = found.trial
    again = [] if trial.repeats else [run(code, trial.inputs, trial.dy)[0] for _ in range(REPEATED_RUNS - 2)]
    return [trial.again, *again]


def list_varying(runs: Runs, found: Judgement) -> list[str]:
    """The tensors that one of the runs does not give, or gives outside of what rounding explains."""
    given = [n for n in found.evidence if n not in found.trial.missing]
    return [n for n in given if any(n not in ran or outside(ran[n], found.evidence[n]) for ran in runs)]


def describe_spread(runs: Runs, found: Judgement) -> str:
    """In words: how far the runs are apart, as a share of the bound."""
    shares = {n: widest(n, [found.trial.hand, *runs], e.bound) for n, e in found.evidence.items() if n in runs[0]}
    name = max(shares, key=lambda n: shares[n])
    return (
        f"{len(runs) + 1} runs differ by at most {shares[name]:.2g} of the rounding bound, in {name}: "
        "another order of summation explains it"
    )


def widest(name: str, runs: Runs, bound: Any) -> float:
    """The largest difference between two runs of an entry, over its bound."""
    values = np.stack([to64(ran[name]) for ran in runs])
    with np.errstate(all="ignore"):
        shares = (values.max(axis=0) - values.min(axis=0)) / bound
    return float(np.max(np.nan_to_num(shares, posinf=0.0), initial=0.0))
