"""What is wrong with an expression, in words: one rule for each kind of slip, by comparing two trees."""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from handgrad.mend.change import unparse, unparse_index
from handgrad.mend.cumulated import edit_cumulated
from handgrad.mend.edit import MODULES
from handgrad.mend.local_edits import WITH_AXIS
from handgrad.mend.members import Member, differences, members
from handgrad.mend.slip import Slip, same


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
                return f"{what}`{unparse(a[off[0]])}` and `{unparse(a[off[1]])}` are exchanged{slip.example}"
    two = isinstance(old, ast.BinOp) and isinstance(new, ast.BinOp) and type(old.op) is type(new.op)
    if two and same(old.left, new.right) and same(old.right, new.left):
        word = "the sign is wrong" if isinstance(old.op, ast.Sub) else "the operands are exchanged"
        return f"{word}{slip.example}"
    return None


def transposed(slip: Slip) -> str | None:
    if same(transpose_of(slip.new), slip.old):
        return f"`{unparse(slip.old)}` is not transposed{slip.example}"
    if same(transpose_of(slip.old), slip.new):
        return f"`{unparse(slip.new)}` is transposed{slip.example}"
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
        return f"the square is missing{slip.example}"
    if same(square_of(slip.old), slip.new):
        return f"a square too many{slip.example}"
    around = slip.wider
    if around is None or not isinstance(around.old, ast.BinOp) or not isinstance(around.new, ast.BinOp):
        return None
    if isinstance(around.old.op, ast.Pow) and same(around.old.left, around.new.left):
        return f"the power is {unparse(slip.old)}, {unparse(slip.new)} belongs{around.example}"
    return None


def square_of(node: ast.AST) -> ast.AST | None:
    """h of h ** 2 and of h * h."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and unparse(node.right) == "2":
        return node.left
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and same(node.left, node.right):
        return node.left
    return None


def sign(slip: Slip) -> str | None:
    if same(negated(slip.new), slip.old) or same(negated(slip.old), slip.new):
        return f"the sign is wrong{slip.example}"
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
    return None if None in words else f"{words[0]} where {words[1]} belongs{slip.example}"


DONE: Mapping[type, str] = {
    ast.Mult: "the product entry by entry", ast.MatMult: "the matrix product", ast.Div: "the quotient",
    ast.Add: "the sum", ast.Sub: "the difference",
}  # fmt: skip


def operand(slip: Slip) -> str | None:
    """A matrix that a product lacks, or that does not belong there."""
    for whole, part, word in ((slip.new, slip.old, MISSING), (slip.old, slip.new, TOO_MUCH)):
        if isinstance(whole, ast.BinOp) and isinstance(whole.op, ast.MatMult):
            for one, other in ((whole.left, whole.right), (whole.right, whole.left)):
                if same(one, part):
                    return f"the product with `{unparse(other)}` {word}"
    return None


MISSING, TOO_MUCH = "is missing", "does not belong there"


def factor(slip: Slip) -> str | None:
    """A factor or divisor that a product lacks, has too much, or has on the wrong side."""
    extra, lost = differences(slip, (ast.Mult, ast.Div))
    if len(extra) == len(lost) == 1 and same(extra[0].node, lost[0].node):
        return f"{side_words(extra[0])} where {side_words(lost[0])} belongs{slip.example}"
    if len(extra) + len(lost) != 1:
        return None
    member = (extra + lost)[0]
    if unparse(member.node) == "-1":
        return f"the sign is wrong{slip.example}"
    return f"{side_words(member)} {TOO_MUCH if extra else MISSING}"


def side_words(member: Member) -> str:
    return f"the {'division by' if member.turned else 'factor'} `{unparse(member.node)}`"


def term(slip: Slip) -> str | None:
    """A summand that a sum lacks, has too much, or has with the wrong sign."""
    extra, lost = differences(slip, (ast.Add, ast.Sub))
    if len(extra) == len(lost) == 1 and same(extra[0].node, lost[0].node):
        return f"the sign of `{unparse(extra[0].node)}` is wrong{slip.example}"
    if len(extra) + len(lost) != 1:
        return None
    member = (extra + lost)[0]
    target = slip.parent.targets[0] if isinstance(slip.parent, ast.Assign) else getattr(slip.parent, "target", None)
    if lost and isinstance(target, ast.Name) and isinstance(member.node, ast.Name) and not member.turned:
        if target.id == member.node.id:
            return f"`{target.id}` is assigned where it has to be added to: what was in it is lost"
        if target.id.startswith("d") and member.node.id.startswith("d"):  # a gradient, and one more
            return f"`+ {member.node.id}` is missing: {target.id} lacks one of its paths"
    return f"`{'-' if member.turned else '+'} {unparse(member.node)}` {TOO_MUCH if extra else MISSING}"


def jacobian(slip: Slip) -> str | None:
    """The diagonal of a softmax's Jacobian, p * (1 - p) * dp, where all of it belongs: p * (dp - sum(p * dp))."""
    extra, lost = differences(slip, (ast.Mult, ast.Div))
    nodes = [m.node for m in lost if not m.turned]
    if len(nodes) != 1 or not isinstance(nodes[0], ast.BinOp) or not isinstance(nodes[0].op, ast.Sub):
        return None
    total = nodes[0].right
    shared = called(total) == "sum" if isinstance(total, ast.Call) else False
    names = [ast.dump(m.node) for m in members(slip.old, (ast.Mult, ast.Div))]
    diagonal = [m.node.right for m in extra if isinstance(m.node, ast.BinOp) and unparse(m.node.left) == "1"]
    if not shared or not any(ast.dump(p) in names for p in diagonal):
        return None
    return "only the diagonal of the softmax's Jacobian is taken: each entry depends on all along the axis"


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
            return f"{REDUCED.get(name, f'{name} taken')} {of}, {belongs} belongs{s.example}"
        if kept != keeps:
            return f"the axis has {'to be kept' if keeps != 'False' else 'not to be kept'}{s.example}"
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
    return f"{words[0]} is taken where {words[1]} belongs{slip.example}"


MEANT = {"sum": "the sum", "mean": "the mean", "max": "the maximum", "min": "the minimum"}


def cumulated(slip: Slip) -> str | None:
    if isinstance(slip.old, ast.Call) and any(same(edit.node, slip.new) for edit in edit_cumulated(slip.old)):
        return f"`{called(slip.old)}` runs from the start where it has to run from the end"
    return None


def order(slip: Slip) -> str | None:
    """The axes of a transposition in another order."""
    old, new = slip.old, slip.new
    if not (isinstance(old, ast.Call) and isinstance(new, ast.Call) and called(old) == called(new)):
        return None
    if called(old) not in ("transpose", "permute", "moveaxis", "swapaxes") or not same(reduced(old), reduced(new)):
        return None
    given, belongs = (", ".join(map(unparse, arguments(call)[1:])) for call in (old, new))
    return f"the axes are in the order {given} where {belongs} belongs"


def wrapped(slip: Slip) -> str | None:
    """A call, an index or a reversal around an expression that is missing, or does not belong there."""
    for whole, part, word in ((slip.new, slip.old, "is missing"), (slip.old, slip.new, "does not belong there")):
        if isinstance(whole, ast.Subscript) and same(whole.value, part):
            return f"the index `[{unparse_index(whole.slice)}]` {word}{slip.example}"
        if isinstance(whole, ast.Call) and same(reduced(whole), part):
            return around_it(whole, word, slip)
    return None


def around_it(call: ast.Call, word: str, slip: Slip) -> str:
    """What is done to an expression by the call around it."""
    name = called(call)
    if name in MEANT:
        return f"{MEANT[name]} {reduction(call)[0]} {word}{slip.example}"
    if name == "reversed":
        return f"the loop has to run {'backwards' if word == 'is missing' else 'forwards'}"
    if name == "copy" and word == "is missing":
        return f"`{unparse(slip.new)}` belongs: without the copy both names hold the same array"
    return f"`{name}` {word}{slip.example}"


def names(slip: Slip) -> str | None:
    around = slip.wider
    if around is not None and isinstance(around.old, ast.Subscript) and around.old.slice is slip.old:
        slip = around
    pairs = {(ast.dump(a), ast.dump(b)): (a, b) for a, b in replaced(slip.old, slip.new)}
    if len(pairs) != 1:
        return None
    old, new = next(iter(pairs.values()))
    if is_name(old) and is_name(new):
        return f"`{unparse(old)}` is used where `{unparse(new)}` belongs"
    return None


def replaced(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    """The smallest parts that differ between trees of one form; the whole where the form differs."""
    if ast.dump(old) == ast.dump(new):
        return
    below = list(ast.iter_child_nodes(old)), list(ast.iter_child_nodes(new))
    words = [[v for _, v in ast.iter_fields(n) if not isinstance(v, ast.AST | list)] for n in (old, new)]
    if type(old) is not type(new) or is_name(old) or len(below[0]) != len(below[1]) or words[0] != words[1]:
        yield old, new
        return
    for a, b in zip(*below, strict=True):
        yield from replaced(a, b)


def is_name(node: ast.AST) -> bool:
    """Whether it is a name, or an entry or attribute of one."""
    return isinstance(node, ast.Name) or (isinstance(node, ast.Attribute | ast.Subscript) and is_name(node.value))


RULES: Sequence[Callable[[Slip], str | None]] = (
    missing_result, cumulated, order, exchanged, axis, transposed, power, sign, divisor, jacobian, factor, term,
    operator, operand, function, wrapped, names,
)  # fmt: skip
