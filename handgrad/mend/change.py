"""A change of somebody's code: its place, what stands there and what should, as lines and as a diff."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from handgrad.mend.diff import write_diff
from handgrad.source.program import Part
from handgrad.source.read import Source, parse
from handgrad.source.tree import changed, parents_of

Edits = Mapping[Part, Mapping[ast.AST, Any]]


@dataclass(frozen=True)
class Place:
    """A line of somebody's code. columns: of what is meant in it, from 0; (0, 0) for the whole line.

    above: the line before it.
    words: what is wrong with its value, where that is known and no change was found.
    breaks: what is said of the line where no other value of it makes everything right.
    """

    file: str
    line: int
    function: str
    text: str = ""
    columns: tuple[int, int] = (0, 0)
    words: str = ""
    above: str = ""
    breaks: str = ""


@dataclass(frozen=True)
class Replacement:
    """What stands at a place and what should; after is empty where it is to be left out."""

    place: Place
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """The smallest change with which every gradient is CERTIFIED; diff: unified, of the whole file.

    words: what is wrong with what stands there.
    """

    replacements: tuple[Replacement, ...]
    diff: str
    words: str = ""

    @property
    def place(self) -> Place:
        """Where the first of them is."""
        return self.replacements[0].place

    @property
    def before(self) -> str:
        return self.replacements[0].before

    @property
    def after(self) -> str:
        return self.replacements[0].after


class Splice(NamedTuple):
    """A node of a tree, where it starts and ends in the text of its file, and what is written there."""

    node: ast.AST
    start: int
    end: int
    text: str


def describe_edits(edits: Edits) -> Change | None:
    """The change that these edits of trees are; None where the text of a file cannot be made to say them."""
    found, diffs = [], []
    texts: dict[str, tuple[str, list[Splice]]] = {}
    for part, own in edits.items():
        splices = write(part.source, own)
        if splices is None:
            return None
        found += [replacement(part.source, splice) for splice in splices]
        texts.setdefault(part.source.file, (part.source.text, []))[1].extend(splices)
    for file, (text, all_splices) in texts.items():
        old, new = (t.splitlines(keepends=True) for t in (text, spliced(text, all_splices)))
        diffs.append(write_diff(file, old, new))
    found.sort(key=lambda r: (r.place.file, r.place.line))
    return Change(tuple(found), "".join(diffs))


def describe_place(part: Part, line: int) -> Place:
    """A line of a part as a place."""
    source = part.source
    above, text = ["", *source.text.splitlines()][line - 1 : line + 1]
    return Place(source.file, line, source.name, text, above=above)


def narrow(old: ast.AST, new: Any) -> tuple[ast.AST, Any]:
    """The smallest part of a node that is another one now, and that one."""
    while type(old) is type(new) and isinstance(old, ast.expr):
        if isinstance(old, ast.Call) and isinstance(new, ast.Call) and old.func is not new.func:
            break
        pairs = [values_of(a, b) for a, b in zip(parts(old), parts(new), strict=False) if a is not b]
        same_form = len(parts(old)) == len(parts(new)) and len(pairs) == 1
        if not same_form or not all(
            isinstance(node, ast.expr) and not isinstance(node, ast.Slice) for node in pairs[0]
        ):
            break
        if isinstance(old, ast.UnaryOp) and isinstance(getattr(pairs[0][0], "value", None), int):
            break  # an axis of -2
        old, new = pairs[0]
    return old, new


def values_of(old: Any, new: Any) -> tuple[Any, Any]:
    """The values of two arguments that are given by the same name, else the two as they are."""
    named = isinstance(old, ast.keyword) and isinstance(new, ast.keyword) and old.arg == new.arg
    return (old.value, new.value) if named else (old, new)


def parts(node: ast.AST) -> list[Any]:
    """The children of a node, and its words."""
    values = [v for _, v in ast.iter_fields(node)]
    return [item for v in values for item in (v if isinstance(v, list) else [v])]


def write(source: Source, edits: Mapping[ast.AST, Any]) -> list[Splice] | None:
    """The least text that is written anew, so that the function is the edited tree; None if no text is.

    The smallest parts first, in parentheses where they need them; else whole statements.
    """
    parents = parents_of(source.tree)
    meant = ast.dump(changed(source.tree, edits, parents))
    least = [splice(source, *narrow(node, new), parents) for node, new in edits.items()]
    closed = [s._replace(text=f"({s.text})") if isinstance(s.node, ast.expr) else s for s in least]
    whole = [splice(source, node, new, parents) for node, new in by_statement(edits, parents).items()]
    for splices in (least, closed, whole):
        if same_function(source, spliced(source.text, splices), meant):
            return splices
    return None


def by_statement(edits: Mapping[ast.AST, Any], parents: Mapping[ast.AST, ast.AST]) -> dict[ast.AST, Any]:
    """The same edits as statements that give way to others."""
    found: dict[ast.AST, dict[ast.AST, Any]] = {}
    for node, new in edits.items():
        statement = node
        while not isinstance(statement, ast.stmt) and statement in parents:
            statement = parents[statement]
        found.setdefault(statement, {})[node] = new
    return {s: own[s] if s in own else changed(s, own, parents) for s, own in found.items()}


def same_function(source: Source, text: str, meant: str) -> bool:
    """Whether the text has a function of that tree."""
    module = parse(text)
    return module is not None and any(
        ast.dump(n) == meant for n in ast.walk(module) if isinstance(n, type(source.tree))
    )


def splice(source: Source, node: ast.AST, new: Any, parents: Mapping[ast.AST, ast.AST]) -> Splice:
    """Where a node stands in the text, and what is written there."""
    start, end = span(source.text, node)
    if isinstance(node, ast.expr):
        return Splice(node, start, end, unparse_index(new) if is_index(node, parents) else unparse(new))
    if (sign := assignment_sign(source.text, node, new)) is not None:
        return sign
    statements = new if isinstance(new, tuple) else (new,)
    indent = " " * node.col_offset  # type: ignore[attr-defined]
    lines = [written(source, s, indent, parents) for s in statements]
    if not lines:
        siblings = next(b for n, b in ast.iter_fields(parents[node]) if isinstance(b, list) and node in b)
        if len(siblings) == 1:
            return Splice(node, start, end, "pass")
        whole = source.text.rfind("\n", 0, start) + 1
        after = source.text.find("\n", end) + 1 or len(source.text)
        if not source.text[whole:start].strip() and not source.text[end:after].strip():
            return Splice(node, whole, after, "")
    return Splice(node, start, end, f"\n{indent}".join(lines))


def assignment_sign(text: str, old: ast.AST, new: Any) -> Splice | None:
    """Of an assignment that becomes an addition, or back, the sign alone, so that the rest stays as it is written."""
    if not (isinstance(old, ast.Assign | ast.AugAssign) and isinstance(new, ast.Assign | ast.AugAssign)):
        return None
    one, other = (s.targets[0] if isinstance(s, ast.Assign) else s.target for s in (old, new))
    if ast.dump(one) != ast.dump(other) or ast.dump(old.value) != ast.dump(new.value):
        return None
    start, end = span(text, one)[1], span(text, old.value)[0]
    between = re.fullmatch(r"(\s*)[^\s=]*=(\s*)", text[start:end])
    if between is None:  # more targets, or parentheses
        return None
    sign = "=" if isinstance(new, ast.Assign) else unparse(ast.AugAssign(ast.Name("x"), new.op, ast.Name("y")))[2:-2]
    return Splice(old, start + len(between[1]), end - len(between[2]), sign)


def written(source: Source, statement: ast.stmt, indent: str, known: Mapping[ast.AST, ast.AST]) -> str:
    """A statement as it stands in the text, or as Python writes it."""
    if statement in known:
        start, end = span(source.text, statement)
        return source.text[start:end]
    return unparse(ast.fix_missing_locations(statement)).replace("\n", f"\n{indent}")


def is_index(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether it is all that stands between the brackets of an index."""
    parent = parents.get(node)
    return isinstance(parent, ast.Subscript) and parent.slice is node


def unparse_index(node: Any) -> str:
    """As it stands between brackets: slices in parentheses would be no Python."""
    return unparse(ast.Subscript(ast.Name("a", ast.Load()), node, ast.Load()))[2:-1]


def unparse(node: ast.AST) -> str:
    """As people write it: 1e-6, not 1e-06."""
    return re.sub(r"(?<=\de-)0(?=\d)", "", ast.unparse(node))


def span(text: str, node: Any) -> tuple[int, int]:
    """The first character of a node in the text of its file, and the one after the last."""
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))

    def at(line: int, offset: int) -> int:  # Python counts bytes
        return starts[line - 1] + len(lines[line - 1].encode()[:offset].decode())

    return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)


def spliced(text: str, splices: Sequence[Splice]) -> str:
    """The text with every splice made."""
    for _, start, end, new in sorted(splices, key=lambda s: (s.start, s.end), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def replacement(source: Source, splice: Splice) -> Replacement:
    """One edit, with its line."""
    _, start, end, new = splice
    line = source.text.count("\n", 0, start) + 1
    first = source.text.rfind("\n", 0, start) + 1
    whole = source.text[first:].split("\n", 1)[0]
    columns = (start - first, min(end - first, len(whole)))
    above = source.text[: max(0, first - 1)].rpartition("\n")[2]
    place = Place(source.file, line, source.name, whole, columns, above=above)
    return Replacement(place, source.text[start:end].strip("\n"), new)
