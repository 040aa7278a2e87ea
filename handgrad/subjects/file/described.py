"""Shapes as an author wrote them down in words: `x (N, D)`, `q, k, v: (B, T, C)`, `x : ndarray of shape (N, D)`.

What is not surely a shape is not read, for a shape nobody meant would be judged in its author's name.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from handgrad.subjects.file.read_shape import read_axes
from handgrad.subjects.file.shapes import Drawn, Kind

# Names, alone or in a list: `x`, `q, k and v`; the sign of an item behind them: `x:`, `x --`.
NAME = r"(?!(?:and|or)\b)[^\W\d]\w*"
LIST = rf"(?<![\w.])({NAME}(?:\s*(?:,\s*and|,|/|\band\b)\s*{NAME})*)"
SIGN = r"(?::|--+|\u2013|\u2014|\s-(?=\s))"
# Where names stand: an item `- x (array): ...`, before a bracket, `x has the shape`; anywhere in a clause.
HEAD = re.compile(rf"\s*(?:[-*•]\s+)?{LIST}(?=\s*(?:\((?:[^()]|\([^()]*\))*\))?\s*{SIGN}(?:\s|$))")
DIRECT = re.compile(rf"{LIST}\s*({SIGN})?\s*$")
ARTICLES = (
    "an?|the|of|same|all|both|numpy|input|float\\w*|int\\w*|real|torch|jax|vector|matrix|array|tensor|labels|batch"
)
SAYS = re.compile(rf"{LIST}\s+(?:has|have|is|are|of|with|being)\s+(?:(?:{ARTICLES})\s+){{0,5}}$")
STARTS = re.compile(rf"{LIST}\s*{SIGN}\s")
SPEAKS = re.compile(rf"{LIST}\s*(?:{SIGN}\s|\s(?:is|are|has|have|holds?|contains?)\s|\s[(\[])")
# What stands before a bracket: the word shape; `W @ x`, `tuple`, which make it none.
SHAPE = re.compile(r"\b(?:shapes?|shaped|size|dimensions?)\b\s*(?:is|of|=+|:)?\s*$")
OPERATOR = re.compile(r"[@*+/=<>|&^%]\s*$|\S\s*-\s*$")
NO_ARRAY = re.compile(r"\b(?:tuple|pair|list|interval|range|form)\s*$")
BRACKET = re.compile(r"\([^()\[\]]*\)|\[[^()\[\]]*\]")
# From here on the results are described, which may have the names of arguments.
SECTION = re.compile(r"^[ \t]*(?:returns?|outputs?|yields|raises)\b[^(\[\n]*:?[ \t]*$", re.IGNORECASE | re.MULTILINE)
# Words in brackets that name no size, `x (float, optional)`; names that surely do, as people write N, D, HH.
NO_SIZE = re.compile(
    "float|int|bool|str|none|true|false|optional|required|default|array|ndarray|tensor|matrix|vector|scalar|list|tuple|"
    "dict|numpy|torch|input|output|mean|variance|std|row|column|i|j|of|or|is|in|to|at|by|as|on|if|we|it|no|so"
)
CAPITAL = re.compile(r"[A-Z]\w{0,2}|[A-Z]_\w+")

# What is said of the numbers in an array.
OF_INTS = (
    r"\bu?int\d*\b|\bintegers?\b|\bwhole numbers?\b|\blabels?\b|\bindex(?:es)?\b|\bindices\b|\bids?\b|\bclass(?:es)?\b"
)
BINARY = r"\bbinary\b|(?<![\w.])0\s*(?:/|or)\s*1(?![\w.])|\{0,\s*1\}"
BELOW = (
    r"<\s*(\w+)|<=\s*(\w+)\s*-\s*1\b|\[\s*0\s*,\s*(\w+)\s*\)|\b0\s*(?:\.\.\.?|to|,\s*\.\.\.\s*,|-)\s*(\w+)\s*-\s*1\b"
)
OF_FLOATS = r"\bfloat|\breal\b|weight|score|logit|probabilit|one-?hot|embedding|feature|\bbias|gradient"
ASIDE = r"\b(?:where|for|per|each|such|so that|number of)\b.*"


class Mention(NamedTuple):
    """Some names, the axes that stand behind them, and what else is said there; None for axes that are not read."""

    names: tuple[str, ...]
    axes: tuple[int | str, ...] | None
    told: bool
    about: str = ""


def read_described(
    texts: Sequence[str], names: Collection[str], with_gradient: Collection[str] = ()
) -> dict[str, Drawn]:
    """The arguments (`names`) of which the words tell a shape, by the first mention that has one.

    with_gradient: those that are no whole numbers, whatever is said of them.

    >>> read_described(["x (N, D), W (D, 4H); y: integer labels (N,) in [0, D)"], ["x", "W", "y"])["y"]
    Drawn(axes=('N',), kind=<Kind.INT: 'int'>, below='D', precision=None, in_torch=False)
    """
    first = first_axes(texts, names, frozenset())
    met = frozenset(axis for axes in first.values() for axis in axes or () if isinstance(axis, str))
    found = {name: axes for name, axes in first_axes(texts, names, met).items() if axes is not None}
    sizes = {axis for axes in found.values() for axis in axes}
    said = {name: " ; ".join(m.about for m in list_mentions(texts, names, met) if name in m.names) for name in found}
    return {
        name: Drawn(axes) if name in with_gradient else read_kind(said[name], axes, sizes)
        for name, axes in found.items()
    }


def first_axes(
    texts: Sequence[str], names: Collection[str], met: frozenset[str]
) -> dict[str, tuple[int | str, ...] | None]:
    """Of every name the axes it has first; None where a shape comes first that is not read."""
    found: dict[str, tuple[int | str, ...] | None] = {}
    for mention in list_mentions(texts, names, met):
        if mention.axes is not None or mention.told:
            for name in mention.names:
                found.setdefault(name, mention.axes)
    return found


def read_kind(about: str, axes: tuple[int | str, ...], sizes: Collection[int | str]) -> Drawn:
    """What stands in an array, from what is said of it."""
    own = re.sub(ASIDE, "", about, flags=re.IGNORECASE)
    if re.search(r"\bbool(?:ean)?s?\b", own, re.IGNORECASE):
        return Drawn(axes, Kind.BOOL)
    if re.search(OF_FLOATS, own, re.IGNORECASE):
        return Drawn(axes)
    if re.search(BINARY, own, re.IGNORECASE):
        return Drawn(axes, Kind.INT, 2)
    if not re.search(OF_INTS, own, re.IGNORECASE):
        return Drawn(axes)
    found = re.search(BELOW, about)
    word = next(filter(None, found.groups()), "") if found else ""
    below = int(word) if word.isdigit() else word
    return Drawn(axes, Kind.INT, below if below in sizes or (isinstance(below, int) and below > 0) else None)


def list_mentions(texts: Iterable[str], names: Collection[str], met: frozenset[str]) -> Iterator[Mention]:
    """Everything that is said of the names, one clause after the other."""
    for text in texts:
        for block in blocks_of(SECTION.split(text)[0]):
            for part in block.split(";"):
                said = [found.start(1) for found in STARTS.finditer(part) if among(found[1], names)]
                starts = [start for start in said if not OPERATOR.search(part[:start])]
                for start, end in pairwise([0, *starts, len(part)]):
                    yield from mentions_in(part[start:end], names, met)


def blocks_of(text: str) -> Iterator[str]:
    """An item of a list with the deeper lines below it, or a paragraph; each as one line."""
    plain = re.sub(r":param(?:\s+\w+)*?\s+(\w+):", r"\1:", text.replace("`", ""))
    plain = re.sub(r"(\w)\.shape\b", r"\1 of shape", plain)
    block, indent, item = "", 0, False
    for line in [*plain.splitlines(), ""]:
        deep, starts = len(line) - len(line.lstrip()), HEAD.match(line) is not None
        if block and line.strip() and not starts and (deep > indent or not item):
            block += f" {line.strip()}"
            continue
        if block:
            yield block
        block, indent, item = line.strip(), deep, starts


def mentions_in(clause: str, names: Collection[str], met: frozenset[str]) -> Iterator[Mention]:
    """What one clause says: a head `x:` speaks of all that follows, until another name has a shape."""
    head = HEAD.match(clause)
    own = among(head[1], names) if head else ()
    last = head.end() if head else 0
    speaks = [(said.end(1), among(said[1], names)) for said in SPEAKS.finditer(clause) if among(said[1], names)]
    ends = [start for start, _ in speaks[1:]] + [len(clause)]
    for (start, spoken), end in zip(speaks, ends, strict=False):
        yield Mention(spoken, None, told=False, about=clause[start:end])
    for bracket in BRACKET.finditer(clause, last):
        before, last = clause[last : bracket.start()], bracket.end()
        spoken, told, sure = spoken_of(before, own, names)
        attached = before[-1:].isalnum()
        if not spoken or (attached and bracket[0][0] == "[") or re.match(r"\s*tuples?\b", clause[last:]):
            continue
        axes = axes_in(bracket[0][1:-1], names, met, told=told, sure=sure, attached=attached)
        yield Mention(spoken, axes, told)


def spoken_of(before: str, own: tuple[str, ...], names: Collection[str]) -> tuple[tuple[str, ...], bool, bool]:
    """Whose shape stands behind these words: the names, whether the word shape says so, whether a colon does."""
    if own and re.fullmatch(rf"\s*{SIGN}?\s*", before):
        return own, False, bool(before.strip())
    shape = SHAPE.search(before)
    lead = re.sub(r",?\s*$", " ", before[: shape.start()]) if shape else before
    said = SAYS.search(lead) or DIRECT.search(lead)
    found = among(said[1], names) if said and not OPERATOR.search(lead[: said.start()]) else ()
    if said and found:
        return found, bool(shape), said.re is DIRECT and bool(said[2])
    called = before[-1:].isalnum() or OPERATOR.search(before) or NO_ARRAY.search(before)
    if not shape and (called or (said and (among(said[1], names) or is_code(said[1])))):
        return (), False, False
    return own, bool(shape), False


def is_code(words: str) -> bool:
    """Whether it is a variable rather than a word of English: h, d_out, Wx."""
    last = re.split(r"\W+", words)[-1]
    return len(last) <= 2 or re.search(r"[\d_]|(?<=.)[A-Z]", last) is not None


def among(words: str, names: Collection[str]) -> tuple[str, ...]:
    """Those of a list of names that are arguments."""
    return tuple(word for word in re.split(r"\W+", words) if word in names)


def axes_in(
    inside: str, names: Collection[str], met: frozenset[str], *, told: bool, sure: bool, attached: bool
) -> tuple[int | str, ...] | None:
    """The axes between two brackets, or None for what is no shape.

    told: the word shape stands before it; sure: a colon; attached: a name without a space, as in a call
    """
    text = re.sub(r"(?<!\w)(\d+)(?=[A-Za-z])", r"\1*", re.sub(r"\s+x\s+", ",", inside))
    parts = [re.sub(r"\s*([-+*]|//)\s*", r"\1", part.strip()) for part in text.split(",")]
    alone = len(parts) == 1
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    if not all(re.fullmatch(r"\w+(?:(?:[-+*]|//)\w+)*", part) for part in parts):
        return () if told and not inside.strip() else None
    axes = read_axes(" ".join(parts))
    letters = [word for part in parts for word in re.findall(r"[^\W\d]\w*", part)]
    capital = all(CAPITAL.fullmatch(letter) for letter in letters)
    known = all(CAPITAL.fullmatch(letter) or letter in met for letter in letters)
    if axes is None or 0 in axes or any(map(NO_SIZE.fullmatch, letters)):
        return None
    if any(letter in names and not CAPITAL.fullmatch(letter) for letter in letters):
        return None
    if told:
        return axes
    short = all(CAPITAL.fullmatch(letter) or letter in met or len(letter) <= 2 for letter in letters)
    fits = known if alone else capital if attached else sure or short
    return axes if letters and fits else None
