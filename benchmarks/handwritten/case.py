"""A case: forward and backward pass as somebody wrote them, the torch reference, and the slips one makes there.

A case is a function that makes (forward, backward, reference) anew at every call; its keywords are the constants of its
variants. A slip is an edit of its source: the text that is replaced, what stands there instead, and the draw of inputs
(benchmarks/handwritten/witness.py) on which the gradient is then wrong.
"""

import ast
import inspect
import itertools
import linecache
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

EVERY = ("float64", "float32", "bfloat16", "float16")
KINDS = {  # the precisions in which a case of that kind is right, unless it says otherwise
    "numpy": ("float64", "float32"),
    "array API": ("float64", "float32"),
    "torch": EVERY,
    "autograd.Function": EVERY,
}
CASES: dict[str, "Case"] = {}
_numbers = itertools.count()


class Slip(NamedTuple):
    what: str
    old: str
    new: str
    witness: str = "ordinary"


class Variant(NamedTuple):
    """A right version: constants, shapes, and an edit of the source where another formula is used."""

    keywords: dict[str, Any]
    shapes: Sequence[Any]
    edit: Slip | None = None


class Case(NamedTuple):
    name: str
    kind: str
    make: Callable[..., Any]
    shapes: tuple[Sequence[Any], ...]
    slips: tuple[Slip, ...]
    also: tuple[Slip, ...]
    variants: tuple[dict[str, Any], ...]
    dtypes: tuple[str, ...]

    @property
    def rights(self) -> Iterator[Variant]:
        """The case itself first, then one thing changed at a time."""
        yield Variant({}, self.shapes[0])
        yield from (Variant({}, shapes) for shapes in self.shapes[1:])
        yield from (Variant(keywords, self.shapes[0]) for keywords in self.variants)
        yield from (Variant({}, self.shapes[0], edit) for edit in self.also)

    def made(self, edit: Slip | None = None, **keywords: Any) -> tuple[Any, Any, Any]:
        """Forward, backward (None if forward brings its own) and reference, with that edit in the source."""
        made = (self.make if edit is None else edited(self, edit))(**keywords)
        return made if len(made) == 3 else (made[0], None, made[1])


def case(kind: str, *shapes: Any, slips: Any, also: Any = (), variants: Any = (), dtypes: Any = None) -> Any:
    """Enter the decorated maker into CASES."""

    def enter(make: Callable[..., Any]) -> Callable[..., Any]:
        name = make.__name__
        assert name not in CASES, f"{name}: two cases have this name"
        own = tuple(Slip(*slip) for slip in slips), tuple(Slip(*edit) for edit in also)
        CASES[name] = Case(name, kind, make, shapes, *own, tuple(variants), dtypes or KINDS[kind])
        return make

    return enter


def source(case: Case) -> str:
    """The maker's source without its decorator."""
    text = textwrap.dedent(inspect.getsource(case.make))
    definition = ast.parse(text).body[0]
    return "".join(text.splitlines(keepends=True)[definition.lineno - 1 :])


def edited(case: Case, edit: Slip) -> Callable[..., Any]:
    """The maker with the edit made. ValueError unless the old text stands there exactly once."""
    text = source(case)
    if text.count(edit.old) != 1:
        raise ValueError(f"{case.name}, {edit.what}: {edit.old!r} stands {text.count(edit.old)} times in it, not once")
    text = text.replace(edit.old, edit.new)
    file = f"<{case.name} {next(_numbers)}: {edit.what}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # so that tracebacks show the lines
    scope = dict(case.make.__globals__)
    exec(compile(text, file, "exec"), scope)
    return scope[case.make.__name__]


def inputs(case: Case, shapes: Sequence[Any], dtype: str, rng: np.random.Generator) -> list[Any]:
    """Shapes stay shapes; what is drawn by a function of rng is drawn, in that precision, for that kind."""
    return [entry if isinstance(entry, tuple) else cast(case, entry(rng), dtype) for entry in shapes]


def cast(case: Case, value: Any, dtype: str) -> Any:
    """The array in that precision if it has real numbers; as torch tensor where the case is of torch."""
    in_torch = case.kind in ("torch", "autograd.Function")
    if not isinstance(value, np.ndarray):
        return value
    if in_torch:
        t = torch.tensor(value)
        return t.to(getattr(torch, dtype)) if t.is_floating_point() else t
    return value.astype(dtype) if value.dtype.kind == "f" else value


def labels(n: int, classes: int, ignored: int | None = None) -> Callable[[np.random.Generator], Any]:
    """n class numbers, the first of them `ignored`."""

    def draw(rng: np.random.Generator) -> Any:
        t = rng.integers(classes, size=n)
        if ignored is not None:
            t[0] = ignored
        return t

    return draw


def positive(*size: int) -> Callable[[np.random.Generator], Any]:
    """Numbers between 0.5 and 2."""
    return lambda rng: rng.uniform(0.5, 2, size)


def shares(*size: int) -> Callable[[np.random.Generator], Any]:
    """Positive numbers that sum to 1 along the last axis."""

    def draw(rng: np.random.Generator) -> Any:
        p = rng.uniform(0.2, 1, size)
        return p / p.sum(-1, keepdims=True)

    return draw


def zero_one(*size: int) -> Callable[[np.random.Generator], Any]:
    """Targets 0.0 and 1.0."""
    return lambda rng: rng.integers(2, size=size).astype(float)
