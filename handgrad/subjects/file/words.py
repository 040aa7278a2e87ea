"""What an author wrote beside a pair of passes: docstrings and comments, the forward pass first, its class last."""

import ast
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Iterator
from typing import Any

from handgrad.judge.isolation import attempt


def list_words(forward: Any, backward: Any, owner: type | None) -> list[str]:
    """The texts from which shapes are read, in the order in which they count.

    Behind a comment that stands beside an argument comes no name, so that of the argument is put before it.
    """
    found = [text for function in (forward, backward) if function is not None for text in words_of(function)]
    return [*found, *([inspect.cleandoc(owner.__doc__)] if owner is not None and owner.__doc__ else [])]


def words_of(function: Any) -> Iterator[str]:
    """The docstring, the comments above, those inside."""
    called = inspect.unwrap(getattr(function, "__func__", function))
    if doc := getattr(called, "__doc__", None):
        yield inspect.cleandoc(doc)
    if above := attempt(inspect.getcomments, called).value:
        yield plain_comment(above)
    source = attempt(inspect.getsource, called).value
    if source is not None:
        text = textwrap.dedent(source)
        yield from attempt(comments_inside, text).value or ()


def comments_inside(source: str) -> list[str]:
    """Comments on lines of their own that follow each other are one text; one behind a statement is a text alone.

    A name that the code has given another value before is not the argument any longer, and is taken out.
    """
    node = next(n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.Lambda))
    first = node.body[0].lineno if isinstance(node, ast.FunctionDef) else node.lineno
    arguments: dict[int, list[str]] = {}
    for a in node.args.posonlyargs + node.args.args + node.args.kwonlyargs:
        arguments.setdefault(a.end_lineno or a.lineno, []).append(a.arg)
    stored = [(n.lineno, n.id) for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    lines = source.splitlines()
    found: list[tuple[int, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, text = token.start[0], plain_comment(token.string)
            alone = lines[row - 1].lstrip().startswith("#")
            beside = arguments.get(row, [])
            if row < first and not alone and len(beside) == 1:
                text = f"{beside[0]}: {text}"
            for name in {name for line, name in stored if line < row or (line == row and not alone)}:
                text = re.sub(rf"\b{name}\b", "_", text)
            follows = alone and found and found[-1][0] == row - 1
            found = [*found[:-1], (row, f"{found[-1][1]}\n{text}")] if follows else [*found, (row, text)]
    return [text for _, text in found]


def plain_comment(text: str) -> str:
    """Without the signs before it; how far each line is indented stays."""
    return "\n".join(re.sub(r"^\s*#[:!#]*\s?", "", line) for line in text.splitlines())
