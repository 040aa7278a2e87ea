"""Functions of single entries: where NumPy's differ from torch's, may be infinitely steep, or come from SciPy.

A factor that is infinite or undefined is not multiplied by a gradient of zero, so that np.where(x > 0, np.log(x), 0)
has the gradient that it has.
"""

from collections.abc import Callable
from functools import partial
from operator import mul, truediv
from typing import Any

import torch

Tensor = torch.Tensor
Rule = Callable[..., Any]


broadcast: Callable[..., tuple[Tensor, ...]] = torch.broadcast_tensors


def unspoilt(function: Rule, *args: Any) -> Tensor:
    """The function of tensors of one shape, whose gradient is zero wherever what comes from above is."""
    tensors = iter(broadcast(*(wide(a) for a in args if isinstance(a, Tensor))))
    result: Tensor = function(*(next(tensors) if isinstance(a, Tensor) else a for a in args))

    def mend(gradients: Any, above: Any) -> Any:
        return tuple(None if g is None else torch.where(above[0] == 0, torch.zeros_like(g), g) for g in gradients)

    if result.grad_fn is not None:
        result.grad_fn.register_hook(mend)
    return result


def power(x: Any, p: Any) -> Tensor:
    """x^p; the square as a product, as NumPy has it."""
    if isinstance(p, int | float) and p in (1, 2):
        return torch.square(x) if p == 2 else torch.clone(x)
    return unspoilt(torch.pow, x, p)


def select(better: Rule) -> Rule:
    """maximum or minimum of tensors and numbers."""
    return lambda x, y: better(*broadcast(*map(as_float, (x, y))))


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    condition = torch.as_tensor(condition).bool()
    return torch.nonzero(condition, as_tuple=True) if x is None else torch.where(condition, as_float(x), as_float(y))


def clip(x: Tensor, a_min: Any = None, a_max: Any = None, min: Any = None, max: Any = None) -> Tensor:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    x = as_float(x) if low is None else torch.maximum(*broadcast(as_float(x), as_float(low)))
    return x.clone() if high is None else torch.minimum(*broadcast(x, as_float(high)))


def wide(value: Any) -> Any:
    """Tensors of integers and booleans in float64."""
    return value.double() if isinstance(value, Tensor) and not value.is_complex() else value


def as_float(value: Any) -> Tensor:
    """A tensor of float64; complex numbers stay complex."""
    if not isinstance(value, Tensor):
        return torch.as_tensor(value, dtype=torch.complex128 if isinstance(value, complex) else torch.float64)
    found: Tensor = wide(value)
    return found


def logsumexp(a: Tensor, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Tensor:
    """Beneath the largest entry, as every good one; of entries that are all -inf, -inf without a gradient."""
    axes = tuple(range(a.ndim)) if axis is None else axis
    a = a if b is None else a + torch.log(as_float(b))
    top = torch.nan_to_num(a.detach().amax(axes, keepdim=True), posinf=0.0, neginf=0.0)
    found = top + unspoilt(torch.log, torch.exp(a - top).sum(axes, keepdim=True))
    return found if keepdims else found.reshape(a.detach().sum(axes).shape)


def softmax(x: Tensor, axis: Any = None) -> Tensor:
    return torch.exp(log_softmax(x, axis))


def log_softmax(x: Tensor, axis: Any = None) -> Tensor:
    return x - logsumexp(x, axis, keepdims=True)


def exprel(x: Tensor) -> Tensor:
    """(e^x - 1) / x."""
    return torch.where(x == 0, 1.0, torch.expm1(x) / torch.where(x == 0, 1.0, x))


STEEP: dict[str, Rule] = {  # whose derivative may be infinite
    "exp": torch.exp, "expm1": torch.expm1, "exp2": torch.exp2, "log": torch.log, "log1p": torch.log1p,
    "log2": torch.log2, "log10": torch.log10, "sqrt": torch.sqrt, "multiply": mul,
    "tan": torch.tan, "sinh": torch.sinh, "cosh": torch.cosh, "arcsin": torch.arcsin,
    "arccos": torch.arccos, "arctanh": torch.arctanh, "arccosh": torch.arccosh, "float_power": torch.pow,
    "logit": torch.special.logit, "erfinv": torch.special.erfinv, "gammaln": torch.special.gammaln,
    "digamma": torch.special.digamma, "ndtri": torch.special.ndtri, "erfcx": torch.special.erfcx,
    "cbrt": lambda x: torch.sign(x) * torch.abs(x) ** (1 / 3),
}  # fmt: skip
OF_TWO: dict[str, Rule] = {  # the same, of two tensors
    "logaddexp": torch.logaddexp, "logaddexp2": torch.logaddexp2,
    "arctan2": torch.arctan2, "hypot": torch.hypot, "xlogy": torch.special.xlogy, "xlog1py": torch.special.xlog1py,
}  # fmt: skip
SMOOTH: dict[str, Rule] = {
    "tanh": torch.tanh, "sin": torch.sin, "cos": torch.cos, "arctan": torch.arctan, "arcsinh": torch.arcsinh,
    "erf": torch.erf, "erfc": torch.erfc, "expit": torch.sigmoid, "square": torch.square, "absolute": torch.abs,
    "fabs": torch.abs, "sign": torch.sign, "log_ndtr": torch.special.log_ndtr, "ndtr": torch.special.ndtr,
    "i0": torch.special.i0, "i0e": torch.special.i0e, "i1": torch.special.i1, "i1e": torch.special.i1e,
    "entr": torch.special.entr, "sinc": torch.sinc, "log_expit": torch.nn.functional.logsigmoid,
    "positive": torch.clone, "negative": torch.neg, "exprel": exprel,
}  # fmt: skip
ELEMENTWISE: dict[str, Rule] = {
    **{name: partial(unspoilt, f) for name, f in STEEP.items()},
    **SMOOTH,
    **{name: lambda x, y, f=f: unspoilt(f, as_float(x), as_float(y)) for name, f in OF_TWO.items()},
    "divide": partial(unspoilt, truediv),
    "reciprocal": partial(unspoilt, torch.reciprocal),
    "add": lambda x, y: wide(x) + wide(y),
    "subtract": lambda x, y: wide(x) - wide(y),
    "power": power,
    "modf": lambda x: [x - torch.trunc(x), torch.trunc(x)],
    "maximum": select(torch.maximum),
    "minimum": select(torch.minimum),
    "heaviside": lambda x, y: torch.where(x == 0, as_float(y), (x > 0).double()),
    "where": where,
    "clip": clip,
    "rel_entr": lambda x, y: torch.special.xlogy(x, x) - torch.special.xlogy(x, y),
    "kl_div": lambda x, y: torch.special.xlogy(x, x) - torch.special.xlogy(x, y) - x + y,
    "logsumexp": logsumexp,
    "softmax": softmax,
    "log_softmax": log_softmax,
}
