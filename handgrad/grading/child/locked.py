"""Takes away from this process what an exercise does not need: files, network, other processes, time, memory.

Limits of the operating system and a filter of its calls (where it has them), and a hook of the interpreter that
refuses. The hook cannot be taken off, but it is no wall: who gets machine code into this process gets around it. There
is nothing to be had here, though: no right value of what is asked, and nothing that decides a grade.
"""

import os
import sys
import sysconfig
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder
from typing import Any

from handgrad.grading.child.system_calls import can_refuse_calls, refuse_calls

REFUSED = (  # events of the interpreter, by how they begin
    *("socket.", "subprocess.", "ctypes.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.kill"),
    *("os.remove", "os.rename", "os.link", "os.symlink", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.truncate"),
    *("os.startfile", "os.setxattr", "pty.", "mmap.", "fcntl.", "resource.", "sqlite3.", "code.__new__", "webbrowser."),
)
OFFERED = (  # of the standard library and NumPy, beside what they have loaded themselves
    *("__future__", "array", "bisect", "cmath", "collections", "contextlib", "copy", "dataclasses", "decimal", "enum"),
    *("fractions", "functools", "heapq", "itertools", "json", "math", "numbers", "operator", "pprint", "random", "re"),
    *("statistics", "string", "textwrap", "time", "types", "typing", "numpy.fft", "numpy.linalg", "numpy.random"),
)
DROPPED = (  # of what they have loaded
    *("_ctypes", "_posixsubprocess", "_signal", "_socket", "ctypes", "multiprocessing", "resource", "signal", "socket"),
    *("subprocess", "handgrad"),
)
REMOVED = {  # of modules that are still to be had by a frame, or as "posix": what the hook does not hear of
    "os posix": ("pidfd_open", "setpriority", "sched_setaffinity", "sched_setparam", "sched_setscheduler"),
    "signal _signal": ("pidfd_send_signal", "pthread_kill", "raise_signal"),
    "_imp": ("create_builtin", "create_dynamic"),  # would load what was dropped once more
}
MEMORY = 2 << 30  # bytes of addresses; NumPy's own libraries take up to one half
FILES = 32
NOBODY = 65534
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def lock(seconds: int, libraries: Collection[str], tell: Callable[[str], None]) -> None:
    """From here on. seconds: of processor time; libraries: what may be imported; tell: gets each thing refused.

    Imports are not told: their exception says it.
    """
    own, others = own_folders(), folders_of(libraries)
    for name in OFFERED:
        import_module(name)
    leave_root([*own, *others])
    limit(seconds)
    sys.path[:] = [*own, *(os.path.join(folder, "lib-dynload") for folder in own)]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is PathFinder]
    refuse_calls()
    remove()
    for name in [*sys.modules]:
        if name.partition(".")[0] in DROPPED:
            del sys.modules[name]
    sys.addaudithook(make_hook(own, others, {name.partition(".")[0] for name in sys.modules}, tell))


def own_folders() -> list[str]:
    """Of Python's own library."""
    return [sysconfig.get_path(name) for name in ("stdlib", "platstdlib")]


def folders_of(libraries: Iterable[str]) -> list[str]:
    """Of libraries that are loaded."""
    return [os.path.dirname(str(sys.modules[name].__file__)) for name in libraries]


def remove() -> None:
    """Take the functions of REMOVED out of their modules."""
    for modules, names in REMOVED.items():
        for module in modules.split():
            for name in names:
                vars(sys.modules[module]).pop(name, None)


def what_is_open(libraries: Collection[str]) -> list[str]:
    """What this system does not take away from a submission that may import these libraries, in words for a teacher."""
    found = []
    if os.getuid() == 0 and not all(map(is_open_to_all, [*own_folders(), *folders_of(libraries)])):
        found.append("submissions run as root, for nobody may read Python's libraries: install them where all may")
    if not can_refuse_calls():
        found.append("this system has no filter of system calls: a submission may start threads, and end its grader")
    return found


def leave_root(libraries: Iterable[str]) -> None:
    """Where graders run as root, as in a container: go on as nobody, if nobody can read the libraries."""
    if os.name == "posix" and os.getuid() == 0 and all(map(is_open_to_all, libraries)):
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)


def is_open_to_all(folder: str) -> bool:
    """Whether anyone may read a folder, and go through those above it."""
    path = os.path.realpath(folder)
    above = [path[:i] or "/" for i, c in enumerate(path) if c == os.sep]
    return os.stat(path).st_mode & 0o5 == 0o5 and all(os.stat(f).st_mode & 0o1 for f in above)


def limit(seconds: int) -> None:
    """What the operating system counts; where it does not, the clock of the grader is left."""
    try:
        import resource
    except ImportError:
        return
    most = {"CPU": seconds, "AS": MEMORY, "FSIZE": 0, "NPROC": 0, "CORE": 0, "NOFILE": FILES}
    for name, value in most.items():
        with suppress(ValueError, OSError, AttributeError):
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))


def make_hook(
    own: Iterable[str], others: Iterable[str], allowed: Collection[str], tell: Callable[[str], None]
) -> Callable[..., None]:
    """The hook. own: folders of the standard library; others: those of the libraries allowed."""
    libraries = tuple(folder + os.sep for folder in others)
    standard = tuple(folder + os.sep for folder in own)
    kept_apart = ("site-packages", "dist-packages", "..")

    def refuse(what: str, words: str) -> None:
        tell(what)
        raise PermissionError(words)

    def is_library(path: Any) -> bool:
        path = os.fsdecode(path) + os.sep if isinstance(path, str | bytes) else ""
        parts = path.split(os.sep)
        return (path.startswith(libraries) and ".." not in parts) or (
            path.startswith(standard) and not any(name in parts for name in kept_apart)
        )

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event == "import" and (top := args[0].partition(".")[0]) not in allowed:
            raise ImportError(f"{top} cannot be imported: there is NumPy, and what of Python's library computes")
        elif event in ("open", "os.listdir", "os.scandir"):
            if not is_library(args[0]) or (event == "open" and (args[2] or 0) & WRITING):
                refuse(f"open {args[0]}", f"a submission has no files, and no {args[0]}")
        elif event.startswith(REFUSED):
            refuse(event, f"a submission may not do this: {event}")

    return hook
