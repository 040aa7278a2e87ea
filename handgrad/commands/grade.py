"""`handgrad grade SUBMISSION --exercise two_layer`: points for every named quantity, each judged by itself."""

import argparse
import os
from pathlib import Path
from typing import Any

from handgrad.commands.arguments import add_json, check_seed, check_written
from handgrad.grading.child.locked import what_is_open
from handgrad.grading.child.run import LIBRARIES
from handgrad.grading.exercise import LEVELS, BadExercise, Exercise, find_exercise, list_exercises
from handgrad.grading.grade import Grade, draw_rights, grade
from handgrad.grading.gradescope import as_results
from handgrad.grading.right import Right
from handgrad.grading.text import as_dict, show
from handgrad.judge.verdict import together
from handgrad.report.console import print_lines, report_console, show_waiting, write_json


def add_parser(commands: Any) -> None:
    """Add `grade` to the command line."""
    command = commands.add_parser(
        "grade",
        help="grade submissions of an exercise, each named quantity by itself",
        description="Run each SUBMISSION in a process of its own, ask it for every named quantity of the exercise from "
        "right values of all the others, and give points for those that are right. `handgrad exercises` lists the "
        "exercises. Exit code 0: all points; 1: points lost.",
    )
    command.add_argument("submissions", type=Path, nargs="+", metavar="SUBMISSION", help="a Python file")
    command.add_argument("--exercise", required=True, metavar="NAME",
                         help=f"{', '.join(list_exercises())}, or the file of your own")  # fmt: skip
    command.add_argument("--hints", choices=LEVELS, metavar="LEVEL",
                         help=f"what is said of a slip: {', '.join(LEVELS)} (as the exercise sets it)")  # fmt: skip
    command.add_argument("--seed", type=int, help="of the numbers drawn; fresh ones if not given")
    command.add_argument("--gradescope", type=Path, metavar="FILE", help="write FILE as Gradescope's results.json")
    add_json(command)
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad grade`."""
    check_written(args)
    seed = check_seed(args)
    (exercise, rights), sources = check_exercise(args, seed), check_submissions(args)
    console, level = report_console(), args.hints or exercise.hints
    open_to_them = what_is_open(LIBRARIES)
    print_lines(report_console(stderr=True), *(f"warning: {what}" for what in open_to_them))
    grades: list[Grade] = []
    for i, (name, source) in enumerate(sources.items(), 1):
        with show_waiting(f"grading {name}, {i} of {len(sources)}"):
            grades.append(grade(name, source, exercise, rights, level))
        console.print(show(grades[-1]))
    if args.json is not None:
        write_json(args.json, {"seed": seed, "open": open_to_them, "grades": [as_dict(found) for found in grades]})
    if args.gradescope is not None:
        write_json(args.gradescope, as_results(grades[0]))
    return together(found.verdict for found in grades).exit_code


def check_exercise(args: argparse.Namespace, seed: int) -> tuple[Exercise, list[Right]]:
    """The exercise asked for, and the draws that submissions are graded on."""
    if os.name != "posix":
        args.parser.error("grade needs Linux or macOS: a submission is held by limits that this system does not have")
    parser: argparse.ArgumentParser = args.parser
    try:
        exercise = find_exercise(args.exercise)
        return exercise, draw_rights(exercise, seed)
    except BadExercise as error:
        parser.error(f"--exercise: {error}")


def check_submissions(args: argparse.Namespace) -> dict[str, str]:
    """The text of each file by its name. What is no text is a submission too, that does not parse."""
    if args.gradescope is not None and len(args.submissions) > 1:
        args.parser.error(f"--gradescope: got {len(args.submissions)} submissions, expected one: it is one student's")
    if missing := [str(path) for path in args.submissions if not path.is_file()]:
        args.parser.error(f"{', '.join(missing)}: there is no such file")
    return {str(path): path.read_bytes().decode(errors="replace") for path in args.submissions}
