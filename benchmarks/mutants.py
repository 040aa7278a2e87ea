"""Every backward pass of `manual`, broken on purpose in every way its source suggests, put before the judge.

    python benchmarks/mutants.py                 all of them, some minutes on one core
    python benchmarks/mutants.py tanh layer_norm only these

Writes docs/evidence/mutants.json and docs/evidence_mutants.md (only when all are run). Exit code 1 where a mutant
survives that `mutant_survivors.py` does not explain, where one it explains no longer survives, or where the judge
blames a stage that is right and was given finite numbers of the right shape.
"""

import importlib
import json
import random
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np
from mutant_problems import Problem, problems
from mutant_survivors import AT_THE_KINK, EXPLAINED, SURVIVORS
from mutation import Mutant, mutants, unbroken
from record import DOCS, markdown, section, versions

import manual
from handgrad.judge.verdict import Verdict
from handgrad.subjects.network.verify import verify

PASSES = ("forward", "backward")
TARGETS: dict[str, tuple[type, tuple[str, ...]]] = {
    "linear": (manual.Linear, (*PASSES, "_connected")),
    "identity": (manual.Identity, PASSES),
    "sigmoid": (manual.Sigmoid, ("sigmoid", "exp_minus_abs", *PASSES)),
    "tanh": (manual.Tanh, PASSES),
    "relu": (manual.ReLU, PASSES),
    "leaky_relu": (manual.LeakyReLU, PASSES),
    "softplus": (manual.Softplus, ("softplus", *PASSES)),
    "silu": (manual.SiLU, PASSES),
    "gelu": (manual.GELU, PASSES),
    "gelu_tanh": (manual.GELUTanh, PASSES),
    "softmax": (manual.Softmax, PASSES),
    "layer_norm": (manual.LayerNorm, PASSES),
    "batch_norm": (manual.BatchNorm1d, (*PASSES, "batch_mean")),
    "dropout": (manual.Dropout, PASSES),
    "squared_error": (manual.SquaredError, PASSES),
    "binary_cross_entropy": (manual.BinaryCrossEntropy, PASSES),
    "softmax_cross_entropy": (manual.SoftmaxCrossEntropy, (*PASSES, "weighted", "_smooth")),
    "network": (manual.Network, ("forward", "backward_trace")),
}
FATES = ("refuted", "unresolved", "crashed", "stops", "survives")
NO_NAME = "no name"
PLACES = ("another stage", "no stage", "some stage", "also after it", "right")  # worst first
PAGE = DOCS / "evidence_mutants.md"


class Outcome(NamedTuple):
    """One mutant on one problem."""

    problem: str
    ran: bool  # whether the mutated code runs by itself, without the judge
    verdict: str  # of the judge; "raised" where the mutated code stopped it, "crashed" where it stopped by itself
    place: str  # one of PLACES, of a refuted one
    name: str  # of the mistake, or the error

    @property
    def refuted(self) -> bool:
        return self.verdict == "REFUTED" and self.ran


def mutants_of(target: str) -> list[Mutant]:
    """Every mutant of one class and the functions it is built on."""
    kind, functions = TARGETS[target]
    module = importlib.import_module(kind.__module__)
    paths = [f if hasattr(module, f) else f"{kind.__name__}.{f}" for f in functions]
    return list(mutants(module, paths))


def judged(mutant: Mutant, kind: type) -> list[Outcome]:
    """The mutant on the problems of its kind, the precisions in turn, until it is refuted in both."""
    made: dict[type, type] = {}

    def make(cls: type) -> type:
        return made.setdefault(cls, mutant.kind(cls))

    cases = list(problems(kind, make))
    random.Random(mutant.id).shuffle(cases)
    halves = [[c for c in cases if c.name.endswith(dtype)] for dtype in ("float64", "float32")]
    cases = [c for pair in zip_longest(*halves) for c in pair if c is not None]
    outcomes: list[Outcome] = []
    for case in cases:
        outcomes.append(judge(case))
        if len({o.problem[-7:] for o in outcomes if o.refuted}) == 2:
            break
    return outcomes


def judge(p: Problem) -> Outcome:
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            y, trace = p.network.forward(p.params, p.x, p.states)
            _, cache = p.loss.forward(y, p.target)
            p.network.backward_trace(p.params, trace, p.loss.backward(cache, 1.0))
            ran = True
        except Exception:
            ran = False
        try:
            report = verify(p.network, p.params, p.x, p.target, p.loss, states=p.states, seed=3, mend=0)
        except Exception as error:
            return Outcome(p.name, ran, "crashed" if ran else "raised", "", f"{type(error).__name__}: {error}")
    kept = [c.contracts for c in report.contracts] or [()] * len(report.stages)
    blamed = [
        i
        for i, (row, contracts) in enumerate(zip(report.stages, kept, strict=True))
        if row.isolated.verdict is Verdict.REFUTED
        or any(c.held is False for c in contracts)
        or any(problem.startswith(f"stage {i} gives") for problem in report.wiring)
    ]
    diagnosis = report.culprit.diagnosis if report.culprit else None
    place = "" if report.verdict is not Verdict.REFUTED else place_of(p.at, blamed, len(report.stages))
    name = (diagnosis.name or NO_NAME) if diagnosis else ""
    return Outcome(p.name, ran, report.verdict.value, place, name)


def place_of(at: int | None, blamed: Sequence[int], stages: int) -> str:
    """Whether the stages blamed are the mutated one. A mistake of the network itself is in none."""
    if not blamed or at is None:
        return "some stage" if blamed else "no stage"
    if blamed[0] != at % stages:
        return "another stage"
    return "right" if len(blamed) == 1 else "also after it"


def fate(outcomes: Sequence[Outcome]) -> str:
    """What became of a mutant, over all its problems."""
    if not any(o.ran for o in outcomes):
        return "runs nowhere"
    said = {o.verdict for o in outcomes if o.ran}
    for verdict in ("REFUTED", "UNRESOLVED", "crashed"):
        if verdict in said:
            return verdict.lower()
    return "survives" if all(o.verdict == "CERTIFIED" for o in outcomes) else "stops"


@dataclass(frozen=True)
class Findings:
    """Counts per target, and every mutant that is not simply refuted in its place, with what happened to it."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    survived: dict[str, str] = field(default_factory=dict)
    misplaced: dict[str, str] = field(default_factory=dict)
    silent: dict[str, str] = field(default_factory=dict)  # stopped with an error and was certified all the same
    crashed: dict[str, str] = field(default_factory=dict)

    def add(self, target: str, mutant: Mutant, outcomes: Sequence[Outcome]) -> None:
        counts = self.counts.setdefault(target, Counter())
        end = fate(outcomes)
        counts[end] += 1
        for o in outcomes:
            if o.verdict == "CERTIFIED" and not o.ran:
                self.silent[mutant.id] = o.problem
            if o.verdict == "crashed":
                self.crashed[mutant.id] = f"{o.problem}: {o.name}"
        if end == "survives":
            self.survived[mutant.id] = mutant.statement
        if end == "refuted":
            refuted = [o for o in outcomes if o.refuted]
            counts.update({o.problem[-7:] for o in refuted})
            place = min((o.place for o in refuted), key=PLACES.index)
            counts[place] += 1
            counts["named"] += any(o.name not in ("", NO_NAME) for o in refuted)
            if place in ("another stage", "no stage") and target != "network":
                self.misplaced[mutant.id] = f"{place}, {next(o.problem for o in refuted if o.place == place)}"

    def faults(self, targets: Sequence[str]) -> list[str]:
        """What makes this run fail."""
        full = set(targets) == set(TARGETS)
        ids = {m.id for target in targets for m in mutants_of(target)}
        return [
            *(f"survives unexplained: {id}   |   {line}" for id, line in self.survived.items() if id not in EXPLAINED),
            *(f"is explained but survives no more: {id}" for id in EXPLAINED
              if id not in self.survived and (full or id in ids)),
            *(f"refuted in the wrong place: {id} ({what})" for id, what in self.misplaced.items()
              if id not in AT_THE_KINK),
            *(f"stopped with an error, yet certified: {id} ({what})" for id, what in self.silent.items()),
        ]  # fmt: skip


def examine(targets: Sequence[str]) -> Findings:
    """Every mutant of these targets, judged and counted."""
    found = Findings()
    for target in targets:
        kind = TARGETS[target][0]
        baseline = judged(unbroken(importlib.import_module(kind.__module__)), kind)
        wrong = [o for o in baseline if o.verdict != "CERTIFIED"]
        assert not wrong, f"{target}: the code as it stands is not certified, so its mutants say nothing: {wrong[0]}"
        for mutant in mutants_of(target):
            found.add(target, mutant, judged(mutant, kind))
        found.counts[target]["problems"] = len(baseline)
        print(f"{target:22}", dict(found.counts[target]), flush=True)
    return found


def report(found: Findings) -> tuple[dict[str, Any], str]:
    """The findings as JSON and as Markdown."""
    total = sum(found.counts.values(), Counter[str]())
    layers = sum((c for target, c in found.counts.items() if target != "network"), Counter[str]())
    rows = []
    for target, c in [*found.counts.items(), ("all", total)]:
        own = layers if target == "all" else c
        place = "" if target == "network" else f"{own['right'] + own['also after it']} of {own['refuted']}"
        rows.append([target, sum(c[f] for f in FATES), *(c[f] for f in FATES), place])
    header = ["file", "mutants that run", *FATES, "blamed on the mutated stage"]
    certified = sum(id not in EXPLAINED for id in found.survived)
    wrong = total["refuted"] + total["unresolved"] + certified
    placed = layers["right"] + layers["also after it"]
    left_out = total["runs nowhere"]
    lines = [
        f"{left_out + sum(total[f] for f in FATES)} mutants; {left_out} of them run on no problem and are left out.",
        f"Of {wrong} that run and compute something else, {total['refuted']} are refuted,",
        f"{total['unresolved']} unresolved, {certified} certified.",
        f"Of {layers['refuted']} refuted mutants of layers and losses {placed} are blamed on the mutated stage; in",
        f"{layers['also after it']} of them also on stages after it, handed values not finite or of a wrong shape.",
        f"{layers['another stage']} are blamed on another stage, {layers['no stage']} on none: {len(AT_THE_KINK)}",
        f"whose values and gradients are right, but whose branch at z = 0 is not. {layers['named']} get a name.",
        'What "stops" raises an error on some problems and is right on all others.',
        "",
        markdown(header, rows),
        "",
        "What survives, and why (one by one in `benchmarks/mutant_survivors.py`):",
        "",
        *(f"- {len(ids)}: {why}" for why, ids in SURVIVORS.items()),
        "",
        "Where the judge stops with an error of its own (in the table under crashed if it does so everywhere):",
        "",
        *(f"- `{id}` ({what})" for id, what in found.crashed.items()),
    ]
    result = {
        "files": {target: dict(c) for target, c in found.counts.items()},
        "all": dict(total),
        "survivors": {id: {"mutant": line, "why": EXPLAINED.get(id, "")} for id, line in found.survived.items()},
        "misplaced": found.misplaced,
        "silent": found.silent,
        "crashed": found.crashed,
    }
    return result, "\n".join(lines)


def record(name: str, result: dict[str, Any], text: str, command: str) -> None:
    """docs/evidence/NAME.json, and the part of docs/evidence_mutants.md between its two markers."""
    (DOCS / "evidence" / f"{name}.json").write_text(json.dumps({**result, "versions": versions()}, indent=1) + "\n")
    part = f"<!-- {name} -->\n    {command}\n\n{text.strip()}\n<!-- end {name} -->"
    page = PAGE.read_text() if PAGE.exists() else "# Evidence: broken on purpose\n"
    there = section(name).search(page)
    PAGE.write_text(page.replace(there[0], part) if there else f"{page}\n{part}\n")


def main(targets: Sequence[str]) -> int:
    unknown = set(targets) - set(TARGETS)
    if unknown:
        print(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(TARGETS)}")
        return 2
    found = examine(targets or tuple(TARGETS))
    if not targets:
        record("mutants", *report(found), "python benchmarks/mutants.py")
    faults = found.faults(targets or tuple(TARGETS))
    print("\n".join(faults) or "every mutant is refuted in its place or explained")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
