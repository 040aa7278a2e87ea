"""A forward pass that returns its backward pass, `return y, backward`: a function inside it, which keeps the cache."""

import ast
import inspect
from collections.abc import Callable, Iterator
from typing import Any

WORDS = ("backward", "bwd", "grad", "gradient", "pullback", "pull", "vjp", "back", "backprop")


def find_pullback(node: ast.AST) -> ast.FunctionDef | None:
    """The function inside that is returned behind the result, is called a backward pass, and can be given dy alone."""
    if not isinstance(node, ast.FunctionDef):
        return None
    inside = {n.name: n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n is not node}
    for value in list_returned(node):
        last = value.elts[-1] if isinstance(value, ast.Tuple) and len(value.elts) == 2 else None
        found = inside.get(last.id) if isinstance(last, ast.Name) else None
        if found and set(found.name.split("_")) & set(WORDS) and takes_dy_alone(found.args):
            return found
    return None


def takes_dy_alone(args: ast.arguments) -> bool:
    """Whether it can be called with one argument."""
    places = len(args.posonlyargs) + len(args.args)
    return places >= 1 >= places - len(args.defaults) + args.kw_defaults.count(None)


def list_returned(node: ast.AST) -> Iterator[ast.expr]:
    """What a function returns, and not what functions inside it do."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Return) and child.value is not None:
            yield child.value
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield from list_returned(child)


def pull_back_of(forward: Callable[..., Any]) -> Callable[..., Any]:
    """Its backward pass as a function of dy and of the cache, which is the returned function itself."""

    def pull_back(dy: Any, back: Callable[..., Any]) -> Any:
        return back(dy)

    taken: Any = pull_back
    taken.__signature__ = inspect.signature(pull_back)
    taken.__wrapped__ = forward  # where the lines of the backward pass stand, for whoever reads its source
    return pull_back
