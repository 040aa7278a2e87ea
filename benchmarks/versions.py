"""Does it hold what pyproject.toml promises? The whole suite on the oldest releases declared and on the newest.

    python benchmarks/versions.py floors newest
    python benchmarks/versions.py floors --held torch
    python benchmarks/versions.py newest --python python3.13 --kept environments

Each set of releases is installed into an environment of its own. `--held torch` keeps the torch of this environment,
where the release that the set names cannot be had, and the row says so. `--kept FOLDER` leaves the environments there
and uses them again, each under the name of its set. Rows of earlier runs stay in the table.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from record import load, markdown, save

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ("torch", "numpy", "scipy", "array-api-compat", "jax", "scikit-learn")
TOOLS = {"mypy", "ruff", "handgrad"}  # they decide nothing that a test sees


def declared() -> dict[str, str]:
    """Every package of pyproject.toml that a user or a test needs, and the oldest release it may have."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for lines in project["optional-dependencies"].values() for line in lines)]
    found = (re.fullmatch(r"([\w-]+)>=([\d.]+)", line) for line in lines)
    return {each[1]: each[2] for each in found if each and each[1] not in TOOLS}


def releases(name: str) -> list[str]:
    """What pip is asked for: the floors themselves, or no more than the names."""
    return [f"{package}=={floor}" if name == "floors" else package for package, floor in declared().items()]


def environment(folder: Path, python: str, wanted: list[str], held: list[str]) -> str:
    """The interpreter of an environment in the folder with these releases; those held are of the one this runs in."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    own = str(folder / "bin" / "python")
    pip = [own, "-m", "pip", "install", "-q", "--upgrade"]
    subprocess.run([*pip, *(line for line in wanted if line.partition("==")[0] not in held)], check=True)
    subprocess.run([*pip, "--no-deps", "-e", str(ROOT)], check=True)
    if held:  # found after what the new environment has itself
        site = next(folder.glob("lib/python*/site-packages"))
        (site / "held.pth").write_text("".join(f"{distribution(package).locate_file('')}\n" for package in held))
    return own


def run(python: str) -> dict[str, Any]:
    """The releases that the tests see there, how many tests pass, and the names of those that do not."""
    code = (
        "import json, platform, sys; from importlib.metadata import version; "
        "print(json.dumps({'python': platform.python_version(), **{n: version(n) for n in sys.argv[1:]}}))"
    )
    seen = subprocess.run([python, "-c", code, *SHOWN], capture_output=True, text=True, check=True)
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-n", "auto", "-rfE"]
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=surroundings)
    counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|errors?|skipped)", done.stdout[-300:])}
    if not counts:
        raise SystemExit(f"{python}: no test ran\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    print(done.stdout, flush=True)
    failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return {"releases": json.loads(seen.stdout), "counts": counts, "failed": failed}


def table(found: dict[str, Any]) -> str:
    """A line a set of releases."""
    rows = [
        [
            name,
            *row["releases"].values(),
            row["counts"].get("passed", 0),
            sum(row["counts"].get(word, 0) for word in ("failed", "error", "errors")),
        ]
        for name, row in found["rows"].items()
    ]
    return markdown(["releases", "python", *SHOWN, "passed", "failed"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", choices=("floors", "newest"))
    parser.add_argument("--python", default=sys.executable, help="the interpreter of the new environment")
    parser.add_argument("--held", nargs="*", default=[], help="packages taken as they are here")
    parser.add_argument("--kept", type=Path, help="a folder of environments that stay, and are used again")
    args = parser.parse_args()
    rows = load("versions").get("rows", {})
    for name in args.sets:
        with tempfile.TemporaryDirectory() as fresh:
            row = run(environment((args.kept or Path(fresh)) / name, args.python, releases(name), args.held))
        minor = row["releases"]["python"].rpartition(".")[0]
        said = "".join(f", but {package}" for package in args.held)
        rows[f"{name}{said}, Python {minor}"] = row
        print(name, row["counts"], *row["failed"], sep="\n  ")
        save("versions", {"rows": rows}, table({"rows": rows}))


if __name__ == "__main__":
    main()
