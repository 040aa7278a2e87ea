"""The one road to a verdict: a trial goes in, a judgement comes out."""

from handgrad.judge.compare import StageReport
from handgrad.judge.judgement import Judgement
from handgrad.judge.rules import VERDICT_RULES
from handgrad.judge.trial import Trial


def judge(trial: Trial) -> Judgement:
    """The verdict on a trial: every rule in its order. Raises what the stage's own code or reference raises."""
    found = Judgement(trial, StageReport(trial.stage.name, ()), {})
    for rule in VERDICT_RULES:
        found = rule(found)
    return found
