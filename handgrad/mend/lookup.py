"""The edits of one expression whose value should be another: tried at its line, by value, without running the code."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import numpy as np

from handgrad.arrays.precision import to64
from handgrad.judge.isolation import quiet
from handgrad.mend.axes import name_of
from handgrad.mend.constants import FITS
from handgrad.mend.edit import MODULES, Edit, number
from handgrad.mend.expressions import (
    Writing,
    around,
    compiled,
    edits_inside,
    filled,
    moved,
    own_edits,
    parts_inside,
    rename_everywhere,
    templates,
)
from handgrad.mend.indices import has_slice
from handgrad.mend.local_edits import local_edits
from handgrad.mend.material import OF_PIECE, AtHand, Item, is_value
from handgrad.mend.numbers import find_number, numbers_at_hand, with_factor, written
from handgrad.mend.pairs import Float, pairs, summands
from handgrad.mend.projections import Thing, with_shared_term
from handgrad.mend.required import Need
from handgrad.mend.templates import ALONG_AXES, SCALED, SIZED, TOGETHER, WITH_NUMBER
from handgrad.mend.windows import edit_window
from handgrad.source.tree import changed, parents_of

SPREAD, OWN_FUNCTION = 0.3, 2.4  # what it costs to write axes of size 1, and a call of the reader's own function
SPREAD_PART = 3.0  # what it costs to multiply one part of an expression
NOT_OF_A_NAME = 0.5  # more that it costs to write an expression again for its size
RESHAPED = ("reshape", "view", "ravel", "flatten")


@dataclass(frozen=True, eq=False)
class Lookup:
    """An expression, what it gave, what it should give, and what can be written there (None: nothing can be evaluated).

    All of this the first time that it is wrong. numbers: constants of both passes; has_need: whether another value of
    a part of the expression would help as well.
    """

    node: ast.expr
    value: Any
    need: Need
    hand: AtHand | None
    names: tuple[str, ...]
    numbers: tuple[float, ...]
    writing: Writing
    has_need: Callable[[ast.AST], bool]

    def small(self) -> Iterator[Edit]:
        """Edits of the expression as it is."""
        edits = own_edits(self.node, self.names, self.numbers, self.has_need)
        return self.plausible(chain(edits, rename_everywhere(self.node, self.names)))

    def reordered(self) -> Iterator[Edit]:
        """Edits of what is reshaped: its parts may have another shape there, so only the whole tells."""
        if isinstance(self.node, ast.Call) and name_of(self.node.func) in RESHAPED:

            def edits(node: ast.expr) -> Iterator[Edit]:
                return chain(local_edits(node, self.names, self.numbers), moved(node, self.writing))

            yield from self.plausible(edits_inside(self.node, edits, lambda _: False))

    def windows(self) -> Iterator[Edit]:
        """Another part of the array that it is taken from."""
        if has_slice(self.node) and self.hand is not None:
            windows = edit_window(self.node, self.hand, [self.hand.scope], self.numbers)
            edits = (
                Edit(ast.Subscript(self.node.value, index, self.node.ctx), cost)
                for index, cost in chain.from_iterable(windows)
            )
            yield from self.plausible(edits)

    def wrapped(self) -> Iterator[Edit]:
        """Something put around it, or around a part that has no need of its own."""
        return self.plausible(edits_inside(self.node, lambda n: around(n, self.writing), self.has_need))

    def joined(self, *, pieces: bool) -> Iterator[Edit]:
        """Put together with, or replaced by, something at hand."""
        hand = self.hand
        for item in hand.items if hand else ():
            if hand and item.is_piece is pieces:
                yield from self.joined_to(item, hand, WITH_NUMBER if item.is_number else TOGETHER)

    def joined_to(self, item: Item, hand: AtHand, table: Mapping[float, str]) -> list[Edit]:
        """Put together with one thing at hand. Of hundreds of templates only those that fit are written down."""
        module = self.writing.np
        scope = {"_e_": self.value, "_m_": item.value, module: hand.scope.get(module)}
        found = []
        with quiet():
            for text, cost in templates(table):
                try:
                    value = eval(compiled(text, self.writing), scope)
                except Exception:  # shapes that do not fit, a number where an array is meant
                    continue
                if self.fits(value):
                    found.append(Edit(filled(text, self.writing, e=self.node, m=item.node), cost + item.cost))
        return [self.with_what_is_at_hand(hand, edit) for edit in found]

    def renumbered(self, *, names: bool) -> Iterator[Edit]:
        """A number in it as another one, found by the value it must have and written with what is at hand.

        names: those that have a name; the line that gave it may rather be the one to change.
        """
        if self.hand is None or not self.is_settled:
            return
        known = numbers_at_hand(self.hand.items, self.numbers, self.writing)
        parents, wanted = parents_of(self.node), self.needed
        for part in parts_inside(self.node, self.has_need):
            now: Any = self.hand.value(part) if isinstance(part, ast.Name) is names else None
            if not is_value(now) or np.ndim(now) or not np.isfinite(float(now)):
                continue
            found = find_number(lambda n, p=part: self.value_with(p, n), float(now), wanted)  # type: ignore[misc]
            for new, cost in written(found, known, self.writing) if found is not None else ():
                yield from self.plausible(iter([Edit(changed(self.node, {part: new}, parents), cost)]))

    def value_with(self, part: ast.expr, new: float) -> Float | None:
        """The value with a number in the place of a part; None where it has another shape."""
        assert self.hand is not None
        value = self.hand.value(changed(self.node, {part: number(new)}, parents_of(self.node)))
        return to64(value) if is_value(value) and np.shape(value) == np.shape(self.value) else None

    def sized(self) -> Iterator[Edit]:
        """Times or over one of its own sizes; rather over that of a name, where it is none."""
        more = 0 if isinstance(self.node, ast.Name | ast.Attribute) else NOT_OF_A_NAME
        return self.plausible(Edit(new, cost + more) for new, cost in around(self.node, self.writing, SIZED))

    def scaled(self) -> Iterator[Edit]:
        """Times a number that stands nowhere, or one that is made of those at hand."""
        yield from self.plausible(around(self.node, self.writing, SCALED))
        if self.hand is not None and self.is_settled and (ratio := self.ratio):
            known = numbers_at_hand(self.hand.items, self.numbers, self.writing)
            yield from self.plausible(with_factor(self.node, ratio, known, self.writing))

    def joined_twice(self) -> Iterator[Edit]:
        """Put together with two things at hand, the second found by the value it must have."""
        if self.hand is not None and self.is_settled:
            for text, values, cost in pairs(to64(self.value), self.needed, self.hand.items, self.writing):
                yield from self.plausible(iter([Edit(filled(text, self.writing, e=self.node, **values), cost)]))

    def along_other_axes(self) -> Iterator[Edit]:
        """Put together with something at hand that has fewer axes: dz[:, None, :] beside a row for each of t."""
        hand, shape = self.hand, np.shape(self.value)
        for item in hand.items if hand else ():
            if hand and not item.is_piece and not item.is_number:
                for index in spread_indices(np.shape(item.value), shape):
                    node = ast.Subscript(item.node, index, ast.Load())
                    spread = Item(node, hand.value(node), item.cost + SPREAD)
                    yield from self.joined_to(spread, hand, ALONG_AXES)

    def spread_parts(self) -> Iterator[Edit]:
        """A part that has fewer numbers than the whole, times something at hand that has as many: g - h * mean(g h)."""
        hand, parents, size = self.hand, parents_of(self.node), np.size(self.value)
        if hand is None:
            return
        wide = [i for i in hand.items if np.size(i.value) == size > 1 and not i.is_piece]
        for part in parts_inside(self.node, self.has_need) if wide else ():
            value: Any = None if isinstance(part, ast.Constant) else hand.value(part)
            if is_value(value) and np.size(value) < size:
                for item in wide:
                    product = ast.BinOp(item.node, ast.Mult(), part)
                    edit = Edit(changed(self.node, {part: product}, parents), SPREAD_PART + item.cost)
                    yield from self.plausible(iter([edit]))

    def handed_over(self) -> Iterator[Edit]:
        """Given to another function of the reader's own, or to one where it was given to none."""
        names = self.hand.functions if self.hand else ()

        def edits(node: ast.expr) -> Iterator[Edit]:
            taken = [node, *(node.args[:1] if isinstance(node, ast.Call) else [])]
            for name in names:
                yield from (Edit(ast.Call(ast.Name(name, ast.Load()), [each], []), OWN_FUNCTION) for each in taken)

        yield from self.plausible(edits_inside(self.node, edits, self.has_need))

    def less_shared(self) -> Iterator[Edit]:
        """Less what its entries share along an axis, as in a softmax (projections.py)."""
        if self.hand is not None and self.is_settled:
            size = sum(isinstance(n, ast.expr) for n in ast.walk(self.node))
            given = Thing(self.node, to64(self.value), OF_PIECE * size)  # it is written twice
            yield from self.plausible(with_shared_term(given, self.needed, self.hand.items, self.writing))

    def added(self) -> Iterator[Edit]:
        """More or less than it is by something that names make: by its shape alone, for a loop that adds to it."""
        names = [item for item in self.hand.items if isinstance(item.node, ast.Name)] if self.hand else []
        with quiet():
            for term in summands(names, np.shape(self.value), self.writing):
                for text in ("{e} + {n}", "{e} - {n}"):
                    yield Edit(filled(text, self.writing, e=self.node, n=term.node), term.cost)

    @property
    def is_settled(self) -> bool:
        """Whether no other value would do."""
        return self.need.settled and bool(self.need.matters[self.need.time].all())

    @property
    def ratio(self) -> float | None:
        """How many times its value it should be, if all of it is off by one factor."""
        given, needed = to64(self.value), self.needed
        size = float(np.sum(given * given))
        ratio = float(np.sum(given * needed)) / size if size else 0.0
        near = np.max(np.abs(ratio * given - needed), initial=0.0) <= FITS * np.max(np.abs(needed), initial=0.0)
        return ratio if near else None

    @property
    def needed(self) -> Float:
        return self.need.values[self.need.time]

    def plausible(self, edits: Iterator[Edit]) -> Iterator[Edit]:
        """Those that give the value that is needed; all where that cannot be told."""
        for edit in edits:
            if self.hand is None:
                yield edit
            elif self.fits(self.hand.value(edit.node)):
                yield self.with_what_is_at_hand(self.hand, edit)

    def with_what_is_at_hand(self, hand: AtHand, edit: Edit) -> Edit:
        """The edit with a name or an entry in the place of what would be computed again."""
        known = set(ast.walk(self.node))
        changes: dict[ast.AST, ast.AST] = {}
        waiting: list[ast.AST] = [edit.node]
        while waiting:
            node = waiting.pop()
            if node in known:
                continue
            value = hand.value(node) if isinstance(node, ast.BinOp | ast.Call | ast.UnaryOp) else None
            name = hand.holding(value)
            if name is None:
                waiting += ast.iter_child_nodes(node)
            else:
                changes[node] = name
        new = changed(edit.node, changes, parents_of(edit.node))
        return Edit(new, edit.cost) if changes and ast.dump(new) != ast.dump(self.node) else edit

    def fits(self, value: Any) -> bool:
        """Whether the value does what is needed, as far as one evaluation can tell."""
        if not is_value(value):
            return False
        try:
            return self.need.served_by(np.broadcast_to(to64(value), np.shape(self.value)))
        except ValueError:
            return False


def spread_indices(shape: Sequence[int], to: Sequence[int]) -> Iterator[ast.Tuple]:
    """The indices that give an array axes of size 1 until it fits the other: not those in front, which come alone."""
    for places in combinations(range(len(to)), len(shape)) if shape else ():
        fits = all(n in (1, to[i]) for i, n in zip(places, shape, strict=True))
        if fits and places != tuple(range(len(to) - len(shape), len(to))):
            items: list[ast.expr] = [
                ast.Slice() if i in places else ast.Constant(None) for i in range(places[0], len(to))
            ]
            yield ast.Tuple(items, ast.Load())


def can_evaluate(hand: AtHand, node: ast.expr, value: Any) -> bool:
    """Whether the expression gives at its line what it gave in the run: not inside a comprehension."""
    found = hand.value(node)
    return is_value(found) and np.shape(found) == np.shape(value) and np.array_equal(to64(found), to64(value))


def writing_of(scope: Mapping[str, Any], tree: ast.AST, moves: tuple[str, ...] = ()) -> Writing:
    """How the code writes: the module that its functions come from, axis or dim, how axes are moved elsewhere."""
    words = {n.arg for n in ast.walk(tree) if isinstance(n, ast.keyword)}
    modules = [n.value.id for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    known = [m for m in modules if m in MODULES]
    default = "np" if "np" in scope or "torch" not in scope else "torch"
    module = max(set(known), key=known.count) if known else default
    of_torch = module == "torch" or bool(words & {"dim", "keepdim"})
    return Writing(module, *(("dim", "keepdim") if of_torch else ("axis", "keepdims")), moves)
