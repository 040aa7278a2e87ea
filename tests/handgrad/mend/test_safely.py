"""What runs while a change is looked for cannot reach anything outside it."""

import ctypes
import importlib
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

from handgrad.mend.draw import Draw
from handgrad.source.limit import TookTooLong, within
from handgrad.source.program import Passes, read_program
from handgrad.source.safely import Refused, only_computes, safely

REACHES = {
    "a file written": lambda folder: (folder / "a").write_text("x"),
    "a file appended to": lambda folder: (folder / "kept").open("a"),
    "a file removed": lambda folder: os.remove(folder / "kept"),
    "a folder made": lambda folder: (folder / "b").mkdir(),
    "a file renamed": lambda folder: os.rename(folder / "kept", folder / "c"),
    "an array saved": lambda folder: np.save(folder / "d.npy", np.zeros(2)),
    "a process": lambda folder: subprocess.run([sys.executable, "-c", ""]),
    "a shell": lambda folder: os.system("true"),
    "a connection": lambda folder: socket.create_connection(("127.0.0.1", 9)),
    "a question": lambda folder: input(),
    "a link": lambda folder: os.symlink(folder / "kept", folder / "e"),
    "another mode": lambda folder: os.chmod(folder / "kept", 0),
    "a shorter file": lambda folder: os.truncate(folder / "kept", 0),
    "a copy": lambda folder: shutil.copy(folder / "kept", folder / "f"),
    "a descriptor": lambda folder: os.open(folder / "g", os.O_WRONLY | os.O_CREAT),
    "a temporary file": lambda folder: tempfile.mkstemp(dir=folder),
    "a name looked up": lambda folder: socket.gethostbyname("localhost"),
    "a socket": lambda folder: socket.socket().connect(("127.0.0.1", 9)),
    "a page": lambda folder: urllib.request.urlopen("http://127.0.0.1:9"),
    "a signal": lambda folder: os.kill(os.getpid(), 0),
    "a library": lambda folder: ctypes.CDLL(None),
    "a memory map": lambda folder: np.memmap(folder / "h", dtype=float, mode="w+", shape=2),
}


@pytest.mark.parametrize("what", REACHES)
def test_what_reaches_outside_is_refused(what: str, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    with pytest.raises(Refused), safely():
        REACHES[what](tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
    (tmp_path / "after").write_text("and afterwards it is as before")


def test_other_threads_go_on_as_ever(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # it has its thread before
        with safely():
            pool.submit((tmp_path / "theirs").write_text, "x").result()
    assert (tmp_path / "theirs").read_text() == "x"


def test_reading_and_printing_are_let_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept").write_text("kept")
    with safely():
        assert (tmp_path / "kept").read_text() == "kept"
        print("not shown")
    assert capsys.readouterr() == ("", "")


def test_random_numbers_are_put_back() -> None:
    np.random.seed(3)  # noqa: NPY002
    with safely():
        np.random.random(5)  # noqa: NPY002
    first = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    assert first == np.random.random()  # noqa: NPY002


ALREADY_OPEN = sys.stdout
NOTES = logging.getLogger("notes")


def opens(dy, x):
    open("log")  # noqa: SIM115
    return dy


def in_a_thread(dy, x):
    threading.Thread(target=print).start()
    return dy


def to_the_descriptor(dy, x):
    os.write(1, b"shown")
    return dy


def to_the_terminal(dy, x):
    print("shown", file=sys.__stdout__)
    return dy


def to_an_open_file(dy, x):
    print("shown", file=ALREADY_OPEN)
    return dy


def to_a_log(dy, x):
    NOTES.warning("shown")
    return dy


def ends_everything(dy, x):
    os._exit(0)


@pytest.mark.parametrize(
    "backward", [opens, in_a_thread, to_the_descriptor, to_the_terminal, to_an_open_file, to_a_log, ends_everything]
)
def test_code_that_names_more_than_computing_is_not_edited(backward: Any) -> None:
    read = read_program(lambda x: (x, x), backward)
    assert read is not None
    assert not only_computes(read)


OUT = """
import sqlite3
from collections import deque
from queue import Queue

WAITING, LAST, ROWS, SPOILT = Queue(), deque(), sqlite3.connect(":memory:"), memoryview(bytearray(8))
def wait(dy): WAITING.put(dy)
"""
FUNCTIONS = {
    "write": "open('a', 'w')",
    "keep": "LAST.append(dy)",
    "insert": "ROWS.execute('insert into t values (1)')",
    "spoil": "SPOILT.__setitem__(0, 1)",
    "through": "wait(dy)",
    "double": "2 * dy",
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_a_function_of_another_file_does_counts_too(name: str, tmp_path: Path) -> None:
    def names_of(file: Path, text: str, **names: Any) -> dict[str, Any]:
        file.write_text(text)
        exec(compile(text, str(file), "exec"), names)
        return names

    act = names_of(tmp_path / "ways_out.py", f"{OUT}\ndef act(dy): return {FUNCTIONS[name]}\n")["act"]
    code = names_of(tmp_path / "code.py", "def backward(dy, x):\n    act(dy)\n    return dy\n", act=act)
    read = read_program(lambda x: (x, x), code["backward"])
    assert read is not None
    assert only_computes(read) is (name == "double")


def test_code_that_prints_is_edited() -> None:
    def backward(dy, x):
        print(dy, file=sys.stderr)
        sys.stdout.flush()
        return dy

    read = read_program(lambda x: (x, x), backward)
    assert read is not None
    assert only_computes(read)


def endless() -> None:
    while True:
        pass


def test_what_does_not_end_is_stopped() -> None:
    assert within(60, lambda x: x + 1, 1) == 2
    with pytest.raises(TookTooLong):
        within(0.1, endless)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:  # nothing arrives afterwards
        pass


TRACED = """
import sys, time
from handgrad.source.limit import TookTooLong, within

def endless():
    while True:
        pass

def loop():
    return sum(i for i in range(9))

for seconds in (0, 0.2):
    try:
        within(0.1, time.sleep, seconds)
        within(0.1, endless)
    except TookTooLong:
        pass
    sys.settrace(lambda frame, event, arg: lambda *later: None)
    loop()
    sys.settrace(None)
"""


def test_a_debugger_can_follow_afterwards() -> None:
    subprocess.run([sys.executable, "-c", TRACED], check=True, timeout=60)


def test_what_catches_everything_is_stopped_again() -> None:
    caught = 0

    def stubborn() -> None:
        nonlocal caught
        while caught < 2:
            try:
                endless()
            except Exception:
                caught += 1

    with pytest.raises(TookTooLong):
        within(60, lambda: (within(0.1, stubborn), within(0.1, endless)))
    assert caught == 2


def test_a_candidate_that_does_not_end_gives_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("handgrad.mend.draw.RUN_SECONDS", 0.1)
    draw = Draw(lambda passes: endless() or {}, lambda passes: {}, np.zeros(1), {}, {}, True)
    assert draw.outputs(Passes(None, None)) is None


STATE = """
import numpy as np
COUNT, ARRAY, SEEN = 0, np.zeros(3), []

class Settings:
    calls = 0

SETTINGS = Settings()
class Counts:
    n = 0
"""


class Layer:
    history: ClassVar[list[int]] = []

    def backward(self, dy):
        theirs.COUNT += 1
        theirs.ARRAY[:] = 7
        theirs.SEEN.append(1)
        theirs.SETTINGS.calls += 1
        theirs.Counts.n += 1
        self.history.append(1)
        return 2 * dy


theirs = ModuleType("theirs")


def test_what_the_code_keeps_elsewhere_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another module, in an object of it, in its own class."""
    (tmp_path / "theirs.py").write_text(STATE)
    monkeypatch.syspath_prepend(str(tmp_path))
    kept = importlib.import_module("theirs")
    monkeypatch.setitem(globals(), "theirs", kept)
    read = read_program(lambda x: (2 * x, None), Layer().backward)
    assert read is not None
    made = read.made({})
    assert made.backward is not None
    assert (made.backward(1), made.backward(2)) == (2, 4)
    assert (kept.COUNT, kept.ARRAY.tolist(), kept.SEEN, kept.SETTINGS.calls) == (0, [0, 0, 0], [], 0)
    assert kept.Counts.n == 0
    assert Layer.history == []
