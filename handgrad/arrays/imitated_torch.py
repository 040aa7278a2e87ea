"""Rounding: torch code in which every operation rounds at random, as another correct evaluation might round."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from handgrad.arrays.apart import APART
from handgrad.arrays.arithmetic import EPS, Arithmetic, cut_short
from handgrad.arrays.precision import to64

# Selections, copies and comparisons: nothing is rounded. (Names of aten without a leading or trailing underscore.)
EXACT = """
abs adaptive_max_pool2d adaptive_max_pool2d_backward amax amin aminmax arange argmax argmin argsort as_strided
as_strided_scatter block_diag cat ceil clamp clamp_max clamp_min clone constant_pad_nd copy copysign cummax cummin
detach diag diag_embed diagonal_scatter dropout embedding empty empty_like expand eye fill fill_diagonal flip floor
fmod frac full full_like gather hardtanh hardtanh_backward heaviside im2col index index_copy index_fill index_select
kthvalue ldexp lift lift_fresh lift_fresh_copy local_scalar_dense masked_fill masked_scatter masked_select max
max_pool2d_with_indices max_pool2d_with_indices_backward max_pool3d_with_indices max_pool3d_with_indices_backward
max_unpool2d maximum median min minimum mode nan_to_num nanmedian native_dropout neg new_empty new_full new_ones
new_zeros nextafter nll_loss_backward one_hot ones ones_like pad pixel_shuffle pixel_unshuffle put reflection_pad1d
reflection_pad2d relu repeat repeat_interleave replication_pad1d replication_pad2d roll rot90 round scalar_tensor
scatter select_backward select_scatter set sgn sign slice_backward slice_scatter sort stack take threshold
threshold_backward to_copy topk tril triu trunc unfold upsample_nearest1d upsample_nearest2d where zero zeros
zeros_like
"""
# One rounding of the result. Everything else is a kernel that sums inside.
ELEMENTWISE = """
add sub rsub mul div reciprocal pow square sqrt rsqrt exp exp2 expm1 log log1p log2 log10 sigmoid tanh sin cos tan sinh
cosh asin acos atan asinh acosh atanh atan2 erf erfc erfinv logaddexp addcmul addcdiv leaky_relu leaky_relu_backward
index_put index_put_impl index_add scatter_add
celu elu elu_backward gelu gelu_backward hardshrink hardshrink_backward hardsigmoid
hardsigmoid_backward hardswish hardswish_backward log_sigmoid_backward log_sigmoid_forward mish mish_backward prelu
prelu_kernel prelu_kernel_backward rrelu_with_noise sigmoid_backward silu silu_backward softplus softplus_backward
softshrink softshrink_backward tanh_backward logit logit_backward xlogy lerp smooth_l1_loss_backward
huber_loss_backward
"""
# What they add at one place several times is a sum, if they add.
ADDED_TO = ("index_put", "index_put_impl", "index_add", "scatter_add")
KINDS = dict.fromkeys(EXACT.split(), "exact") | dict.fromkeys(ELEMENTWISE.split(), "elementwise")
# The same operation in NumPy, whose long double tells where a float64 result is exact.
SAME: dict[str, Callable[..., Any]] = {
    "add": lambda x, y, alpha=1: x + alpha * y,
    "sub": lambda x, y, alpha=1: x - alpha * y,
    "rsub": lambda x, y, alpha=1: y - alpha * x,
    "mul": np.multiply,
    "div": np.divide,
    "sqrt": np.sqrt,
    "reciprocal": np.reciprocal,
    "square": np.square,
}


class Rounding(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Every operation inside rounds as in `arithmetic`, at random; with `own`, as its own precision does, if finer.

    Elementwise operations: u |out| times a normal deviate; what is exact is not moved. Kernels (products, sums, whole
    layers): that, and each entry of their inputs off by sqrt(n) u, n the terms of a sum, which for a product is
    u sqrt(n sum of squares) and for any other kernel carries its conditioning.

    A constant that meets an operation (a number, a tensor that no operation gave) may be cut short, so it is off by
    half a unit. given: the arrays that are no constants of the code and stay as they are.
    """

    def __init__(
        self, arithmetic: Arithmetic, generator: torch.Generator, given: Iterable[Any] = (), *, own: bool = False
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.arithmetic, self.generator, self.own, self.rolled = arithmetic, generator, own, 0
        self.given = {to64(a).tobytes() for a in given}
        self.made: dict[int, Any] = {}  # the memory of what operations gave, held so that no other gets its address

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled in here; torch's default imports its whole compiler, which takes seconds

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, (name, kind, in_place) = kwargs or {}, facts_of(func)
        if name == "linalg_vector_norm" and args[1:2] in ((np.inf,), (-np.inf,)):
            kind = "exact"
        if not (exact := kind == "exact"):
            args = self.cut_constants(args, in_place)
        constant = exact and all(map(self.is_constant, float_tensors(args)))
        out = func(*args, **kwargs) if exact else self.round(func, args, kwargs)
        for t in () if constant else float_tensors(out):
            memory = t.untyped_storage()
            self.made[memory.data_ptr()] = memory
        return out

    def is_constant(self, t: torch.Tensor) -> bool:
        """Whether no operation gave it, nor the judge."""
        return t.untyped_storage().data_ptr() not in self.made and to64(t).tobytes() not in self.given

    def cut_constants(self, args: Any, in_place: bool) -> Any:
        """The arguments, the constants among them off by half a unit where they may be cut short."""
        if self.arithmetic.u <= EPS or not (tensors := float_tensors(args)):
            return args
        if (a := self.rounding_of(tensors[0])).u <= EPS:
            return args
        half = replace(a, tiny=0.0)

        def cut(c: Any) -> Any:
            if isinstance(c, float) and cut_short(c, half.u):
                return float(self.move(torch.tensor(c, dtype=torch.float64), half))
            if is_float(c) and self.is_constant(c) and (full := cut_short(to64(c), half.u)).any():
                return self.move(c.double(), half, exact=torch.as_tensor(~full)).to(c.dtype)
            return c

        own = args[:1] if in_place else ()  # what is written into stays itself
        return (*own, *each(cut, args[len(own) :]))

    def round(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What the operation gives, with its rounding imitated."""
        name, kind, in_place = facts_of(func)
        if name in APART and not self.rounding_of(args[0]).coarse:  # which torch's kernels do not round in
            with self:
                return APART[name](*args, **kwargs)
        if name in ADDED_TO:
            args = self.shake_terms(func, args, kwargs)
        given = each(copied, args) if in_place and name in SAME else args
        out = func(*args, **kwargs)
        if not floats(out):
            return out
        self.rolled += 1
        if kind == "kernel" and not in_place:
            out = self.kernel(func, args, kwargs, out)
        exact = exactly(name, given, kwargs, self.rounding_of(out), out) if name in SAME else None
        return each(lambda t: self.move(t, self.rounding_of(t), in_place, exact) if is_float(t) else t, out)

    def kernel(self, func: Any, args: Any, kwargs: Any, out: Any) -> Any:
        """The result for inputs that are off by what the sums inside round, in float64 where they are coarser."""
        n = terms(args, out) ** 0.5

        def shake(t: Any) -> Any:
            if not is_float(t):
                return t
            a = self.rounding_of(t)
            return self.move(t.double() if is_coarse(t) else t, replace(a, u=n * a.u_sum, tiny=0.0))

        try:
            found = func(*each(shake, args), **kwargs)
        except (RuntimeError, TypeError):
            if any(map(is_coarse, leaves(args))):
                return out  # a kernel of that precision alone
            raise
        kinds = iter(leaves(out))
        return each(lambda t: t.to(like.dtype) if is_float(like := next(kinds)) else t, found)

    def shake_terms(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What is added to the first argument, off by what the longest sum at one place rounds."""
        ones = each(lambda t: torch.ones_like(t, dtype=torch.float64) if is_float(t) else t, args[1:])
        n = float(func(torch.zeros_like(args[0], dtype=torch.float64), *ones, **kwargs).max()) if args[0].numel() else 1
        if n <= 1:
            return args
        a = self.rounding_of(args[0])
        off = replace(a, u=n**0.5 * a.u_sum, tiny=0.0)
        return (args[0], *each(lambda t: self.move(t, off) if is_float(t) else t, args[1:]))

    def rounding_of(self, tensor: torch.Tensor) -> Arithmetic:
        """The rounding of an operation that gives this. A coarser precision inside excuses nothing."""
        if not self.own:
            return self.arithmetic
        return min(self.arithmetic, Arithmetic.of(str(tensor.dtype).removeprefix("torch.")), key=lambda a: a.u)

    def move(self, tensor: torch.Tensor, a: Arithmetic, in_place: bool = False, exact: Any = None) -> torch.Tensor:
        """The tensor off by a normal deviate times u in every entry that is not exact, or by underflow."""
        spread = torch.randn(tensor.shape, generator=self.generator, dtype=torch.float64)
        if exact is not None:
            spread.masked_fill_(exact, 0)
        spread = spread.to(tensor.device)
        moved = tensor * (1 + a.u * spread)
        if a.tiny:
            moved += a.tiny * spread * (tensor != 0)
        moved = moved.to(tensor.dtype)
        return tensor.copy_(moved) if in_place else moved


@cache
def facts_of(func: Any) -> tuple[str, str, bool]:
    """An operation's name, its kind, and whether it writes into its first argument."""
    name = func._schema.name.rpartition("::")[2].strip("_")
    return name, "exact" if func.is_view else KINDS.get(name, "kernel"), func._schema.is_mutable


def leaves(tree: Any) -> list[Any]:
    """What stands in a nest of tuples and lists, as operations take and give it."""
    return [leaf for part in tree for leaf in leaves(part)] if isinstance(tree, tuple | list) else [tree]


def each(f: Callable[[Any], Any], tree: Any) -> Any:
    """The same nest with f of everything that stands in it."""
    if isinstance(tree, tuple | list):
        parts = [each(f, part) for part in tree]
        return parts if isinstance(tree, list) else tuple(parts)
    return f(tree)


def float_tensors(tree: Any) -> list[torch.Tensor]:
    return [leaf for leaf in leaves(tree) if is_float(leaf)]


def is_float(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def is_coarse(value: Any) -> bool:
    return is_float(value) and value.dtype in (torch.bfloat16, torch.float16)


def copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value


def exactly(name: str, args: Any, kwargs: Any, a: Arithmetic, out: Any) -> torch.Tensor:
    """Where the result needs no more digits than this precision has, so that nothing was rounded.

    out: the result in float64. What has too many digits there has them in a wider precision as well, which costs more.
    """
    may = few_digits(to64(out), a) if a.u > EPS else np.ones(tuple(out.shape), bool)
    found, places = np.zeros(tuple(out.shape), bool), torch.as_tensor(may)
    if may.any():
        wide = [long(x.cpu().expand(out.shape)[places]) if isinstance(x, torch.Tensor) else x for x in args]
        with np.errstate(all="ignore"):
            found[may] = few_digits(SAME[name](*wide, **kwargs), a)
    return torch.as_tensor(found)


def few_digits(result: Any, a: Arithmetic) -> Any:
    """Where a number is one of this precision."""
    with np.errstate(all="ignore"):
        digits = np.frexp(result)[0] / a.u
        normal = (result == 0) | (np.abs(result) >= a.tiny / a.u)  # below, digits are lost
        return np.asarray((digits == np.rint(digits)) & normal)


def long(tensor: torch.Tensor) -> Any:
    return tensor.detach().cpu().double().numpy().astype(np.longdouble)


def terms(args: Any, out: Any) -> float:
    """How many terms are summed per entry of the result, from the sizes alone: K for an (M, K) by (K, N) product."""
    sizes = sorted(floats(args))
    entries = max(floats(out), default=max(sizes, default=1))
    product = (sizes[-1] * sizes[-2] / entries) ** 0.5 if len(sizes) > 1 else 1.0
    return max(1.0, product, max(sizes, default=1) / entries)


def floats(tree: Any) -> list[int]:
    """The number of entries of every floating-point tensor."""
    return [n for t in float_tensors(tree) if (n := t.numel())]
