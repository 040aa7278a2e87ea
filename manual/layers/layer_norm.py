"""Layer normalisation: every sample (row) to mean 0 and variance 1, then scaled and shifted per unit.

Variance is the mean of squares about the mean (1/n, not 1/(n-1)), computed in two passes, as torch does. Half precision
is computed in float32 inside, also as torch does: a square overflows float16 from 256 on.
The formulas are those of batch_norm.py along the other axis, and stand in both files: each is read beside the slides.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from manual.arguments import check_number, check_sizes
from manual.namespace import array_namespace
from manual.precision import in_float32
from manual.types import Array, Facts, Grads, Params


class LayerNormCache(NamedTuple):
    xhat: Array  # (N, n), the normalised input
    s: Array  # (N, 1), sqrt(variance + eps)


@dataclass(frozen=True)
class LayerNorm:
    """y = gamma o xhat + beta, xhat = (x - mean) / sqrt(var + eps), mean and var over the row.

    Shapes: x, y (N, n); gamma, beta (n,). Source: Ba, Kiros, Hinton 2016.
    Raises ValueError for n below 1 or eps not positive.
    """

    facts: ClassVar[Facts] = Facts("layer_norm", "y", "x", letter="n", autocast="float32")

    n: int
    eps: float = 1e-5

    def __post_init__(self) -> None:
        check_sizes(self, "n")
        check_number(self, "eps", "a positive number", lambda eps: eps > 0)

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"gamma": (self.n,), "beta": (self.n,)}

    @in_float32
    def forward(self, params: Params, x: Array) -> tuple[Array, LayerNormCache]:
        xp = array_namespace(x)
        xc = x - xp.mean(x, axis=1, keepdims=True)
        s = xp.sqrt(xp.mean(xc * xc, axis=1, keepdims=True) + self.eps)
        xhat = xc / s
        y = params["gamma"] * xhat + params["beta"]  # (N, n)  eq. layer_norm.y
        return y, LayerNormCache(xhat, s)

    @in_float32
    def backward(
        self, params: Params, cache: LayerNormCache, dy: Array, *, needs: Collection[str] = ("x", "gamma", "beta")
    ) -> tuple[Array, Grads]:
        """dx and dgamma, dbeta, of these what `needs` names: no work is done for the others, and dx is None."""
        xp = array_namespace(dy)
        xhat, s = cache
        dx: Array = None
        dparams: Grads = {}
        # forward: y = gamma o xhat + beta
        # so:
        if "gamma" in needs:
            dgamma = xp.sum(dy * xhat, axis=0)  # (n,)  eq. layer_norm.dgamma
            dparams["dgamma"] = dgamma
        if "beta" in needs:
            dbeta = xp.sum(dy, axis=0)  # (n,)  eq. layer_norm.dbeta
            dparams["dbeta"] = dbeta
        if "x" in needs:
            dxhat = dy * params["gamma"]  # (N, n)  eq. layer_norm.dxhat
            # forward: xhat = (x - mean(x)) / s, s = sqrt(mean((x - mean(x))^2) + eps)
            # so:
            mean_dxhat = xp.mean(dxhat, axis=1, keepdims=True)
            mean_dxhat_xhat = xp.mean(dxhat * xhat, axis=1, keepdims=True)
            dx = (dxhat - mean_dxhat - xhat * mean_dxhat_xhat) / s  # (N, n)  eq. layer_norm.dx
        return dx, dparams
