"""How much rounding moves the reference: float64 autograd run several times with every operation's rounding imitated.

Another correct evaluation may differ by as much as these runs spread. The spread includes the conditioning of the whole
computation, so nobody has to say what a small difference is.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from handgrad.arrays.arithmetic import Arithmetic
from handgrad.judge.stage import Arrays

Float = NDArray[np.float64]
RUNS = 16

# Selections, copies and comparisons: nothing is rounded. (Names of aten without a leading or trailing underscore.)
EXACT = """
abs amax amin arange argmax argmin as_strided cat clamp clamp_max clamp_min clone constant_pad_nd copy detach dropout
embedding empty empty_like expand eye fill flip full full_like gather hardtanh hardtanh_backward index index_select
lift_fresh local_scalar_dense masked_fill masked_select max max_pool2d_with_indices max_pool2d_with_indices_backward
max_pool3d_with_indices max_pool3d_with_indices_backward maximum median min minimum native_dropout neg new_empty
new_full new_ones new_zeros nll_loss_backward one_hot ones ones_like pad reflection_pad1d relu repeat roll round
scalar_tensor scatter select_backward select_scatter sgn sign slice_backward slice_scatter sort stack threshold
threshold_backward to_copy topk tril triu trunc unfold where zero zeros zeros_like
"""
# One rounding of the result. Everything else is a kernel that sums inside.
ELEMENTWISE = """
add sub rsub mul div reciprocal pow square sqrt rsqrt exp exp2 expm1 log log1p log2 log10 sigmoid tanh sin cos tan sinh
cosh asin acos atan asinh acosh atanh atan2 erf erfc erfinv logaddexp addcmul addcdiv leaky_relu leaky_relu_backward
index_put index_add scatter_add
"""
KINDS = dict.fromkeys(EXACT.split(), "exact") | dict.fromkeys(ELEMENTWISE.split(), "elementwise")


class Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Every operation inside rounds as in `arithmetic`, at random.

    Elementwise operations: u |out| times a normal deviate. Kernels (products, sums, whole layers): that, and each
    entry of their inputs off by sqrt(n) u, n the terms of a sum, which for a product is u sqrt(n sum of squares) and
    for any other kernel carries its conditioning.
    """

    def __init__(self, arithmetic: Arithmetic, generator: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.arithmetic, self.generator = arithmetic, generator

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled in here; torch's default imports its whole compiler, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.removeprefix("aten::").strip("_")
        kind = KINDS.get(name, "kernel")
        if func.is_view or kind == "exact":
            return func(*args, **kwargs)
        out, in_place = func(*args, **kwargs), func._schema.is_mutable
        if kind == "kernel" and not in_place:
            inside = self.arithmetic.u_sum * terms(args, out) ** 0.5
            out = func(*tree_map(lambda t: self.off(t, inside), args), **kwargs)
        return tree_map(lambda t: self.off(t, self.arithmetic.u, in_place), out)

    def off(self, tensor: Any, u: float, in_place: bool = False) -> Any:
        """The tensor with a relative normal deviate of size u in every entry."""
        if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():
            return tensor
        factor = 1 + u * torch.randn(tensor.shape, generator=self.generator, dtype=tensor.dtype)
        return tensor.mul_(factor) if in_place else tensor * factor


def terms(args: Any, out: Any) -> float:
    """How many terms are summed per entry of the result, from the sizes alone: K for an (M, K) by (K, N) product."""
    sizes = sorted(floats(args))
    entries = max(floats(out), default=max(sizes, default=1))
    product = (sizes[-1] * sizes[-2] / entries) ** 0.5 if len(sizes) > 1 else 1.0
    return max(1.0, product, max(sizes, default=1) / entries)


def floats(tree: Any) -> list[int]:
    """The number of entries of every floating-point tensor."""
    return [t.numel() for t in tree_leaves(tree) if isinstance(t, torch.Tensor) and t.is_floating_point() and t.numel()]


def noise(
    reference: Callable[[Arrays, Any], Mapping[str, Float]],
    inputs: Mapping[str, Float],
    dy: Float,
    arithmetic: Arithmetic,
    rng: np.random.Generator,
    runs: int = RUNS,
) -> dict[str, Float]:
    """The root mean square, entry by entry, of what rounding does to each result of `reference`; inf where lost."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    exact, spread = reference(inputs, dy), dict[str, Any]()
    with np.errstate(all="ignore"):
        for _ in range(runs):
            shaken = {name: shake(value, arithmetic.u, rng) for name, value in inputs.items()}
            with Rounding(arithmetic, generator):
                found = reference(shaken, shake(dy, arithmetic.u, rng))
            for name, value in found.items():
                spread[name] = np.hypot(spread.get(name, 0.0), value - exact[name])  # squares of tiny numbers underflow
        return {name: np.nan_to_num(s / runs**0.5, nan=np.inf, posinf=np.inf) for name, s in spread.items()}


def shake(values: Float, u: float, rng: np.random.Generator) -> Float:
    """The values off by u; equal ones stay equal, because ties decide what a maximum does."""
    distinct, where = np.unique(values, return_inverse=True)
    return (distinct * (1 + u * rng.standard_normal(distinct.shape)))[where].reshape(values.shape)
