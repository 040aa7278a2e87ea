"""Edits of one node of a tree: another operator, name, number, function, axis, index; operands exchanged or dropped."""

import ast
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

from handgrad.mend.cumulated import edit_cumulated
from handgrad.mend.edit import MODULES, Edit, is_number, number
from handgrad.mend.index_edits import edit_count, edit_index, edit_slice
from handgrad.mend.templates import RELATIVES

OPERATORS: tuple[type[ast.operator], ...] = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.MatMult)
COMPARISONS: tuple[type[ast.cmpop], ...] = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
NUMBERS = (0, 1, 2, 3, 4, 0.5, -1, -2, math.pi)


def local_edits(node: ast.expr, names: Sequence[str], numbers: Sequence[float]) -> Iterator[Edit]:
    """Edits of one node, its parts as they are."""
    for edit in EDITS.get(type(node), ()):
        yield from edit(node)
    if isinstance(node, ast.Constant) and is_number(node.value):
        v = node.value
        for new in dict.fromkeys([*numbers, *NUMBERS, v + 1, v - 1, 2 * v, v / 2, -v]):
            if new != v:
                yield Edit(number(new), 1)
        yield from (Edit(ast.Name(n, ast.Load()), 1.6) for n in names)
        if v == 0:  # a threshold, which few numbers tell apart: r > -margin comes before r > -1
            yield from (Edit(ast.UnaryOp(ast.USub(), ast.Name(n, ast.Load())), 0.9) for n in names)
    if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "where" and len(node.args) == 3:
        yield from (edit for name in names for edit in edit_branches(node, name))
    if isinstance(node, ast.Name):
        yield from (Edit(ast.Name(n, ast.Load()), 1.2) for n in names if n != node.id)
        yield from (Edit(number(n), 2.5) for n in numbers)


def edit_operation(node: ast.BinOp) -> Iterator[Edit]:
    """Another operator, operands exchanged, one of them dropped."""
    for kind in OPERATORS:
        if not isinstance(node.op, kind):
            yield Edit(ast.BinOp(node.left, kind(), node.right), 1)
    if isinstance(node.op, ast.BitAnd | ast.BitOr):
        sides = [
            list(edit_comparison(side)) if isinstance(side, ast.Compare) else [] for side in (node.left, node.right)
        ]
        yield from (Edit(ast.BinOp(a.node, node.op, b.node), 1.6) for a in sides[0] for b in sides[1])
        yield Edit(
            ast.BinOp(node.left, ast.BitOr() if isinstance(node.op, ast.BitAnd) else ast.BitAnd(), node.right), 1
        )
    if not isinstance(node.op, ast.Add | ast.Mult):
        yield Edit(ast.BinOp(node.right, node.op, node.left), 1.1)
    yield Edit(node.left, 1.1)
    yield Edit(node.right, 1.1)
    if isinstance(node.op, ast.MatMult | ast.Mult | ast.Div):
        for left, right in ((t(node.left), node.right), (node.left, t(node.right)), (t(node.left), t(node.right))):
            yield Edit(ast.BinOp(left, node.op, right), 2.2)
        if isinstance(node.op, ast.MatMult):  # the transpose of the whole
            yield Edit(ast.BinOp(t(node.right), ast.MatMult(), t(node.left)), 2.2)
        yield Edit(ast.BinOp(t(node.right), ast.MatMult(), node.left), 2.4)
        yield Edit(ast.BinOp(node.right, ast.MatMult(), t(node.left)), 2.4)
        yield Edit(ast.BinOp(t(node.left), ast.MatMult(), node.right), 2.4)
        yield Edit(ast.BinOp(node.left, ast.MatMult(), t(node.right)), 2.4)


def edit_twice(node: ast.BinOp) -> Iterator[Edit]:
    """Both sides of what is symmetric only in its values: 2 * ds as ds + ds.T."""
    for factor, array in ((node.left, node.right), (node.right, node.left)):
        if isinstance(node.op, ast.Mult) and isinstance(factor, ast.Constant) and factor.value == 2:
            yield Edit(ast.BinOp(array, ast.Add(), t(array)), 2)
            yield Edit(ast.BinOp(array, ast.Add(), swapped(array)), 2.2)


def edit_first(node: ast.BinOp) -> Iterator[Edit]:
    """Every entry along a new last axis, where the first one stood for all: a * dy[0], a * dy[:, None]."""
    for side, other in (("left", node.right), ("right", node.left)):
        first = getattr(node, side)
        if isinstance(first, ast.Subscript) and isinstance(first.slice, ast.Constant) and is_number(first.slice.value):
            index = ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load())
            spread = ast.Subscript(first.value, index, ast.Load())
            sides = (spread, other) if side == "left" else (other, spread)
            yield Edit(ast.BinOp(sides[0], node.op, sides[1]), 1.4)


def edit_sign(node: ast.UnaryOp) -> Iterator[Edit]:
    yield Edit(node.operand, 1)


def edit_comparison(node: ast.Compare) -> Iterator[Edit]:
    if len(node.ops) == 1:
        for kind in COMPARISONS:
            if not isinstance(node.ops[0], kind):
                yield Edit(ast.Compare(node.left, [kind()], node.comparators), 1)


def edit_compared(node: ast.Compare) -> Iterator[Edit]:
    """What is compared itself: a mask of dropout, which has a scale besides."""
    yield Edit(node.left, 1.1)


def edit_attribute(node: ast.Attribute) -> Iterator[Edit]:
    if node.attr in ("T", "mT"):
        yield Edit(node.value, 1)


def edit_choice(node: ast.IfExp) -> Iterator[Edit]:
    yield Edit(node.body, 1)
    yield Edit(node.orelse, 1)
    yield Edit(ast.IfExp(node.test, node.orelse, node.body), 1.1)


def edit_truth(node: ast.Constant) -> Iterator[Edit]:
    if isinstance(node.value, bool):
        yield Edit(ast.Constant(not node.value), 1)


def edit_tuple(node: ast.Tuple | ast.List) -> Iterator[Edit]:
    """Two of several exchanged: axes, shapes, operands."""
    for i, j in combinations(range(min(len(node.elts), 6)), 2):
        elts = list(node.elts)
        elts[i], elts[j] = elts[j], elts[i]
        yield Edit(type(node)(elts, ast.Load()), 1.3)
    for text in {ast.dump(e) for e in node.elts if isinstance(e, ast.Slice)}:
        alike = [e for e in node.elts if ast.dump(e) == text]
        if len(alike) > 1 and isinstance(alike[0], ast.Slice):
            for new, cost in edit_slice(alike[0]):
                yield Edit(type(node)([new if e in alike else e for e in node.elts], ast.Load()), cost + 0.2)


def edit_call(node: ast.Call) -> Iterator[Edit]:
    """A relative of the function, other axes, arguments exchanged or dropped, the call dropped."""
    f = node.func
    if isinstance(f, ast.Name) and f.id == "len" and len(node.args) == 1:
        yield from edit_count(node.args[0])
    if isinstance(f, ast.Attribute | ast.Name):
        name = f.attr if isinstance(f, ast.Attribute) else f.id
        for other in dict.fromkeys(
            r for row in RELATIVES.splitlines() if name in row.split() for r in row.split() if r != name
        ):
            new = (
                ast.Attribute(f.value, other, ast.Load())
                if isinstance(f, ast.Attribute)
                else ast.Name(other, ast.Load())
            )
            yield Edit(ast.Call(new, node.args, node.keywords), 1)
        yield from edit_axis(node)
    if isinstance(f, ast.Attribute):
        yield Edit(f.value, 1.3)
    for arg in node.args:
        yield Edit(arg, 1.4)
    for i, j in combinations(range(min(len(node.args), 5)), 2):
        args = list(node.args)
        args[i], args[j] = args[j], args[i]
        yield Edit(ast.Call(f, args, node.keywords), 1.2)
    for k in node.keywords:
        yield Edit(ast.Call(f, node.args, [o for o in node.keywords if o is not k]), 1.3)


def edit_branches(node: ast.Call, name: str) -> Iterator[Edit]:
    """One of the two branches times what may have been forgotten there: where(x > 0, dy, slope), slope * dy."""
    for i in (1, 2):
        product = ast.BinOp(node.args[i], ast.Mult(), ast.Name(name, ast.Load()))
        yield Edit(ast.Call(node.func, [*node.args[:i], product, *node.args[i + 1 :]], node.keywords), 1.8)


def edit_sum_given(node: ast.Call) -> Iterator[Edit]:
    """What was added before the call, added after it: back(dy + dskip), back(dy) + dskip."""
    for i, arg in enumerate(node.args):
        if isinstance(arg, ast.BinOp) and isinstance(arg.op, ast.Add | ast.Sub):
            for kept, moved, op in ((arg.left, arg.right, arg.op), (arg.right, arg.left, ast.Add())):
                args = [*node.args[:i], kept, *node.args[i + 1 :]]
                yield Edit(ast.BinOp(ast.Call(node.func, args, node.keywords), op, moved), 1.6)


def edit_outside(node: ast.BinOp) -> Iterator[Edit]:
    """What is joined to a call, joined to its argument: a[t] + f(b) as f(b + a[t]), and as f(b + a[t + 1])."""
    if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        return
    sides = [(node.left, node.right)] + ([] if isinstance(node.op, ast.Sub) else [(node.right, node.left)])
    for call, outside in sides:
        for i, arg in enumerate(call.args if isinstance(call, ast.Call) else ()):
            for inside, cost in inside_of(outside):
                args = [*call.args[:i], ast.BinOp(arg, node.op, inside), *call.args[i + 1 :]]  # type: ignore[attr-defined]
                yield Edit(ast.Call(call.func, args, call.keywords), cost)  # type: ignore[attr-defined]


def inside_of(node: ast.expr) -> Iterator[Edit]:
    """How it may stand elsewhere: as it is, at an index before or after, each as a row or as a column."""
    has_index = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name | ast.BinOp)
    beside = [Edit(new, 2) for new, cost in edit_index(node) if isinstance(new, ast.Subscript)] if has_index else []  # type: ignore[arg-type]
    for row, cost in (Edit(node, 1.8), *beside):
        yield Edit(row, cost)
        yield Edit(ast.Subscript(row, ast.Tuple([ast.Slice(), ast.Constant(None)], ast.Load()), ast.Load()), cost + 0.2)


WITH_AXIS = "sum mean max min amax amin var std prod cumsum argmax argmin softmax logsumexp flip roll norm"
AXES = (0, 1, -1, 2, -2, (0, 1), (0, 2), (1, 2), (0, 2, 3))


def edit_axis(node: ast.Call) -> Iterator[Edit]:
    """Another axis, with the axis kept or not, or none, where the function takes one."""
    if getattr(node.func, "attr", getattr(node.func, "id", "")) not in WITH_AXIS.split():
        return
    at = next((k.arg for k in node.keywords if k.arg in ("axis", "dim")), "axis")
    keep = next((k for k in node.keywords if k.arg in ("keepdims", "keepdim")), None)
    word = "keepdim" if at == "dim" else "keepdims"
    module = (
        isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.value.id in MODULES
    )
    base = node.args[:1] if module else []
    was_positional = len(node.args) > len(base)
    for keeps in ([] if keep is None else [keep], [] if keep is not None else [ast.keyword(word, ast.Constant(True))]):
        for axis in AXES:
            value = ast.Tuple([number(a) for a in axis], ast.Load()) if isinstance(axis, tuple) else number(axis)
            args, axes = ([*base, value], []) if was_positional else (base, [ast.keyword(at, value)])
            yield Edit(ast.Call(node.func, args, [*axes, *keeps]), 1.2 if keeps == ([keep] if keep else []) else 1.6)
        yield Edit(ast.Call(node.func, base, list(keeps)), 1.6)


def is_axes(node: ast.AST) -> bool:
    """Whether it is a tuple of whole numbers, as several axes are written: ax = (2, 3)."""
    return (
        isinstance(node, ast.Tuple)
        and bool(node.elts)
        and all(isinstance(n, ast.Constant) and type(n.value) is int for n in node.elts)
    )


def edit_axes(node: ast.expr, known: Iterable[ast.AST]) -> Iterator[Edit]:
    """Other axes than these: as they stand elsewhere, one more at either end, one less."""
    own = axes_in(node)
    beside = [(own[0] - 1, *own), (*own, own[-1] + 1), *(own[:i] + own[i + 1 :] for i in range(len(own)))]
    for axes, cost in [*((axes_in(each), 1.2) for each in known), *((each, 1.6) for each in beside)]:
        if axes and axes != own and min(axes) >= 0:
            yield Edit(ast.Tuple([number(a) for a in axes], ast.Load()), cost)


def axes_in(node: ast.AST) -> tuple[int, ...]:
    return tuple(n.value for n in node.elts)  # type: ignore[attr-defined]


def edit_both(node: ast.BoolOp) -> Iterator[Edit]:
    yield Edit(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values), 1)
    yield from (Edit(v, 1.2) for v in node.values)


EDITS: dict[type, Sequence[Callable[..., Iterator[Edit]]]] = {
    ast.BinOp: [edit_operation, edit_first, edit_twice, edit_outside],
    ast.UnaryOp: [edit_sign],
    ast.Compare: [edit_comparison, edit_compared],
    ast.Attribute: [edit_attribute],
    ast.Subscript: [edit_index],
    ast.Slice: [edit_slice],
    ast.IfExp: [edit_choice],
    ast.Constant: [edit_truth],
    ast.Tuple: [edit_tuple],
    ast.List: [edit_tuple],
    ast.Call: [edit_call, edit_sum_given, edit_cumulated],
    ast.BoolOp: [edit_both],
}


def t(node: ast.expr) -> ast.expr:
    """The transpose, or what was transposed."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return node.value
    return ast.Attribute(node, "T", ast.Load())


def swapped(node: ast.expr) -> ast.expr:
    """Each matrix of a batch transposed."""
    return ast.Call(ast.Attribute(node, "swapaxes", ast.Load()), [number(-1), number(-2)], [])
