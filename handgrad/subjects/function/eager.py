"""In low precision: how far the code is off, beside torch's own eager code in the same precision."""

import numpy as np

from handgrad.judge.compare import Float
from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Judgement
from handgrad.judge.trial import Trial
from handgrad.subjects.function.reference import Reference


def beside_eager(found: Judgement, reference: Reference) -> list[str]:
    """One line with every tensor's typical error, relative to its typical entry; nothing where torch cannot run it."""
    trial = found.trial
    if not trial.arithmetic.coarse or (eager := attempt(reference.eager, trial.inputs, trial.dy).value) is None:
        return []
    parts = [
        f"{name} {typical(trial.results[name], S):.1e} (torch {typical(eager[name], S):.1e})"
        for name, S in trial.reference.items()
        if name in eager and S.any() and trial.results[name].shape == S.shape == eager[name].shape
    ]
    return [f"typical error beside torch's own {trial.dtype} code: {', '.join(parts)}"] if parts else []


def overflows_as_torch(trial: Trial, reference: Reference) -> bool:
    """Whether the code overflows at low precision where torch's own code of the reference does too."""
    if not trial.arithmetic.coarse or all(
        np.isfinite(v).all() for n, v in trial.results.items() if n not in trial.missing
    ):
        return False
    eager = attempt(reference.eager, trial.inputs, trial.dy).value
    return eager is not None and not all(np.isfinite(v).all() for v in eager.values())


def typical(given: Float, right: Float) -> float:
    """Root mean squares: of the difference over that of the right values."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.mean((given - right) ** 2) / np.mean(right**2)))
