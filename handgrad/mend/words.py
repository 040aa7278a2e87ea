"""A change in words: what is wrong with what stands there, told by comparing the two trees. One rule for each slip."""

import ast
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any, NamedTuple

from handgrad.mend.local_edits import MODULES, WITH_AXIS
from handgrad.source.tree import changed, unparse

Trees = Mapping[str, ast.AST]


class Slip(NamedTuple):
    """What stands in a tree and what should (a tuple of statements, empty for nothing); parents: of the whole tree."""

    old: Any
    new: Any
    parents: Mapping[ast.AST, ast.AST]

    @property
    def parent(self) -> ast.AST | None:
        return self.parents.get(self.old)

    @property
    def wider(self) -> "Slip | None":
        """The same with the expression around it."""
        node = self.parent.value if isinstance(self.parent, ast.keyword) else self.old
        around = self.parents.get(self.parent) if isinstance(self.parent, ast.keyword) else self.parent
        if node is not self.old or not isinstance(around, ast.expr):
            return None
        return Slip(around, changed(around, {self.old: self.new}, self.parents), self.parents)

    @property
    def both(self) -> str:
        return f"`{unparse(self.old)}` where `{unparse(self.new)}` belongs"

    @property
    def shown(self) -> str:
        """Both with the operation around them, which says more than one name alone."""
        around = self.wider
        return (around if around is not None and isinstance(around.old, ast.BinOp) else self).both


def describe(slips: Sequence[Slip], elsewhere: Trees) -> str:
    """One sentence on all slips of a change. elsewhere: the functions that are not changed, by their names."""
    left, told = list(slips), list[str]()
    for first, second in permutations(slips, 2):
        words = two_places(first, second) if first in left and second in left else None
        if words is not None:
            told.append(words)
            left = [s for s in left if s is not first and s is not second]
    counted = Counter([*told, *(describe_one(slip, elsewhere) for slip in left)])
    return "; ".join(words if count == 1 else f"{words} (at {count} places)" for words, count in counted.items())


def describe_one(slip: Slip, elsewhere: Trees) -> str:
    """The first rule that fits; else the one where the other belongs."""
    if not isinstance(slip.old, ast.expr):
        return statement(slip)
    words = (rule(slip) for rule in RULES)
    return next((w for w in words if w is not None), None) or number(slip, elsewhere) or slip.shown


def same(a: Any, b: Any) -> bool:
    return isinstance(a, ast.AST) and isinstance(b, ast.AST) and ast.dump(a) == ast.dump(b)


def two_places(first: Slip, second: Slip) -> str | None:
    """Two things exchanged, or one statement moved past another."""
    if isinstance(first.old, ast.stmt) and first.parent is second.parent:
        if first.new == () and second.new == (second.old, first.old):
            return f"{line(first.old)} belongs after {line(second.old)}"
        if first.new == () and second.new == (first.old, second.old):
            return f"{line(first.old)} belongs before {line(second.old)}"
    if not (same(first.new, second.old) and same(second.new, first.old)):
        return None
    if isinstance(first.old, ast.stmt):
        return f"{line(first.old)} belongs after {line(second.old)}"
    what = "the results " if isinstance(first.parents.get(first.parent or first.old), ast.Return) else ""
    return f"{what}`{unparse(first.old)}` and `{unparse(second.old)}` are exchanged"


def line(node: Any) -> str:
    """A statement by its first line."""
    return f"`{unparse(node).splitlines()[0]}`"


def statement(slip: Slip) -> str:
    """A statement left out, or assigned where it has to be added."""
    old, new = slip.old, slip.new
    if new == ():
        return f"{line(old)} does not belong there"
    if isinstance(new, tuple):
        return f"{line(old)} where {' and '.join(map(line, new))} belong"
    if isinstance(old, ast.Assign) and isinstance(new, ast.AugAssign):
        word = "added to" if isinstance(new.op, ast.Add) else "subtracted from"
        return f"`{unparse(old.targets[0])}` is assigned where it has to be {word}: what was in it is lost"
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.Assign):
        return f"`{unparse(old.target)}` is added to, or changed, where it has to be assigned"
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.Expr):
        return f"where `{unparse(old.target)}` is one place several times, one term is kept; all have to be added"
    if isinstance(old, ast.AugAssign) and isinstance(new, ast.AugAssign) and is_sign(old.op, new.op):
        return f"the sign is wrong: {line(old)} where {line(new)} belongs"
    return f"{line(old)} where {line(new)} belongs"


def is_sign(a: ast.operator, b: ast.operator) -> bool:
    return {type(a), type(b)} == {ast.Add, ast.Sub}


def missing_result(slip: Slip) -> str | None:
    if isinstance(slip.old, ast.Constant) and slip.old.value is None:
        return f"None is returned where `{unparse(slip.new)}` belongs"
    return None


def exchanged(slip: Slip) -> str | None:
    """Two entries of a tuple, two arguments, two operands."""
    old, new = slip.old, slip.new
    for kind, field, what in ((ast.Tuple, "elts", ""), (ast.List, "elts", ""), (ast.Call, "args", "the arguments ")):
        if isinstance(old, kind) and isinstance(new, kind):
            a, b = getattr(old, field), getattr(new, field)
            off = [i for i in range(min(len(a), len(b))) if not same(a[i], b[i])]
            if len(a) == len(b) and len(off) == 2 and same(a[off[0]], b[off[1]]) and same(a[off[1]], b[off[0]]):
                return f"{what}`{unparse(a[off[0]])}` and `{unparse(a[off[1]])}` are exchanged: {slip.both}"
    two = isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp) and type(old.op) is type(new.op)
    if two and same(old.left, new.right) and same(old.right, new.left):
        return f"the operands are exchanged: {slip.both}"
    return None


def transposed(slip: Slip) -> str | None:
    if same(transpose_of(slip.new), slip.old):
        return f"`{unparse(slip.old)}` is not transposed: {slip.shown}"
    if same(transpose_of(slip.old), slip.new):
        return f"`{unparse(slip.new)}` is transposed: {slip.shown}"
    return None


def transpose_of(node: ast.AST) -> ast.AST | None:
    """W of W.T, of W.swapaxes(-1, -2) and of np.transpose(W)."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in ("swapaxes", "transpose") and not is_module(node.func.value):
            return node.func.value
        if node.func.attr == "transpose" and len(node.args) == 1:
            return node.args[0]
    return None


def is_module(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in MODULES


def power(slip: Slip) -> str | None:
    if same(square_of(slip.new), slip.old):
        return f"the square is missing: {slip.shown}"
    if same(square_of(slip.old), slip.new):
        return f"a square too many: {slip.shown}"
    around = slip.wider
    if around is not None and isinstance(around.old, ast.BinOp) and isinstance(around.old.op, ast.Pow):
        return f"the power is {unparse(slip.old)}, {unparse(slip.new)} belongs: {around.both}"
    return None


def square_of(node: ast.AST) -> ast.AST | None:
    """h of h ** 2 and of h * h."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and unparse(node.right) == "2":
        return node.left
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and same(node.left, node.right):
        return node.left
    return None


def sign(slip: Slip) -> str | None:
    old, new = slip.old, slip.new
    if same(negated(new), old) or same(negated(old), new):
        return f"the sign is wrong: {slip.both}"
    two = isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp) and is_sign(old.op, new.op)
    if two and same(old.left, new.left) and same(old.right, new.right):
        return f"the sign of `{unparse(old.right)}` is wrong: {slip.both}"
    return None


def negated(node: ast.AST) -> ast.AST | None:
    return node.operand if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) else None


def operator(slip: Slip) -> str | None:
    """Multiplied for divided, and the like, with the same operands."""
    old, new = slip.old, slip.new
    if not (isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp)):
        return None
    if type(old.op) is type(new.op) or not (same(old.left, new.left) and same(old.right, new.right)):
        return None
    words = DONE.get(type(old.op)), DONE.get(type(new.op))
    return None if None in words else f"{words[0]} where {words[1]} belongs: {slip.both}"


DONE: Mapping[type, str] = {
    ast.Mult: "the product entry by entry", ast.MatMult: "the matrix product", ast.Div: "the quotient",
    ast.Add: "the sum", ast.Sub: "the difference",
}  # fmt: skip


def operand(slip: Slip) -> str | None:
    """A factor, divisor or summand that is missing, or does not belong there."""
    for whole, part, word in ((slip.new, slip.old, "is missing"), (slip.old, slip.new, "does not belong there")):
        if not isinstance(whole, ast.BinOp) or type(whole.op) not in OPERAND:
            continue
        if same(whole.left, part):
            return f"{OPERAND[type(whole.op)].format(unparse(whole.right))} {word}{path(slip, whole, word)}"
        if same(whole.right, part) and isinstance(whole.op, ast.Mult | ast.MatMult | ast.Add):
            return f"{OPERAND[type(whole.op)].format(unparse(whole.left))} {word}{path(slip, whole, word)}"
    return None


OPERAND: Mapping[type, str] = {
    ast.Mult: "the factor `{}`", ast.MatMult: "the product with `{}`", ast.Div: "the division by `{}`",
    ast.Add: "`+ {}`", ast.Sub: "`- {}`",
}  # fmt: skip


def path(slip: Slip, whole: ast.BinOp, word: str) -> str:
    """What a missing summand means where a gradient is added to a gradient."""
    around = slip.parent
    target = around.targets[0] if isinstance(around, ast.Assign) else getattr(around, "target", None)
    names = [n.id for n in (target, whole.left, whole.right) if isinstance(n, ast.Name)]
    summed = isinstance(whole.op, ast.Add) and word == "is missing" and len(names) > 1 and isinstance(target, ast.Name)
    return f": {names[0]} lacks one of its paths" if summed and all(n.startswith("d") for n in names) else ""


def divisor(slip: Slip) -> str | None:
    """Divided by one thing where another belongs."""
    around = slip.parent
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.Div) and around.right is slip.old:
        return f"divided by `{unparse(slip.old)}`, `{unparse(slip.new)}` belongs"
    return None


def axis(slip: Slip) -> str | None:
    """Summed over another axis, or with its axis kept where it is not."""
    for s in (slip, slip.wider):
        if s is None or not (isinstance(s.old, ast.Call) and isinstance(s.new, ast.Call)):
            continue
        name = called(s.old)
        if name not in WITH_AXIS.split() or called(s.new) != name or not same(reduced(s.old), reduced(s.new)):
            continue
        (of, kept), (belongs, keeps) = reduction(s.old), reduction(s.new)
        if of != belongs:
            belongs = belongs.removeprefix("over ") if of.startswith("over axis") else belongs
            return f"{REDUCED.get(name, f'{name} taken')} {of}, {belongs} belongs: {s.both}"
        if kept != keeps:
            return f"the axis has {'to be kept' if keeps != 'False' else 'not to be kept'}: {s.both}"
    return None


REDUCED = {"sum": "summed", "mean": "averaged", "max": "the maximum is taken", "min": "the minimum is taken"}


def called(call: ast.Call) -> str:
    """The last name of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def arguments(call: ast.Call) -> list[ast.expr]:
    """What a function of arrays is given, the array first."""
    own = isinstance(call.func, ast.Attribute) and not is_module(call.func.value)
    return [*([call.func.value] if own and isinstance(call.func, ast.Attribute) else []), *call.args]


def reduced(call: ast.Call) -> ast.expr | None:
    """The array that is summed."""
    return next(iter(arguments(call)), None)


def reduction(call: ast.Call) -> tuple[str, str]:
    """Over which axis, and whether it is kept."""
    given = {k.arg: unparse(k.value) for k in call.keywords}
    at = given.get("axis", given.get("dim", unparse(a[1]) if len(a := arguments(call)) > 1 else None))
    over = "over all entries" if at in (None, "None") else f"over axis {at}"
    return over, given.get("keepdims", given.get("keepdim", "False"))


def function(slip: Slip) -> str | None:
    """A function for its relative."""
    old, new = slip.old, slip.new
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call)) or called(old) == called(new):
        return None
    if [*map(ast.dump, arguments(old))] != [*map(ast.dump, arguments(new))]:
        return None
    words = [MEANT.get(called(call), f"`{called(call)}`") for call in (old, new)]
    return f"{words[0]} is taken where {words[1]} belongs: {slip.both}"


MEANT = {"sum": "the sum", "mean": "the mean", "max": "the maximum", "min": "the minimum"}


def wrapped(slip: Slip) -> str | None:
    """A call, an index or a reversal around an expression that is missing, or does not belong there."""
    for whole, part, word in ((slip.new, slip.old, "is missing"), (slip.old, slip.new, "does not belong there")):
        if isinstance(whole, ast.Subscript) and same(whole.value, part):
            return f"the index `[{unparse(whole.slice)}]` {word}: {slip.both}"
        if isinstance(whole, ast.Call) and same(reduced(whole), part):
            return around_it(whole, word, slip)
    return None


def around_it(call: ast.Call, word: str, slip: Slip) -> str:
    """What is done to an expression by the call around it."""
    name = called(call)
    if name in MEANT:
        return f"{MEANT[name]} {reduction(call)[0]} {word}: {slip.both}"
    if name == "reversed":
        return f"the loop has to run {'backwards' if word == 'is missing' else 'forwards'}"
    if name == "copy" and word == "is missing":
        return f"`{unparse(slip.new)}` belongs: without the copy both names hold the same array"
    return f"`{name}` {word}: {slip.both}"


def names(slip: Slip) -> str | None:
    if isinstance(slip.old, NAMED) and isinstance(slip.new, NAMED):
        return f"`{unparse(slip.old)}` is used where `{unparse(slip.new)}` belongs"
    return None


NAMED = (ast.Name, ast.Attribute, ast.Subscript)


def number(slip: Slip, elsewhere: Trees) -> str | None:
    """Another constant, with the function that has the right one, if it is no everyday number."""
    old, new = slip.old, slip.new
    if not (isinstance(old, ast.Constant) and isinstance(new, ast.Constant)):
        return None
    everyday = new.value in (0, 1, 2, 3, 4, 0.5)
    has = (name for name, tree in elsewhere.items() if any(same(n, new) for n in ast.walk(tree)))
    where = None if everyday else next(has, None)
    return f"{unparse(old)} where `{where}` has {unparse(new)}" if where else slip.shown


RULES: Sequence[Callable[[Slip], str | None]] = (
    missing_result, exchanged, axis, transposed, power, sign, operator, divisor, operand, function, wrapped, names,
)  # fmt: skip
