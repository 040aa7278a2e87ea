"""Backward passes as people write them, right and wrong, written without sight of the judge's rules.

`CASES` has them by name. `case.py` says what a case is, `witness.py` shows by plain comparison with autograd that what
is called right is right and what is called wrong is wrong. Nothing here imports handgrad.
"""

from . import (
    array_api,
    function_blocks,
    function_classes,
    hidden_sizes,
    hidden_ties,
    hidden_torch,
    numpy_activations,
    numpy_algebra,
    numpy_arrays,
    numpy_attention,
    numpy_distances,
    numpy_gates,
    numpy_losses,
    numpy_norms,
    numpy_recurrent,
    numpy_windows,
    torch_blocks,
    torch_pieces,
)
from .case import CASES, Case, Slip, Variant, inputs

__all__ = [
    "CASES",
    "Case",
    "Slip",
    "Variant",
    "array_api",
    "function_blocks",
    "function_classes",
    "hidden_sizes",
    "hidden_ties",
    "hidden_torch",
    "inputs",
    "numpy_activations",
    "numpy_algebra",
    "numpy_arrays",
    "numpy_attention",
    "numpy_distances",
    "numpy_gates",
    "numpy_losses",
    "numpy_norms",
    "numpy_recurrent",
    "numpy_windows",
    "torch_blocks",
    "torch_pieces",
]
