"""Can a forward pass be its own reference? Its gradient by handgrad beside one that is known, or a difference quotient.

    python benchmarks/own_reference.py
    python benchmarks/own_reference.py NAME...

The first asks every right version of benchmarks/handwritten, which has a reference, on ordinary numbers in float64, and
every function of tests/handgrad/subjects/everyday, which has none. The second names what went wrong with a function.
Exit code 1 if any gradient is wrong.
"""

import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from handwritten import CASES, inputs
from handwritten.case import Case, Variant

from handgrad.arrays.precision import to64
from handgrad.subjects.function.form import arrange
from handgrad.subjects.function.inputs import Drawing, ordinary_draws
from handgrad.subjects.function.nests import is_float_array, is_shape
from handgrad.subjects.function.own_forward import OwnForward
from handgrad.subjects.function.prepare import list_models, prepare
from handgrad.subjects.function.reference import Reference

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "handgrad" / "subjects"))

from everyday import FUNCTIONS, Everyday, draw, is_drawn, result, slopes

AGREES = 1e-8  # of the largest entry, where the right gradient is known to rounding
ANOTHER = {
    "embedding_padded"
}  # whose reference is meant to differ from its forward pass: the padding row has no gradient
QUOTIENT_AGREES = 1e-7  # the same where it is a difference quotient


def of_everyday(function: Everyday) -> float:
    """How far the gradients of one of the everyday functions are off."""
    args = draw(function)
    names = tuple(f"x{i}" for i in range(len(args)))
    drawn = {n: np.asarray(a) for n, a, s in zip(names, args, function.shapes, strict=True) if is_drawn(s)}
    constants = {n: a for n, a in zip(names, args, strict=True) if n not in drawn}
    own = OwnForward(function.make(), names, constants, model=np.zeros(()))
    dy = np.random.default_rng(1).normal(size=result(function.make(), args).shape)
    found = gradients(own, drawn, dy)
    return max(off(found[f"d{n}"], slopes(function, args, names.index(n), dy)) for n in drawn)


def of_handwritten(case: Case, right: Variant) -> float:
    """How far the gradients of one right version are off its reference's."""
    forward, backward, reference = case.made(right.edit, **right.keywords)
    drawn = inputs(case, right.shapes, "float64", np.random.default_rng(0))
    code, theirs, given = prepare(forward, backward, reference, arrange(forward, reference, drawn, {}))
    _, own, _ = prepare(forward, backward, None, arrange(forward, None, drawn, {}))
    in_torch = case.kind in ("torch", "autograd.Function")
    model = torch.zeros((), dtype=torch.float64) if in_torch else list_models(code, given, None)[0]
    shapes = {n: v for n, v in given.items() if is_shape(v)}
    arrays = {n: to64(v) for n, v in given.items() if is_float_array(v)}
    rng = np.random.default_rng(0)
    names = tuple(n for n in given if n not in code.constants)
    draws = ordinary_draws(shapes, arrays, theirs, rng)
    exact = {
        n: to64(v) for n, v in Drawing(names, shapes, draws, arrays, np.zeros(()), rng).case("", None).inputs.items()
    }  # type: ignore[arg-type]
    dy = rng.normal(size=theirs.value(exact).shape)
    right_ones, found = theirs.gradients(exact, dy), gradients(own.on(model), exact, dy)
    return max(off(found[n], right_ones[n]) for n in right_ones if n == "y" or right_ones[n].any())


def gradients(own: Reference, exact: Any, dy: Any) -> dict[str, Any]:
    """As verify_function asks for them."""
    own.value(exact)
    own.check(exact)
    return own.gradients(exact, dy)


def off(found: Any, right: Any) -> float:
    """The largest difference, in parts of the largest entry."""
    return float(np.max(np.abs(found - right), initial=0.0) / (np.max(np.abs(right), initial=0.0) or 1.0))


def questions() -> Iterator[tuple[str, str, Any]]:
    """The kind, the name, and what gives the error."""
    for name, case in CASES.items():
        for i, right in enumerate(case.rights):
            yield f"handwritten, {case.kind}", f"{name} {i}", lambda case=case, right=right: of_handwritten(case, right)
    for name, function in FUNCTIONS.items():
        yield "everyday NumPy", name, lambda function=function: of_everyday(function)


def main(names: list[str]) -> int:
    counts: dict[str, Counter[str]] = {}
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    for kind, name, ask in questions():
        if names and name.split()[0] not in names:
            continue
        says, why = "right", ""
        try:
            error = ask()
            if not error <= (QUOTIENT_AGREES if kind.startswith("everyday") else AGREES):
                says, why = "another" if name.split()[0] in ANOTHER else "wrong", f"off by {error:.1g}"
        except Exception as reason:
            says, why = "refused", f"{type(reason).__name__}: {reason}"
            if names:
                traceback.print_exc()
        counts.setdefault(kind, Counter())[says] += 1
        if why:
            print(f"{says}: {name}: {why}")
    print("\n| | ran and right | refused with a reason | another function by intent | wrong |")
    print("| :-- | --: | --: | --: | --: |")
    for kind, found in counts.items():
        print(f"| {kind} | {found['right']} | {found['refused']} | {found['another']} | {found['wrong']} |")
    return int(any(found["wrong"] for found in counts.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
