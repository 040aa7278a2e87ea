"""Code under trial kept from files, the network, other processes, the terminal and the random numbers of others."""

import io
import logging
import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from types import FunctionType
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
_here = threading.local()  # .shut: whether this thread runs code under trial; other threads go on as ever
_hooked = False


class Refused(PermissionError):
    """What code under trial gets where it wants to do more than compute."""


def only_computes(program: Program) -> bool:
    """Whether no part names anything that does more than compute, nor an open file or a log by a name of its own."""
    return not any(does_more(part.source.function) for part in program.parts)


def does_more(function: FunctionType) -> bool:
    """Whether one function does: nothing tells when it writes into a file that is open already."""
    names, cells = names_in(function.__code__), cells_of(function)
    values = [attempt(getattr, cells[n], "cell_contents").value if n in cells else function.__globals__.get(n)
              for n in names]  # fmt: skip
    return bool(DOES_MORE & set(names)) or any(isinstance(v, io.IOBase | logging.Logger) for v in values)


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
