"""A file is replaced as a whole or not at all, whatever comes in between: a kill, a full disk, a power cut.

What is new is written beside it under a temporary name, forced to the disk, and then renamed over it, which every
file system does in one step. A reader meets the old file or the new one. What a kill leaves is swept up by the next
write: ".NAME.XXXXXXXX.tmp".
"""

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

PROBE = 4096  # bytes: a full disk often still takes a file's name
PART = 1 << 20  # bytes written at a time
ADVICE = {
    errno.ENOSPC: "free some space on that disk",
    errno.EDQUOT: "free some of your quota on that disk",
    errno.EACCES: "choose a folder you may write to",
    errno.EPERM: "choose a folder you may write to",
    errno.EROFS: "choose a folder you may write to",
    errno.ENOENT: "its folder was removed meanwhile, or another process writes the same file: give each its own",
    errno.ENOTDIR: "one of its folders is a file",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def check_writable(path: str | Path, size: int = PROBE) -> None:
    """OSError, saying what to do, unless a file of so many bytes can be written there now: asked before hours of work.

    FileNotFoundError for a missing folder, IsADirectoryError for a folder, NotADirectoryError where a file stands in
    the way, PermissionError where writing is not allowed, OSError for a full disk, a device or a pipe. Nothing is left
    behind and the file itself, if any, is not touched.
    """
    target = _target(path)
    if target.exists() and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, f"{path}: is write-protected; make it writable or choose another name")
    temporary = _temporary(target)
    with _explain(path):
        try:
            with temporary.open("xb") as file:
                for written in range(0, size, PART):
                    file.write(bytes(min(PART, size - written)))
                _force(file)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the place of `path` when the block ends well, and vanishes when it does not.

    The permissions of what stood there stay. Raises OSError as check_writable does; what stood there is then unchanged.
    """
    target = _target(path)
    with _explain(path):
        _sweep(target)
        temporary = _temporary(target)
        try:
            with temporary.open("xb") as file:
                yield file
                if target.exists():
                    temporary.chmod(stat.S_IMODE(target.stat().st_mode))
                _force(file)
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    if os.name != "nt":  # the new name too must reach the disk; Windows has no such call
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _target(path: str | Path) -> Path:
    """The file meant, links followed: what a link points to is replaced, not the link."""
    target = Path(os.path.realpath(path))
    mode = 0  # of what stands there; nothing so far
    with _explain(path), suppress(FileNotFoundError):
        mode = target.stat().st_mode
    if not mode and not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"{path}: there is no folder {target.parent}; make it first")
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, f"{path}: is a folder, expected a file name")
    if mode and not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, f"{path}: is a device or a pipe, expected a file name")
    return target


def _temporary(target: Path) -> Path:
    return target.with_name(f".{target.name}.{token_hex(4)}.tmp")


def _sweep(target: Path) -> None:
    """Removes what killed writes of this very file left."""
    left = re.compile(rf"\.{re.escape(target.name)}\.[0-9a-f]{{8}}\.tmp")
    for entry in target.parent.iterdir():
        if left.fullmatch(entry.name):
            with suppress(FileNotFoundError):
                entry.unlink()


def _force(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@contextmanager
def _explain(path: str | Path) -> Iterator[None]:
    """Says which file could not be written, why, and what helps."""
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "what stood there is unchanged")
        raise OSError(error.errno, f"{path}: cannot be written: {error.strerror or error}; {advice}") from error
