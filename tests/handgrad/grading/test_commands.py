"""`handgrad grade` and `handgrad exercises`, on a class of fifteen, and what students get."""

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from handgrad.cli import main
from handgrad.grading import notebook
from handgrad.grading.exercise import BadExercise, find_exercise, list_exercises
from handgrad.grading.grade import draw_rights
from tests.handgrad.grading.test_grade import exercise

CLASS = sorted((Path(__file__).parent / "submissions").glob("*.txt"))  # not .py: nothing else is to run them
EXPECTED: dict[str, tuple[float, dict[str, str]]] = {  # points, and a part of each hint
    "cheats": (0, {"z1": "it ended its process (exit code 0) and gave no number", "db1": "its process ended 3 times"}),
    "does_not_parse": (0, dict.fromkeys(["dz1"], "not judged")),
    "empty": (0, {"z1": "there is no function forward", "dz1": "there is no function backward"}),
    "half_done": (9, dict.fromkeys(["dh1", "dz1", "dW1", "db1"], "it is a blank")),
    "loops": (13, {"dW1": "dW1 is wrong, even from the right dz1.", "db1": "it took too long"}),
    "right_as_in_the_lecture": (16, {}),
    "right_from_scratch": (16, {}),
    "right_with_helpers": (16, {}),
    "slip_axis_and_weights": (13, {"dh1": "Every entry is 2 times the right one", "db1": "expected (3,)"}),
    "slip_dot_for_times": (14, {"dz1": "ValueError: matmul"}),
    "slip_in_the_forward_pass": (15, {"z2": "is right there"}),
    "slip_mean_twice": (12, {"dW1": "(1/N)", "dW2": "(1/N)"}),
    "slip_sign": (14, {"dz2": "The sign is turned"}),
    "slip_square": (14, {"dz1": "The square is missing"}),
    "uses_autograd": (0, dict.fromkeys(["dz1"], "not judged")),
}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `--json` has of the whole class."""
    file = tmp_path_factory.mktemp("class") / "grades.json"
    call = ["grade", *map(str, CLASS), "--exercise", "two_layer", "--seed", "0", "--json", str(file)]
    assert main(call) == 1
    content = json.loads(file.read_text("utf-8"))
    return {Path(found["submission"]).stem: found for found in content["grades"]}


def test_there_are_fifteen_and_all_are_graded(graded: dict[str, Any]) -> None:
    assert list(EXPECTED) == list(graded)
    assert len(graded) == 15


@pytest.mark.parametrize("name", EXPECTED)
def test_a_submission_has_the_points_and_hints_that_a_teacher_expects(graded: dict[str, Any], name: str) -> None:
    points, hints = EXPECTED[name]
    found = graded[name]
    wrong = {row["name"]: row["hint"] for row in found["quantities"] if not row["right"]}
    assert found["points"] == points
    assert points > 0 or len(wrong) == 11
    assert points == 0 or set(wrong) == set(hints)
    for quantity, words in hints.items():
        assert words in wrong[quantity]


def test_what_is_said_of_a_submission_as_a_whole(graded: dict[str, Any]) -> None:
    assert graded["does_not_parse"]["problem"] == "the file cannot be run: SyntaxError: expected ':' (line 12)"
    assert graded["uses_autograd"]["problem"].startswith("uses torch (line 1), autograd (line 10)")
    assert graded["cheats"]["refused"] == ["open /autograder/source/key.py"]


def test_a_right_one_ends_with_code_0_and_one_result_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (right,) = (path for path in CLASS if path.stem == "right_as_in_the_lecture")
    results = tmp_path / "results.json"
    assert main(["grade", str(right), "--exercise", "two_layer", "--gradescope", str(results)]) == 0
    out = capsys.readouterr().out
    assert " ".join(out.split()).startswith(f"{right}: 16 of 16 points, Two layers right z1, h1, z2, E, dz2")
    assert sum(test["score"] for test in json.loads(results.read_text())["tests"]) == 16


WRONG = {
    "missing.py --exercise two_layer": "missing.py: there is no such file",
    f"{CLASS[0]} --exercise nothing": "--exercise: got nothing, expected batch_norm, layers",
    f"{CLASS[0]} {CLASS[1]} --exercise two_layer --gradescope x.json": "--gradescope: got 2 submissions, expected one",
    f"{CLASS[0]} --exercise two_layer --seed -1": "--seed is -1",
    f"{CLASS[0]} --exercise two_layer --json x --gradescope x": "--json and --gradescope are both x",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_wrong_arguments_are_refused(
    arguments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        main(["grade", *arguments.split()])
    assert stopped.value.code == 2
    assert WRONG[arguments] in capsys.readouterr().err.replace("\n", " ")


def test_exercises_are_listed_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exercises"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:-1]] == list_exercises()
    assert "handgrad exercises NAME" in lines[-1]
    assert main(["exercises", "units"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Two units, one after the other.\n")
    assert "points in forward: z1 1, h1 1, z2 1, h2 1, E 1\n" in out


def test_a_handout_has_skeleton_notebook_and_tests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "week_3"
    assert main(["exercises", "two_layer", "--to", str(folder)]) == 0
    written = [Path(line.removeprefix("wrote ")) for line in capsys.readouterr().out.splitlines()]
    assert written == [path for path in written if path.is_file()]
    assert len(written) == 13
    skeleton = (folder / "two_layer.py").read_text()
    assert skeleton.startswith('"""Two layers.\n')
    assert "dz1 = ...  # (n, h)\n" in skeleton
    cells = json.loads((folder / "two_layer.ipynb").read_text())["cells"]
    points = [cell["metadata"]["nbgrader"].get("points", 0) for cell in cells]
    assert sum(points) == 16
    assert len({cell["metadata"]["nbgrader"]["grade_id"] for cell in cells}) == len(cells) == 15
    with pytest.raises(SystemExit):
        main(["exercises", "two_layer", "--to", str(folder)])
    assert "week_3: has something in it" in capsys.readouterr().err.replace("\n", "")


def test_the_tests_of_a_handout_say_right_or_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctest of otter's file, run on functions of a file as in a notebook."""
    monkeypatch.setattr(notebook, "find", lambda name: exercise(name))
    assert main(["exercises", "two_layer", "--to", str(tmp_path / "out")]) == 0
    space: dict[str, Any] = {}
    exec((tmp_path / "out" / "tests" / "dz1.py").read_text(), space)
    code = space["test"]["suites"][0]["cases"][0]["code"]
    assert code.splitlines()[1] == ">>> check('two_layer', 'dz1', backward)"
    for name, words in {"right_with_helpers": "right", "slip_square": EXPECTED["slip_square"][1]["dz1"]}.items():
        module = load(shutil.copy(next(path for path in CLASS if path.stem == name), tmp_path / f"{name}.py"))
        found = notebook.check("two_layer", "dz1", module.backward)
        assert words in found
        assert repr(found) == str(found)
    with pytest.raises(ValueError, match="got z1, expected a quantity of backward: dz2"):
        notebook.check("two_layer", "z1", module.backward)


def load(path: Path) -> Any:
    """The file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BROKEN = {
    "HINTS = ": ("HINT = ", "has no HINTS"),
    'HINTS = "name"': ('HINTS = "all"', "HINTS is 'all', expected one of none, stage, shape, name, change"),
    "lambda z1: torch.tanh(z1)": ("lambda q1: torch.tanh(q1)", "h1 of FORWARD takes q1, which nothing before it gives"),
    '"backward": {"dz2": 2': ('"back": {"dz2": 2', "POINTS has back, which is no function of SKELETON"),
    '"dz2": 2': ('"dz3": 2', "POINTS has dz3, and FORWARD has no such value or gradient"),
    "def forward(x, W1": ("def forward(xs, W1", "forward of SKELETON takes xs, which FORWARD does not have"),
    "FORWARD = (\n": ("FORWARD = Step('E', sum)\nSTEPS = (\n", "FORWARD is of type Step, expected tuple or list"),
    "FORWARD = (": ("FORWARD = ('z1',", "FORWARD has something else, expected a Step or more"),
    'h1", lambda z1: torch.tanh(z1)': ('h1", torch.tanh', "h1 of FORWARD, asked for its arguments, raises ValueError"),
}


@pytest.mark.parametrize("old", BROKEN)
def test_an_exercise_that_does_not_fit_together_says_where(old: str, tmp_path: Path) -> None:
    new, words = BROKEN[old]
    source = find_exercise("two_layer").path.read_text()
    assert old in source
    (tmp_path / "own.py").write_text(source.replace(old, new))
    with pytest.raises(BadExercise, match=words):
        find_exercise(str(tmp_path / "own.py"))


RAISING = {  # what stands in the place of what, and what is said of it
    ("FORWARD = (", "FORWARD = (("): r"own\.py:53: SyntaxError: '\(' was never closed",
    ("import torch\n", "import torch\n1 / 0\n"): r"own\.py:19: ZeroDivisionError: division by zero",
    ("z1 = ...", "z1 = = ..."): r"own\.py: SKELETON raises SyntaxError: invalid syntax",
    ("rng.permutation", "rng.permute"): r"own\.py: draw raises AttributeError: .* no attribute 'permute'",
    ("return {name: rng", "return {*shapes}; {name: rng"): r"own\.py: draw gives a set, expected a dict of arrays",
    ("return {name: rng", "return {'x': 'x'}; {name: rng"): r"own\.py: draw gives x, which is no array of numbers",
    ("torch.tanh(z1)", "torch.tanhh(z1)"): r"own\.py: h1 of FORWARD raises AttributeError: .* no attribute 'tanhh'",
    ("torch.tanh(z1)", "torch.log(z1)"): r"own\.py: the right h1, .* is not finite for a draw; let draw give others",
    ("torch.tanh(z1)", "0.5"): r"own\.py: h1 of FORWARD gives a float, expected a tensor",
    ("h1 @ W2.T + b2", "h1 @ W2.T"): r"own\.py: POINTS has db2, and E does not depend on that",
    ("0.5 * ((z2 - t) ** 2).sum()", "torch.ones(())"): r"own\.py: the gradient of E raises RuntimeError: element 0",
    ("0.5 * ((z2 - t) ** 2).sum()", "z2 - t"): r"own\.py: E, the last of FORWARD, has shape .*, expected one number",
}


@pytest.mark.parametrize("edit", RAISING)
def test_what_an_exercise_raises_is_said_in_a_sentence(edit: tuple[str, str], tmp_path: Path) -> None:
    source = find_exercise("two_layer").path.read_text()
    assert edit[0] in source
    (tmp_path / "own.py").write_text(source.replace(*edit))
    with pytest.raises(BadExercise, match=RAISING[edit]):
        draw_rights(find_exercise(str(tmp_path / "own.py")), 0)


def test_the_command_refuses_an_exercise_that_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = find_exercise("two_layer").path.read_text()
    (tmp_path / "own.py").write_text(source.replace("torch.tanh(z1)", "torch.tanhh(z1)"))
    with pytest.raises(SystemExit) as stopped:
        main(["grade", str(CLASS[0]), "--exercise", str(tmp_path / "own.py")])
    assert stopped.value.code == 2
    assert "h1 of FORWARD raises AttributeError" in capsys.readouterr().err.replace("\n", " ")


def test_an_own_exercise_goes_along_with_its_handout(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    shutil.copy(find_exercise("two_layer").path, own)
    assert main(["exercises", str(own), "--to", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "exercise" / "own.py").read_text() == own.read_text()
    assert "check('exercise/own.py', 'dz1', backward)" in (tmp_path / "out" / "tests" / "dz1.py").read_text()
