"""Every value of a forward pass by name, with its gradient: the forward pass, run by autograd with all values noted."""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch

from handgrad.arrays.on_torch.array import OnTorch, following
from handgrad.judge.isolation import quiet
from handgrad.source.taps import Tapped, TappedPlace
from handgrad.subjects.function.own_forward import OwnForward, forward_of
from handgrad.subjects.function.reference import Float, as_float64, as_tensor

RESULT = ("y", "result")  # what the result is called; the second where an input has the first name
MOST_PAIRS = 500  # of values, of which it is asked whether one is a function of the other entry by entry
SAME_DERIVATIVE = 1e-9  # relative difference of two quotients that are one derivative
LONGEST = 40  # characters of an expression that stands for itself


class Known(NamedTuple):
    """A value of the forward pass. names: its variable first; gradient: None where the result does not depend on it."""

    names: tuple[str, ...]
    value: Float
    gradient: Float | None


class Knowns(NamedTuple):
    """Every value, and the derivatives of one by another (h, z and dh/dz) where both have a name and one shape."""

    values: Sequence[Known]
    derivatives: Sequence[tuple[Known, Known, Float]]


@dataclass(eq=False)
class Watch:
    """What the tapped forward pass calls: it keeps every floating-point tensor as it is, with its graph."""

    seen: list[tuple[int, torch.Tensor, int]] = field(default_factory=list)

    def tap(self, number: int, value: Any) -> Any:
        tensor = value.tensor if isinstance(value, OnTorch) else value
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point():
            self.seen.append((number, tensor, tensor._version))
        return value

    def note(self, number: int, names: Mapping[str, Any]) -> None:
        """What else is at hand does not matter."""

    @property
    def unspoilt(self) -> Iterator[tuple[int, torch.Tensor]]:
        """Those that were not written into later: their gradient would be that of what was written."""
        return ((number, tensor) for number, tensor, version in self.seen if tensor._version == version)


def find_knowns(own: OwnForward, tapped: Tapped, inputs: Mapping[str, Float], dy: Float) -> Knowns:
    """All values of the forward pass, the inputs among them, each once."""
    watch = Watch()
    forward = differentiable_forward(tapped.passes(watch).forward)
    leaves = {n: as_tensor(a).requires_grad_() for n, a in inputs.items()}
    with quiet(), following():
        y = replace(own, forward=forward).run(leaves)
        result = RESULT[0] if RESULT[0] not in inputs else RESULT[1]
        seen = [*leaves.items(), *named(list(watch.unspoilt), tapped.places), (result, y)]
        moving = {id(t): t for _, t in seen if t.requires_grad}
        upstream = torch.as_tensor(np.asarray(dy), dtype=y.dtype).reshape(y.shape)
        gradients = dict(zip(moving, differentiate(y, list(moving.values()), upstream), strict=True))
        found = merged([(Known((name,), as_float64(t), gradients.get(id(t))), t) for name, t in seen])
        return Knowns([known for known, _ in found], list(derivatives(found)))


def differentiate(y: torch.Tensor, tensors: Sequence[torch.Tensor], upstream: torch.Tensor) -> Sequence[Float | None]:
    """The gradient of each; None where y does not depend on it."""
    if not y.requires_grad:
        return [None] * len(tensors)
    found = torch.autograd.grad(y, tensors, upstream, retain_graph=True, allow_unused=True)
    return [None if g is None else as_float64(g) for g in found]


def derivatives(found: Sequence[tuple[Known, torch.Tensor]]) -> Iterator[tuple[Known, Known, Float]]:
    """h, z and dh/dz where each entry of h depends on that of z alone: two upstream gradients give the same quotient.

    Not where it is one number.
    """
    rng = torch.Generator().manual_seed(0)
    moving = [(known, tensor) for known, tensor in found if tensor.requires_grad and is_variable(known.names[0])]
    pairs = [(z, h) for z, h in combinations(moving, 2) if z[0].value.shape == h[0].value.shape and z[1].numel() > 1]
    for (z, one), (h, other) in pairs[:MOST_PAIRS]:
        upstreams = [1 + torch.rand(other.shape, generator=rng, dtype=other.dtype) for _ in range(2)]
        first, second = (differentiate(other, [one], upstream)[0] for upstream in upstreams)
        if first is None or second is None:
            continue
        first, second = first / as_float64(upstreams[0]), second / as_float64(upstreams[1])
        if np.allclose(first, second, rtol=SAME_DERIVATIVE, atol=0) and np.ptp(first) > 0:
            yield h, z, first


def differentiable_forward(forward: Callable[..., Any]) -> Callable[..., Any]:
    """forward; of the apply of a torch.autograd.Function its forward alone."""
    function = getattr(forward, "__self__", None)
    if isinstance(function, type) and issubclass(function, torch.autograd.Function):
        return forward_of(function)
    return forward


def named(
    seen: Sequence[tuple[int, torch.Tensor]], places: Sequence[TappedPlace]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor with the name of its variable, or its expression; of several that have one name, which it is."""
    tensors: dict[str, dict[int, torch.Tensor]] = {}
    for number, tensor in seen:
        if (name := name_of(places[number])) is not None:
            tensors.setdefault(name, {})[id(tensor)] = tensor
    for name, several in tensors.items():
        for i, tensor in enumerate(several.values(), 1):
            yield (name if len(several) == 1 else f"{name} ({i} of {len(several)})"), tensor


def name_of(place: TappedPlace) -> str | None:
    """The variable that an expression is, or is assigned to; else its text, None if that is long."""
    statement, node = place.statement, place.node
    if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is node:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
        if not isinstance(target, ast.Tuple | ast.List):
            return ast.unparse(target)
    text = ast.unparse(node)
    return text if len(text) <= LONGEST else None


def merged(found: Sequence[tuple[Known, torch.Tensor]]) -> list[tuple[Known, torch.Tensor]]:
    """One for all that are the same numbers, plain names first."""
    groups: dict[tuple[Any, ...], list[tuple[Known, torch.Tensor]]] = {}
    for known, tensor in found:
        gradient = None if known.gradient is None else known.gradient.tobytes()
        groups.setdefault((known.value.shape, known.value.tobytes(), gradient), []).append((known, tensor))
    whole = []
    for same in groups.values():
        names = sorted(dict.fromkeys(name for known, _ in same for name in known.names), key=preference)
        whole.append((same[0][0]._replace(names=tuple(names)), same[0][1]))
    return whole


def preference(name: str) -> tuple[bool, bool]:
    """Variables before the result, which has no name of its own, and that before expressions."""
    return not is_variable(name), name in RESULT


def is_variable(name: str) -> bool:
    """Whether it is a variable, an attribute or an entry of a container, and no other expression."""
    return re.fullmatch(r"[\w.]+(\[[^\[\]]*\])*( \(\d+ of \d+\))?", name) is not None
