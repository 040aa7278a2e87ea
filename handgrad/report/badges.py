"""Words on a ground of their own colour, which a page sets beside what they judge."""

from collections.abc import Sequence

from handgrad.html.element import Html, element, join
from handgrad.judge.verdict import Verdict

KINDS = {Verdict.CERTIFIED: "good", Verdict.REFUTED: "bad", Verdict.UNRESOLVED: "open"}


def badge(words: str, kind: str = "") -> Html:
    """kind: good, bad, open, inherited, or none."""
    return element("span", words, class_=f"verdict {kind}".strip())


def two_verdicts(gradients: Verdict, broken: Sequence[str]) -> Html:
    """The verdict on the numbers and, where a promise is broken, that beside it."""
    beside = [" ", badge("contract broken", "bad")] if broken else []
    return join(verdict_badge(gradients), *beside)


def verdict_badge(verdict: Verdict) -> Html:
    return badge(verdict.value, KINDS[verdict])
