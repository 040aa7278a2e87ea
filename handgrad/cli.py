"""The command line. Exit code 0 certified or done, 1 refuted or failed, 2 unresolved or bad usage."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import handgrad

COMMANDS = (  # files of handgrad/commands, in the order of --help
    "verify",
    "check",
    "compare",
    "doctor",
    "train",
    "predict",
    "lectures",
    "show",
    "exercises",
    "grade",
    "completion",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `handgrad ...` and return its exit code."""
    args = make_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except Exception:  # whatever a command raises: Python's own exit code, 1, would say that something was refuted
        traceback.print_exc()
        return 2
    return code


def make_parser() -> argparse.ArgumentParser:
    """The parser with every command's arguments."""
    top = argparse.ArgumentParser(prog="handgrad", description="Hand-derived gradients, verified.")
    top.add_argument("--version", action="version", version=f"handgrad {handgrad.__version__}")
    commands = top.add_subparsers(required=True, metavar="command")
    for name in COMMANDS:
        import_module(f"handgrad.commands.{name}").add_parser(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
