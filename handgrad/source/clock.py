"""The clock that a search goes by: CPU seconds, so that what it finds does not hang on what else the machine does."""

import time

OF_WALL = 1 / 8  # of the time that passes where another program has the processor


def clock() -> float:
    """Seconds by CPU time of this thread, and an eighth by the wall: ten of them end after 80 at most, however busy."""
    return (1 - OF_WALL) * time.thread_time() + OF_WALL * time.monotonic()


def clock_of(thread: int) -> float:
    """The same of another thread that runs; all of it by the wall where the system does not tell its CPU time."""
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.monotonic()
    spent = time.clock_gettime(time.pthread_getcpuclockid(thread))
    return (1 - OF_WALL) * spent + OF_WALL * time.monotonic()
