"""Answers questions about a submission: one line of JSON for each, on what were its standard input and output.

What it answers is numbers, or why there are none. That can be forged by the submission, which runs in the same
process, and is no verdict: whoever asks compares the numbers.
"""

import ast
import json
import os
import signal
import traceback
from contextlib import nullcontext
from typing import Any, BinaryIO

import numpy as np

from handgrad.grading.child.isolate import ISOLATED, MISSING, Isolated, isolate
from handgrad.grading.child.locked import lock
from handgrad.grading.child.precise import WORDS, watched
from handgrad.grading.child.wire import MOST_NUMBERS, from_wire, to_wire

FILE = "submission.py"
LONGEST = 300  # characters of an exception
TOO_LONG = "it took too long and was stopped; is there a loop that does not end?"
MOST_TOLD = 3  # of what was refused
WAITING = 10  # times the processor time that a function may take may go by, for one that waits
HURRY = 5  # so much shorter a function is waited for that took too long before
LIBRARIES = ("numpy",)  # that a submission may import
NUMBERS = "numbers are expected"


class TookTooLong(BaseException):
    """Raised in the middle of a submission that does not end."""


def main() -> None:
    """The first line has the submission, each later one a question."""
    questions, answers = take_streams()
    start = json.loads(questions.readline())
    tried: list[str] = []
    patience: dict[str, float] = {}
    for kind in (signal.SIGPROF, signal.SIGALRM):
        signal.signal(kind, stop)
    lock(start["seconds"], LIBRARIES, lambda what: None if FILE in what else tried.append(what))  # Python looks for it
    with np.errstate(all="ignore"):
        source = start["source"]
        space, reply = load(start, source)
        while True:
            answers.write(json.dumps({**reply, "tried": tried[:MOST_TOLD]}).encode() + b"\n")
            answers.flush()
            question = questions.readline()
            if not question:
                return
            asked = json.loads(question)
            if asked["source"] not in (None, source):  # the submission with a change, or without one again
                source = asked["source"]
                space, _ = load(start, source)
            reply = answer(asked, space, patience, start["by_hand"])


def load(start: dict[str, Any], source: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The names of the file, run once, and what is said of that: why it cannot be run, or the statements left out.

    A statement that raises an exception is left out: functions that do without it are asked all the same.
    """
    own = Isolated("", {})
    space: dict[str, Any] = {"__name__": "submission", "__file__": FILE, "__builtins__": __builtins__, ISOLATED: own}
    try:
        tree = ast.parse(source, FILE)
        isolate(tree, start["functions"], start["names"])
        exec(compile(tree, FILE, "exec", dont_inherit=True), space)
    except BaseException as error:  # SystemExit too
        return space, describe(error)
    return space, {"left out": [describe(error) for error in own.left_out[:MOST_TOLD]]}


def take_streams() -> tuple[BinaryIO, BinaryIO]:
    """Where questions come from and answers go to. What the submission prints, and reads, is nothing."""
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    return questions, answers


def answer(
    question: dict[str, Any], space: dict[str, Any], patience: dict[str, float], by_hand: bool
) -> dict[str, Any]:
    """{"value": numbers, ...}, or {"problem": why there are none, "line": where}.

    A quantity that was set before an exception, or before the time was up, counts. patience: the time of a function
    that took too long before, which is not waited for as long again; by_hand: no complex step, and the like, counts.
    """
    given = {name: from_wire(value) for name, value in question["given"].items()}
    space[ISOLATED] = isolated = Isolated(question["asked"], given)
    name = question["function"]
    function = space.get(name)
    if not callable(function):
        return {"problem": f"there is no function {name}"}
    returned, failed, found_precise = None, None, list[str]()
    try:
        set_alarm(patience.get(name, question["seconds"]))
        with watched(FILE) if by_hand else nullcontext(found_precise) as found_precise:
            returned = function(*(from_wire(a) for a in question["arguments"]))
    except BaseException as error:
        failed = describe(error)
        if isinstance(error, TookTooLong):
            patience[name] = question["seconds"] / HURRY
    try:
        set_alarm(0)
        if found_precise:
            return {"problem": f"{found_precise[0]}: {WORDS}"}
        found = isolated.result(returned, question["returned"])
        if found is MISSING or found is None or found is ...:
            return failed or {"problem": f"{question['asked']} is not there: it is a blank, or has another name"}
        return {"value": numbers(found), "raised": int(failed is not None), "put": sorted(isolated.put)}
    except BaseException as error:
        return describe(error)


def set_alarm(seconds: float) -> None:
    """After this processor time, or where the function sleeps; 0: not any more."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, WAITING * seconds)


def stop(*_: Any) -> None:
    raise TookTooLong(TOO_LONG)


def numbers(value: Any) -> Any:
    """A quantity as it goes on the wire. Raises TypeError or ValueError for what is none."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        kinds = {"c": "complex numbers", "O": f"a {type(value).__name__} of other things"}
        raise TypeError(f"it is {kinds.get(array.dtype.kind, array.dtype)}; {NUMBERS}")
    if array.size > MOST_NUMBERS:
        raise ValueError(f"it has {array.size:,} entries, more than {MOST_NUMBERS:,}")
    return to_wire(array.astype(np.float64))


def describe(error: BaseException) -> dict[str, Any]:
    """What was raised, and at which line of the submission."""
    walked = traceback.walk_tb(error.__traceback__)  # extract_tb would open the files
    steps = [line for frame, line in walked if frame.f_code.co_filename == FILE]
    line = error.lineno if isinstance(error, SyntaxError) and error.filename == FILE else steps[-1] if steps else None
    words = error.msg if isinstance(error, SyntaxError) else str(error)
    told = words if isinstance(error, TookTooLong) else f"{type(error).__name__}: {words}"
    return {"problem": told[:LONGEST], "line": line}
