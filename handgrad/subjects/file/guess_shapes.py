"""Shapes that fit together, guessed from the products and sums of a forward pass."""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain, count, zip_longest

SIZES = (4, 3, 5, 6, 7, 8, 9)
PRODUCTS = ("dot", "matmul")
WEIGHTS = re.compile(r"[Ww]\w{0,3}|[Ww]eights?\w*|[Tt]heta\w*")
Axes = tuple[int | str, ...]  # of an array, each by its size, or by the name of what has it first
NO_HINTS: Mapping[str, Axes] = {}


def guess_shapes(
    tree: ast.AST, matrices: Sequence[str], vectors: Sequence[str], hinted: Mapping[str, Axes] = NO_HINTS
) -> dict[str, str]:
    """4x3 for a matrix, 3 for a vector, where no product or sum says more; axes that must be equal are.

    Where weights stand on the left, W @ x, every sample is a column, and so is a vector that is added: 5x1.

    hinted: the axes of other arrays, which are given as well where something is told of them; a name stands for the
    same size wherever it stands.

    >>> guess_shapes(ast.parse("h = np.tanh(x @ W + b); z = h.dot(V)"), ["x", "W", "b", "V"], ["b"])
    {'x': '4x3', 'W': '3x5', 'b': '5', 'V': '5x6'}
    >>> guess_shapes(ast.parse("y = x @ W"), ["W"], [], {"x": ("n", 7), "z": ("n",)})
    {'x': '4x7', 'W': '7x3'}
    >>> guess_shapes(ast.parse("z = np.dot(W, x) + b"), ["x", "W", "b"], ["b"])
    {'x': '4x3', 'W': '5x4', 'b': '5x1'}
    """
    own: dict[str, Axes] = dict(hinted)
    own |= {n: (f"{n} 0", f"{n} 1") for n in matrices}
    own |= {n: tuple(f"{n} {i}" for i in range(rank)) for n, rank in ranks(tree).items() if n in matrices}
    own |= {n: (f"{n} 0", 1) if weights_stand_left(tree) else (f"{n} 1",) for n in vectors}
    found = Shapes(own)
    for target, value in list_assigned(tree):
        axes = found.of(value)
        if isinstance(target, ast.Name) and axes:
            found.known.setdefault(target.id, axes)
    sizes = {found.root(axis): axis for axes in hinted.values() for axis in axes if isinstance(axis, int)}
    free = (size for size in chain(SIZES, count(max(SIZES) + 1)) if size not in sizes.values())
    words = {}
    for name, axes in own.items():
        if name in hinted and not found.is_told(axes):
            continue
        taken = axes if found.is_told(axes) or len(axes) > 2 else ("alone 0", "alone 1")[-len(axes) :]
        for axis in map(found.root, taken):
            if axis not in sizes and isinstance(axis, str):
                sizes[axis] = next(free)
        words[name] = "x".join(str(axis if isinstance(axis, int) else sizes[found.root(axis)]) for axis in taken)
    return words


def list_assigned(tree: ast.AST) -> Iterator[tuple[ast.AST | None, ast.AST]]:
    """Every target with its value, one by one where several stand beside each other; what is returned, with None."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.Return) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else None
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            targets = target.elts if isinstance(target, ast.Tuple) and len(target.elts) == len(values) else [target]
            yield from zip_longest(targets[: len(values)], values)


def weights_stand_left(tree: ast.AST) -> bool:
    """Whether what is called weights is multiplied from the right by something else: W @ x, np.dot(W, x), W.dot(x)."""
    for node in ast.walk(tree):
        left, right = sides_of_product(node)
        if isinstance(left, ast.Name) and WEIGHTS.fullmatch(left.id):
            return not (isinstance(right, ast.Name) and WEIGHTS.fullmatch(right.id))
    return False


def sides_of_product(node: ast.AST) -> tuple[ast.AST | None, ast.AST | None]:
    """The two sides of a matrix product; None for what is none."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return node.left, node.right
    if isinstance(node, ast.Call) and name_of(node) in PRODUCTS and node.args:
        own = [node.func.value] if isinstance(node.func, ast.Attribute) and len(node.args) == 1 else []
        sides = (*own, *node.args)
        return (sides[0], sides[1]) if len(sides) == 2 else (None, None)
    return None, None


def letters_of(node: ast.Call) -> tuple[list[str], str]:
    """The axes of the operands and of the result of np.einsum("ij,jk->ik", ...); none where they are not known."""
    word = node.args[0].value if isinstance(node.args[0], ast.Constant) else ""
    operands, arrow, result = str(word).replace(" ", "").partition("->")
    return (operands.split(","), result) if arrow and "." not in str(word) else ([], "")


def ranks(tree: ast.AST) -> dict[str, int]:
    """How many axes the operands of np.einsum have, and what is unpacked: N, D = x.shape."""
    unpacked = {
        node.value.value.id: len(node.targets[0].elts)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple)
        if isinstance(node.value, ast.Attribute)
        and node.value.attr == "shape"
        and isinstance(node.value.value, ast.Name)
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node) == "einsum" and node.args]
    each = [pair for node in calls for pair in zip(letters_of(node)[0], node.args[1:], strict=False)]
    return unpacked | {operand.id: len(word) for word, operand in each if isinstance(operand, ast.Name)}


def name_of(call: ast.Call) -> str:
    """The name of the function or method that is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


class Shapes:
    """Which axes are equal, of the variables known so far."""

    def __init__(self, known: dict[str, Axes]) -> None:
        self.known = dict(known)
        self.same: dict[int | str, int | str] = {"alone 0": "alone 0", "alone 1": "alone 1"}

    def root(self, axis: int | str) -> int | str:
        """The axis that stands for all that are equal to it."""
        while self.same.get(axis, axis) != axis:
            axis = self.same[axis]
        return axis

    def unite(self, one: int | str, other: int | str) -> None:
        self.same[self.root(other)] = self.root(one)
        self.same.setdefault(self.root(one), self.root(one))

    def is_told(self, axes: Axes) -> bool:
        """Whether a product or a sum has told something of them."""
        return any(axis in self.same for axis in axes)

    def of(self, node: ast.AST) -> Axes:
        """The axes of an expression; none where they are not known."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id, ())
        if isinstance(node, ast.Attribute):
            return self.of(node.value)[::-1] if node.attr == "T" else ()
        if isinstance(node, ast.BinOp):
            left, right = self.of(node.left), self.of(node.right)
            return self.product(left, right) if isinstance(node.op, ast.MatMult) else self.sum(left, right)
        if isinstance(node, ast.Call):
            return self.of_call(node)
        return self.of(node.operand) if isinstance(node, ast.UnaryOp) else ()

    def of_call(self, node: ast.Call) -> Axes:
        """Of a product that product; else of what goes in, unless it is summed."""
        name = name_of(node)
        own = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        each = [axes for arg in (*own, *node.args) if (axes := self.of(arg))]
        if name in PRODUCTS and len(each) == 2:
            return self.product(each[0], each[1])
        if name == "einsum" and node.args:
            return self.of_einsum(node)
        if name in ("where", "maximum", "minimum"):
            return reduce(self.sum, each, ())
        return each[0] if len(each) == 1 and name not in ("sum", "mean", "max", "reshape", "transpose") else ()

    def of_einsum(self, node: ast.Call) -> Axes:
        """Axes of one letter are equal."""
        letters: dict[str, int | str] = {}
        operands, result = letters_of(node)
        for word, axes in zip(operands, map(self.of, node.args[1:]), strict=False):
            for letter, axis in zip(word, axes, strict=False) if len(word) == len(axes) else ():
                self.unite(letters.setdefault(letter, axis), axis)
        return tuple(letters[letter] for letter in result) if set(result) <= letters.keys() else ()

    def product(self, left: Axes, right: Axes) -> Axes:
        if left and right:
            self.unite(left[-1], right[0])
        return (*left[:-1], *right[1:]) if left and right else ()

    def sum(self, left: Axes, right: Axes) -> Axes:
        """Of two that are added, or multiplied entry by entry: the last axes are equal."""
        for one, other in zip(left[::-1], right[::-1], strict=False):
            if 1 not in (one, other):
                self.unite(one, other)
        return max(left, right, key=len)
