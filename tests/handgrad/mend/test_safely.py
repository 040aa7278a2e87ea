"""What runs while a change is looked for cannot reach anything outside it."""

import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from handgrad.source.program import read_program
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


def test_code_that_names_more_than_computing_is_not_edited() -> None:
    def forward(x):
        return x, x

    def backward(dy, x):
        open("log")  # noqa: SIM115
        return dy

    def in_a_thread(dy, x):
        threading.Thread(target=print).start()
        return dy

    def quiet(dy, x):
        return dy

    read = [read_program(forward, b) for b in (backward, in_a_thread, quiet)]
    assert all(p is not None for p in read)
    assert [only_computes(p) for p in read if p is not None] == [False, False, True]
