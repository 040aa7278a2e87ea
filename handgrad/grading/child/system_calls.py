"""Calls of the operating system that this process is refused from here on, by the kernel itself (Linux, seccomp).

What Python's own hook does not see stops here: a signal to the grader by another way than os.kill, a thread or a
process started by an extension module. A refused call fails as one without permission. It cannot be taken off.
https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html
"""

import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator, Mapping

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as the kernel numbers them
REFUSED = {  # the number of each call on x86_64 and on aarch64; 0 where there is no such call
    **{"fork": (57, 0), "vfork": (58, 0), "clone": (56, 220), "clone3": (435, 435)},
    **{"execve": (59, 221), "execveat": (322, 281), "unshare": (272, 97), "setns": (308, 268)},
    **{"kill": (62, 129), "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240)},
    **{"pidfd_open": (434, 434), "pidfd_send_signal": (424, 424), "pidfd_getfd": (438, 438)},
    **{"ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271)},
    **{"prlimit64": (302, 261), "setpriority": (141, 140), "ioprio_set": (251, 30), "process_madvise": (440, 440)},
    **{"sched_setaffinity": (203, 122), "sched_setparam": (142, 118), "sched_setscheduler": (144, 119)},
    **{"sched_setattr": (314, 274), "socket": (41, 198), "socketpair": (53, 199), "io_uring_setup": (425, 425)},
    **{"mount": (165, 40), "chroot": (161, 51), "pivot_root": (155, 41), "open_by_handle_at": (304, 265)},
    **{"bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "keyctl": (250, 219)},
}
SIGNAL_TO_THREAD = {"x86_64": 234, "aarch64": 131}  # tgkill: to this process itself alone, as abort does
SECOND_ABI = 0x40000000  # of x86_64, with numbers of its own from here on
LOAD, EQUAL, AT_LEAST, RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of the filter
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # where each stands in what the filter is given
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38


def can_refuse_calls() -> bool:
    """Whether this system has such a filter, and we know its numbers."""
    known = sys.platform == "linux" and platform.machine() in ARCHITECTURES
    return known and os.path.exists("/proc/sys/kernel/seccomp/actions_avail")


def refuse_calls() -> None:
    """From here on, and in all threads that follow. Nothing where the system does not have it."""
    if not can_refuse_calls():
        return
    import ctypes

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions(platform.machine(), os.getpid()))
    program = Program(len(code) // 8, code)
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def instructions(machine: str, process: int) -> Iterator[tuple[int, int, int, int]]:
    """(what to do, how many to skip if so, how many if not, a number) for each instruction of the filter."""
    yield (LOAD, 0, 0, ARCHITECTURE)
    yield (EQUAL, 1, 0, ARCHITECTURES[machine])
    yield (RETURN, 0, 0, REFUSE)
    yield (LOAD, 0, 0, NUMBER)
    yield (AT_LEAST, 0, 1, SECOND_ABI)
    yield (RETURN, 0, 0, REFUSE)
    for number in numbers_of(REFUSED, machine):
        yield (EQUAL, 0, 1, number)
        yield (RETURN, 0, 0, REFUSE)
    yield (EQUAL, 0, 3, SIGNAL_TO_THREAD[machine])
    yield (LOAD, 0, 0, FIRST_ARGUMENT)
    yield (EQUAL, 1, 0, process)
    yield (RETURN, 0, 0, REFUSE)
    yield (RETURN, 0, 0, ALLOW)


def numbers_of(calls: Mapping[str, tuple[int, int]], machine: str) -> Iterator[int]:
    """Of the calls that this machine has."""
    for numbers in calls.values():
        if number := numbers[[*ARCHITECTURES].index(machine)]:
            yield number
