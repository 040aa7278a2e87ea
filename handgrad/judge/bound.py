"""The bound of a trial: by interval (ball) arithmetic if it can run the code, else by the noise of the reference."""

from dataclasses import replace

from handgrad.arrays.ball import TooManyNumbers
from handgrad.judge.ball_bound import by_balls
from handgrad.judge.compare import StageReport
from handgrad.judge.isolation import attempt
from handgrad.judge.judgement import Judgement
from handgrad.judge.noise_bound import by_noise, by_reference_noise
from handgrad.judge.trial import Trial
from handgrad.judge.verdict import Verdict


def bound(trial: Trial) -> Judgement:
    """Every tensor against the bound that one of the two ways gives. Raises what the reference raises."""
    return bound_by_noise(bound_by_balls(Judgement(trial, StageReport(trial.stage.name, ()), {})))


def bound_by_balls(found: Judgement) -> Judgement:
    """The code runs on balls, which carry how far rounding can move every value: a bound derived, not chosen."""
    trial = found.trial
    if trial.stage.subject is None and not trial.repeats:
        return found  # code that gives something else every time has no rounding of its own
    ran = attempt(by_balls, trial)
    if isinstance(ran.error, TooManyNumbers):  # which is slow, and the noise of the reference often is enough
        quick = by_reference_noise(trial)
        return quick if quick.verdict is Verdict.CERTIFIED else attempt(by_balls, trial, None).value or found
    return ran.value or found


def bound_by_noise(found: Judgement) -> Judgement:
    """Where balls cannot run the code, or leave a tensor without a bound, the noise of the reference is the bound."""
    if found.verdict is not Verdict.UNRESOLVED:
        return found
    judged = by_noise(found.trial)
    kept = {t.name: t for t in found.report.tensors if t.verdict is Verdict.CERTIFIED}
    evidence = {name: found.evidence[name] if name in kept else e for name, e in judged.evidence.items()}
    return replace(judged.with_tensors(kept), evidence=evidence)
