"""An argument that a function writes into, or sets anew, before it computes a quantity from it."""

import ast
from collections.abc import Callable

from handgrad.grading.change import find_function
from handgrad.grading.child.isolate import targets

BEFORE = "__before__"  # a name that no submission has


def find_overwritten(source: str, function: str, name: str, is_right: Callable[[str], bool]) -> str:
    """The line that overwrites an argument, if the quantity is right from what that was before; else nothing.

    is_right: whether the quantity is right in a source.
    """
    own = find_function(ast.parse(source), function)
    for argument in own.args.args if own else ():
        line, changed = keep_argument(source, function, argument.arg)
        if line and is_right(changed):
            return f"Line {line} overwrites {argument.arg}: {name} is right from what that was before."
    return ""


def keep_argument(source: str, function: str, argument: str) -> tuple[int, str]:
    """The first line that overwrites an argument, 0 if none does, and the source in which all others read a copy."""
    tree = ast.parse(source)
    own = find_function(tree, function)
    assert own is not None
    statements = [node for node in ast.walk(own) if isinstance(node, ast.stmt)]
    writing = [s for s in statements if any(target.name == argument for target in targets(s))]
    kept = {node for statement in writing for node in ast.walk(statement)}
    for node in ast.walk(own):
        if isinstance(node, ast.Name) and node.id == argument and node not in kept:
            node.id = BEFORE
    own.body = [*ast.parse(f"{BEFORE} = {argument}.copy()").body, *own.body]
    return min((statement.lineno for statement in writing), default=0), ast.unparse(tree)
