"""The clock that a search goes by: CPU seconds, so that what it finds does not hang on what else the machine does."""

import time

OF_WALL = 1 / 8  # of the time that passes where another program has the processor


def clock() -> float:
    """Seconds by CPU time of this thread, and an eighth by the wall: ten of them end after 80 at most, however busy."""
    return (1 - OF_WALL) * time.thread_time() + OF_WALL * time.monotonic()
