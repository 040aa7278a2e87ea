"""What --inputs may ask for, guessed from how a forward pass uses its arguments: advice, by which nothing is judged."""

import ast
import copy
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from handgrad.judge.isolation import attempt
from handgrad.source.tree import parents_of
from handgrad.subjects.file.guess_dict import Entries, keys_of, write_dict
from handgrad.subjects.file.guess_shapes import Axes, guess_shapes, name_of

SCALAR = re.compile(
    r"reg|lam|lambda_?|eps|lr|alpha|momentum|rate|p|keep(_prob)?|temperature|margin|delta|slope|tau|sigma"
)
WHOLE = re.compile(r"((pool|kernel|filter)_?)?(size|height|width)|stride|pad(ding)?|num_\w+")
VECTOR = re.compile(r"b\d*|b_\w+|bias\w*|gamma|beta")
DRAWS = (
    "normal", "uniform", "random", "rand", "randn", "standard_normal", "random_sample", "binomial", "integers",
    "randint", "choice", "permutation",
)  # fmt: skip
REDUCED = ("sum", "mean", "norm", "prod")
LABELS, MASK, DATA, NUMBER, SCALE, SINGLE = ":int<3", ":bool", ":data", "=2", "0.1", "scalar"
NOTHING = ast.Module([], [])


def read_tree(function: Any) -> ast.AST | None:
    """None where its source cannot be read."""
    return attempt(lambda: ast.parse(textwrap.dedent(inspect.getsource(function)))).value


def guess_inputs(
    tree: ast.AST, names: Sequence[str], hinted: Mapping[str, Axes], back: ast.AST = NOTHING
) -> dict[str, str]:
    """Each argument as --inputs takes it: y=4:int<3 for class labels, reg=0.1, W1=3x5 as far as products tell.

    A dict is written with the guesses of its entries. hinted: the axes of others, of which type hints tell. Those with
    names of sizes are given too: else the sizes drawn for these names would not fit. back: the backward pass.
    """
    keys = {name: found for name in names if (found := keys_of(tree, name))}
    if keys:
        parts = [part for name in names for part in keys.get(name, [name])]
        guessed = guess_inputs(Entries(keys).visit(copy.deepcopy(tree)), parts, hinted, back)
        dicts = {n: write_dict({key: guessed[key] for key in own}) for n, own in keys.items()}
        return {n: word for n, word in guessed.items() if n in names or n in hinted} | dicts
    kinds = {name: SINGLE if is_single(back, name) else guess_kind(tree, name) for name in names}
    kinds |= {name: DATA for name in without_gradient(back, names) if kinds[name] == ""}
    arrays = [name for name, kind in kinds.items() if kind in ("", MASK, DATA)]
    shapes = guess_shapes(tree, arrays, [name for name in arrays if VECTOR.fullmatch(name)], hinted)
    named = [n for n, axes in hinted.items() if arrays and n in shapes and any(isinstance(axis, str) for axis in axes)]
    rows = first_size(shapes, hinted)
    words = {name: (rows if kind == LABELS else shapes.get(name, "")) + kind for name, kind in kinds.items()}
    return {name: shapes[name] for name in named} | words


def is_single(back: ast.AST, name: str) -> bool:
    """Whether its gradient is a sum of all entries: then it is one number, the bias of a single neuron."""
    assigned = (node for node in ast.walk(back) if isinstance(node, ast.Assign))
    own = [n.value for n in assigned if isinstance(n.targets[0], ast.Name) and n.targets[0].id == f"d{name}"]
    return any(is_called(part, "sum") for value in own for part in ast.walk(value))


def without_gradient(back: ast.AST, names: Sequence[str]) -> list[str]:
    """Those that are not among the keys of the gradients, where these come in a dict."""
    words = {node.value for node in ast.walk(back) if isinstance(node, ast.Constant)}
    left = [name for name in names if not {name, f"d{name}"} & words]
    return left if len(left) < len(names) else []


def with_gradient(back: ast.AST, names: Sequence[str]) -> list[str]:
    """Those of which the backward pass has a gradient, told by a name such as dx, grad_x or x_grad."""
    words = {node.id for node in ast.walk(back) if isinstance(node, ast.Name)}
    words |= {node.value for node in ast.walk(back) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return [n for n in names if words & {f"d{n}", f"d_{n}", f"grad_{n}", f"{n}_grad", f"{n}_bar"}]


def first_size(shapes: Mapping[str, str], hinted: Mapping[str, Axes]) -> str:
    """How many rows there are: the first size of the first array, or its name."""
    for name, axes in hinted.items():
        if axes:
            return shapes[name].partition("x")[0] if name in shapes else str(axes[0])
    return next(iter(shapes.values()), "4").partition("x")[0]


def guess_kind(tree: ast.AST, name: str) -> str:
    """What an argument is, told by its first use that tells; empty for an array of numbers."""
    parents = parents_of(tree)
    told = (kind for node in uses(tree, name) if (kind := told_by(node, parents)))
    usual = {SCALE: SCALAR.fullmatch(name), NUMBER: WHOLE.fullmatch(name), MASK: name.startswith("mask")}
    return next(told, None) or next((kind for kind, fits in usual.items() if fits), "")


def told_by(node: ast.Name, parents: Any) -> str:
    """What one use tells of an argument."""
    around = parents.get(node)
    if isinstance(around, ast.UnaryOp) and isinstance(around.op, ast.Invert):
        return MASK
    if is_index(node, parents):
        return MASK if node.id.startswith("mask") else LABELS
    whole = around if isinstance(around, ast.Subscript) and around.value is node else node  # y[:, None] == np.arange(k)
    compared = parents.get(whole)
    if isinstance(compared, ast.Compare) and isinstance(compared.ops[0], ast.Eq | ast.NotEq):
        return told_by_comparison(compared, whole)
    if isinstance(around, ast.Slice) or is_called(around, "range"):
        return NUMBER
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.FloorDiv | ast.Mod):
        return NUMBER
    if isinstance(around, ast.BinOp) and isinstance(around.op, ast.Mult | ast.Div):
        other = around.left if around.right is node else around.right
        return SCALE if any(is_called(other, word) for word in REDUCED) else ""
    return ""


def told_by_comparison(compared: ast.Compare, side: ast.AST) -> str:
    """Of what is compared with a word that word; with whole numbers: class labels."""
    other = next(s for s in (compared.left, *compared.comparators) if s is not side)
    if isinstance(other, ast.Constant) and isinstance(other.value, str):
        return other.value
    whole = isinstance(other, ast.Constant) and type(other.value) is int
    return LABELS if whole or is_called(other, "arange") else ""


def is_index(node: ast.AST, parents: Any) -> bool:
    """Whether it stands between brackets, alone or beside others."""
    around = parents.get(node)
    if isinstance(around, ast.Tuple):
        node, around = around, parents.get(around)
    return isinstance(around, ast.Subscript) and around.slice is node


def is_used_as_index(tree: ast.AST, name: str) -> bool:
    """Whether an argument stands between brackets anywhere."""
    parents = parents_of(tree)
    return any(is_index(node, parents) for node in uses(tree, name))


def is_called(node: ast.AST | None, word: str) -> bool:
    """Whether it is a call of that function, or of a method or a function of a module of that name."""
    if not isinstance(node, ast.Call) or any(k.arg == "axis" for k in node.keywords):
        return False
    return name_of(node) == word


def uses(tree: ast.AST, name: str) -> Iterator[ast.Name]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name)


def draws(tree: ast.AST, name: str) -> bool:
    """Whether random numbers are drawn from it: rng.normal(...)."""
    parents = parents_of(tree)
    around = [parents.get(node) for node in uses(tree, name)]
    return any(isinstance(n, ast.Attribute) and n.attr in DRAWS and n is getattr(parents.get(n), "func", None)
               for n in around)  # fmt: skip
