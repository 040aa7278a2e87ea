"""What a hand-written backward pass must keep besides being right, each as its own named check.

All run the stage's own code in its own precision. None needs a tolerance: zeros, powers of two and repetitions are
exact in floating point, and where a sum is compared its bound comes from the ball arrays.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.ball_bound import certify, radii
from handgrad.judge.stage import Arrays, Stage
from handgrad.judge.verdict import Verdict

Forward: TypeAlias = Callable[[Arrays], tuple[Any, Any]]  # inputs -> y, cache
Backward: TypeAlias = Callable[[Any, Arrays, Any], Mapping[str, Any]]  # cache, inputs, dy -> {"dx": ..., "dW": ...}
Resized: TypeAlias = Callable[[int, int], tuple[Stage, Arrays, Any] | None]

SIZES = ((1, 1), (1, 2), (2, 1), (1, 5), (2, 2), (3, 3), (5, 5), (2, 3), (3, 2), (5, 3))
INPUTS_UNCHANGED, CACHE_UNCHANGED = "nothing passed in is changed", "the cache is not changed"
FEW = 2**16  # entries; beyond it three runs on balls cost more than the contract is worth
SATURATED = (-1e4, -100.0, 0.0, 100.0, 1e4)


@dataclass(frozen=True)
class Contract:
    """One promise: kept, broken, or (None) not checked and why."""

    name: str
    held: bool | None
    detail: str = ""


def check_contracts(
    stage: Stage,
    inputs: Arrays,
    dy: Any,
    *,
    rng: np.random.Generator,
    split: tuple[Forward, Backward] | None = None,
    resized: Resized | None = None,
) -> tuple[Contract, ...]:
    """Every contract of the stage on these inputs (any array library) and this upstream gradient.

    split: forward(inputs) -> (y, cache) and backward(cache, inputs, dy) -> gradients, to check the cache; taken from
    the stage itself where it judges a manual layer or loss. resized: (N, n) -> (stage, inputs, dy) at that size, or
    None where the layer has no such size.
    """
    split = split or of_subject(stage)
    once = dict(stage.hand(copied(inputs), copied(dy)))
    shape = same_shapes(once, inputs)
    if not shape.held:
        return (shape,)
    return (
        shape,
        dtype_and_device(once, inputs, dy),
        inputs_unchanged(stage, inputs, dy),
        cache_unchanged(split, inputs, dy),
        no_aliases(stage, inputs, dy),
        repeatable(stage, inputs, dy, once),
        no_stale_cache(split, inputs, dy, rng),
        zero_to_zero(stage, inputs, dy),
        linear(stage, inputs, dy, once, rng),
        finite_when_saturated(stage, inputs, dy, rng),
        right_at_all_sizes(resized),
    )


def of_subject(stage: Stage) -> tuple[Forward, Backward] | None:
    """The two halves of a manual layer or loss."""
    subject, constants = stage.subject, () if stage.constants is None else (stage.constants,)
    if not (hasattr(subject, "forward") and hasattr(subject, "backward")):
        return None

    def params(inputs: Arrays) -> dict[str, Any]:
        return {key: value for key, value in inputs.items() if key != "x"}

    if not hasattr(subject, "param_shapes"):
        return (
            lambda inputs: subject.forward(inputs["x"], *constants),
            lambda cache, inputs, dy: {"dx": subject.backward(cache, dy)},
        )

    def backward(cache: Any, inputs: Arrays, dy: Any) -> dict[str, Any]:
        dx, grads = subject.backward(params(inputs), cache, dy)
        return {"dx": dx, **grads}

    return lambda inputs: subject.forward(params(inputs), inputs["x"], *constants), backward


def same_shapes(once: Arrays, inputs: Arrays) -> Contract:
    """The gradient of every input is there and has its shape; checked before any value is looked at."""
    name = "every gradient has the shape of its input"
    for key, value in inputs.items():
        grad = once.get(f"d{key}")
        if grad is None:
            return Contract(name, False, f"d{key} is absent, expected shape {tuple(np.shape(value))}")
        if tuple(np.shape(grad)) != tuple(np.shape(value)):
            return Contract(
                name, False, f"d{key} has shape {tuple(np.shape(grad))}, {key} has {tuple(np.shape(value))}"
            )
    return Contract(name, True)


def dtype_and_device(once: Arrays, inputs: Arrays, dy: Any) -> Contract:
    """Nothing is computed in another precision, or moved, behind the caller's back."""
    name = "dtype and device are kept"
    for key, value in once.items():
        given = inputs.get(key[1:], dy) if key != "y" else dy
        for what, a, b in (
            ("dtype", dtype_name(value), dtype_name(given)),
            ("device", str(getattr(value, "device", "cpu")), str(getattr(given, "device", "cpu"))),
            ("library", isinstance(value, torch.Tensor), isinstance(given, torch.Tensor)),
        ):
            if a != b:
                return Contract(name, False, f"{key} has {what} {a}, expected {b}")
    return Contract(name, True)


def inputs_unchanged(stage: Stage, inputs: Arrays, dy: Any) -> Contract:
    """Inputs, constants and upstream gradient hold the same bytes after the run as before."""
    name = INPUTS_UNCHANGED
    mine, upstream = copied(inputs), copied(dy)
    before = {**mine, "dy": upstream, "the constants": stage.constants}
    bytes_before = {key: contents(value) for key, value in before.items()}
    stage.hand(mine, upstream)
    changed = [key for key, value in before.items() if contents(value) != bytes_before[key]]
    return Contract(name, not changed, f"overwritten: {', '.join(changed)}" if changed else "")


def cache_unchanged(split: tuple[Forward, Backward] | None, inputs: Arrays, dy: Any) -> Contract:
    """The cache holds the same bytes after the backward pass, so that a second one is right as well."""
    name = CACHE_UNCHANGED
    if split is None:
        return Contract(name, None, "forward and backward were not given apart")
    forward, backward = split
    mine = copied(inputs)
    _, cache = forward(mine)
    before = contents(cache)
    backward(cache, mine, copied(dy))
    return Contract(name, contents(cache) == before, "" if contents(cache) == before else "backward writes into it")


def no_aliases(stage: Stage, inputs: Arrays, dy: Any) -> Contract:
    """No output is an input or a view of one: a later write to the one would change the other."""
    name = "no output aliases an input"
    mine, upstream = copied(inputs), copied(dy)
    shared = [
        f"{key} shares memory with {given}"
        for key, out in stage.hand(mine, upstream).items()
        for given, value in {**mine, "dy": upstream}.items()
        if shares(out, value)
    ]
    return Contract(name, not shared, "; ".join(shared))


def repeatable(stage: Stage, inputs: Arrays, dy: Any, once: Arrays) -> Contract:
    """The same numbers in, the same bits out."""
    again = stage.hand(copied(inputs), copied(dy))
    differ = [key for key in once if contents(again[key]) != contents(once[key])]
    return Contract(
        "repeatable bit for bit", not differ, f"a second run differs in {', '.join(differ)}" if differ else ""
    )


def no_stale_cache(
    split: tuple[Forward, Backward] | None, inputs: Arrays, dy: Any, rng: np.random.Generator
) -> Contract:
    """Forward A, forward B, backward A: it must be A's gradient, so nothing may be kept outside the cache."""
    name = "the backward pass uses its own cache"
    if split is None:
        return Contract(name, None, "forward and backward were not given apart")
    forward, backward = split
    mine, other = copied(inputs), {key: like(to64(v) * rng.uniform(0.5, 2), v) for key, v in inputs.items()}
    _, cache = forward(mine)
    alone = {key: contents(value) for key, value in backward(cache, mine, copied(dy)).items()}
    _, cache = forward(mine)
    forward(other)
    after = backward(cache, mine, copied(dy))
    stale = [key for key in alone if contents(after[key]) != alone[key]]
    detail = f"after another forward pass {', '.join(stale)} changed: something is kept outside the cache"
    return Contract(name, not stale, detail if stale else "")


def zero_to_zero(stage: Stage, inputs: Arrays, dy: Any) -> Contract:
    """A zero upstream gradient gives zero gradients."""
    out = stage.hand(copied(inputs), like(np.zeros_like(to64(dy)), dy))
    wrong = [key for key, value in gradients(out).items() if not np.all(value == 0)]
    name = "zero upstream gradient gives zero"
    return Contract(name, not wrong, f"{', '.join(wrong)} is not zero" if wrong else "")


def linear(stage: Stage, inputs: Arrays, dy: Any, once: Arrays, rng: np.random.Generator) -> Contract:
    """4 dy and -dy give 4 and -1 times the gradient bit for bit; dy + 2 dy' the sum, within the balls' bound."""
    name = "linear in the upstream gradient"
    finest = 2.0**-50 if dtype_name(dy) == "float16" else 2.0**-100  # below it a scaled entry may underflow
    right = gradients(once)
    for factor in (4.0, -1.0):
        scaled = gradients(stage.hand(copied(inputs), like(factor * to64(dy), dy)))
        for key, value in right.items():
            expected = factor * value
            same = (scaled[key] == expected) | ~np.isfinite(expected) | (np.abs(value) < finest)
            if not np.all(same):
                return Contract(name, False, f"{key} for {factor:g} dy is not {factor:g} times {key}")
    if sum(a.size for a in right.values()) > FEW:
        return Contract(name, True, "for 4 dy and -dy; sums not checked at this size")
    part = rng.choice((0.5, -1.0), size=np.shape(dy))  # dy + 2 part dy is 2 dy or -dy: no rounding in the sum itself
    other, added = like(part * to64(dy), dy), like((1 + 2 * part) * to64(dy), dy)
    try:
        exact, arithmetic = {k: to64(v) for k, v in inputs.items()}, Arithmetic.of(dtype_name(dy))
        bounds = [radii(stage, exact, to64(v), arithmetic) for v in (dy, other, added)]
    except Exception as error:
        return Contract(name, True, f"for 4 dy and -dy; sums not checked ({type(error).__name__} on ball arrays)")
    b, c = (gradients(stage.hand(copied(inputs), v)) for v in (other, added))
    for key, a in right.items():
        bound = bounds[0][key] + 2 * bounds[1][key] + bounds[2][key]
        difference = np.abs(c[key] - (a + 2 * b[key]))
        if not np.all((difference <= bound + 2.0**-50 * np.abs(c[key])) | ~np.isfinite(bound)):
            return Contract(name, False, f"{key} for dy + 2 dy' is not the sum of those for dy and 2 dy'")
    return Contract(name, True)


def finite_when_saturated(stage: Stage, inputs: Arrays, dy: Any, rng: np.random.Generator) -> Contract:
    """Inputs up to 1e4 give finite numbers wherever the exact result is a number of this precision."""
    name = "finite at inputs up to 1e4"
    if dtype_name(dy) == "float16":
        return Contract(name, None, "float16 ends at 65504")
    key = "x" if "x" in inputs else next(iter(inputs))
    large = {**copied(inputs), key: like(rng.choice(SATURATED, size=np.shape(inputs[key])), inputs[key])}
    exact = stage.reference({k: to64(v) for k, v in large.items()}, to64(dy))
    with np.errstate(all="ignore"):
        out = stage.hand(large, copied(dy))
    lost = [k for k, v in exact.items() if np.any(np.isfinite(v) & (np.abs(v) < 1e30) & ~np.isfinite(to64(out[k])))]
    return Contract(name, not lost, f"{', '.join(lost)} has nan or infinite entries" if lost else "")


def right_at_all_sizes(resized: Resized | None) -> Contract:
    """The certificate at batch and layer sizes 1, 2, 3 and 5, square and not: a wrong axis hides at the usual size."""
    name = "right at sizes 1, 2, 3 and 5"
    if resized is None:
        return Contract(name, None, "the stage cannot be made at other sizes")
    wrong = []
    for N, n in SIZES:
        made = resized(N, n)
        if made is not None and (problem := _problem(*made)):
            wrong.append(f"batch {N}, size {n}: {problem}")
    return Contract(name, not wrong, "; ".join(wrong))


def _problem(stage: Stage, inputs: Arrays, dy: Any) -> str:
    try:
        report, _ = certify(stage, inputs, dy)
    except Exception as error:  # the code under judgement may raise anything at a size nobody tried
        return f"{type(error).__name__}: {error}"
    return f"{report.worst.name} is wrong" if report.verdict is Verdict.REFUTED else ""


def gradients(out: Arrays) -> dict[str, Any]:
    """All outputs but y, in float64."""
    return {key: to64(value) for key, value in out.items() if key != "y"}


def copied(value: Any) -> Any:
    """Arrays of their own: a check that finds code writing into them must not spoil the next."""
    if isinstance(value, Mapping):
        return {key: copied(part) for key, part in value.items()}
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    return np.array(value) if isinstance(value, np.ndarray | np.generic | float) else +value


def contents(value: Any) -> tuple[bytes, ...]:
    """The bytes of every array in a nest of tuples, lists and mappings."""
    return tuple(_bytes(a) for a in leaves(value))


def _bytes(a: Any) -> bytes:
    if isinstance(a, torch.Tensor):
        flat = a.detach().cpu().contiguous().reshape(-1)
        return flat.view(torch.uint8).numpy().tobytes()
    return np.asarray(a).tobytes()


def leaves(value: Any, around: tuple[Any, ...] = ()) -> Iterator[Any]:
    """Every array in a nest of tuples, lists and mappings; what stands around it is not entered once more."""
    if any(value is outer for outer in around):
        return
    if isinstance(value, Mapping | tuple | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from leaves(part, (*around, value))
    elif hasattr(value, "shape"):
        yield value


def shares(a: Any, b: Any) -> bool:
    """Whether two arrays use the same memory."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return bool(np.shares_memory(a, b))
    return a is b
