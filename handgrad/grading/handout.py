"""What students get of an exercise: its text, the skeleton with blanks, and tests for otter and nbgrader."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from pprint import pformat
from typing import Any

from handgrad.grading.exercise import FOLDER, Exercise

RULES = "Set each named quantity inside the function itself, by its name: in a helper or a method it is not seen."
CHECK = "from handgrad.grading.notebook import check"


def write_handout(exercise: Exercise, folder: Path) -> list[Path]:
    """The files written: the skeleton, a notebook for nbgrader, a test file for otter of each quantity.

    The file of a teacher's own exercise goes along, for the tests read it. It has no gradient in it, so it may.
    Raises FileExistsError for a folder that has something in it, OSError for one that cannot be written.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(None, "has something in it, expected a new or an empty folder", str(folder))
    (folder / "tests").mkdir(parents=True)
    written = [folder / f"{exercise.name}.py", folder / f"{exercise.name}.ipynb"]
    written[0].write_text(write_skeleton(exercise), "utf-8")
    written[1].write_text(json.dumps(make_notebook(exercise), indent=1), "utf-8")
    for function, points in exercise.points.items():
        for quantity, worth in points.items():
            written.append(folder / "tests" / f"{quantity}.py")
            written[-1].write_text(write_otter_test(exercise, function, quantity, worth), "utf-8")
    if exercise.path.parent != FOLDER:
        (folder / "exercise").mkdir()
        written.append(Path(shutil.copy(exercise.path, folder / "exercise")))
    return written


def called(exercise: Exercise) -> str:
    """The name by which its tests find it."""
    return exercise.name if exercise.path.parent == FOLDER else f"exercise/{exercise.name}.py"


def write_skeleton(exercise: Exercise) -> str:
    """A file to fill in: the text, then the functions."""
    return f'"""{exercise.text.strip()}\n\n{RULES}\n"""\n\n{exercise.skeleton.strip()}\n'


def write_otter_test(exercise: Exercise, function: str, quantity: str, worth: float) -> str:
    """A test file of otter, in the format of OK: https://otter-grader.readthedocs.io/en/latest/test_files/"""
    code = f">>> {CHECK}\n>>> check({called(exercise)!r}, {quantity!r}, {function})\nright"
    case = {"code": code, "hidden": False, "locked": False}
    suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
    test = {"name": quantity, "points": worth, "suites": [suite]}
    return f"OK_FORMAT = True\n\ntest = {pformat(test, sort_dicts=False, width=120)}\n"


def make_notebook(exercise: Exercise) -> dict[str, Any]:
    """The source notebook of an assignment for nbgrader: text, a cell for each function, a test for each quantity."""
    return {"cells": list(cells(exercise)), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def cells(exercise: Exercise) -> Iterator[dict[str, Any]]:
    before, *functions = re.split(r"^(?=def )", exercise.skeleton.strip(), flags=re.MULTILINE)
    yield cell("markdown", "text", f"{exercise.text.strip()}\n\n{RULES}", locked=True)
    yield cell("code", "start", before.strip(), locked=True)
    for source in functions:
        function = source[4:].partition("(")[0]
        yield cell("code", function, source.strip(), solution=True)
        for quantity, worth in exercise.points.get(function, {}).items():
            test = f"{CHECK}\n\nfound = check({called(exercise)!r}, {quantity!r}, {function})\nprint(found)"
            test += '\nassert str(found) == "right", found'
            yield cell("code", f"test_{quantity}", test, locked=True, grade=True, points=worth)


def cell(kind: str, name: str, source: str, **of: Any) -> dict[str, Any]:
    """A cell with what nbgrader keeps of it: https://nbgrader.readthedocs.io/en/stable/contributor_guide/metadata.html"""
    kept = {"schema_version": 3, "grade_id": name, "grade": False, "locked": False, "solution": False, "task": False}
    body = {"cell_type": kind, "id": name, "metadata": {"nbgrader": {**kept, **of}}, "source": source}
    return body if kind == "markdown" else {**body, "execution_count": None, "outputs": []}
