"""A submission in a process of its own: it is asked for one quantity after the other, and numbers come back.

The process has an empty folder, no environment, limits of time, memory, files and processes, and neither network nor
libraries but NumPy (child/locked.py). It never has what is right for the quantity that it is asked for. What comes back
is read as numbers, never as code; whether they are right is decided here.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from handgrad.grading.child.locked import folders_of, own_folders
from handgrad.grading.child.run import LIBRARIES, LONGEST, MOST_TOLD, TOO_LONG
from handgrad.grading.child.wire import from_wire, to_wire
from handgrad.grading.exercise import Exercise, base
from handgrad.judge.compare import Float

ROOT = Path(__file__).parents[2]
START = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from handgrad.grading.child.run import main; main()"
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
ALL_SECONDS = 60.0  # for one submission
CALL_SECONDS = 0.3  # of processor time, for one quantity on one draw; then the process stops the call itself
DEAD_SECONDS = 10.0  # for an answer; then the process is ended
START_SECONDS = 15.0  # for Python and NumPy to start, and the file to be run
MOST_ENDS = 3  # of the process in one function
LONGEST_LINE = 24 << 20  # bytes of an answer
FOLDERS = (*folders_of(LIBRARIES), *own_folders(), str(ROOT), tempfile.gettempdir())  # not shown to students
LAST_LINE = 1_000_000


class CannotAsk(Exception):
    """There is no answer; the message says what the submission did instead."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The numbers, or None and why there are none, with the line where that is known.

    raised: 1 if the function raised an exception after the value was set, else 0; put: what stood in it as given.
    """

    value: Float | None
    problem: str = ""
    line: int | None = None
    raised: int = 0
    put: frozenset[str] = frozenset()


class Submission:
    """The source of a submission, to be asked between `with` and its end.

    If the process ends, or does not answer in time, the next question starts it anew, until its time is used up. A
    function in which it ends again and again is not asked any more; the others are.
    tried: what it was refused; left_out: what its own statements raised, each with its line; problem: why the file
    as a whole cannot be run.
    """

    def __init__(self, source: str, exercise: Exercise, seconds: float = ALL_SECONDS) -> None:
        names = sorted(all_names(exercise))
        self.exercise, self.left = exercise, seconds
        self.ends = dict.fromkeys(exercise.points, 0)  # of the process, by the function that was asked
        self.first = {"source": source, "functions": list(exercise.points), "names": names, "seconds": int(seconds) + 1}
        self.first["by_hand"] = "complex" in exercise.forbidden
        self.tried: list[str] = []
        self.left_out: list[str] = []
        self.problem: Answer | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory(prefix="submission", ignore_cleanup_errors=True)
        self.problem = self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()
        self.folder.cleanup()

    def ask(
        self, function: str, asked: str, values: Mapping[str, Any], given: Mapping[str, Any], source: str | None = None
    ) -> Answer:
        """One quantity of one function. values: of its arguments; given: right values of other quantities.

        source: the submission with a change; from then on it is that.
        """
        if self.left <= 0:
            return Answer(None, "not asked any more: the submission has used up its time")
        if self.ends[function] == MOST_ENDS:
            return Answer(None, f"not asked any more: its process ended {MOST_ENDS} times")
        if self.process is None and (problem := self.start()) is not None:
            return problem
        question = {
            "function": function, "asked": asked, "returned": self.exercise.returned(function),
            "arguments": [to_wire(gather(name, values)) for name in self.exercise.arguments(function)],
            "given": {name: to_wire(value) for name, value in given.items()}, "seconds": CALL_SECONDS, "source": source,
        }  # fmt: skip
        answer = self.exchange(question, DEAD_SECONDS)
        self.ends[function] += self.process is None
        return answer

    def start(self) -> Answer | None:
        """Start the process; None if the file could be run, else why not."""
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-X", "utf8", "-c", START],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=self.folder.name,
            env=ENVIRONMENT, start_new_session=True,
        )  # fmt: skip
        answer = self.exchange(self.first, START_SECONDS)
        return answer if answer.problem else None

    def exchange(self, question: Any, seconds: float) -> Answer:
        """The answer to one question; the process is ended where none comes in time."""
        assert self.process is not None
        began = time.monotonic()
        deadline = began + min(seconds, max(self.left, 0.1))
        try:
            write_line(self.process, json.dumps(question).encode() + b"\n", deadline)
            return self.read(json.loads(read_line(self.process, deadline)), is_start=question is self.first)
        except CannotAsk as error:
            self.end()
            return Answer(None, str(error))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # no numbers, or no JSON
            self.end()
            return Answer(None, "what came back is no array of numbers: the submission interferes with its process")
        finally:
            self.left -= time.monotonic() - began

    def read(self, reply: Any, is_start: bool) -> Answer:
        """An answer as it came, of a start without numbers. ValueError, KeyError or TypeError for anything else."""
        told = [clean(what) for what in reply["tried"][:MOST_TOLD]]
        self.tried = list(dict.fromkeys([*self.tried, *told]))[:MOST_TOLD]
        if "problem" in reply:
            return why_none(reply)
        if is_start:
            left_out = map(why_none, reply["left out"][:MOST_TOLD])
            self.left_out = [at_line(found.problem, found.line) for found in left_out]
            return Answer(None)
        value = from_wire(reply["value"])
        if not isinstance(value, np.ndarray):
            raise TypeError(f"a quantity is an array, and no {type(value).__name__}")
        return Answer(value, raised=int(reply.get("raised", 0)), put=frozenset(map(str, reply.get("put", ()))))

    def end(self) -> None:
        """End the process, and what it may have started."""
        process, self.process = self.process, None
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
            process.wait()


def all_names(exercise: Exercise) -> set[str]:
    """Every value and every gradient that a submission may name, a list without its index."""
    names = {base(step.name) for step in exercise.forward} | {base(n) for step in exercise.forward for n in step.takes}
    return {base(step.name) for step in exercise.forward} | {f"d{name}" for name in names}


def gather(name: str, values: Mapping[str, Any]) -> Any:
    """A value, or the list whose entries are values: W of W[1] and W[2] is [None, W[1], W[2]].

    >>> gather("W", {"W[1]": 1.0, "W[2]": 2.0})
    [None, 1.0, 2.0]
    """
    if name in values:
        return values[name]
    entries = {int(key[len(name) + 1 : -1]): value for key, value in values.items() if base(key) == name != key}
    return [entries.get(i) for i in range(max(entries) + 1)]


def write_line(process: subprocess.Popen[bytes], line: bytes, deadline: float) -> None:
    """Raises CannotAsk where the process is gone, or does not read."""
    assert process.stdin is not None
    stream = process.stdin.fileno()
    os.set_blocking(stream, False)
    while line:
        ready = select.select([], [stream], [], max(0.0, deadline - time.monotonic()))[1]
        if not ready:
            raise CannotAsk("it does not read what it is asked")
        try:
            line = line[os.write(stream, line) :]
        except (BrokenPipeError, BlockingIOError) as error:
            raise CannotAsk(how_it_ended(process)) from error


def read_line(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Raises CannotAsk where the process ends before, takes too long or says too much."""
    assert process.stdout is not None
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        ready = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]
        if not ready:
            raise CannotAsk(TOO_LONG)
        part = os.read(process.stdout.fileno(), 1 << 16)
        if not part:
            raise CannotAsk(how_it_ended(process))
        parts.append(part)
        if sum(map(len, parts)) > LONGEST_LINE:
            raise CannotAsk("its answer is too long")
    return b"".join(parts)


def how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """In words."""
    try:
        code = process.wait(1)
    except subprocess.TimeoutExpired:
        return "it closed the connection that its numbers come on"
    if code == -getattr(signal, "SIGXCPU", 0):
        return TOO_LONG
    if code < 0:
        return f"its process was ended by signal {-code}: too much memory, or something it called"
    return f"it ended its process (exit code {code}) and gave no number; that does not count as an answer"


def why_none(reply: Any) -> Answer:
    """An answer without numbers as it came. Raises ValueError, KeyError or TypeError for anything else."""
    line = reply.get("line")
    return Answer(None, clean(reply["problem"]), line if type(line) is int and 0 < line < LAST_LINE else None)


def at_line(problem: str, line: int | None) -> str:
    return f"{problem} (line {line})" if line else problem


def clean(words: Any) -> str:
    """What a submission says, as one line without control characters and our folders, not longer than a sentence."""
    text = "".join(c if c.isprintable() else " " for c in str(words))
    for folder in FOLDERS:
        text = text.replace(f"{folder}{os.sep}", "")
    return " ".join(text.split())[:LONGEST]
