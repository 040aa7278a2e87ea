"""Code under trial that does not end: it is stopped by an exception after so many seconds of the processor."""

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from handgrad.source.clock import clock_of

T = TypeVar("T")
P = ParamSpec("P")
LOOK = 0.1  # seconds between two looks at the clock
RAISE: Any = ctypes.pythonapi.PyThreadState_SetAsyncExc  # found now: code under trial may not ask ctypes for anything
RAISE.argtypes = (ctypes.c_ulong, ctypes.py_object)


class TookTooLong(Exception):
    """It ran for longer than it was given."""


class CalledBack(Exception):
    """Takes the place of one on its way that is not needed any more."""


class Watch:
    """A thread that looks at the clock for all others; it is started once, so that a run costs nothing more."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.given: dict[int, tuple[float, float]] = {}  # each thread's seconds, and when they are over, by clock_of
        self.sent: set[int] = set()  # the threads in which it has raised
        self.thread: threading.Thread | None = None

    def give(self, seconds: float) -> tuple[float, float] | None:
        """So many to this thread; what it had before."""
        with self.lock:
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(target=self.look, name="handgrad-watch", daemon=True)
                self.thread.start()
            before = self.given.get(threading.get_ident())
            self.given[threading.get_ident()] = seconds, clock_of(threading.get_ident()) + seconds
            return before

    def give_back(self, before: tuple[float, float] | None) -> None:
        """What it had before; an exception on its way that has not arrived is called back.

        Python has a way to call one back that leaves a thread as if one were always on its way, and Python 3.11 then
        never ends under a debugger or a coverage tool. So another takes its place, and is waited for.
        """
        thread = threading.get_ident()
        try:
            with self.lock:
                self.given.pop(thread, None)
                if before is not None:
                    self.given[thread] = before
                if thread in self.sent:
                    self.sent.remove(thread)
                    RAISE(thread, CalledBack)
                    while True:
                        pass
        except TookTooLong:  # it arrived here
            self.give_back(before)
        except CalledBack:
            pass

    def look(self) -> None:
        """Raise in every thread whose seconds are over, and after as many more again: it may catch what it gets."""
        while True:
            time.sleep(LOOK)
            with self.lock:
                late = {t: seconds for t, (seconds, end) in self.given.items() if clock_of(t) > end}
                for thread, seconds in late.items():
                    if runs_within(thread):
                        self.given[thread] = seconds, clock_of(thread) + seconds
                        self.sent.add(thread)
                        RAISE(thread, TookTooLong)
                    else:  # the exception came when all was done, and before it was told
                        del self.given[thread]


def runs_within(thread: int) -> bool:
    """Whether the thread still is in `within`."""
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not within.__code__:
        frame = frame.f_back
    return frame is not None


WATCH = Watch()


def within(seconds: float, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the call gives. Raises TookTooLong in it after so many seconds of Python; nothing stops compiled code.

    They are seconds of the processor, as those of the search: what a busy machine delays is not stopped for it.
    """
    before = WATCH.give(seconds)
    try:
        return call(*args, **kwargs)
    finally:
        WATCH.give_back(before)
