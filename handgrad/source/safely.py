"""Code under trial kept from files, the network, other processes, the terminal and the random numbers of others."""

import os
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
import torch

from handgrad.source.program import Program, names_in

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
SHUT = ("os.", "shutil.", "subprocess.", "socket.", "urllib.", "http.", "ftplib.", "smtplib.", "pty.", "builtins.input",
        "signal.", "ctypes.", "webbrowser.", "sqlite3.", "tempfile.", "syslog.", "winreg.")  # fmt: skip
READS = ("os.listdir", "os.scandir", "os.walk", "os.fwalk")
DOES_MORE = {  # names of what does anything else than compute
    "open", "exec", "eval", "compile", "input", "exit", "quit", "breakpoint", "__import__", "system", "popen", "Popen",
    "_exit", "fork", "kill", "abort", "remove", "unlink", "rmtree", "rename", "mkdir", "makedirs", "save", "savez",
    "savetxt", "tofile", "dump", "write", "write_text", "write_bytes", "socket", "urlopen", "memmap", "sleep",
    "Thread", "Process", "Pool", "ThreadPoolExecutor", "ProcessPoolExecutor", "start_new_thread",
}  # fmt: skip
_here = threading.local()  # .shut: whether this thread runs code under trial; other threads go on as ever
_hooked = False


class Refused(PermissionError):
    """What code under trial gets where it wants to do more than compute."""


def only_computes(program: Program) -> bool:
    """Whether no part names anything that does more than compute."""
    return not any(DOES_MORE & set(names_in(part.source.function.__code__)) for part in program.parts)


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
