"""What autograd's engine refuses, in our words: a wrong number of gradients, a wrong place, a wrong mark."""

import re
from collections.abc import Callable, Sequence

from handgrad.judge.promises import Contract, Promise

Words = Callable[[re.Match[str], Sequence[str]], Contract]


def another_number(found: re.Match[str], names: Sequence[str]) -> Contract:
    expected, got = int(found[1]), int(found[2])
    words = f"returns {got} gradient{'s' * (got != 1)} for {expected} argument{'s' * (expected != 1)}"
    detail = f"backward {words}; return one for every argument of forward but ctx, None for one that has none"
    return Contract(Promise.ONE_EACH, False, detail, words)


def no_tensor(found: re.Match[str], names: Sequence[str]) -> Contract:
    words = f"returns a gradient for argument {found[1]}, which is no tensor"
    return Contract(Promise.ONE_EACH, False, f"backward {words}; return None there", words)


def another_shape(found: re.Match[str], names: Sequence[str]) -> Contract:
    place = int(found[1])
    of = f" ({names[place]})" if place < len(names) else ""
    detail = f"the gradient at place {place}{of} has shape ({found[2]}), expected ({found[3]})"
    return Contract(Promise.SHAPES, False, f"{detail}; are they in the order of forward's arguments?")


def not_returned(found: re.Match[str], names: Sequence[str]) -> Contract:
    words = "marks an input dirty that it does not return"
    detail = f"{words}; ctx.mark_dirty is for inputs that forward writes into and returns"
    return Contract(Promise.MARKS_WRITTEN, False, detail, words)


def written_after_saving(found: re.Match[str], names: Sequence[str]) -> Contract:
    words = "writes into what it saved for its backward pass"
    return Contract(Promise.CACHE_UNCHANGED, False, f"{words}, so that autograd refuses to use it", words)


def not_registered(found: re.Match[str], names: Sequence[str]) -> Contract:
    words = "registers no backward pass"
    return Contract(Promise.REGISTERED, False, f"{found[1]} {words} (register_autograd)", words)


def result_is_input(found: re.Match[str], names: Sequence[str]) -> Contract:
    words = "returns an argument, or memory of one"
    return Contract(Promise.REGISTERED, False, f"it {words}; return a clone, or name it in mutates_args", words)


REFUSED: dict[str, Words] = {
    r"returned an incorrect number of gradients \(expected (\d+), got (\d+)\)": another_number,
    r"returned a gradient different than None at position (\d+)": no_tensor,
    r"returned an invalid gradient at index (\d+) - got \[(.*)\] but expected shape compatible with \[(.*)\]": (
        another_shape
    ),
    r"marked as dirty during the forward method were not returned": not_returned,
    r"Trying to backward through (\S+?)(?:\.default)? but no autograd formula": not_registered,
    r"output of this custom operator \(1\) must not also be an input": result_is_input,
    r"needed for gradient computation has been modified by an inplace operation": written_after_saving,
}


def refused_by_engine(error: Exception | None, names: Sequence[str]) -> Contract | None:
    """The promise whose breach made autograd's engine raise this; None for any other error. names: of the arguments."""
    for pattern, words in REFUSED.items():
        if found := re.search(pattern, str(error)):
            return words(found, names)
    return None
