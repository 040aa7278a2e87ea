"""What may stand in an expression's place, and numbers as Python writes them."""

import ast
from typing import NamedTuple, TypeGuard

MODULES = ("np", "numpy", "xp", "torch", "jnp")


class Edit(NamedTuple):
    """What may stand in an expression's place. cost: how much it changes."""

    node: ast.expr
    cost: float


def number(value: float) -> ast.expr:
    """A constant; a negative one as Python writes it."""
    return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
