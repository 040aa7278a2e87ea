"""The operations that OnTorch does itself, because torch._numpy lacks them, does them in another way, or slowly.

Every rule takes and gives tensors.
"""

from handgrad.arrays.on_torch.elementwise import ELEMENTWISE, Rule
from handgrad.arrays.on_torch.filters import FILTERS
from handgrad.arrays.on_torch.parts import PARTS
from handgrad.arrays.on_torch.sums import SUMS
from handgrad.arrays.on_torch.writing import WRITING

RULES: dict[str, Rule] = {**ELEMENTWISE, **SUMS, **FILTERS, **PARTS, **WRITING}
OPTIONS = ("dtype", "casting", "order", "subok", "optimize", "device", "copy", "signature", "like", "overwrite_input")
NEEDED = {("reshape", "order"), ("ravel", "order")}  # the only ones that change a value
# Other names for the same operation.
ALIASES = {
    "true_divide": "divide", "concat": "concatenate", "permute_dims": "transpose", "pow": "power", "abs": "absolute",
    "acos": "arccos", "asin": "arcsin", "atan": "arctan", "atan2": "arctan2", "acosh": "arccosh", "asinh": "arcsinh",
    "atanh": "arctanh", "amax": "max", "amin": "min", "cumulative_sum": "cumsum", "cumulative_prod": "cumprod",
    "conj": "conjugate", "psi": "digamma", "fmax": "maximum", "fmin": "minimum", "around": "round", "rint": "round",
    "linalg.matmul": "matmul", "linalg.outer": "outer", "linalg.vecdot": "vecdot", "linalg.cross": "cross",
    "linalg.tensordot": "tensordot", "linalg.trace": "trace", "linalg.diagonal": "diagonal",
    "linalg.matrix_transpose": "matrix_transpose", "radians": "deg2rad", "degrees": "rad2deg",
}  # fmt: skip
# Answers without a gradient: NumPy gives them.
PLAIN = {
    "argmax", "argmin", "argsort", "argpartition", "argwhere", "nonzero", "flatnonzero", "searchsorted", "digitize",
    "lexsort", "any", "all", "isclose", "allclose", "array_equal", "shape", "ndim", "size", "count_nonzero", "isnan",
    "isfinite", "isinf", "signbit", "less", "less_equal", "greater", "greater_equal", "equal", "not_equal",
    "logical_and", "logical_or", "logical_not", "logical_xor", "result_type", "promote_types", "can_cast", "isin",
    "iscomplexobj", "isrealobj", "array_repr", "array_str", "array2string", "may_share_memory", "shares_memory",
    "common_type", "min_scalar_type", "nanargmax", "nanargmin", "linalg.matrix_rank",
}  # fmt: skip
