"""A sum that is cumulated from the end: the gradient of y = cumsum(x) is dx = cumsum(dy[::-1])[::-1]."""

import ast
from collections.abc import Iterator

from handgrad.mend.edit import MODULES, Edit
from handgrad.source.tree import changed, parents_of

CUMULATED = 2.2  # what it costs


def edit_cumulated(node: ast.Call) -> Iterator[Edit]:
    """cumsum(a, axis=1) as cumsum(a[:, ::-1], axis=1)[:, ::-1]."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("cumsum", "cumprod"):
        return
    of_module = isinstance(node.func.value, ast.Name) and node.func.value.id in MODULES
    array, *rest = [*([] if of_module else [node.func.value]), *node.args]
    axis = next((k.value for k in node.keywords if k.arg == "axis"), rest[0] if rest else ast.Constant(0))
    written = {"0": "::-1", "1": ":, ::-1", "2": ":, :, ::-1", "-1": "..., ::-1"}.get(ast.unparse(axis))
    if written is not None:
        backwards = ast.parse(f"a[{written}]", mode="eval").body.slice  # type: ignore[attr-defined]
        turned = changed(node, {array: ast.Subscript(array, backwards, ast.Load())}, parents_of(node))
        yield Edit(ast.Subscript(turned, backwards, ast.Load()), CUMULATED)
