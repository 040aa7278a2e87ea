"""The report on y, which is several results one after the other, as one report on each of them."""

from dataclasses import replace

from handgrad.judge.compare import Evidence, StageReport, TensorReport, compare
from handgrad.judge.rules import FORWARD_DIFFERS, forward_words
from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.outputs import Output, Outputs


def each_result(report: StageReport, e: Evidence, outputs: Outputs) -> StageReport:
    """The report with a tensor for each result in place of y; that y has another length stays said of all of it."""
    tensors: list[TensorReport] = []
    for t in report.tensors:
        if t.name != "y" or e.hand.shape != e.reference.shape:
            tensors.append(t)
            continue
        parts = [of_one(t, e, part) for part in outputs.parts]
        if t.verdict is Verdict.CERTIFIED:
            tensors += parts
        else:  # what no single result shows stays said of all of them
            tensors += [p for p in parts if p.verdict is not Verdict.CERTIFIED] or [t]
    return replace(report, tensors=tuple(tensors))


def of_one(whole: TensorReport, e: Evidence, part: Output) -> TensorReport:
    """One result; where all of y is certified, each is."""
    own = Evidence(*(a[part.part].reshape(part.shape) for a in (e.hand, e.reference, e.bound)))
    found = compare(part.name, own.hand, own.reference, own.bound)
    if whole.verdict is Verdict.CERTIFIED:
        return replace(found, verdict=whole.verdict, reason="")
    if found.verdict is Verdict.CERTIFIED:
        return found
    words = found.reason or whole.reason
    if whole.reason.startswith(FORWARD_DIFFERS):
        words = forward_words(found.reason, own, found.index, found.outside, part.name)
    return replace(found, verdict=whole.verdict, reason=words)
