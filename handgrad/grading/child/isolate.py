"""A function in which every named quantity is computed from right values of the others.

After each statement that sets a name of the exercise, a line is put in that notes the value, if it is the one asked
for, or puts the right one in its place, if that is given. A statement that raises an exception costs no more than its
own quantity.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

ISOLATED = "__isolated__"  # the name under which an Isolated stands in the submission
MISSING = object()


class Target(NamedTuple):
    """What a statement sets: a name, or an entry of the list, dict or array of that name; without key, a slice."""

    name: str
    key: ast.expr | None = None
    is_entry: bool = False


class Isolated:
    """asked: the quantity whose value is wanted; given: right values of the others, by name."""

    def __init__(self, asked: str, given: Mapping[str, Any]) -> None:
        self.asked, self.given = asked, given
        self.noted: Any = MISSING
        self.held: Any = MISSING  # the list that the asked quantity is an entry of
        self.put: set[str] = set()  # what was given, and stands in its place
        self.left_out: list[BaseException] = []  # what statements of the file itself raised

    def name(self, name: str, value: Any) -> Any:
        """What a name is to be after it was set to this value."""
        if name == self.asked:
            self.noted = value
        if name == self.asked.partition("[")[0]:
            self.held = value
        if name not in self.given:
            return value
        self.put.add(name)
        return self.given[name].copy()

    def item(self, name: str, holder: Any, index: Any = ...) -> None:
        """The same of an entry: of a list dz, of a dict with the key "dz1", or of an array dz, changed in place."""
        full = full_name(name, index)
        if full == self.asked:
            self.noted = holder[index]
        self.put |= {full, name} & self.given.keys()
        if full in self.given:
            holder[index] = self.given[full].copy()
        elif name in self.given:
            holder[...] = self.given[name]

    def excuse(self, name: str, index: Any = ...) -> None:
        """An exception goes on if it is about the quantity asked for; None stands for any other until it is given.

        Nothing is asked for while the file itself is run: then all go on.
        """
        if self.asked in ("", name, full_name(name, index)):
            raise

    def leave_out(self, error: BaseException) -> None:
        """A statement of the file itself costs no more than what it would have set, as an import does."""
        self.left_out.append(error)

    def result(self, returned: Any, names: Collection[str]) -> Any:
        """The asked quantity: as the function returned it, else as it was set last; MISSING if it never was."""
        asked, bracket, rest = self.asked.partition("[")
        if isinstance(returned, dict):
            found = returned.get(self.asked, returned.get(asked, MISSING))
        elif asked in names and isinstance(returned, tuple | list) and len(returned) == len(names):
            found = returned[list(names).index(asked)]
        elif list(names) == [asked]:
            found = returned
        else:
            found = MISSING
        if bracket and self.asked not in (returned if isinstance(returned, dict) else ()):
            found = entry(found, int(rest[:-1]))
        if found is not MISSING and found is not None:
            return found
        return entry(self.held, int(rest[:-1])) if bracket and self.noted is MISSING else self.noted


def full_name(name: str, index: Any) -> str:
    """What an entry is called: dz[1], or its key in a dict."""
    return index if isinstance(index, str) else f"{name}[{index}]"


def entry(holder: Any, index: int) -> Any:
    """An entry of a list, a tuple or a dict; MISSING where there is none."""
    try:
        return holder[index]
    except (LookupError, TypeError):
        return MISSING


def isolate(tree: ast.Module, functions: Collection[str], names: Collection[str]) -> None:
    """Put the lines into these functions of the tree. names: of all quantities, "dz" for a list "dz[1]"."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            node.body = list(rewrite(node.body, names))
    tree.body = [node if must_be_first(node) else ast.copy_location(left_out(node), node) for node in tree.body]
    ast.fix_missing_locations(tree)


def must_be_first(statement: ast.stmt) -> bool:
    """Whether Python wants it at the top, so that nothing may be put around it."""
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def left_out(statement: ast.stmt) -> ast.stmt:
    """try: statement; except BaseException as error: leave_out(error), under a name that no file has."""
    error = "__left_out__"
    call = ast.Call(
        ast.Attribute(ast.Name(ISOLATED, ast.Load()), "leave_out", ast.Load()), [ast.Name(error, ast.Load())], []
    )
    handler = ast.ExceptHandler(ast.Name("BaseException", ast.Load()), error, [ast.Expr(call)])
    return ast.Try([statement], [handler], [], [])


def rewrite(body: list[ast.stmt], names: Collection[str]) -> Iterator[ast.stmt]:
    """The statements with the lines put in, those inside loops and conditions too."""
    for statement in body:
        if not isinstance(statement, ast.FunctionDef | ast.ClassDef):
            rewrite_inside(statement, names)
        found = [target for target in targets(statement) if is_named(target, names)]
        if found:
            handler = ast.ExceptHandler(ast.Name("Exception", ast.Load()), None, [*map(excusing, found)])
            yield ast.copy_location(ast.Try([statement], [handler], [], []), statement)
            yield from (ast.copy_location(noting(target), statement) for target in found)
        else:
            yield statement


def rewrite_inside(statement: ast.stmt, names: Collection[str]) -> None:
    """The blocks of a statement."""
    for holder in (statement, *getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        for block in ("body", "orelse", "finalbody"):
            if inside := getattr(holder, block, None):
                setattr(holder, block, list(rewrite(inside, names)))


def is_named(target: Target, names: Collection[str]) -> bool:
    """Whether it is a quantity of the exercise, or an entry of one, or an entry that has the name of one."""
    key = target.key.value if isinstance(target.key, ast.Constant) else None
    return key in names if isinstance(key, str) else target.name in names


def targets(statement: ast.stmt) -> Iterator[Target]:
    """What an assignment sets, and what a call writes into with `out=`."""
    if isinstance(statement, ast.Assign):
        for node in statement.targets:
            yield from flatten(node)
    elif isinstance(statement, ast.AugAssign | ast.AnnAssign) and statement.value is not None:
        yield from flatten(statement.target)
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        for keyword in statement.value.keywords:
            if keyword.arg == "out":
                yield from flatten(keyword.value)


def flatten(node: ast.expr) -> Iterator[Target]:
    if isinstance(node, ast.Tuple | ast.List):
        for inside in node.elts:
            yield from flatten(inside)
    elif isinstance(node, ast.Starred):
        yield from flatten(node.value)
    elif isinstance(node, ast.Name):
        yield Target(node.id)
    elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        sliced = any(isinstance(part, ast.Slice) for part in ast.walk(node.slice))  # no argument of a call
        yield Target(node.value.id, None if sliced else node.slice, is_entry=True)


def line(method: str, target: Target) -> ast.expr:
    """method("dz1", dz1), method("dz", dz, l); excuse("dz1") needs no value."""
    words: list[ast.expr] = [ast.Constant(target.name)]
    words += [] if method == "excuse" else [ast.Name(target.name, ast.Load())]
    words += [] if target.key is None else [target.key]
    return ast.Call(ast.Attribute(ast.Name(ISOLATED, ast.Load()), method, ast.Load()), words, [])


def noting(target: Target) -> ast.stmt:
    """dz1 = name("dz1", dz1), or item("dz", dz, l)."""
    if target.is_entry:
        return ast.Expr(line("item", target))
    return ast.Assign([ast.Name(target.name, ast.Store())], line("name", target))


def excusing(target: Target) -> ast.stmt:
    """dz1 = excuse("dz1"), or excuse("dz", l)."""
    if target.is_entry:
        return ast.Expr(line("excuse", target))
    return ast.Assign([ast.Name(target.name, ast.Store())], line("excuse", target))
