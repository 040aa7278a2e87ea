"""The one line that is wrong, where no change is known that makes it right.

Several statements of one chain could each be wrong alone. Of the forward pass it is known what is right: its values,
and the gradient of each of them. The culprit is the first statement, in the order in which they run, that should have
given one of these and did not; every statement before it that could be wrong gave one of them.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handgrad.arrays.precision import to64
from handgrad.mend.constants import SAME
from handgrad.mend.counted import uses_own_counts
from handgrad.mend.required import Need, Needs
from handgrad.source.program import Part
from handgrad.source.taps import Tapped

# How people call the gradient of z: dz, d_z, grad_z, z_grad, dL_dz, delta_z, z_bar.
GRADIENT_OF = re.compile(
    r"(?:d[A-Za-z]?_?d|d_?|grads?_?|g_?|delta_?)(?P<after>\w+)|(?P<before>\w+?)_?(?:grad|gradient|delta|bar)"
)
Float = NDArray[np.float64]
Statement = tuple[Part, ast.AST]
Times = Sequence[Float]  # a value, once for each time it is computed


def find_suspect(tapped: Tapped, needs: Needs, wrong: frozenset[str]) -> Statement | None:
    """None where more than one statement could be wrong, where not every one was asked, or where what goes in is not
    known to be right: then the mistake may be there, or at two places. None also where another line writes into an
    array what nothing reads, which may belong elsewhere.
    """
    if not needs.complete:
        return None
    known = Known(tapped, needs)
    whole = [need for need in needs.found if need.fixes == wrong and ("y" in wrong or not known.makes_y(need.place))]
    statements = by_statement(tapped, needs, whole)
    for statement, own in statements.items():
        if all(known.is_gradient_named(statement[1], need.given) for need in own):
            continue
        is_known = all(known.has(need.given) for need in own)
        alone = len(statements) == 1
        if alone or any(known.explains(need) for need in own):
            if makes_zeros(statement[1]) and not any(v.any() for need in own for v in need.given):
                return None  # zeros are added to by other lines
            if is_known and not known.is_said(statement, own) and not (alone and all(len(n.given) == 1 for n in own)):
                return None
            clear = known.has_all_read_by(statement[1]) and not known.writes_for_nothing
            return statement if clear and not uses_own_counts(*statement, tapped.program.parts) else None
        if not is_known:
            return None
    return None


def right_last(needs: Sequence[Need], tapped: Tapped, found: Needs) -> list[list[Need]]:
    """The needs of statements that may be wrong; then those of `dvar = ...` where it is the gradient of var.

    With another value there a later mistake may be undone, but it is not where the mistake is.
    """
    known = Known(tapped, found)
    own = by_statement(tapped, found, needs)
    right = {place for place, ones in own.items() if all(known.is_gradient_named(place[1], n.given) for n in ones)}

    def is_right(need: Need) -> bool:
        part, _, statement = tapped.places[need.place]
        return (part, statement) in right

    parts = [[n for n in needs if not is_right(n)], [n for n in needs if is_right(n)]]
    return parts if parts[1] else [list(needs)]


def makes_zeros(statement: ast.AST) -> bool:
    """Whether a statement makes zeros to be written into: np.zeros_like(W), torch.zeros(3)."""
    return "zeros" in ast.unparse(getattr(statement, "value", None) or ast.Pass())


def target_of(statement: ast.AST) -> str:
    """The one name that a statement assigns to; "" if there is none."""
    one = isinstance(statement, ast.Assign) and len(statement.targets) == 1
    target = statement.targets[0] if one and isinstance(statement, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else ""


def said_of(statement: ast.AST) -> str:
    """What a statement calls what it makes: dvar, and var of self.var; "" if that is no one name."""
    one = isinstance(statement, ast.Assign) and len(statement.targets) == 1
    target = statement.targets[0] if one and isinstance(statement, ast.Assign) else None
    return target.attr if isinstance(target, ast.Attribute) else target_of(statement)


def by_statement(tapped: Tapped, needs: Needs, whole: Sequence[Need]) -> dict[Statement, list[Need]]:
    """The statements in the order in which they first gave a value, each with what its largest expressions need."""
    order = {place: i for i, place in enumerate(needs.noted.values)}
    found: dict[Statement, list[Need]] = {}
    for need in sorted(largest(tapped, whole), key=lambda n: order[n.place]):
        part, _, statement = tapped.places[need.place]
        found.setdefault((part, statement), []).append(need)
    return found


def largest(tapped: Tapped, own: Sequence[Need]) -> Iterator[Need]:
    """Those that stand in no other."""
    places = {need.place for need in own}
    for need in own:
        around = tapped.around.get(need.place)
        while around is not None and around not in places:
            around = tapped.around.get(around)
        if around is None:
            yield need


@dataclass(frozen=True, eq=False)
class Known:
    """What is right: the values of the forward pass and their gradients."""

    tapped: Tapped
    needs: Needs

    @property
    def adjoints(self) -> Mapping[int, Times]:
        return {} if self.needs.slopes is None else self.needs.slopes.adjoints

    @property
    def writes_for_nothing(self) -> bool:
        """Whether a line of the backward pass writes into an entry, and no result moves with what it writes."""
        found = {} if self.needs.slopes is None else self.needs.slopes.of
        lines = ((self.tapped.places[i], slope) for i, slope in found.items())
        return any(
            place.part.backward
            and isinstance(place.statement, ast.AugAssign)
            and isinstance(place.statement.target, ast.Subscript)
            and place.node is place.statement.value
            and not slope.any()
            for place, slope in lines
        )

    def makes_y(self, place: int) -> bool:
        """Whether y depends on a value: it is one of the forward pass, perhaps in a function that both passes call."""
        return any(a.any() for a in self.adjoints.get(place, ()))

    def all(self) -> Iterator[Times]:
        """Each of them, for all times it was computed."""
        for place, times in self.adjoints.items():
            if self.makes_y(place):
                yield times
                yield [to64(v) for v in self.needs.noted.values[place]]

    def is_gradient_named(self, statement: ast.AST, values: Times) -> bool:
        """Whether a value is, each time, the gradient of the variable that its own name names."""
        said = GRADIENT_OF.fullmatch(said_of(statement))
        for place, times in self.adjoints.items():
            _, node, forward = self.tapped.places[place]
            named = said is not None and said_of(forward) in (said["after"], said["before"])
            if named and getattr(forward, "value", None) is node and each_in(values, times):
                return True
        return False

    def is_said(self, statement: Statement, own: Sequence[Need]) -> bool:
        """Whether its name says what it should have given.

        Where it gave another gradient, or another one each time it was called, it may be right: what is made of it
        later, or handed to it, may not be.
        """
        return all(self.is_gradient_named(statement[1], need.values) for need in own)

    def has_all_read_by(self, statement: ast.AST) -> bool:
        """Whether every array that goes into a statement is right; of an entry or a slice, what it is taken from."""
        reads: dict[ast.expr, list[int]] = {}
        for i, place in enumerate(self.tapped.places):
            if place.statement is statement and i in self.needs.noted.values:
                reads.setdefault(taken_from(place.node), []).append(i)
        return all(any(map(self.is_right, levels)) for name, levels in reads.items() if isinstance(name, ast.Name))

    def is_right(self, place: int) -> bool:
        """Whether a value read is known, a number, or zeros."""
        times = [to64(v) for v in self.needs.noted.values[place]]
        return all(v.ndim == 0 or not v.any() for v in times) or self.has([v for v in times if v.any()])

    def has(self, values: Times) -> bool:
        """Whether a value is one of them, each time."""
        return any(each_in(values, times) for times in self.all())

    def explains(self, need: Need) -> bool:
        """Whether one of them, and another than what was given, is what is needed."""
        if all(np.ptp(v) == 0 and float(v.flat[0]).is_integer() for v in need.values if v.size):
            return False  # zeros and ones are everywhere
        if need.unique:
            return self.has(need.values)
        return len(need.values) == 1 and any(
            w.shape == need.given[0].shape and not near(w, need.given[0]) and need.served_by(w)
            for times in self.all()
            for w in times
        )


def taken_from(node: ast.expr) -> ast.expr:
    """Of an attribute, an entry or a slice, what stands before the first dot or bracket."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node


def each_in(values: Times, times: Times) -> bool:
    """Whether every value is among those of the other: a backward pass meets them in another order."""
    return all(any(near(v, w) for w in times) for v in values)


def near(a: Float, b: Float) -> bool:
    """Whether two arrays are the same up to what least squares leave."""
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return False
    return bool(np.max(np.abs(a - b), initial=0.0) <= SAME * np.max(np.abs(b), initial=0.0))
