"""Words on a ground of their own colour, which a page sets beside what they judge."""

from handgrad.html.element import Html, element
from handgrad.judge.verdict import Verdict

KINDS = {Verdict.CERTIFIED: "good", Verdict.REFUTED: "bad", Verdict.UNRESOLVED: "open"}


def badge(words: str, kind: str = "") -> Html:
    """kind: good, bad, open, inherited, or none."""
    return element("span", words, class_=f"verdict {kind}".strip())


def verdict_badge(verdict: Verdict) -> Html:
    return badge(verdict.value, KINDS[verdict])
