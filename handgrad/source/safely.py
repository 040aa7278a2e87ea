"""Code under trial kept from files, the network, other processes, the terminal and the random numbers of others."""

import io
import logging
import os
import random
import sys
import sysconfig
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch

from handgrad.judge.isolation import attempt
from handgrad.source.program import Program, cells_of, names_in

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SHUT = ("os.", "shutil.", "subprocess.", "socket.", "urllib.", "http.", "ftplib.", "smtplib.", "pty.", "builtins.input",
        "signal.", "ctypes.", "webbrowser.", "sqlite3.", "tempfile.", "syslog.", "winreg.")  # fmt: skip
READS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk")
DOES_MORE = {  # names of what does anything else than compute
    "open", "exec", "eval", "compile", "input", "exit", "quit", "breakpoint", "__import__", "system", "popen", "Popen",
    "_exit", "fork", "kill", "abort", "remove", "unlink", "rmtree", "rename", "mkdir", "makedirs", "save", "savez",
    "savetxt", "tofile", "dump", "write", "write_text", "write_bytes", "socket", "urlopen", "memmap", "sleep",
    "__stdout__", "__stderr__", "logging", "logger", "getLogger",
    "Thread", "Process", "Pool", "ThreadPoolExecutor", "ProcessPoolExecutor", "start_new_thread",
}  # fmt: skip
WAYS_OUT = ("sqlite3", "queue", "_queue", "socket", "_socket", "multiprocessing", "asyncio", "mmap")
LIBRARIES = (sysconfig.get_path("stdlib"), str(Path(__file__).parents[1]), "<")  # where their files begin
_here = threading.local()  # .shut: whether this thread runs code under trial; other threads go on as ever
_hooked = False


class Refused(PermissionError):
    """What code under trial gets where it wants to do more than compute."""


def only_computes(program: Program) -> bool:
    """Whether no part, and nothing of the reader's that a part may call, does more than compute."""
    waiting, seen = [part.source.function for part in program.parts], set[FunctionType]()
    while waiting:
        function = waiting.pop()
        if function in seen:
            continue
        seen.add(function)
        values = list(values_named(function))
        if DOES_MORE & {*names_in(function.__code__)} or any(map(is_open, values)):
            return False
        waiting += [v for v in values if isinstance(v, FunctionType) and is_readers(v.__code__.co_filename)]
    return True


def values_named(function: FunctionType) -> Iterator[Any]:
    """What its names mean: in its cells, in its file, in the reader's modules that it names."""
    names, cells = names_in(function.__code__), cells_of(function)
    for name in names:
        value = cells[name] if name in cells else function.__globals__.get(name)
        value = attempt(getattr, value, "cell_contents").value if name in cells else value
        yield value
        if isinstance(value, ModuleType) and is_readers(getattr(value, "__file__", None)):
            yield from (vars(value)[n] for n in names if n in vars(value))


def is_open(value: Any) -> bool:
    """Whether it is a way out that is open already, of which nothing tells when it is used: a file, a queue."""
    home = type(value).__module__.partition(".")[0]
    return isinstance(value, io.IOBase | logging.Logger | deque | memoryview) or home in WAYS_OUT


def is_readers(file: str | None) -> bool:
    """Whether a file is the reader's own, and no library's."""
    return file is not None and not file.startswith(LIBRARIES) and "site-packages" not in Path(file).parts


def refuse(event: str, args: tuple[Any, ...]) -> None:
    """Python's audit hook: raise Refused where a file would be written, and for what reaches outside the process."""
    if not getattr(_here, "shut", False):
        return
    if event == "open":
        mode, flags = (args[1] or ""), (args[2] or 0)
        if flags & WRITES or set(str(mode)) & set("wax+"):
            raise Refused(f"{args[0]}: code under trial writes no files")
    elif event.startswith(SHUT) and event not in READS:
        raise Refused(f"{event}: code under trial does nothing but compute")


@contextmanager
def safely() -> Iterator[None]:
    """Until it ends, nothing that runs can write a file, reach the network or print; random numbers are put back."""
    global _hooked
    if not _hooked:  # a hook stays for good; it does nothing unless this is entered
        sys.addaudithook(refuse)
        _hooked = True
    numpy_state = np.random.get_state()  # noqa: NPY002
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    before, _here.shut = getattr(_here, "shut", False), True
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            yield
    finally:
        _here.shut = before
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
