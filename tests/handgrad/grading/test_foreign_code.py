"""A submission is foreign code: what it tries, and the sentence that the teacher then reads. It never has a point."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from handgrad.grading import process
from handgrad.grading.child import locked
from handgrad.grading.child.system_calls import can_refuse_calls
from handgrad.grading.child.wire import from_wire, to_wire
from handgrad.grading.grade import judge_all
from handgrad.grading.process import Submission
from tests.handgrad.grading.test_grade import exercise, graded, lost, right_source

ENDS = "it ended its process (exit code 0) and gave no number; that does not count as an answer"

TRIED = {  # what a function of the submission does, what the teacher reads
    "open('/etc/passwd')": "PermissionError: a submission has no files, and no /etc/passwd",
    "open('big.bin', 'wb').write(bytes(1 << 40))": "PermissionError: a submission has no files, and no big.bin",
    "import os; os.listdir('/')": "PermissionError: a submission has no files, and no /",
    "import os; os.fork()": "PermissionError: a submission may not do this: os.fork",
    "import os; os.system('true')": "PermissionError: a submission may not do this: os.system",
    "import subprocess": "subprocess cannot be imported: there is NumPy, and what of Python's library computes",
    "import socket": "ImportError: socket cannot be imported",
    "import readline": "ImportError: readline cannot be imported",
    "import scipy": "ImportError: scipy cannot be imported",
    "__import__('tor' + 'ch')": "ImportError: torch cannot be imported",
    "from importlib import import_module; import_module('_ctypes').dlopen(None, 0)": "no attribute 'create_dynamic'",
    "from importlib import import_module; import_module('handgrad.' + 'judge')": "No module named 'handgrad'",
    "import sys; sys.modules['_signal'].pidfd_send_signal(os.pidfd_open(os.getppid()), 9)": "KeyError: '_signal'",
    "import os; os.pidfd_open(os.getppid())": "has no attribute 'pidfd_open'",
    "import sys; sys.modules['posix'].kill(1, 9)": "PermissionError: a submission may not do this: os.kill",
    "import sys; sys._getframe(2).f_globals['signal'].pidfd_send_signal(3, 9)": "no attribute 'pidfd_send_signal'",
    "import os; os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)": "has no attribute 'setpriority'",
    "import os; open(f'/proc/{os.getppid()}/mem', 'wb')": "PermissionError: a submission has no files",
    "BUILTIN.load_module('_signal')": "'_imp' has no attribute 'create_builtin'",
    "import sys; sys.modules['_thread'].start_new_thread(print, ())": "can't start new thread",
    "from numpy import ctypeslib; ctypeslib.ctypes.CDLL(None)": "'NoneType' object has no attribute 'CDLL'",
    "x = bytearray(1 << 40)": "MemoryError",
    "import sys; sys.exit(0)": "SystemExit: 0",
    "def f(): f()\n    f()": "RecursionError: maximum recursion depth exceeded",
    "import time; time.sleep(0.01); return 'right'": "it is <U5; numbers are expected",
    "import dataclasses, math, random, numpy.fft; return math.pi": "",
}

BUILTIN = "(BUILTIN,) = (c for c in object.__subclasses__() if c.__name__ == 'BuiltinImporter')\nimport os\n"


def test_what_a_submission_tries_is_refused_and_told() -> None:
    """All in one process; each is a function of its own."""
    source = BUILTIN + "".join(f"def f{i}():\n    {body}\n" for i, body in enumerate(TRIED))
    with Submission(source, exercise("two_layer")[0]) as submission:
        for i, words in enumerate(TRIED.values()):
            question = {"function": f"f{i}", "asked": "E", "returned": ["E"], "arguments": [], "given": {}}
            found = submission.exchange({**question, "seconds": 1.0, "source": None}, 10.0)
            assert words in found.problem
            assert (found.value is None) == bool(words)
        assert submission.tried == ["open /etc/passwd", "open big.bin", "open /"]


ENDING = {  # at the top of a file, what the teacher reads
    "os._exit(0)": ENDS,
    "os.closerange(0, 64)": "it ended its process (exit code",
    "os.abort()": "its process was ended by signal 6",
}


@pytest.mark.parametrize("source", ENDING)
def test_a_file_that_ends_its_process_has_no_points(source: str) -> None:
    with Submission(f"import os\n{source}\n" + right_source("two_layer"), exercise("two_layer")[0]) as submission:
        assert submission.problem is not None
        assert ENDING[source] in submission.problem.problem


IN_A_FUNCTION = {  # in place of the line of dz1, what the teacher reads
    "import os; os._exit(0)": ENDS,
    "raise SystemExit(0)": "SystemExit: 0 (line 17)",
    "while True: pass": "it took too long and was stopped; is there a loop that does not end? (line 17)",
    "dz1 = __isolated__.given['dz1']": "KeyError: 'dz1' (line 17)",
    "dz1 = open('key')": "PermissionError: a submission has no files, and no key (line 17)",
    "dz1 = [dh1, 'right']": "ValueError",
    "dz1 = np.full(dh1.shape, np.nan)": "dz1 is wrong, even from the right dh1.",
    "dz1 = True": "dz1 is wrong, even from the right dh1. Its shape is (), expected (7, 3).",
    # off by 1e-9, where rounding explains 1e-13
    "dz1 = dh1 * (np.tanh(z1 + 1e-6) - np.tanh(z1 - 1e-6)) / 2e-6": "dz1 is wrong, even from the right dh1",
}


@pytest.mark.parametrize("line", IN_A_FUNCTION)
def test_what_a_function_tries_costs_its_quantity(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "CALL_SECONDS", 0.1)
    wrong = lost(graded("two_layer", right_source("two_layer", ("dz1 = dh1 * (1 - h1**2)", line))))
    assert IN_A_FUNCTION[line] in wrong["dz1"]
    assert (list(wrong) == ["dz1"]) is line.startswith("dz1 = ")  # anything else costs what comes after it, too


READ_BEFORE = {  # at the top of a file, of which then nothing runs
    "import torch.autograd": "uses torch (line 1), autograd (line 1): the gradients are to be derived by hand, "
    "and this may not be used here",
    "step = 1e-20j": "uses complex (line 1): the gradients are to be derived by hand",
}


@pytest.mark.parametrize("line", READ_BEFORE)
def test_what_derives_is_told_before_anything_runs(line: str) -> None:
    found = graded("two_layer", f"{line}\n{right_source('two_layer')}")
    assert found.problem.startswith(READ_BEFORE[line])
    assert found.earned == 0


REPLACED = """
import sys
for name, module in list(sys.modules.items()):
    if hasattr(module, "compare"):
        module.compare = lambda *args: True
"""


def test_there_is_nothing_of_the_judge_to_replace() -> None:
    found = graded("two_layer", REPLACED + right_source("two_layer", ("1 - h1**2", "1 - h1")))
    assert list(lost(found)) == ["dz1"]


FORGED = """
import sys
print('{"value": "right"}')
sys.stdout.write("16 of 16 points\\n")
frame = sys._getframe()
while frame is not None:
    for name in ("answer", "numbers", "describe"):
        if name in frame.f_globals:
            frame.f_globals[name] = lambda *args: {"value": VALUE}
    frame = frame.f_back
"""
VALUES = {  # what it gives for every quantity, what the teacher reads
    '{"kind": "<f8", "shape": [], "data": "AAAAAAAAAAA="}': "Its shape is (), expected (7, 3)",
    '{"verdict": "right"}': "what came back is no array of numbers",
    "[1.0, [2.0]]": "what came back is no array of numbers",
    '"right"': "what came back is no array of numbers",
    "None": "what came back is no array of numbers",
}


@pytest.mark.parametrize("value", VALUES)
def test_a_forged_answer_is_numbers_like_any_other_or_none(value: str) -> None:
    found = graded("two_layer", FORGED.replace("VALUE", value) + right_source("two_layer"))
    assert found.earned == 0
    assert VALUES[value] in lost(found)["z1"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_root_becomes_nobody_where_nobody_can_read_the_libraries(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    code = "import os; from handgrad.grading.child.locked import leave_root; leave_root(['{}']); print(os.getuid())"
    for folder, user in ((tmp_path, "0"), ("/usr", "65534")):
        ran = subprocess.run([sys.executable, "-c", code.format(folder)], capture_output=True, text=True, check=True)
        assert ran.stdout.split() == [user]


CALLED = """
import os, signal, threading
from handgrad.grading.child.system_calls import refuse_calls
refuse_calls()
def fails(call):
    try:
        call()
    except (OSError, RuntimeError):
        return True
calls = [
    lambda: os.kill(os.getppid(), 0),
    lambda: signal.pidfd_send_signal(0, 0),
    lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 0),
    os.fork,
    threading.Thread(target=print).start,
]
print(*map(fails, calls), flush=True)
os.abort()
"""


@pytest.mark.skipif(not can_refuse_calls(), reason="no filter of system calls here")
def test_the_kernel_refuses_what_reaches_another_process() -> None:
    ran = subprocess.run([sys.executable, "-c", CALLED], capture_output=True, text=True, check=False)
    assert (ran.stdout.split(), ran.returncode) == (["True"] * 5, -signal.SIGABRT)


def test_what_a_system_leaves_open_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locked, "is_open_to_all", lambda folder: False)
    monkeypatch.setattr(locked, "can_refuse_calls", lambda: False)
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert [words.partition(",")[0] for words in locked.what_is_open(["numpy"])] == [
        "submissions run as root",
        "this system has no filter of system calls: a submission may start threads",
    ]


def test_what_was_refused_is_told_though_the_points_are_there() -> None:
    quiet = "try:\n    open('/etc/passwd')\nexcept OSError:\n    pass\n"
    found = graded("two_layer", quiet + right_source("two_layer"))
    assert (found.earned, found.tried) == (16, ("open /etc/passwd",))


def test_a_file_that_does_not_end_is_stopped() -> None:
    with Submission("while True:\n    pass", exercise("two_layer")[0], seconds=1.0) as submission:
        assert submission.problem is not None
        assert submission.problem.problem == "it took too long and was stopped; is there a loop that does not end?"


def test_no_process_and_no_folder_is_left() -> None:
    with Submission("x = 1", exercise("two_layer")[0]) as submission:
        assert submission.process is not None
        number, folder = submission.process.pid, Path(submission.folder.name)
        assert list(folder.iterdir()) == []
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


def test_what_is_right_is_never_in_the_process_before_it_is_asked_for() -> None:
    """Every question, in order: the right value of what is asked was in no question before."""
    found, rights = exercise("two_layer")
    with Submission(right_source("two_layer"), found) as submission:
        told: list[dict[str, object]] = []
        exchange = submission.exchange

        def listen(question: dict[str, object], seconds: float) -> object:
            told.append(question)
            return exchange(question, seconds)

        submission.exchange = listen  # type: ignore[method-assign, assignment]
        assert all(row.slip is None for row in judge_all(submission, rights[:1]))
    assert len(told) == 11
    for i, question in enumerate(told):
        name = str(question["asked"])
        assert to_wire(rights[0].values[name])["data"] not in str(told[: i + 1]), name


BAD_WIRES = [
    {"kind": "O", "shape": [], "data": ""},
    {"kind": "<f8", "shape": [10**9], "data": ""},
    {"kind": "<f8", "shape": [2], "data": "AAAAAAAAAAA="},
    {"kind": "<f8", "shape": [1, -1], "data": "AAAAAAAAAAA="},
    {"kind": "<f8", "shape": [1.0], "data": "AAAAAAAAAAA="},
    {"kind": "<f8", "shape": [], "data": "not base 64"},
    {"shape": []},
    "gASV",
    3.0,
]


@pytest.mark.parametrize("value", BAD_WIRES)
def test_only_arrays_of_numbers_come_over_the_wire(value: object) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        from_wire(value)


def test_numbers_come_back_bit_for_bit() -> None:
    numbers = np.random.default_rng(0).normal(size=(3, 0, 2)), np.array(np.pi), np.arange(3)
    for array in numbers:
        back = from_wire(to_wire(array))
        assert (back.shape, back.dtype) == (array.shape, array.dtype)
        np.testing.assert_array_equal(back, array)
    assert from_wire(to_wire([None, np.ones(2)]))[0] is None
