"""A change in words: each rule with the slip that it is for, and with one beside it that it must not be said of."""

import ast

import pytest

from handgrad.mend.change import narrow
from handgrad.mend.slip import Slip
from handgrad.mend.words import describe
from handgrad.source.tree import changed, expression, parents_of


def slip(before: str, after: str) -> Slip:
    """The smallest part of the one line that is another in the other."""
    tree = ast.parse(before)
    old, new = tree.body[0], ast.parse(after).body[0]
    while True:
        pairs = [(a, b) for a, b in zip(children(old), children(new), strict=False) if dump(a) != dump(b)]
        if isinstance(old, ast.Call) and isinstance(new, ast.Call) and dump(old.func) != dump(new.func):
            return Slip(old, new, parents_of(tree))
        alike = type(old) is type(new) and len(children(old)) == len(children(new)) and len(pairs) == 1
        if not alike or not all(isinstance(n, ast.expr) for n in pairs[0]):
            return Slip(old, new, parents_of(tree))
        old, new = pairs[0]


def children(node):
    found = [value for _, value in ast.iter_fields(node)]
    return [item for value in found for item in (value if isinstance(value, list) else [value])]


def dump(item):
    return ast.dump(item) if isinstance(item, ast.AST) else item


SHARED = "(p * dp).sum(axis=1, keepdims=True)"
DIAGONAL = "only the diagonal of the softmax's Jacobian is taken: each entry depends on all along the axis"
FROM_THE_END = "`cumsum` runs from the start where it has to run from the end"
TOLD = [
    ("dx = np.cumsum(dy, axis=1)", "dx = np.cumsum(dy[:, ::-1], axis=1)[:, ::-1]", FROM_THE_END),
    ("dx = dy.cumsum(0)", "dx = dy[::-1].cumsum(0)[::-1]", FROM_THE_END),
    ("dz = p * (1 - p) * dp", f"dz = p * (dp - {SHARED})", DIAGONAL),
    ("dz = dp * p * (1 - p)", f"dz = (dp - {SHARED}) * p", DIAGONAL),
    ("dz = p * dp", f"dz = p * (dp - {SHARED})", f"`- {SHARED}` is missing"),
    ("dz = dh * (1 - h)", "dz = dh * (1 - h ** 2)", "the square is missing: `1 - h` where `1 - h ** 2` belongs"),
    ("dz = dh * (1 - h)", "dz = dh * (1 - h * h)", "the square is missing: `1 - h` where `1 - h * h` belongs"),
    ("dz = dh * (1 - h * h)", "dz = dh * (1 - h)", "a square too many: `1 - h * h` where `1 - h` belongs"),
    ("dx = 1 - a ** 2", "dx = 1 - b ** 2", "`a` is used where `b` belongs"),
    ("dx = 3 * x ** 3", "dx = 3 * x ** 2", "the power is 3, 2 belongs: `3 * x ** 3` where `3 * x ** 2` belongs"),
    ("dx = dz @ W.T", "dx = dz @ W", "`W` is transposed: `dz @ W.T` where `dz @ W` belongs"),
    ("dx = dz @ W", "dx = dz @ W.T", "`W` is not transposed: `dz @ W` where `dz @ W.T` belongs"),
    ("db = dz.sum(axis=1)", "db = dz.sum(axis=0)",
     "summed over axis 1, axis 0 belongs: `dz.sum(axis=1)` where `dz.sum(axis=0)` belongs"),
    ("db = dz.sum(1)", "db = dz.sum(-1)",
     "summed over axis 1, axis -1 belongs: `dz.sum(1)` where `dz.sum(-1)` belongs"),
    ("m = np.mean(x)", "m = np.mean(x, axis=1)",
     "averaged over all entries, over axis 1 belongs: `np.mean(x)` where `np.mean(x, axis=1)` belongs"),
    ("m = x.mean(1)", "m = x.mean(1, keepdims=True)",
     "the axis has to be kept: `x.mean(1)` where `x.mean(1, keepdims=True)` belongs"),
    ("db = dz.mean(0)", "db = dz.sum(0)",
     "the mean is taken where the sum belongs: `dz.mean(0)` where `dz.sum(0)` belongs"),
    ("dx = np.sin(x)", "dx = np.cos(x)", "`sin` is taken where `cos` belongs: `np.sin(x)` where `np.cos(x)` belongs"),
    ("dz = -dy", "dz = dy", "the sign is wrong: `-dy` where `dy` belongs"),
    ("dx = a + m", "dx = a - m", "the sign of `m` is wrong: `a + m` where `a - m` belongs"),
    ("dz = dh / s", "dz = dh * s",
     "the division by `s` where the factor `s` belongs: `dh / s` where `dh * s` belongs"),
    ("dx = dh @ W.T", "dx = dh @ W.T + dy", "`+ dy` is missing: dx lacks one of its paths"),
    ("s = v", "s = v + eps", "`+ eps` is missing"),
    ("dx = dh + dy", "dx = dh", "`+ dy` does not belong there"),
    ("dz = dh", "dz = dh * mask", "the factor `mask` is missing"),
    ("dz = dh", "dz = dh * (z > 0)", "the factor `z > 0` is missing"),
    ("dz = p - q", "dz = (p - q) / N", "the division by `N` is missing"),
    ("m = s / (N - 1)", "m = s / N", "divided by `N - 1`, `N` belongs"),
    ("dx = g * x * s", "dx = g * x * x * s", "the factor `x` is missing"),
    ("dx = d - m - v + w", "dx = d + m - v + w",
     "the sign of `m` is wrong: `d - m - v` where `d + m - v` belongs"),
    ("dx = d - m", "dx = d - m - v", "`- v` is missing"),
    ("dW = a", "dW = a + dW", "`dW` is assigned where it has to be added to: what was in it is lost"),
    ("dz = dh * W", "dz = dh @ W",
     "the product entry by entry where the matrix product belongs: `dh * W` where `dh @ W` belongs"),
    ("dh = dz", "dh = dz @ W", "the product with `W` is missing"),
    ("dz = g * z * (1 - z)", "dz = g * h * (1 - h)", "`z` is used where `h` belongs"),
    ("db = (dy * s).sum(0)", "db = (dz * s).sum(0)", "`dy` is used where `dz` belongs"),
    ("dz = -1 * g", "dz = g", "the sign is wrong: `-1 * g` where `g` belongs"),
    ("h = cache['h1']", "h = cache['h2']", "`cache['h1']` is used where `cache['h2']` belongs"),
    ("n = x.shape[0]", "n = x.shape[1]", "`x.shape[0]` is used where `x.shape[1]` belongs"),
    ("d = p.transpose(0, 1, 2)", "d = p.transpose(0, 2, 1)",
     "the axes are in the order 0, 1, 2 where 0, 2, 1 belongs"),
    ("dh = dz @ W1", "dh = dz @ W2", "`W1` is used where `W2` belongs"),
    ("s = np.sqrt(v + 1e-5)", "s = np.sqrt(v + 1e-6)", "1e-5 where `forward` has 1e-6"),
    ("s = np.sqrt(v + 1e-5)", "s = np.sqrt(v + 1e-7)", "`v + 1e-5` where `v + 1e-7` belongs"),
    ("return dx, dW", "return dW, dx", "`dx` and `dW` are exchanged: `(dx, dW)` where `(dW, dx)` belongs"),
    ("return dx, None", "return dx, dW", "None is returned where `dW` belongs"),
    ("dW = np.outer(a, b)", "dW = np.outer(b, a)",
     "the arguments `a` and `b` are exchanged: `np.outer(a, b)` where `np.outer(b, a)` belongs"),
    ("d = a - b", "d = b - a", "the sign is wrong: `a - b` where `b - a` belongs"),
    ("dx = g", "dx = g[::-1]", "the index `[::-1]` is missing: `g` where `g[::-1]` belongs"),
    ("db = dz", "db = dz.sum(axis=0)", "the sum over axis 0 is missing: `dz` where `dz.sum(axis=0)` belongs"),
    ("dz = dh * z", "dz = dh * np.exp(z)", "`exp` is missing: `dh * z` where `dh * np.exp(z)` belongs"),
    ("dx = dy", "dx = dy.copy()", "`dy.copy()` belongs: without the copy both names hold the same array"),
    ("m = z >= 0", "m = z > 0", "`z >= 0` where `z > 0` belongs"),
    ("dx = dy", "dx += dy", "`dx` is assigned where it has to be added to: what was in it is lost"),
    ("dx[m] = 2", "dx[m] *= 2", "`dx[m]` is assigned where it has to be multiplied: what was in it is lost"),
    ("dx[i] += g", "dx[i] -= g", "the sign is wrong: `dx[i] += g` where `dx[i] -= g` belongs"),
    ("dW[i] += g", "np.add.at(dW, i, g)",
     "where `i` holds an index several times, `dW[i] += g` adds the last term alone; all have to be added"),
]  # fmt: skip
FORWARD = {"forward": ast.parse("s = np.sqrt(v + 1e-6)")}


@pytest.mark.parametrize(("before", "after", "words"), TOLD)
def test_one_slip(before, after, words):
    assert describe([slip(before, after)], FORWARD) == words


def test_a_right_twin_of_a_path_that_is_missing():
    """A summand is a path only where a gradient is added to a gradient."""
    assert describe([slip("s = v", "s = v + dy")], {}) == "`+ dy` is missing"
    assert describe([slip("dx = dh", "dx = dh - dy")], {}) == "`- dy` is missing"


def two(code: str, change):
    body = (tree := ast.parse(code)).body
    return [Slip(old, new, parents_of(tree)) for old, new in change(body)]


def test_two_places():
    lines = "dW = a\nW = b\nc = d"
    exchanged = two(lines, lambda s: [(s[0], s[1]), (s[1], s[0])])
    assert describe(exchanged, {}) == "`dW = a` belongs after `W = b`"
    later = two(lines, lambda s: [(s[0], ()), (s[2], (s[2], s[0]))])
    assert describe(later, {}) == "`dW = a` belongs after `c = d`"
    earlier = two(lines, lambda s: [(s[2], ()), (s[0], (s[2], s[0]))])
    assert describe(earlier, {}) == "`c = d` belongs before `dW = a`"
    dropped = two(lines, lambda s: [(s[0], ())])
    assert describe(dropped, {}) == "`dW = a` does not belong there"


def test_results_exchanged_and_the_same_slip_at_two_places():
    tree = ast.parse("def f():\n    return dx, dW, db")
    a, b, c = tree.body[0].body[0].value.elts
    parents = parents_of(tree)
    assert describe([Slip(a, b, parents), Slip(b, a, parents)], {}) == "the results `dx` and `dW` are exchanged"
    minus = ast.UnaryOp(ast.USub(), a)
    assert describe([Slip(a, minus, parents)] * 2, {}).endswith("(at 2 places)")
    assert describe([Slip(a, minus, parents), Slip(c, b, parents)], {}) == (
        "the sign is wrong: `dx` where `-dx` belongs; `db` is used where `dW` belongs"
    )


def test_an_axis_from_the_end_is_one_number():
    """It is -2 where -1 belongs, not 2 where 1 does."""
    tree = expression("p.sum(axis=-2)")
    two = next(node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    found = narrow(tree, changed(tree, {two: ast.Constant(1)}, parents_of(tree)))
    assert [ast.unparse(node) for node in found] == ["-2", "-1"]
