"""An exercise: its text, its skeleton, how its inputs are drawn, its forward pass, and the points of each quantity.

A teacher writes one Python file (exercises/two_layer.py is the one to copy). The right gradients are nobody's to write:
autograd has them from the forward pass.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast

import numpy as np

from handgrad.judge.isolation import attempt
from handgrad.subjects.file.load import CannotLoad, load

FOLDER = Path(__file__).parent / "exercises"
LEVELS = ("none", "stage", "shape", "name", "change")  # of hints; each says more where more is known
AUTOGRAD = (  # what would derive for the student
    *("torch", "jax", "tensorflow", "keras", "autograd", "tinygrad", "mxnet", "theano", "casadi", "sympy", "aesara"),
    *("handgrad", "manual", "torch_ref", "complex", "complex64", "complex128", "csingle", "cdouble", "clongdouble"),
)
NEEDED: dict[str, tuple[type, ...]] = {
    "SKELETON": (str,), "draw": (FunctionType,), "FORWARD": (tuple, list), "POINTS": (dict,),
    "FORBIDDEN": (tuple, list), "HINTS": (str,),
}  # fmt: skip
P = ParamSpec("P")
T = TypeVar("T")
Draw = Callable[[np.random.Generator], dict[str, Any]]


class BadExercise(ValueError):
    """The file of an exercise lacks something, says two things, or raises an exception; the message tells which."""


@dataclass(frozen=True)
class Step:
    """One value of the forward pass: its name, the torch function that gives it, and the names that this takes.

    inputs: the function's own argument names if not given. A list of layers has names such as "W[1]".
    """

    name: str
    function: Callable[..., Any]
    inputs: tuple[str, ...] = ()

    @property
    def takes(self) -> tuple[str, ...]:
        return self.inputs or tuple(inspect.signature(self.function).parameters)


@dataclass(frozen=True, eq=False)
class Exercise:
    """What the file says. points: {"backward": {"dz1": 2, ...}, ...}, by the function that is to give the quantity."""

    path: Path
    text: str
    skeleton: str
    draw: Draw
    forward: tuple[Step, ...]
    points: Mapping[str, Mapping[str, float]]
    forbidden: tuple[str, ...]
    hints: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def title(self) -> str:
        return self.text.strip().partition("\n")[0].rstrip(".")

    @property
    def total(self) -> float:
        return sum(sum(of.values()) for of in self.points.values())

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """The functions of the skeleton."""
        return {node.name: node for node in ast.parse(self.skeleton).body if isinstance(node, ast.FunctionDef)}

    def arguments(self, function: str) -> tuple[str, ...]:
        """The names of its arguments."""
        return tuple(arg.arg for arg in self.functions[function].args.args)

    def returned(self, function: str) -> tuple[str, ...]:
        """The names that it returns, in their order."""
        last = self.functions[function].body[-1]
        value = last.value if isinstance(last, ast.Return) else None
        names = value.elts if isinstance(value, ast.Tuple) else [value]
        return tuple(name.id for name in names if isinstance(name, ast.Name))


def list_exercises() -> list[str]:
    """The names of the exercises that come with handgrad."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")


def find_exercise(name: str) -> Exercise:
    """One of ours by its name, or a teacher's own by its file. Raises BadExercise for what is neither."""
    path = Path(name) if name.endswith(".py") else FOLDER / f"{name}.py"
    if not path.is_file():
        raise BadExercise(f"got {name}, expected {', '.join(list_exercises())}, or a file such as my_exercise.py")
    return load_exercise(path)


def load_exercise(path: Path) -> Exercise:
    """The exercise of a file, which is run. Raises BadExercise, for whatever the file raises too."""
    try:
        with load(path) as loaded:
            module = loaded.module
    except CannotLoad as error:
        raise BadExercise(str(error)) from error
    if missing := [name for name in NEEDED if not hasattr(module, name)]:
        raise BadExercise(f"{path}: has no {', '.join(missing)}; exercises/two_layer.py is one to copy")
    for name, kinds in NEEDED.items():
        if not isinstance(value := getattr(module, name), kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise BadExercise(f"{path}: {name} is of type {type(value).__name__}, expected {wanted}")
    exercise = Exercise(
        path, module.__doc__ or "", module.SKELETON, module.draw, tuple(module.FORWARD), module.POINTS,
        tuple(module.FORBIDDEN), module.HINTS,
    )  # fmt: skip
    check_exercise(exercise)
    return exercise


def check_exercise(exercise: Exercise) -> None:
    """Raise BadExercise where skeleton, forward pass and points do not fit together."""
    path = exercise.path
    if exercise.hints not in LEVELS:
        raise BadExercise(f"{path}: HINTS is {exercise.hints!r}, expected one of {', '.join(LEVELS)}")
    if not exercise.text.strip():
        raise BadExercise(f"{path}: has no docstring, which is the text of the exercise")
    use(exercise, "SKELETON", ast.parse, exercise.skeleton)
    known = known_values(exercise)
    names = {*known, *(f"d{name}" for name in known)}
    bases = {base(name) for name in names}
    for function, points in exercise.points.items():
        if function not in exercise.functions:
            raise BadExercise(f"{path}: POINTS has {function}, which is no function of SKELETON")
        for argument in exercise.arguments(function):
            if argument not in bases:
                raise BadExercise(f"{path}: {function} of SKELETON takes {argument}, which FORWARD does not have")
        for name in points:
            if name not in names and name not in bases:
                raise BadExercise(f"{path}: POINTS has {name}, and FORWARD has no such value or gradient")


def known_values(exercise: Exercise) -> list[str]:
    """The names of all inputs and values. Raises BadExercise for a step that takes what nothing before it gives."""
    path, known = exercise.path, [*draw_inputs(exercise, 0)]
    if not exercise.forward or not all(isinstance(step, Step) for step in exercise.forward):
        raise BadExercise(f"{path}: FORWARD has something else, expected a Step or more")
    for step in exercise.forward:
        takes = use(exercise, f"{step.name} of FORWARD, asked for its arguments,", getattr, step, "takes")
        if unknown := [name for name in takes if name not in known]:
            raise BadExercise(
                f"{path}: {step.name} of FORWARD takes {', '.join(unknown)}, which nothing before it gives"
            )
        known.append(step.name)
    return known


def draw_inputs(exercise: Exercise, seed: int) -> dict[str, Any]:
    """The arrays of one draw, by name. Raises BadExercise for anything else."""
    drawn = use(exercise, "draw", exercise.draw, np.random.default_rng(seed))
    if not isinstance(drawn, dict):
        raise BadExercise(f"{exercise.path}: draw gives a {type(drawn).__name__}, expected a dict of arrays")
    inputs = {name: np.asarray(value) for name, value in drawn.items()}
    if other := [name for name, value in inputs.items() if value.dtype.kind not in "fiub"]:
        raise BadExercise(f"{exercise.path}: draw gives {', '.join(other)}, which is no array of numbers")
    return inputs


def use(exercise: Exercise, part: str, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a part of the file gives. Raises BadExercise with what that raises."""
    done = attempt(call, *args, **kwargs)
    if done.error is not None:
        raise BadExercise(f"{exercise.path}: {part} raises {type(done.error).__name__}: {done.error}") from done.error
    return cast("T", done.value)


def base(name: str) -> str:
    """The name of the list that a value is kept in, or its own.

    >>> base("dW[2]"), base("dW2")
    ('dW', 'dW2')
    """
    return name.partition("[")[0]
