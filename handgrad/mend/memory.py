"""Edits that no value tells: arrays of its own to write into, any layout of memory, float32 for a sum."""

import ast
from collections.abc import Iterator, Mapping, Sequence

from handgrad.mend.axes import name_of
from handgrad.mend.statements import with_context

Edits = Mapping[ast.AST, ast.AST | tuple[ast.AST, ...]]
COPIES = ("copy", "clone")  # of NumPy, of torch
WRITES_FIRST = ("at", "copyto", "put", "place", "putmask")  # functions of NumPy that write into their first argument


def write_elsewhere(statement: ast.stmt) -> Iterator[Edits]:
    """The statement with its result in an array of its own; then with a copy made before it.

    dy -= g                   dy = dy - g
    np.exp(z, out=z)          z = np.exp(z)
    dy.mul_(h)                dy = dy.mul(h)
    dz[z <= 0] = 0            dz = dz.copy(), and then the same
    """
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name | ast.Attribute):
        value = ast.BinOp(with_context(statement.target), statement.op, statement.value)
        yield {statement: ast.Assign([statement.target], value)}
    for call in calls_in(statement):
        yield from of_call(statement, call)
    for name in written_names(statement):
        for copy in COPIES:
            made = ast.Call(ast.Attribute(ast.Name(name, ast.Load()), copy, ast.Load()), [], [])
            yield {statement: (ast.Assign([ast.Name(name, ast.Store())], made), statement)}


def of_call(statement: ast.stmt, call: ast.Call) -> Iterator[Edits]:
    """Without `out=`, and without the _ of torch's methods that write."""
    out = next((k.value for k in call.keywords if k.arg == "out"), None)
    new, target = call, out
    if out is not None:
        new = ast.Call(call.func, call.args, [k for k in call.keywords if k.arg != "out"])
    elif is_in_place(call.func):
        new = ast.Call(ast.Attribute(call.func.value, call.func.attr[:-1], ast.Load()), call.args, call.keywords)  # type: ignore[attr-defined]
        target = call.func.value  # type: ignore[attr-defined]
    if new is call:
        return
    if isinstance(statement, ast.Expr) and isinstance(target, ast.Name):
        yield {statement: ast.Assign([ast.Name(target.id, ast.Store())], new)}
    elif not isinstance(statement, ast.Expr):
        yield {call: new}


def is_in_place(func: ast.expr) -> bool:
    """Whether it is a method of torch that writes into its tensor: mul_, clamp_."""
    return isinstance(func, ast.Attribute) and func.attr.endswith("_") and not func.attr.endswith("__")


def written_names(statement: ast.stmt) -> list[str]:
    """The variables into whose memory a statement may write, each once."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    found = [t for t in targets if isinstance(t, ast.Subscript | ast.Attribute | ast.Name)]
    for call in calls_in(statement):
        found += [k.value for k in call.keywords if k.arg == "out" and isinstance(k.value, ast.Subscript | ast.Name)]
        if isinstance(call.func, ast.Attribute):
            found += [call.func.value] if isinstance(call.func.value, ast.Subscript | ast.Name) else []
            if call.func.attr in WRITES_FIRST and call.args and isinstance(call.args[0], ast.Name):
                found.append(call.args[0])
    return list(dict.fromkeys(n.id for n in map(base, found) if isinstance(n, ast.Name)))


def base(node: ast.expr) -> ast.expr:
    """The variable of which something is an item or a part."""
    while isinstance(node, ast.Subscript | ast.Attribute):
        node = node.value
    return node


def calls_in(node: ast.AST) -> list[ast.Call]:
    return [n for n in ast.walk(node) if isinstance(n, ast.Call)]


def read_any_layout(tree: ast.AST, contiguous: str) -> Iterator[Edits]:
    """Without strides, then with one variable made contiguous where it is read; `contiguous`: NumPy's way or torch's.

    dy.as_strided(dy.shape, (3, 1))      dy
    dy.view(-1)                          dy.reshape(-1)
    kernel(dy, gamma)                    kernel(dy, gamma.contiguous())
    """
    for call in calls_in(tree):
        name = name_of(call.func)
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if name == "as_strided" and (array := strided(call, owner)) is not None:
            yield {call: array}
        elif name == "view" and owner is not None and call.args:
            yield {call: ast.Call(ast.Attribute(owner, "reshape", ast.Load()), call.args, call.keywords)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield {node: ast.parse(contiguous.format(node.id), mode="eval").body}


def strided(call: ast.Call, owner: ast.expr | None) -> ast.expr | None:
    """The array of x.as_strided(...), or of as_strided(x, ...) from a module."""
    if isinstance(owner, ast.Name) and owner.id not in ("np", "numpy", "torch", "stride_tricks"):
        return owner
    given: Sequence[ast.expr] = call.args
    return given[0] if given and not isinstance(given[0], ast.Starred) else None


BUFFERS = ("zeros_like", "zeros", "empty_like", "new_zeros", "full_like", "full")


def sum_wider(tree: ast.AST) -> Iterator[Edits]:
    """A buffer, or what is summed, in torch's float32: torch.zeros_like(x, dtype=torch.float32), x.float().sum(0)."""
    wide = ast.keyword("dtype", ast.parse("torch.float32", mode="eval").body)
    for call in calls_in(tree):
        name = name_of(call.func)
        if name in BUFFERS:
            yield {call: ast.Call(call.func, call.args, [*(k for k in call.keywords if k.arg != "dtype"), wide])}
        elif name == "sum" and isinstance(call.func, ast.Attribute):
            summed = call.args[0] if ast.unparse(call.func.value) == "torch" and call.args else call.func.value
            yield {summed: ast.Call(ast.Attribute(summed, "float", ast.Load()), [], [])}
