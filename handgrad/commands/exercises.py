"""`handgrad exercises`: the exercises that there are; with a name, its text; with --to, what students get."""

import argparse
from pathlib import Path
from typing import Any

from handgrad.grading.exercise import BadExercise, find_exercise, list_exercises
from handgrad.grading.handout import write_handout
from handgrad.grading.text import number
from handgrad.report.console import describe_error, print_lines, report_console


def add_parser(commands: Any) -> None:
    """Add `exercises` to the command line."""
    command = commands.add_parser(
        "exercises",
        help="list the exercises with blanks, or write one for students",
        description="List the exercises. With NAME: its text and the points of each quantity. With --to FOLDER: write "
        "the text, the skeleton with blanks, and tests for otter and nbgrader.",
    )
    command.add_argument("name", nargs="?", metavar="NAME", help="one of ours, or the file of your own")
    command.add_argument("--to", type=Path, metavar="FOLDER", help="a new or an empty folder")
    command.set_defaults(run=run, parser=command)


def run(args: argparse.Namespace) -> int:
    """`handgrad exercises [NAME] [--to FOLDER]`."""
    console = report_console()
    if args.name is None:
        if args.to is not None:
            args.parser.error("--to: got no NAME, expected the exercise to write")
        for name in list_exercises():
            exercise = find_exercise(name)
            print_lines(console, f"{name:<24}{number(exercise.total):>3} points  {exercise.title}")
        print_lines(console, "the text of one: handgrad exercises NAME; its files for students: --to FOLDER as well")
        return 0
    try:
        exercise = find_exercise(args.name)
        if args.to is not None:
            for path in write_handout(exercise, args.to):
                print_lines(console, f"wrote {path}")
            return 0
    except BadExercise as error:
        args.parser.error(str(error))
    except OSError as error:
        args.parser.error(f"--to: {describe_error(error)}")
    print_lines(console, exercise.text.strip())
    for function, points in exercise.points.items():
        words = ", ".join(f"{quantity} {number(worth)}" for quantity, worth in points.items())
        print_lines(console, f"points in {function}: {words}")
    return 0
