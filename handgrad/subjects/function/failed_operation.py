"""Whether an exception is a mistake of the code: told by the statement that raised and by what it worked on.

Never by the words of a message, which are others in the next release.
"""

import ast
import dis
import linecache
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from handgrad.judge.isolation import attempt, raised_in
from handgrad.source.read import parse
from handgrad.source.tree import statement_at

# What can be evaluated once more without doing anything else.
READABLE = (ast.Name, ast.Attribute, ast.Subscript, ast.Slice, ast.Tuple, ast.Constant, ast.UnaryOp, ast.BinOp,
            ast.keyword, ast.operator, ast.unaryop, ast.expr_context)  # fmt: skip
HARMLESS = ("detach", "t", "transpose", "permute", "reshape", "view", "squeeze", "unsqueeze", "contiguous", "copy",
                "clone", "float", "double", "astype", "swapaxes", "ravel", "flatten", "sum", "mean")  # fmt: skip


class Raised(NamedTuple):
    """Where an exception came from: the frame, the statement, and the name of Python's instruction."""

    frame: FrameType
    statement: ast.stmt
    instruction: str


def is_mistake(error: Exception | None) -> bool:
    """Shapes that do not fit, a key, an index or a name that is not there, or another operation on a value.

    What code raises by a statement of its own is a refusal. A TypeError may be about the kind of array it was given,
    another RuntimeError about the machine, a singular matrix about the numbers; what is unpacked, or used as an index
    though it holds floating-point numbers, is not what the code was made for.
    """
    found = where_raised(error)
    if found is None or found.instruction == "RAISE_VARARGS":
        return False
    if isinstance(error, NameError | KeyError) or operands_clash(found.frame, found.statement):
        return True
    if isinstance(error, IndexError):
        indices = (node.slice for node in ast.walk(found.statement) if isinstance(node, ast.Subscript))
        return not any(holds_floats(found.frame, index) for index in indices)
    unpacks = found.instruction in ("UNPACK_SEQUENCE", "UNPACK_EX")
    return isinstance(error, ValueError) and not isinstance(error, np.linalg.LinAlgError) and not unpacks


def where_raised(error: Exception | None) -> Raised | None:
    """In the code nearest to what was raised; None where there is no source."""
    step = raised_in(error)
    if error is None or step is None or step.lineno is None or not step.line:
        return None
    tb, last = error.__traceback__, None
    while tb is not None:
        if (tb.tb_frame.f_code.co_filename, tb.tb_lineno) == (step.filename, step.lineno):
            last = tb
        tb = tb.tb_next
    tree = parse("".join(linecache.getlines(step.filename)))
    statement = None if tree is None else statement_at(tree, step.lineno)
    if last is None or statement is None:
        return None
    return Raised(last.tb_frame, statement, dis.opname[last.tb_frame.f_code.co_code[last.tb_lasti]])


def operands_clash(frame: FrameType, statement: ast.stmt) -> bool:
    """Whether an operation of the statement has two arrays whose shapes do not fit."""
    for operator, *sides in operations(statement):
        shapes = [getattr(value, "shape", None) for side in sides for value in values(frame, side)]
        if len(shapes) == 2 and None not in shapes and not fit(*shapes, product=isinstance(operator, ast.MatMult)):
            return True
    return False


def operations(statement: ast.stmt) -> Iterator[tuple[ast.operator, ast.expr, ast.expr]]:
    """Every operator with its two operands."""
    for node in ast.walk(statement):
        if isinstance(node, ast.BinOp):
            yield node.op, node.left, node.right
        elif isinstance(node, ast.AugAssign):
            yield node.op, node.target, node.value


def fit(one: Any, other: Any, *, product: bool) -> bool:
    """Whether two shapes can be multiplied as matrices, or combined entry by entry."""
    a, b = tuple(map(int, one)), tuple(map(int, other))
    if product:
        return bool(a and b) and a[-1] == b[max(-2, -len(b))]
    return attempt(np.broadcast_shapes, a, b).error is None


def holds_floats(frame: FrameType, index: ast.expr) -> bool:
    """Whether a part of an index is a floating-point number, or an array of them."""
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    found = (value for part in parts if not isinstance(part, ast.Slice) for value in values(frame, part))
    return any(isinstance(value, float) or "float" in str(getattr(value, "dtype", "")) for value in found)


def values(frame: FrameType, node: ast.expr) -> Iterator[Any]:
    """The value of an expression where it raised, if evaluating it does nothing else and raises nothing."""
    if all(is_readable(part) for part in ast.walk(node)):
        code = compile(ast.unparse(node), "<operand>", "eval")
        found = attempt(eval, code, frame.f_globals, dict(frame.f_locals))
        if found.error is None:
            yield found.value


def is_readable(node: ast.AST) -> bool:
    """Calls only of methods that change nothing."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr in HARMLESS
    return isinstance(node, READABLE)
