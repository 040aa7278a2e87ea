"""A file is imported as `python FILE` runs it, and leaves nothing behind."""

import sys
from pathlib import Path

import pytest

from handgrad.subjects.file.load import CannotLoad, load


def write(folder: Path, **files: str) -> Path:
    """Files of these names; the first one."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder / f"{next(iter(files))}.py"


def test_it_finds_its_neighbours_and_its_own_name_but_is_not_main(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        own="import beside, sys\nif __name__ == '__main__':\n    1 / 0\nme = sys.modules[__name__]\n",
        beside="n = 3\n",
    )
    with load(path) as file:
        assert file.module.__name__ == "own"
        assert file.module.me is file.module
        assert file.module.beside.n == 3


def test_nothing_stays_so_that_an_edited_neighbour_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, own="import sys, beside\nsys.path.append('x')\nn = beside.n\n", beside="n = 3\n")
    paths, arguments = list(sys.path), sys.argv
    with load(path) as file:
        assert file.module.n == 3
        assert sys.argv == [str(path)]
    assert (sys.path, sys.argv) == (paths, arguments)
    assert not {"own", "beside"} & set(sys.modules)
    write(tmp_path, beside="n = 44\n")
    with load(path) as file:
        assert file.module.n == 44
    assert [p.name for p in tmp_path.glob("__pycache__/own*")] == []


def test_a_file_with_the_name_of_a_library_does_not_replace_it(tmp_path: Path) -> None:
    import random

    with load(write(tmp_path, random="n = 3\n")) as file:
        assert file.module.n == 3
    assert sys.modules["random"] is random


def test_a_file_of_a_package_may_import_relatively(tmp_path: Path) -> None:
    folder = tmp_path / "outer" / "inner"
    folder.mkdir(parents=True)
    write(tmp_path / "outer", __init__="", beside="n = 3\n")
    path = write(folder, own="from ..beside import n\n", __init__="")
    with load(path) as file:
        assert (file.module.__name__, file.module.n) == ("outer.inner.own", 3)
    assert not [name for name in sys.modules if name.startswith("outer")]


def test_only_what_the_file_defines_itself(tmp_path: Path) -> None:
    text = """
from math import sin
import os

try:
    import nowhere
except ImportError:
    def fallback(): pass

class Layer:
    def forward(self): pass

if True:
    a: int = 3
other = sin
"""
    with load(write(tmp_path, own=text)) as file:
        assert list(file.defined) == ["fallback", "Layer", "Layer.forward", "a", "other"]
        assert file.defined["Layer.forward"].lineno == 11
        assert file.find("a") == 3
        assert file.find("sin") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 3\nx.y\n", "{}:2: AttributeError: 'int' object has no attribute 'y'"),
        ("import beside\n\nbeside.f()\n", "{}:3: ZeroDivisionError: division by zero"),
        ("def f(:\n", "{}:1: SyntaxError: invalid syntax"),
        ("x = 'ö'\n", "{}:1: SyntaxError: (unicode error) 'utf-8' codec can't decode byte"),
        ("import sys\nsys.exit(0)\n", "{}:2: CallsExit: it ends the program"),
        ("\nimport wrong\n", "{}:2: SyntaxError: invalid syntax (wrong.py, line 3)"),
        ("import nowhere\n", "{}:1: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_what_it_raises_is_told_with_its_line(text: str, says: str, tmp_path: Path) -> None:
    path = write(tmp_path, own="", beside="def f():\n    1 / 0\n", wrong="\n\n:\n")
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(CannotLoad) as raised, load(path):
        pass
    assert str(raised.value).startswith(says.format(path))
    assert "own" not in sys.modules


def test_what_it_prints_does_not_reach_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with load(write(tmp_path, own="print('hello')\n")):
        pass
    assert capsys.readouterr() == ("", "hello\n")
