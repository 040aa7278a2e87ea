"""Plain comparison with autograd, no judge: every right function is right, every slip is wrong on ordinary draws.

python -m broken.witness      (in benchmarks/; names of functions or modules may follow)
"""

import inspect
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch

from . import FUNCTIONS, Function, Slip, load

SEEDS = 5
RIGHT = 1e-9  # of the largest entry, in float64: rounding alone, with room for badly conditioned draws
WRONG = 1e-6


def tensor(value: Any) -> torch.Tensor:
    """A float64 tensor of its own memory; whole numbers and booleans stay what they are."""
    t = value.detach().clone() if isinstance(value, torch.Tensor) else torch.tensor(np.array(value))
    return t.double() if t.is_floating_point() else t


def draw(function: Function, sizes: Any, seed: int) -> list[Any]:
    """Inputs in float64, as arrays or as tensors where the function is of torch."""
    rng = np.random.default_rng([17, seed])
    drawn = [rng.normal(size=s) if isinstance(s, tuple) else s(rng) for s in sizes]
    return [tensor(v) for v in drawn] if function.kind == "torch" else drawn


def expected(function: Function, inputs: list[Any], seed: int) -> tuple[list[torch.Tensor], Any]:
    """y and the gradients of the real inputs by autograd, and the dy they belong to."""
    leaves = [tensor(v) for v in inputs]
    wanted = [v.requires_grad_() for v in leaves if v.is_floating_point()]
    y = function.reference(*leaves)
    dy = torch.tensor(np.random.default_rng([19, seed]).normal(size=tuple(y.shape)))
    grads = torch.autograd.grad(y, wanted, dy, allow_unused=True, materialize_grads=True)
    return [y.detach(), *grads], dy if function.kind == "torch" else dy.numpy()


def takes_dy(backward: Any, count: int) -> bool:
    """Whether that many arguments leave room for dy in front of them."""
    return len(inspect.signature(backward).parameters) == count + 1


def run(function: Function, module: ModuleType, inputs: list[Any], dy: Any) -> tuple[Any, Any, float]:
    """y, what the code returns as gradients, and what a loss that takes no dy is to be multiplied by."""
    forward, backward = function.made(module)
    if backward is None:
        leaves = [v.clone() for v in inputs]
        wanted = [v.requires_grad_() for v in leaves if v.is_floating_point()]
        y = forward.apply(*leaves) if isinstance(forward, type) else forward(*leaves)
        return y.detach(), torch.autograd.grad(y, wanted, dy, allow_unused=True), 1.0
    out = forward(*inputs)
    own = len(inspect.signature(backward).parameters) == 1 and not isinstance(out, tuple)
    y, known = (out[0], out[1:]) if isinstance(out, tuple) else (out, () if own else tuple(inputs))
    if takes_dy(backward, len(known)):
        return y, backward(dy, *known), 1.0
    return y, backward(*known), float(dy)


def gradients(function: Function, module: ModuleType, found: Any, inputs: list[Any]) -> list[Any]:
    """One for each real input; None where there is none."""
    reals = [tensor(v).is_floating_point() for v in inputs]
    if isinstance(found, dict):
        names = list(inspect.signature(function.made(module)[0]).parameters)[: len(inputs)]
        found = [found.get(n, found.get(f"d{n}")) for n in names]
    found = list(found) if isinstance(found, (tuple, list)) else [found]
    return [g for g, real in zip(found, reals, strict=True) if real] if len(found) == len(reals) else found


def difference(got: Any, wanted: torch.Tensor) -> float:
    """The largest, over the largest entry (over 1 where that is smaller); infinite for another shape or no numbers."""
    g = torch.zeros_like(wanted) if got is None else tensor(got).double()
    if g.shape != wanted.shape:
        return np.inf
    return float((g - wanted).abs().nan_to_num(nan=torch.inf).max()) / max(1.0, float(wanted.abs().max()))


def errors(function: Function, module: ModuleType, sizes: Any, seed: int) -> tuple[float, float]:
    """The error of y, and the largest one of the gradients."""
    inputs = draw(function, sizes, seed)
    (y, *wanted), dy = expected(function, inputs, seed)
    before = [tensor(v) for v in inputs]
    got, found, factor = run(function, module, inputs, dy)
    grads = gradients(function, module, found, inputs)
    assert len(grads) == len(wanted), f"{function.name}: {len(grads)} gradients for {len(wanted)} real inputs"
    assert all(torch.equal(tensor(v), b) for v, b in zip(inputs, before, strict=True)), f"{function.name} overwrites"
    grads = [g if g is None else factor * g for g in grads]
    return difference(got, y), max(difference(g, w) for g, w in zip(grads, wanted, strict=True))


def is_right(function: Function, text: str, seeds: Sequence[int] = range(SEEDS)) -> bool:
    """At both sizes, on every draw."""
    module = load(text)
    found = [errors(function, module, sizes, seed) for sizes in (function.inputs, function.also) for seed in seeds]
    return max(max(pair) for pair in found) < RIGHT


def complaint(function: Function, slip: Slip) -> str | None:
    """What is not as it should be with the slip: y is right and the gradient wrong, on every draw."""
    module = load(function.wrong(slip))
    for seed in range(SEEDS):
        try:
            y, gradient = errors(function, module, function.inputs, seed)
        except Exception as error:
            return f"raises {type(error).__name__}: {error}"
        if y > RIGHT:
            return f"the forward pass is wrong by {y:.1g}"
        if not gradient > WRONG:
            return f"the gradient is off by only {gradient:.1g} with seed {seed}"
    return None


def main(names: list[str]) -> int:
    faults = 0
    for function in FUNCTIONS.values():
        if names and not {function.module, function.name} & set(names):
            continue
        try:
            faulty = "" if is_right(function, function.text) else "is not right"
        except Exception as error:
            faulty = f"raises {type(error).__name__}: {error}"
        if faulty:
            faults += 1
            print(f"{function.name} {faulty}")
        for slip in function.slips:
            try:
                wrong = complaint(function, slip)
            except ValueError as error:
                wrong = str(error)
            if wrong:
                faults += 1
                print(f"{function.name}, {slip.what}: {wrong}")
    print(f"{len(FUNCTIONS)} functions, {sum(len(f.slips) for f in FUNCTIONS.values())} slips, {faults} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main(sys.argv[1:]))
