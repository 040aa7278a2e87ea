"""Semantic mutants of a module of `manual`, generated from its source: one expression replaced in each.

Nothing on disk is touched. The mutated source is compiled into a fresh module and its class joined with the original as
a parent, so that `twin` and every isinstance still take it for what it claims to be.
"""

import ast
import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

CALLS = {
    "sum": ("mean", "max"), "mean": ("sum",), "max": ("min",), "maximum": ("minimum",), "log1p": ("log", "exp"),
    "exp": ("expm1",), "zeros_like": ("ones_like",), "ones_like": ("zeros_like",), "sqrt": ("exp",), "tanh": ("sinh",),
    "reversed": ("tuple",),
}  # fmt: skip
COMPARISONS: Mapping[type, tuple[type, ...]] = {
    ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.Lt), ast.Eq: (ast.NotEq,), ast.Is: (ast.IsNot,),
}  # fmt: skip
NOT_VALUES = {"self", "xp", "params", "cache", "layer", "i", "indices", "states", "state", "stages", "trace"}
SIZES = {"N", "C"}
ASKED = {"needs", "need_dx"}  # which gradients to leave out is no formula, and the judge asks for all of them
NUMBERS = {"eps", "factor", "p", "slope", "label_smoothing"}  # what a layer or loss carries besides its parameters
PARAMETERS = {"gamma": "beta", "beta": "gamma"}


class Site(NamedTuple):
    """An expression, the statement it is in, and where its parent holds it."""

    statement: ast.stmt
    parent: ast.AST
    field: str
    position: int | None
    node: ast.expr | ast.keyword

    def put(self, new: ast.AST) -> None:
        if self.position is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.position] = new


@dataclass(frozen=True)
class Mutant:
    """One mutated function of a module. `id`: its name, what the statement assigns, the expression, its replacement."""

    id: str
    statement: str
    text: str  # of the whole function
    path: str
    module: ModuleType

    def kind(self, original: type) -> type:
        """`original`, overridden by its namesake out of the module with the mutated function in it."""
        tree = ast.parse(inspect.getsource(self.module))
        if self.path:
            find(tree, self.path).body = find(ast.parse(self.text), self.path.rpartition(".")[2]).body
        fresh = ModuleType(self.module.__name__)
        exec(compile(tree, f"<mutant of {self.module.__name__}>", "exec"), vars(fresh))
        return type(original.__name__, (vars(fresh)[original.__name__], original), {})


def unbroken(module: ModuleType) -> Mutant:
    """The source as it is, through the same machinery."""
    return Mutant("unbroken", "", "", "", module)


def mutants(module: ModuleType, functions: Iterable[str]) -> Iterator[Mutant]:
    """Every mutant of these functions ("sigmoid", "Tanh.backward"), no two with one source."""
    source = ast.parse(inspect.getsource(module))
    for path in functions:
        function = find(source, path)
        seen, names = {ast.unparse(function)}, Counter[str]()
        for site in list(sites(function)):
            known, was = subject(site.statement), ast.unparse(site.node)
            for new in list(replacements(site, function, source)):
                site.put(new)
                text, statement = ast.unparse(function), ast.unparse(site.statement).split("\n")[0]
                site.put(site.node)
                if text not in seen:
                    seen.add(text)
                    name = f"{path}, {known}: {was} -> {ast.unparse(new)}"
                    names[name] += 1
                    yield Mutant(f"{name} ({names[name]})" if names[name] > 1 else name, statement, text, path, module)


def find(tree: ast.Module, path: str) -> ast.FunctionDef:
    """The function "f" or method "C.f"."""
    body: list[ast.stmt] = tree.body
    for name in path.split("."):
        found = next(s for s in body if isinstance(s, ast.FunctionDef | ast.ClassDef) and s.name == name)
        body = found.body
    assert isinstance(found, ast.FunctionDef)
    return found


def sites(function: ast.FunctionDef) -> Iterator[Site]:
    """Every expression of the body that carries numbers, outermost first: no docstring, index, namespace, function's
    own name."""
    for statement in ast.walk(function):
        if not isinstance(statement, ast.Assign | ast.Return | ast.If | ast.For | ast.Expr) or is_text(statement):
            continue
        if ASKED & {n.id for n in ast.walk(getattr(statement, "test", statement)) if isinstance(n, ast.Name)}:
            continue
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "xp":
            continue
        for field in ("targets", "test", "value", "iter"):
            child = getattr(statement, field, None)
            for index, node in enumerate(child) if isinstance(child, list) else ((None, child),):
                if isinstance(node, ast.expr):
                    yield from within(Site(statement, statement, field, index, node))


def within(site: Site) -> Iterator[Site]:
    yield site
    if isinstance(site.node, ast.keyword):
        return
    for field, child in ast.iter_fields(site.node):
        if field in ("slice", "func", "keys"):
            continue
        for index, node in enumerate(child) if isinstance(child, list) else ((None, child),):
            if isinstance(node, ast.expr | ast.keyword):
                yield from within(Site(site.statement, site.node, field, index, node))


def replacements(site: Site, function: ast.FunctionDef, source: ast.Module) -> Iterator[ast.AST]:
    """What stands in the place of one expression, mutant by mutant."""
    node, statement = site.node, site.statement
    if isinstance(node, ast.Tuple) and (site.field != "targets" or len(node.elts) < 2):
        return
    yield from swapped(node)
    if not isinstance(getattr(node, "ctx", None), ast.Store):
        yield from renamed(site, function, source)
    if isinstance(statement, ast.Assign) and site.field == "value" and site.parent is statement:
        if not isinstance(statement.targets[0], ast.Name) or isinstance(node, ast.List):
            return
        value = ast.unparse(node)
        yield from (parse(text) for text in (f"-({value})", f"2 * ({value})", f"0 * ({value})"))
        if function.name == "backward":
            yield parse(function.args.args[-1].arg)  # the upstream gradient passed on as it came
    if site.field == "test":
        yield from (parse("True"), parse("False"))


def swapped(node: ast.AST) -> Iterator[ast.AST]:
    """What the shape of the expression suggests: a part dropped, parts exchanged, a sign turned."""
    match node:
        case ast.BinOp(left, ast.Mult(), right):
            yield from (left, right, ast.BinOp(left, ast.Div(), right), ast.BinOp(node, ast.Mult(), right))
        case ast.BinOp(left, ast.Div(), right):
            yield from (left, ast.BinOp(left, ast.Mult(), right), ast.BinOp(node, ast.Div(), right))
        case ast.BinOp(left, ast.Add(), right):
            yield from (left, right, ast.BinOp(left, ast.Sub(), right))
        case ast.BinOp(left, ast.Sub(), right):
            yield from (left, right, ast.UnaryOp(ast.USub(), right))
            yield from (ast.BinOp(left, ast.Add(), right), ast.BinOp(right, ast.Sub(), left))
        case ast.BinOp(left, ast.MatMult(), right):
            a, b = ast.unparse(left), ast.unparse(right)
            yield from (parse(text) for text in (f"({b}) @ ({a})", f"({a}).T @ ({b})", f"({a}) @ ({b}).T"))
        case ast.Attribute(value, "T"):
            yield value
        case ast.Subscript(ast.Name("params"), ast.Constant(name)) if name in PARAMETERS:
            yield parse(f"params['{PARAMETERS[name]}']")
        case ast.UnaryOp(op, operand):
            yield operand
            if isinstance(op, ast.UAdd):
                yield ast.UnaryOp(ast.USub(), operand)
        case ast.Compare(left, [op], rest):
            yield from (ast.Compare(left, [other()], rest) for other in COMPARISONS.get(type(op), ()))
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.Call(func, args, keywords):
            yield from called(func, args, keywords)
        case ast.Constant(float() | int() as c) if not isinstance(c, bool):
            yield from (ast.Constant(v) for v in (2 * c, c / 2, 0, 1) if v != c)
        case ast.keyword("axis", ast.Constant(int() as axis)):
            yield ast.keyword("axis", ast.Constant(1 - axis))
        case ast.keyword("keepdims", _):
            yield ast.keyword("keepdims", ast.Constant(False))
        case ast.Tuple(elements):
            yield ast.Tuple([*elements[1:], elements[0]], node.ctx)


KEPT = ("isinstance", "array_namespace", "isdtype", "astype", "asarray", "divisor", "narrow")  # never left out


def called(func: ast.expr, args: list[ast.expr], keywords: list[ast.keyword]) -> Iterator[ast.AST]:
    """Another function in its place, one argument in place of the call, two arguments exchanged."""
    name = func.attr if isinstance(func, ast.Attribute) else ast.unparse(func)
    for other in CALLS.get(name, ()):
        new = ast.Attribute(func.value, other, ast.Load()) if isinstance(func, ast.Attribute) else parse(other)
        yield ast.Call(new, args, keywords)
    if name not in KEPT and name.islower():
        yield from (a for a in args if not isinstance(a, ast.Starred))
    if len(args) > 1:
        yield ast.Call(func, [*args[:-2], args[-1], args[-2]], keywords)


def renamed(site: Site, function: ast.FunctionDef, source: ast.Module) -> Iterator[ast.AST]:
    """Another array of the same scope: z for s, dh for h, a parameter for its gradient, another field of the cache."""
    arguments = [a.arg for a in function.args.args]
    match site.node:
        case ast.Name(name) if name not in NOT_VALUES:
            known = arguments + [
                n.id
                for s in ast.walk(function)
                if isinstance(s, ast.Assign) and s.lineno < site.statement.lineno
                for n in ast.walk(s.targets[0])
                if isinstance(n, ast.Name)
            ]
            same = dict.fromkeys(n for n in known if (n in SIZES) == (name in SIZES))
            yield from (parse(other) for other in same if other not in NOT_VALUES | {name})
            if isinstance(site.parent, ast.Dict):
                yield parse(f"params['{name[1:]}']")
        case ast.Attribute(ast.Name("cache"), name):
            caches = [c for c in source.body if isinstance(c, ast.ClassDef) and c.name.endswith("Cache")]
            fields = {ast.unparse(s.target) for c in caches for s in c.body if isinstance(s, ast.AnnAssign)}
            yield from (parse(f"cache.{other}") for other in sorted(fields - {name}))
            yield parse(arguments[-1])
        case ast.Attribute(ast.Name("self"), name) if name in NUMBERS:
            yield from (parse("1"), parse("0"), parse(f"(2 * self.{name})"))


def parse(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def subject(statement: ast.stmt) -> str:
    """What the statement is known by: the name it assigns, or its kind."""
    return ast.unparse(statement.targets[0]) if isinstance(statement, ast.Assign) else type(statement).__name__.lower()


def is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
