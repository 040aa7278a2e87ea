"""A file is replaced as a whole or not at all, and whether it can be is told before."""

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from manual.files import atomic_write as atomic
from manual.files.atomic_write import check_writable, replacing

OLD, NEW = b"old" * 1000, b"new" * 2000


def write(path: Path) -> None:
    with replacing(path) as file:
        file.write(NEW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.safetensors"


@pytest.fixture
def good(path: Path) -> Path:
    path.write_bytes(OLD)
    return path


def files(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_what_was_written_is_there(path: Path) -> None:
    for _ in range(2):
        write(path)
        assert path.read_bytes() == NEW
        assert files(path.parent) == {path.name}


def fail(good: Path, then: Callable[[], Any]) -> None:
    with replacing(good) as file:
        file.write(NEW)
        then()


def test_an_error_of_the_writer_changes_nothing(good: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(good, lambda: 1 // 0)
    assert good.read_bytes() == OLD
    assert files(good.parent) == {good.name}


def test_another_process_swept_it_up(good: Path) -> None:
    with pytest.raises(FileNotFoundError, match="or another process writes the same file"):
        fail(good, lambda: next(good.parent.glob(".*.tmp")).unlink())
    assert good.read_bytes() == OLD


def test_permissions_stay(good: Path) -> None:
    for mode in (0o600, 0o640, 0o664):
        good.chmod(mode)
        write(good)
        assert stat.S_IMODE(good.stat().st_mode) == mode


def test_a_new_file_has_the_usual_permissions(path: Path, tmp_path: Path) -> None:
    write(path)
    (tmp_path / "usual").touch()
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_link_stays_a_link(good: Path, tmp_path: Path) -> None:
    link = tmp_path / "latest"
    link.symlink_to(good)
    write(link)
    assert link.is_symlink()
    assert good.read_bytes() == NEW


def test_leftovers_do_not_disturb_and_are_swept(good: Path) -> None:
    folder = good.parent
    own = [".run.safetensors.01234567.tmp", ".run.safetensors.89abcdef.tmp"]
    others = [".run.safetensors.bak.01234567.tmp", "run.safetensors.tmp", ".run2.safetensors.01234567.tmp",
              "x.run.safetensors.01234567.tmp", ".runxsafetensors.01234567.tmp", ".run.safetensors.tmp"]  # fmt: skip
    for name in own + others:
        (folder / name).write_bytes(b"half")
    assert good.read_bytes() == OLD
    write(good)
    assert good.read_bytes() == NEW
    assert files(folder) == {good.name, *others}


def broken(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(atomic.os, name, fail)


@pytest.mark.parametrize(
    ("place", "error", "says"),
    [
        (
            "fsync",
            OSError(errno.ENOSPC, "No space left on device"),
            "run.safetensors: .*No space left.*free some space",
        ),
        ("fsync", OSError(errno.EDQUOT, "Disk quota exceeded"), "quota"),
        ("replace", OSError(errno.EIO, "Input/output error"), "Input/output error; what stood there is unchanged"),
        ("replace", KeyboardInterrupt("stop"), "stop"),
    ],
)
def test_a_failed_write_changes_nothing(
    good: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: BaseException, says: str
) -> None:
    broken(monkeypatch, place, error)
    with pytest.raises(type(error), match=says) as told:
        write(good)
    assert getattr(told.value, "errno", None) == getattr(error, "errno", None)
    assert good.read_bytes() == OLD
    assert files(good.parent) == {good.name}


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are POSIX")
def test_a_write_that_the_system_stops_changes_nothing(good: Path) -> None:
    import resource

    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(NEW) // 2, old[1]))  # no file may grow beyond
    try:
        with pytest.raises(OSError, match=r"run\.safetensors: cannot be written: File too large"):
            write(good)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert good.read_bytes() == OLD
    assert files(good.parent) == {good.name}


def test_the_disk_has_it_before_the_name_changes(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order that survives a power cut: data to the disk, then the name, then the folder to the disk."""
    calls: list[Any] = []
    fsync, replace = os.fsync, os.replace

    def recorded_fsync(fd: int) -> None:
        mode = os.fstat(fd)
        calls.append("folder" if stat.S_ISDIR(mode.st_mode) else mode.st_size)
        fsync(fd)

    def recorded_replace(old: Any, new: Any) -> None:
        calls.append("name")
        replace(old, new)

    monkeypatch.setattr(atomic.os, "fsync", recorded_fsync)
    monkeypatch.setattr(atomic.os, "replace", recorded_replace)
    write(good)
    assert calls == [good.stat().st_size, "name", "folder"]


@contextmanager
def unprivileged() -> Iterator[None]:
    """As an ordinary user: the superuser may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder that may be entered but not written to, with a file in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "there").write_bytes(b"old")
        (folder / "there").chmod(0o444)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
@pytest.mark.parametrize("name", ["new", "there"])
def test_a_folder_without_permission(locked: Path, name: str) -> None:
    with unprivileged():
        with pytest.raises(PermissionError, match=name):
            check_writable(locked / name)
        with pytest.raises(PermissionError, match=rf"{name}: cannot be written: .*choose a folder you may write to"):
            write(locked / name)
    assert files(locked) == {"there"}


@pytest.mark.skipif(os.name == "nt", reason="permissions are POSIX's")
def test_a_protected_file_and_a_hidden_folder(locked: Path) -> None:
    locked.chmod(0o777)
    with unprivileged(), pytest.raises(PermissionError, match="there: is write-protected"):
        check_writable(locked / "there")
    locked.chmod(0o700)
    if os.geteuid() == 0:
        with unprivileged(), pytest.raises(PermissionError, match="new: cannot be written: Permission denied"):
            check_writable(locked / "new")


def test_before_training_all_is_asked(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(path)
    check_writable(str(path))
    assert files(tmp_path) == set()
    path.write_bytes(b"old")
    check_writable(path)
    assert path.read_bytes() == b"old"
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*nowhere; make it first"):
        check_writable(tmp_path / "nowhere" / "x")
    with pytest.raises(IsADirectoryError, match="is a folder, expected a file name"):
        check_writable(tmp_path)
    with pytest.raises(NotADirectoryError, match="one of its folders is a file"):
        check_writable(path / "x")
    with pytest.raises(OSError, match="choose a shorter name"):
        check_writable(tmp_path / ("x" * 250))
    with pytest.raises(OSError, match="is a device or a pipe"):
        check_writable(os.devnull)
    broken(monkeypatch, "fsync", OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left on device; free some space on that disk") as told:
        check_writable(path)
    assert told.value.errno == errno.ENOSPC
    assert files(tmp_path) == {path.name}


@pytest.mark.skipif(os.name == "nt", reason="limits of a process are POSIX")
def test_room_for_the_whole_file_is_asked_for(good: Path) -> None:
    import resource

    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, old[1]))  # no file may grow beyond
    try:
        check_writable(good, 2_000_000)
        with pytest.raises(OSError, match=r"run\.safetensors: cannot be written: File too large"):
            check_writable(good, 2_000_001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert good.read_bytes() == OLD
    assert files(good.parent) == {good.name}


def test_writing_asks_too(tmp_path: Path) -> None:
    for bad in (tmp_path, tmp_path / "nowhere" / "x", Path(os.devnull)):
        with pytest.raises(OSError, match=r"expected a file name|no folder"):
            write(bad)
    assert not Path(os.devnull).is_file()
