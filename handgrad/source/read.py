"""A function's syntax tree, at its place in its file."""

import ast
import linecache
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType, FunctionType


@dataclass(frozen=True, eq=False)
class Source:
    """A function with its tree; the tree's lines and columns are those of the whole text of its file."""

    function: FunctionType
    tree: ast.FunctionDef | ast.Lambda
    file: str
    text: str = field(repr=False)

    @property
    def name(self) -> str:
        return self.function.__name__


def read_source(function: FunctionType) -> Source | None:
    """The source of a plain function or lambda; None where it cannot be read, or is another than the one that runs.

    A notebook's cells are files to Python's own `linecache`, and so are doctests. What was saved since is read again.
    """
    code = function.__code__
    linecache.checkcache(code.co_filename)
    text = "".join(linecache.getlines(code.co_filename, function.__globals__))
    tree = find_definition(text, code)
    return None if tree is None else Source(function, tree, code.co_filename, text)


@lru_cache(maxsize=64)
def parse(text: str) -> ast.Module | None:
    """The tree of a whole file; None where it is no Python (any more)."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def find_definition(text: str, code: CodeType) -> ast.FunctionDef | ast.Lambda | None:
    """The definition of that code: the same first line, name and arguments, and for lambdas the same column."""
    module = parse(text)
    found = [] if module is None else [n for n in definitions(module) if fits(n, code)]
    if len(found) > 1:  # several lambdas in one line
        starts = {(p[0], p[2]) for p in code.co_positions() if p[2] is not None}
        found = [n for n in found if isinstance(n, ast.Lambda) and starts & set(positions(n.body))]
    return found[0] if len(found) == 1 else None


def definitions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.Lambda]:
    """Every function of a tree."""
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.Lambda))


def fits(node: ast.FunctionDef | ast.Lambda, code: CodeType) -> bool:
    """Whether name, first line (that of the first decorator) and arguments are those of the code."""
    decorators = [] if isinstance(node, ast.Lambda) else node.decorator_list
    first = min([node.lineno, *(d.lineno for d in decorators)])
    name = "<lambda>" if isinstance(node, ast.Lambda) else node.name
    a = node.args
    rest = [*a.kwonlyargs, *([a.vararg] if a.vararg else []), *([a.kwarg] if a.kwarg else [])]
    names = tuple(arg.arg for arg in (*a.posonlyargs, *a.args, *rest))
    return (name, first, names) == (code.co_name, code.co_firstlineno, code.co_varnames[: len(names)])


def positions(tree: ast.AST) -> Iterator[tuple[int, int]]:
    """Line and column of every expression of a tree."""
    return ((n.lineno, n.col_offset) for n in ast.walk(tree) if isinstance(n, ast.expr))
