"""Does the judge name the line that is wrong, and find the change that makes it right? Slips of benchmarks/broken.

    python benchmarks/mending.py
    python benchmarks/mending.py --own
    python benchmarks/mending.py --verdicts

The first gives the judge the reference, the second only the code itself; the third asks for no line and no change, but
for the verdict on every right function and every slip. A line is right if it is one that the slip changed, or one whose
change alone makes everything right. A change is right if the code then agrees with autograd on fresh numbers and at
other sizes, by plain comparison. Exit code 1 if a shown change is not right, a right function refuted, or a slip
certified.
"""

import argparse
import re
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from broken import FUNCTIONS, LONG, Function, changed_lines, load
from broken.witness import is_right, tensor
from record import load as recorded
from record import markdown, save

from handgrad import verify_function

BUDGET = 10  # seconds for one search
FRESH = range(100, 105)  # seeds that neither the witness nor the judge has seen
MEMORY = 10 << 30  # bytes for one process
COLUMNS = (
    "slips", "seen", "located", "at the line broken", "wrong line", "mended", "wrong change", "error", "median s",
    "slowest s",
)  # fmt: skip
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")


class Trial(NamedTuple):
    """One slip before the judge, with the function's reference or (own) without one."""

    function: str
    slip: int
    own: bool
    seed: int


class Answer(NamedTuple):
    """What the judge said of a slip.

    at_line     the line shown is one that the slip changed
    located     it is that, or one whose change alone makes everything right
    wrong_line  another line is shown, and no change
    right       whether the change shown makes everything right; None where none is shown
    """

    function: str
    what: str
    sort: str
    kind: str
    long: bool
    own: bool
    verdict: str
    line: int | None
    at_line: bool
    located: bool
    wrong_line: bool
    change: str | None
    right: bool | None
    seconds: float
    error: str | None


def trials(own: bool, seed: int, only: Sequence[str] = ()) -> list[Trial]:
    """Every slip of these functions or modules, of all without `only`."""
    wanted = [f for f in FUNCTIONS.values() if not only or {f.name, f.module} & set(only)]
    return [Trial(f.name, i, own, seed) for f in wanted for i in range(len(f.slips))]


def sample(found: list[Trial], limit: int, seed: int) -> list[Trial]:
    """So many of them at random."""
    chosen = np.random.default_rng([23, seed]).permutation(len(found))[:limit]
    return [found[i] for i in sorted(chosen)]


def inputs(function: Function, seed: int) -> list[Any]:
    """Shapes stay shapes; what a function draws is drawn, as tensor where the code is of torch."""
    rng = np.random.default_rng([3, seed])
    drawn = [entry if isinstance(entry, tuple) else np.asarray(entry(rng)) for entry in function.inputs]
    as_torch = function.kind == "torch"
    return [tensor(v) if as_torch and not isinstance(v, tuple) else v for v in drawn]


def ask(trial: Trial) -> Answer:
    """What the judge says of the wrong module; a judge that raises has said nothing."""
    torch.set_num_threads(1)
    function = FUNCTIONS[trial.function]
    slip = function.slips[trial.slip]
    known = (function.name, slip.what, slip.sort, function.kind, function.length > LONG, trial.own)
    with tempfile.TemporaryDirectory(prefix="mending_") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = load(function.wrong(slip), Path(folder), f"{function.module}_{trial.slip}")
        forward, backward = function.made(module)
        reference = None if trial.own else function.reference
        numbers = inputs(function, trial.seed)
        begun = time.perf_counter()
        try:
            report = verify_function(forward, backward, reference, numbers, seed=trial.seed, mend=BUDGET)
        except Exception as error:
            spent = time.perf_counter() - begun
            return Answer(
                *known, "ERROR", None, False, False, False, None, None, spent, f"{type(error).__name__}: {error}"
            )
        spent = time.perf_counter() - begun
        line = None if report.place is None else report.place.line
        at_line = line is not None and in_file(report.place.file, module) and line in changed_lines(function, slip)
        change = None if report.change is None else report.change.diff
        right = None if change is None else is_mended(function, function.wrong(slip), change)
    located, astray = at_line or right is True, line is not None and not at_line and change is None
    return Answer(*known, report.verdict.value, line, at_line, located, astray, change, right, spent, None)


def ask_verdict(asked: tuple[str, int | None]) -> str:
    """The verdict on a function with one of its slips, or as it should be."""
    torch.set_num_threads(1)
    name, slip = asked
    function = FUNCTIONS[name]
    text = function.text if slip is None else function.wrong(function.slips[slip])
    with tempfile.TemporaryDirectory(prefix="mending_") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = function.made(load(text, Path(folder), function.module))
        try:
            return verify_function(*made, function.reference, inputs(function, 1), seed=1, mend=0).verdict.value
        except Exception as error:
            return f"ERROR: {type(error).__name__}"


def in_file(file: str | Path, module: Any) -> bool:
    return Path(file).resolve() == Path(module.__file__).resolve()


def is_mended(function: Function, wrong: str, diff: str) -> bool:
    """Whether the text with that change is right, by the witness on fresh numbers."""
    try:
        return is_right(function, patched(wrong, diff), FRESH)
    except Exception:  # a change that does not apply, or breaks the code, is not right
        return False


def patched(text: str, diff: str) -> str:
    """The text with a unified diff applied. ValueError where it does not fit."""
    old, new, at, left = text.splitlines(), [], 0, 0
    for row in diff.splitlines():
        if found := HUNK.match(row):
            start, length = int(found[1]), int(found[2] or 1)
            start -= length > 0
            new += old[at:start]
            at, left = start, length
        elif row.startswith("+") and not row.startswith("+++"):
            new.append(row[1:])
        elif row[:1] in ("-", " ", "") and not row.startswith("---") and left:
            if at >= len(old) or old[at] != row[1:]:
                raise ValueError(f"the diff does not fit at line {at + 1}: {row!r}")
            new += [] if row.startswith("-") else [old[at]]
            at, left = at + 1, left - 1
    if at == 0 and not new:
        raise ValueError("the diff has no hunk")
    return "\n".join([*new, *old[at:]]) + "\n"


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def answers(asked: Iterable[Trial], workers: int) -> Iterator[Answer]:
    with ProcessPoolExecutor(workers, initializer=limit_memory) as pool:
        yield from pool.map(ask, asked)


def told(a: Answer) -> str:
    """What came of it, in a line."""
    elsewhere = "at another line" if a.located else f"line {a.line} is not it" if a.line else "no line"
    place = "located" if a.at_line else elsewhere
    change = "no change" if a.change is None else "mended" if a.right else "WRONG CHANGE"
    return f"{a.verdict:10} {place:18} {change:12} {a.seconds:5.1f} s  {a.function}: {a.what} {a.error or ''}".rstrip()


def row(found: Sequence[dict[str, Any]]) -> list[Any]:
    """The numbers of COLUMNS."""
    seconds = [a["seconds"] for a in found]
    return [
        len(found),
        sum(a["verdict"] not in ("CERTIFIED", "ERROR") for a in found),
        sum(a["located"] for a in found),
        sum(a["at_line"] for a in found),
        sum(a["wrong_line"] for a in found),
        sum(a["right"] is True for a in found),
        sum(a["right"] is False for a in found),
        sum(a["error"] is not None for a in found),
        f"{statistics.median(seconds):.1f}",
        f"{max(seconds):.1f}",
    ]


def table(result: dict[str, Any]) -> str:
    """By kind of code and by length; with the reference, then without."""
    blocks = []
    for what, says in result.get("verdicts", {}).items():
        words = ", ".join(f"{n} {word}" for word, n in says["counts"].items())
        blocks.append(f"{sum(says['counts'].values())} {what} functions: {words}.")
    for key, title in (("reference", "With the reference"), ("own", "Without a reference")):
        found = result.get(key)
        if not found:
            continue
        groups: dict[str, list[dict[str, Any]]] = {}
        for a in found:
            length = f"backward pass over {LONG} lines" if a["long"] else "shorter"
            for name in (a["kind"], length, "all"):
                groups.setdefault(name, []).append(a)
        groups["all"] = groups.pop("all")
        rows = [[name, *row(own)] for name, own in groups.items()]
        share = (
            f"{len(found)} of {len(trials(False, 0))} slips at random, " if len(found) < len(trials(False, 0)) else ""
        )
        blocks.append(f"{title} ({share}seed {found[0]['seed']}):\n\n" + markdown(["", *COLUMNS], rows))
    return "\n\n".join(blocks)


def ask_verdicts(workers: int) -> int:
    """What the judge says of every right function and every slip."""
    right: list[tuple[str, int | None]] = [(name, None) for name in FUNCTIONS]
    wrong = [(t.function, t.slip) for t in trials(own=False, seed=1)]
    verdicts = {}
    with ProcessPoolExecutor(workers, initializer=limit_memory) as pool:
        for what, asked, due in (("right", right, "CERTIFIED"), ("wrong", wrong, "REFUTED")):
            found = list(zip(asked, pool.map(ask_verdict, asked, chunksize=4), strict=True))
            others = [f"{verdict}: {name}, slip {slip}" for (name, slip), verdict in found if verdict != due]
            verdicts[what] = {"counts": dict(Counter(verdict for _, verdict in found)), "others": others}
            print(*others, sep="\n")
    result = {**{k: v for k, v in recorded("mending").items() if k != "versions"}, "verdicts": verdicts}
    save("mending", result, table(result))
    print(table(result))
    return 1 if "REFUTED" in verdicts["right"]["counts"] or "CERTIFIED" in verdicts["wrong"]["counts"] else 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--own", action="store_true", help="give the judge no reference")
    parser.add_argument("--verdicts", action="store_true", help="ask for verdicts alone, on right and wrong functions")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these functions or modules; not saved")
    parser.add_argument("--limit", type=int, metavar="N", help="N slips at random")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="the seed of the inputs and the draw (1)")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    args = parser.parse_args(argv)
    if args.verdicts:
        return ask_verdicts(args.workers)
    asked = trials(args.own, args.seed, args.only)
    if args.limit is not None:
        asked = sample(asked, args.limit, args.seed)
    if not asked:
        parser.error(f"--only: got {' '.join(args.only)}, expected functions or modules of benchmarks/broken")
    found = []
    for answer in answers(asked, args.workers):
        found.append({**answer._asdict(), "seed": args.seed})
        print(told(answer), flush=True)
    key = "own" if args.own else "reference"
    if args.only:
        print(table({key: found}))
    else:
        result = {**{k: v for k, v in recorded("mending").items() if k != "versions"}, key: found}
        save("mending", result, table(result))
        print(table(result))
    return 1 if any(a["right"] is False for a in found) else 0


if __name__ == "__main__":
    sys.exit(main())
