"""Does the judge say what is so of code it has never seen? Right and wrong backward passes of benchmarks/handwritten.

    python benchmarks/strangers.py
    python benchmarks/strangers.py --right 2000 --seeds 0

The first puts every right version in all its precisions, and every wrong one in float64 and in one more precision in
which its witness shows it wrong, before verify_function. The second draws right versions, precisions and seeds at
random. Exit code 1 if a wrong one is certified with every contract kept, or a right one refuted.
"""

import argparse
import resource
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from handwritten import CASES, Variant, inputs
from handwritten.witness import precisions
from record import load, markdown, save

from handgrad import Verdict, verify_function

SAYS = ("certified", "unresolved", "refuted", "broken contract", "error")
FAULTS = {True: ("refuted", "broken contract", "error"), False: ("certified", "error")}  # of right ones, of wrong ones
MEMORY = 10 << 30  # bytes for one process: a judge that wants more has said "error", and the machine goes on


class Trial(NamedTuple):
    """One question to the judge, by names and numbers; no slip where the version is right."""

    case: str
    dtype: str
    right: int = 0
    slip: int | None = None
    seed: int = 1

    @property
    def version(self) -> Variant:
        """The right version, with the slip as its edit if there is one."""
        case = CASES[self.case]
        right = list(case.rights)[self.right]
        return right if self.slip is None else right._replace(edit=case.slips[self.slip])


class Answer(NamedTuple):
    case: str
    kind: str
    dtype: str
    right: bool
    says: str
    version: str
    seed: int
    seconds: float
    why: str


def rights() -> Iterator[Trial]:
    """Every right version in every precision."""
    for name, case in CASES.items():
        yield from (Trial(name, dtype, i) for i, _ in enumerate(case.rights) for dtype in case.dtypes)


def wrongs() -> Iterator[Trial]:
    """Every wrong version in float64 and one more precision, or where alone it is wrong."""
    for name, case in CASES.items():
        for i, slip in enumerate(case.slips):
            where = precisions(case, slip)
            assert where, f"{name}, {slip.what}: no witness shows that it is wrong"
            others = where[1:]
            for dtype in [where[0], *others[i % len(others) :][:1]] if others else where:
                yield Trial(name, dtype, slip=i)


def sample(count: int, seed: int) -> Iterator[Trial]:
    """Right versions, precisions and seeds at random."""
    rng = np.random.default_rng([5, seed])
    names = sorted(CASES)
    for _ in range(count):
        case = CASES[names[rng.integers(len(names))]]
        versions = len(list(case.rights))
        dtype = case.dtypes[rng.integers(len(case.dtypes))]
        yield Trial(case.name, dtype, int(rng.integers(versions)), seed=int(rng.integers(2**31)))


def judge(trial: Trial) -> Any:
    """The report on it."""
    case, version = CASES[trial.case], trial.version
    made = case.made(version.edit, **version.keywords)
    numbers = inputs(case, version.shapes, trial.dtype, np.random.default_rng([3, trial.seed]))
    return verify_function(*made, numbers, seed=trial.seed, dtype=trial.dtype, name=case.name, mend=0)


def ask(trial: Trial) -> Answer:
    """What the judge says of it, in a word; a judge that raises has said "error"."""
    torch.set_num_threads(1)
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            report = judge(trial)
            says, why = word(report), report.text(width=120)
        except Exception as error:
            says, why = "error", f"{type(error).__name__}: {error}"
    known = (trial.case, CASES[trial.case].kind, trial.dtype, trial.slip is None)
    return Answer(*known, says, words(trial.version), trial.seed, time.perf_counter() - begun, why)


def word(report: Any) -> str:
    if report.gradients is Verdict.REFUTED:
        return "refuted"
    if report.broken:
        return "broken contract"
    return str(report.verdict.value).lower()


def words(version: Variant) -> str:
    """Which version of the case it is."""
    constants = ", ".join(f"{k} = {v}" for k, v in version.keywords.items())
    shapes = " ".join(str(v) if isinstance(v, tuple) else "drawn" for v in version.shapes)
    return ", ".join(filter(None, [version.edit.what if version.edit else "", constants, shapes]))


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def answers(trials: Iterable[Trial], workers: int) -> Iterator[Answer]:
    with ProcessPoolExecutor(workers, initializer=limit_memory) as pool:
        yield from pool.map(ask, trials, chunksize=4)


def count(found: Sequence[Answer]) -> dict[str, dict[str, int]]:
    """For each precision, how many of the right and of the wrong versions got which answer."""
    counts: dict[str, Counter[str]] = {}
    for a in found:
        counts.setdefault(a.dtype, Counter())[f"{'right' if a.right else 'wrong'} {a.says}"] += 1
    return {dtype: dict(row) for dtype, row in counts.items()}


def by_case(found: Sequence[Answer]) -> dict[str, Any]:
    """Of each case what is kept: its kind, the counts, and every answer that is not as it should be."""
    return {
        name: {
            "kind": case.kind,
            "slips": len(case.slips),
            "counts": count(own),
            "not as it should be": [told(a) for a in own if not agrees(a)],
        }
        for name, case in CASES.items()
        if (own := [a for a in found if a.case == name])
    }


def agrees(a: Answer) -> bool:
    return a.says in (("certified",) if a.right else ("refuted", "broken contract"))


def told(a: Answer) -> str:
    what = "right" if a.right else "WRONG"
    return f"{what} {a.says}: {a.case} [{a.kind}, {a.dtype}, seed {a.seed}] {a.version}"


def faults(found: Sequence[Answer]) -> list[Answer]:
    """What makes the run fail."""
    return [a for a in found if a.says in FAULTS[a.right]]


def table(found: dict[str, Any]) -> str:
    """What was said of which, by kind and precision; then the false alarms of the random draws."""
    counts: dict[str, Counter[str]] = {}
    for case in found["cases"].values():
        for dtype, row in case["counts"].items():
            counts.setdefault(f"{case['kind']}, {dtype}", Counter()).update(row)
            counts.setdefault("all", Counter()).update(row)
    counts["all"] = counts.pop("all")
    columns = [f"{what} {says}" for what in ("right", "wrong") for says in SAYS]
    used = [c for c in columns if counts["all"][c]]
    slips = sum(case["slips"] for case in found["cases"].values())
    asked = sum(counts["all"].values())
    text = f"{len(found['cases'])} functions, {slips} slips; {asked:,} of {found['questions']:,} questions asked.\n\n"
    text += markdown(["", *used], [[key, *(row[c] for c in used)] for key, row in counts.items()])
    if "drawn" in found:
        says = ", ".join(f"{n} {word}" for word, n in found["drawn"]["says"].items())
        text += (
            f"\n\n{found['drawn']['trials']} right versions drawn at random (seed {found['drawn']['seed']}): {says}."
        )
    return text


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--right", type=int, metavar="N", help="draw N right versions at random instead")
    parser.add_argument("--seeds", type=int, default=0, metavar="A", help="the seed of these draws")
    parser.add_argument(
        "--only", nargs="+", metavar="CASE", help="ask about these cases and keep what is known of others"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    args = parser.parse_args(argv)
    trials = sample(args.right, args.seeds) if args.right else [*rights(), *wrongs()]
    found = []
    for a in answers([t for t in trials if not args.only or t.case in args.only], args.workers):
        found.append(a)
        if not agrees(a):
            print(told(a), flush=True)
    result = {k: v for k, v in load("strangers").items() if k != "versions"}
    if args.right:
        unsure = [told(a) for a in found if not agrees(a)]
        says = dict(Counter(a.says for a in found))
        result["drawn"] = {"trials": len(found), "seed": args.seeds, "says": says, "not as it should be": unsure}
    else:
        result["questions"] = len(trials)
        result["cases"] = {**(result.get("cases", {}) if args.only else {}), **by_case(found)}
    save("strangers", result, table(result))
    print(table(result))
    return 1 if faults(found) else 0


if __name__ == "__main__":
    sys.exit(main())
