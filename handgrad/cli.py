"""The command line. Exit code 0 certified or done, 1 refuted or failed, 2 unresolved or bad usage."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

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
    if hidden := find_hidden():
        print(f"handgrad: {hidden}", file=sys.stderr)
        return 2
    args = make_parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except Exception:  # whatever a command raises: Python's own exit code, 1, would say that something was refuted
        traceback.print_exc()
        return 2
    return code


def find_hidden() -> str | None:
    """Which of the packages installed with this one is hidden by another of its name, such as a folder manual here."""
    installed = Path(handgrad.__file__).parents[1]
    for name in ("manual", "torch_ref"):
        own, spec = installed / name, find_spec(name)
        found = [] if spec is None else list(spec.submodule_search_locations or [str(spec.origin)])
        if own.is_dir() and not any(is_copy(Path(place), own) for place in found):
            return (
                f"`import {name}` finds {', '.join(found)}, which hides handgrad's own, {own}; rename it, or "
                "start the command handgrad from another folder"
            )
    return None


def is_copy(found: Path, own: Path) -> bool:
    """Whether it is the package itself, or somebody's working copy with the same modules."""
    return found.resolve() == own.resolve() or {f.name for f in own.glob("*.py")} <= {
        f.name for f in found.glob("*.py")
    }


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
