"""The shapes given at other sizes, and what shape the result must then have."""

from collections.abc import Iterator, Mapping

from handgrad.judge.constants import BLOCK_EDGES, TRIED_SIZES

Shape = tuple[int, ...]
Becomes = Mapping[int, int]


def usual_sizes(shapes: Mapping[str, Shape]) -> Iterator[tuple[str, Becomes]]:
    """What each size becomes: all different, all equal, batch 1, a batch of more than twice the size.

    A size keeps its role; a size of 1 stays.
    """
    found = list_sizes(shapes)
    first = next((shape[0] for shape in shapes.values() if shape), 1)
    ways = {
        "sizes all different": dict(zip(found, range(len(found) + 1, 1, -1), strict=True)),
        "sizes all equal": dict.fromkeys(found, 3),
        "batch 1": {first: 1},
        f"batch {2 * first + 1}": {first: 2 * first + 1} if first > 1 else {},
    }
    yield from ((name, becomes) for name, becomes in ways.items() if resize(shapes, becomes) != dict(shapes))


def more_sizes(shapes: Mapping[str, Shape]) -> Iterator[Becomes]:
    """Every size in every role, all roles at once and each alone: what fails only for some is found among them."""
    found = list_sizes(shapes)
    for i, size in enumerate(TRIED_SIZES):
        together = {n: TRIED_SIZES[(i + j) % len(TRIED_SIZES)] for j, n in enumerate(found)}
        ways = [together, *({n: size} for n in found if len(found) > 1)]
        yield from (becomes for becomes in ways if resize(shapes, becomes) != dict(shapes))


def block_edges(shapes: Mapping[str, Shape]) -> Iterator[Becomes]:
    """Every role alone at sizes around larger powers of two: the last block of a kernel is whole, or is not."""
    yield from ({n: size} for n in list_sizes(shapes) for size in BLOCK_EDGES if n != size)


def keeps_multiples(shapes: Mapping[str, Shape], y: Shape, becomes: Becomes) -> bool:
    """Whether inner sizes that are multiples of others still are: three gates of a unit, both halves of a row.

    The first axis is a batch, whose size means nothing to the others. A y size that no input has is one of the others.
    """
    first = next((shape[0] for shape in shapes.values() if shape), 1)
    inner = [n for n in list_sizes(shapes) if n != first]
    parts = {*inner, *(n for n in y[1:] if n not in list_sizes(shapes))} - {1, first}
    for n in inner:
        for m in (m for m in parts if m < n and n % m == 0):
            whole, part = becomes.get(n, n), becomes.get(m, m) if m in inner else becomes.get(n, n) * m // n
            if whole * m != part * n:
                return False
    return True


def list_sizes(shapes: Mapping[str, Shape]) -> list[int]:
    """The different sizes above 1, each of which has a role."""
    return sorted({n for shape in shapes.values() for n in shape if n > 1})


def resize(shapes: Mapping[str, Shape], becomes: Becomes) -> dict[str, Shape]:
    """The shapes with every size replaced by what it becomes."""
    return {name: tuple(becomes.get(n, n) for n in shape) for name, shape in shapes.items()}


def follow(y: Shape, shapes: Mapping[str, Shape], becomes: Becomes) -> tuple[int | None, ...]:
    """The shape that y must have at other sizes; None for a size of it that none of the inputs has.

    >>> follow((5, 4, 9), {"x": (5, 3), "W": (3, 4)}, {5: 1})
    (1, 4, None)
    """
    known = {1, *list_sizes(shapes)}
    return tuple(becomes.get(n, n) if n in known else None for n in y)


def follows(shape: Shape, expected: tuple[int | None, ...]) -> bool:
    """Whether a result has the shape that was expected of it."""
    return len(shape) == len(expected) and all(e in (None, n) for n, e in zip(shape, expected, strict=True))


def shape_words(shapes: Mapping[str, Shape]) -> str:
    """
    >>> shape_words({"x": (5, 3), "b": ()})
    '5x3; scalar'
    """
    return "; ".join("x".join(map(str, shape)) or "scalar" for shape in shapes.values())
