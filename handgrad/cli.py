"""The command line. Exit code 0 certified or done, 1 refuted or failed, 2 unresolved or bad usage."""

import argparse
import sys
import traceback
from collections.abc import Sequence

import handgrad
from handgrad.commands import compare, lectures, predict, train, verify


def main(argv: Sequence[str] | None = None) -> int:
    """Run `handgrad ...` and return its exit code."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except Exception:  # Python's own exit code, 1, would say that something was refuted
        traceback.print_exc()
        return 2
    return code


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="handgrad", description="Hand-derived gradients, verified.")
    top.add_argument("--version", action="version", version=f"handgrad {handgrad.__version__}")
    commands = top.add_subparsers(required=True, metavar="command")
    for command in (verify, compare, train, predict, lectures):
        command.add(commands)
    return top


if __name__ == "__main__":
    sys.exit(main())
