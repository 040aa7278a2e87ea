"""Forward passes in NumPy as people write them, each with how its inputs are drawn; nothing here is hand-derived."""

from . import arrays, elementwise, layers, loops, programs
from .collection import FUNCTIONS, Everyday, draw, is_drawn, result, slopes

__all__ = [
    "FUNCTIONS",
    "Everyday",
    "arrays",
    "draw",
    "elementwise",
    "is_drawn",
    "layers",
    "loops",
    "programs",
    "result",
    "slopes",
]
