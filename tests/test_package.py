"""The package as others get it: built without a warning, whole, installed elsewhere, and run there.

The wheel is built from the unpacked source distribution, so both are tried. The libraries it needs are those of the
tests, by a .pth file.
"""

import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

import handgrad

ROOT = Path(__file__).parents[1]
LEFT = ".venv", ".git", ".*_cache", ".hypothesis", "__pycache__", "build", "dist", "*.egg-info"  # nobody's source
BUILD = "import sys; from setuptools import build_meta as b; getattr(b, sys.argv[1])(sys.argv[2])"
USED = """
from importlib.metadata import entry_points
from pathlib import Path

import manual, torch_ref
import handgrad as package
import numpy as np

main = entry_points(group="console_scripts")["handgrad"].load()


def test_it_comes_from_the_wheel_with_its_types():
    for module in (manual, torch_ref, package):
        folder = Path(module.__file__).parent
        assert folder.is_relative_to({site!r})
        assert (folder / "py.typed").exists()


def test_its_data_its_lectures_its_page(capsys):
    assert main("verify --activation tanh --loss mse --dtype float64 --html found.html".split()) == 0
    assert main(["lectures", "scikit_learn"]) == 0
    assert "CERTIFIED  2 worked examples" in capsys.readouterr().out


def test_the_plugin(handgrad):
    handgrad.assert_verified(np.sin, lambda dy, x: dy * np.cos(x), inputs=[(4, 3)])
"""


def run(folder: Path, *command: str | Path) -> str:
    """What a command prints in that folder."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def build(what: str, source: Path, out: Path) -> Path:
    """A distribution of the source; any warning fails."""
    said = run(source, sys.executable, "-W", "error", "-c", BUILD, what, out)
    assert [line for line in said.splitlines() if "warning" in line.lower() and "byte-compiling" not in line] == []
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*LEFT))
    with tarfile.open(build("build_sdist", folder / "tree", folder / "sdist")) as archive:
        archive.extractall(folder, filter="data")
    (found,) = folder.glob("handgrad-*")
    return found


def test_the_source_distribution_is_the_repository(source: Path) -> None:
    tree = source.parent / "tree"
    files = {p.relative_to(tree) for p in tree.rglob("*") if p.is_file() and "egg-info" not in str(p)}
    assert Path("tests/test_package.py") in files
    assert sorted(map(str, files - {p.relative_to(source) for p in source.rglob("*")} - {Path(".gitignore")})) == []


def test_installed_elsewhere_it_judges(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("pip")
    wheel = build("build_wheel", source, source.parent / "wheel")
    run(tmp_path, sys.executable, "-m", "venv", "--without-pip", "env")
    python = tmp_path / "env" / "bin" / "python"
    run(tmp_path, sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", wheel)
    (site,) = tmp_path.glob("env/lib/python*/site-packages")
    (site / "libraries.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    (tmp_path / "test_used.py").write_text(USED.format(site=str(site)))
    assert "3 passed" in run(tmp_path, python, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "test_used.py")
    assert (python.parent / "handgrad").exists()


def test_the_version_is_the_same_wherever_it_is_written() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert version == handgrad.__version__
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
