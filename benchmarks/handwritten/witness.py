"""Plain comparison with autograd, no judge: is what is called right right, and what is called wrong wrong?

A draw gives inputs and dy. The gradients of the case come from its own precision, the others from float64 autograd.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from .case import Case, Slip, Variant, cast

Entries = Callable[[np.random.Generator, tuple[int, ...]], Any]
ENTRIES: dict[str, Entries] = {  # what fills a shape
    "ordinary": lambda rng, size: rng.normal(size=size),
    "wide": lambda rng, size: 5 * rng.normal(size=size),
    "far": lambda rng, size: 30 * rng.normal(size=size),
    "far negative": lambda rng, size: -rng.uniform(21, 25, size),
    "large": lambda rng, size: 1e4 * rng.normal(size=size),
    "tiny": lambda rng, size: 1e-3 * rng.normal(size=size),
    "kinks": lambda rng, size: rng.choice([-3.0, -1.0, -0.25, 0.0, 0.5, 1.0, 3.0, 6.0], size),
    "constant": lambda rng, size: np.full(size, 0.5),
    "zero": lambda rng, size: np.zeros(size),
}
UPSTREAM = {"large dy": 1000.0, "small dy": 1e-2}  # the size of dy; elsewhere it is one
SEEDS = 20  # witnesses that are tried
FAR = {
    "float64": 1000.0,
    "float32": 1000.0,
    "bfloat16": 32.0,
    "float16": 32.0,
}  # units: no rounding of ours is so large


class Draw(NamedTuple):
    inputs: list[Any]
    dy: Any


def draw(case: Case, shapes: Any, how: str, dtype: str, seed: int) -> Draw:
    """Inputs and dy in that precision; dy has the shape that the reference returns."""
    rng = np.random.default_rng([11, seed])
    fill = ENTRIES.get(how, ENTRIES["ordinary"])
    drawn = [np.asarray(fill(rng, v)) if isinstance(v, tuple) else v(rng) for v in shapes]
    inputs = [cast(case, v, dtype) for v in drawn]
    y = case.made()[2](*map(exact, inputs))
    dy = cast(case, np.asarray(UPSTREAM.get(how, 1.0) * rng.normal(size=tuple(y.shape))), dtype)
    if how == "strided inputs":
        inputs = [strided(v) for v in inputs]
    return Draw(inputs, strided(dy) if how == "strided dy" else dy)


def exact(value: Any) -> Any:
    """As float64 tensor of its own memory; whole numbers stay whole."""
    t = value.detach().clone() if isinstance(value, torch.Tensor) else torch.tensor(np.array(value))
    return t.double() if t.is_floating_point() else t


def real(value: Any) -> bool:
    return exact(value).is_floating_point()


def strided(dy: Any) -> Any:
    """The same numbers in the memory of the transposed array."""
    if dy.ndim < 2:
        return dy
    if isinstance(dy, torch.Tensor):
        return dy.mT.contiguous().mT
    return np.ascontiguousarray(dy.swapaxes(-1, -2)).swapaxes(-1, -2)


def expected(reference: Any, drawn: Draw) -> list[Any]:
    """y, then the gradients of the real inputs by float64 autograd."""
    leaves = [exact(v).requires_grad_(real(v)) for v in drawn.inputs]
    y = reference(*leaves)
    wanted = [leaf for leaf in leaves if leaf.requires_grad]
    grads = torch.autograd.grad(y, wanted, exact(drawn.dy).reshape(y.shape), allow_unused=True, materialize_grads=True)
    return [y.detach(), *grads]


class Pass(NamedTuple):
    """One forward pass: y, and what gives the gradients as the code returns them, as often as it is called."""

    y: Any
    call: Callable[[], Any]
    inputs: list[Any]

    def pull(self) -> list[Any]:
        """The gradients of the real inputs, copied."""
        return gradients(self.call(), self.inputs)


def run(made: Any, drawn: Draw, needed: slice = slice(None)) -> Pass:
    """The functions under test, called as verify_function's docstring says."""
    forward, backward, _ = made
    inputs, dy = drawn
    if backward is None:
        return run_class(forward, drawn, needed)
    out = forward(*inputs)
    y, cache = out if isinstance(out, tuple) else (out, None)
    if isinstance(out, tuple):
        call = partial(backward, dy, cache)
    elif backward.__code__.co_argcount - hasattr(backward, "__self__") == 1:
        call = partial(backward, dy)
    else:
        call = partial(backward, dy, *inputs)
    return Pass(y, call, inputs)


def run_class(kind: Any, drawn: Draw, needed: slice) -> Pass:
    """By torch's own backward pass, through the autograd.Function; only `needed` real inputs ask for a gradient."""
    leaves = [v.detach() for v in drawn.inputs]
    wanted = [leaf for leaf in leaves if leaf.is_floating_point()][needed]
    for leaf in wanted:
        leaf.requires_grad_()
    y = kind.apply(*leaves)
    call = partial(torch.autograd.grad, y, wanted, drawn.dy, allow_unused=True, retain_graph=True)
    return Pass(y.detach(), call, [leaf.detach() for leaf in wanted])


def gradients(found: Any, inputs: list[Any]) -> list[Any]:
    """As float64 tensors, one for each real input; None is zero."""
    found = list(found.values()) if isinstance(found, dict) else found
    found = list(found) if isinstance(found, (tuple, list)) else [found]
    if len(found) == len(inputs):
        found = [g for g, v in zip(found, inputs, strict=True) if real(v)]
    wanted = [exact(v) for v in inputs if real(v)]
    return [torch.zeros_like(v) if g is None else exact(g) for g, v in zip(found, wanted, strict=True)]


def errors(got: list[Any], expected: list[Any]) -> list[float]:
    """Of y and each gradient, the largest difference over the largest entry (over 1 where that is smaller)."""
    found = []
    for g, e in zip(got, expected, strict=True):
        g = exact(g).reshape(e.shape) if exact(g).numel() == e.numel() else torch.full_like(e, torch.nan)
        largest = max(1.0, float(e.abs().max()))
        found.append(float((g - e).abs().nan_to_num(nan=torch.inf).max()) / largest)
    return found


def unit(dtype: str) -> float:
    return float(torch.finfo(getattr(torch, dtype)).eps)


def error_of_right(case: Case, right: Variant, dtype: str, seed: int) -> float:
    """On an ordinary draw, in units of the precision."""
    drawn = draw(case, right.shapes, "ordinary", dtype, seed)
    made = case.made(right.edit, **right.keywords)
    done = run(made, drawn)
    return max(errors([done.y, *done.pull()], expected(made[2], drawn))) / unit(dtype)


def is_wrong(case: Case, slip: Slip, dtype: str, seed: int) -> bool:
    """On its witness the slip's gradient is far outside of rounding, or it breaks a promise; the right one does not."""
    how, shapes = slip.witness, case.shapes[slip.witness == "other shapes"]
    drawn = [draw(case, shapes, how, dtype, seed) for _ in range(2)]
    if how == "overwritten":
        return overwrites(case.made(slip), drawn[0]) and not overwrites(case.made(), drawn[1])
    right = error(case.made(), drawn[1], how) / unit(dtype)
    try:
        wrong = error(case.made(slip), drawn[0], how) / unit(dtype)
    except RuntimeError:  # torch refuses a view of such memory
        wrong = np.inf
    return bool(wrong > FAR[dtype] * max(1.0, right) and right < FAR[dtype])


def error(made: Any, drawn: Draw, how: str) -> float:
    """The largest error, called in the order that the witness asks for."""
    others = drawn._replace(inputs=[v + 1 if real(v) else v for v in drawn.inputs])
    if how == "second call":
        run(made, others).pull()
    if how == "another dy":
        run(made, drawn._replace(dy=drawn.dy + 1)).pull()
    needed = slice(-1, None) if how == "last alone" else slice(None)
    done = run(made, drawn, needed)
    if how == "interleaved":
        run(made, others)
    found = done.call()
    if how == "kept result":
        run(made, others).pull()
    y, *wanted = expected(made[2], drawn)
    return max(errors([done.y, *gradients(found, done.inputs)], [y, *wanted[needed]]))


def overwrites(made: Any, drawn: Draw) -> bool:
    """Whether dy or the inputs hold other numbers afterwards, or the same cache then gives another gradient."""
    before = [exact(v) for v in (*drawn.inputs, drawn.dy)]
    done = run(made, drawn)
    first, again = done.pull(), done.pull()
    after = [exact(v) for v in (*drawn.inputs, drawn.dy)]
    return not all(torch.equal(a, b) for a, b in zip((*before, *first), (*after, *again), strict=True))


def precisions(case: Case, slip: Slip) -> list[str]:
    """Those in which some witness shows that it is wrong."""
    return [dtype for dtype in case.dtypes if any(is_wrong(case, slip, dtype, seed) for seed in range(SEEDS))]
