"""One pair judged: the one place that calls `verify_function` for a file."""

from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

from handgrad.judge.verdict import Verdict
from handgrad.mend.change import Change
from handgrad.report.report import Report
from handgrad.subjects.file.asked import asked_of
from handgrad.subjects.file.inputs import Chosen
from handgrad.subjects.file.other_sizes import choose_running_inputs, describe_inputs
from handgrad.subjects.file.pairs import Pair, with_object
from handgrad.subjects.file.shapes import Asked
from handgrad.subjects.file.zeros import say_zeros
from handgrad.subjects.function.verify import verify_function


@dataclass(frozen=True)
class Options:
    """What is asked of every pair. mend: seconds for the search of a change that makes it right."""

    inputs: Mapping[str, Asked]
    seed: int
    dtype: str | None = None
    slack: float = 1.0
    mend: float | None = None


@dataclass(frozen=True, eq=False)
class Judged:
    """A pair with its report, or why there is none. called: with which inputs, in words.

    moved: why these are not of the usual sizes, in words.
    in_words: those of them whose shapes are read from its author's words, in words.
    at_zero: what was judged at a default of 0 alone, in words.
    """

    pair: Pair
    report: Report | None
    problem: str = ""
    called: str = ""
    moved: str = ""
    in_words: str = ""
    at_zero: str = ""

    @property
    def verdict(self) -> Verdict:
        return self.report.verdict if self.report is not None else Verdict.UNRESOLVED

    @property
    def change(self) -> Change | None:
        """The change that makes it right, if one was found."""
        return self.report.change if self.report else None


def judge_pair(pair: Pair, options: Options) -> Judged:
    """The report, or what is missing for one. What the code prints is not shown: it runs hundreds of times."""
    given = asked_of(options.inputs, pair.names)
    pair = with_object(pair, given)
    if pair.problem:
        return Judged(pair, None, pair.problem)
    try:
        with redirect_stdout(StringIO()):
            chosen = choose_running_inputs(pair, given, options.seed)
            called = describe_inputs(chosen.inputs)
            moved = f"{chosen.problem}; judged with {called}" if chosen.problem else ""
            read = describe_inputs({name: chosen.inputs[name] for name in chosen.in_words})
            in_words = f"shapes as its words have them: {read}" if read else ""
            at_zero = say_zeros(pair, chosen.inputs)
            return Judged(chosen.pair, report_on(chosen, options), "", called, moved, in_words, at_zero)
    except (TypeError, ValueError) as error:  # what verify_function says of arguments that cannot be judged
        return Judged(pair, None, str(error))
    except SystemExit:  # it must not choose the exit code
        return Judged(pair, None, "its code calls sys.exit")


def report_on(chosen: Chosen, options: Options) -> Report:
    """The report of `verify_function`."""
    pair = chosen.pair
    return verify_function(
        pair.forward,
        pair.backward,
        pair.reference,
        chosen.inputs,
        constants=chosen.constants,
        seed=options.seed,
        slack=options.slack,
        dtype=options.dtype or chosen.precision,
        name=pair.name,
        mend=options.mend,
    )
