"""Batch normalisation: every unit (column) to mean 0 and variance 1 over the batch, then scaled and shifted.

The batch's variance is the mean of squares (1/N); the running variance keeps the unbiased one (1/(N-1)), as torch does.
In evaluation the running statistics take the batch's place and are constants, so the backward pass is another one.
Half precision is computed in float32 inside, as torch does: a square overflows float16 from 256 on.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from manual.arguments import check_number, check_sizes
from manual.namespace import array_namespace
from manual.precision import in_float32, narrow
from manual.types import Array, Facts, Grads, Params


class Running(NamedTuple):
    """The running statistics: explicit state, handed in and out."""

    mean: Array  # (n,)
    var: Array  # (n,)


class BatchNormCache(NamedTuple):
    xhat: Array  # (N, n), the normalised input
    s: Array  # (n,), sqrt(variance + eps)
    mean: Array  # (n,)
    var: Array  # (n,)


class FrozenBatchNormCache(NamedTuple):
    xhat: Array  # (N, n)
    s: Array  # (n,)


@dataclass(frozen=True)
class BatchNorm1d:
    """y = gamma o xhat + beta, xhat = (x - mean) / sqrt(var + eps), mean and var over the batch or given (`running`).

    Shapes: x, y (N, n); gamma, beta, running.mean, running.var (n,). Source: Ioffe, Szegedy 2015.
    Raises ValueError for n below 1, eps not positive, momentum outside [0, 1].
    """

    facts: ClassVar[Facts] = Facts("batch_norm", "y", "x", letter="n", autocast="float32")

    n: int
    eps: float = 1e-5
    momentum: float = 0.1

    def __post_init__(self) -> None:
        check_sizes(self, "n")
        check_number(self, "eps", "a positive number", lambda eps: eps > 0)
        check_number(self, "momentum", "a number in [0, 1]", lambda momentum: 0 <= momentum <= 1)

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"gamma": (self.n,), "beta": (self.n,)}

    def initial_running(self, like: Array) -> Running:
        """Mean 0 and variance 1, with the dtype and device of `like`, a parameter of the layer such as gamma (n,)."""
        xp = array_namespace(like)
        return Running(xp.zeros_like(like), xp.ones_like(like))

    def batch_mean(self, a: Array) -> Array:
        """The mean over the batch, (n,), of a (N, n). A batch that lies in several processes has another."""
        return array_namespace(a).mean(a, axis=0)

    def batch_size(self, a: Array) -> Any:
        """N of a (N, n)."""
        return a.shape[0]

    def update_running(self, running: Running, cache: BatchNormCache) -> Running:
        """running <- (1 - momentum) running + momentum batch, with the batch's unbiased variance.

        Raises ValueError for a batch of one sample, which has no unbiased variance.
        """
        N = self.batch_size(cache.xhat)
        if N < 2:
            raise ValueError("BatchNorm1d: running statistics need at least 2 samples in the batch, got 1")
        a = self.momentum
        unbiased = cache.var * (N / (N - 1))
        mean, var = (1 - a) * running.mean + a * cache.mean, (1 - a) * running.var + a * unbiased
        return Running(narrow(mean, running.mean), narrow(var, running.var))

    @in_float32
    def forward(
        self, params: Params, x: Array, running: Running | None = None
    ) -> tuple[Array, BatchNormCache | FrozenBatchNormCache]:
        xp = array_namespace(x)
        mean = self.batch_mean(x) if running is None else running.mean
        xc = x - mean
        var = self.batch_mean(xc * xc) if running is None else running.var
        s = xp.sqrt(var + self.eps)
        xhat = xc / s
        y = params["gamma"] * xhat + params["beta"]  # (N, n)  eq. batch_norm.y
        return y, BatchNormCache(xhat, s, mean, var) if running is None else FrozenBatchNormCache(xhat, s)

    @in_float32
    def backward(
        self,
        params: Params,
        cache: BatchNormCache | FrozenBatchNormCache,
        dy: Array,
        *,
        needs: Collection[str] = ("x", "gamma", "beta"),
    ) -> tuple[Array, Grads]:
        """dx and dgamma, dbeta, of these what `needs` names: no work is done for the others, and dx is None."""
        xp = array_namespace(dy)
        xhat, s = cache.xhat, cache.s
        dx: Array = None
        dparams: Grads = {}
        # forward: y = gamma o xhat + beta
        # so:
        if "gamma" in needs:
            dgamma = xp.sum(dy * xhat, axis=0)  # (n,)  eq. batch_norm.dgamma
            dparams["dgamma"] = dgamma
        if "beta" in needs:
            dbeta = xp.sum(dy, axis=0)  # (n,)  eq. batch_norm.dbeta
            dparams["dbeta"] = dbeta
        if "x" in needs:
            dxhat = dy * params["gamma"]  # (N, n)  eq. batch_norm.dxhat
            if isinstance(cache, FrozenBatchNormCache):
                # forward: xhat = (x - mean) / s with mean and s constant
                # so:
                dx = dxhat / s  # (N, n)  eq. batch_norm.dx_frozen
            else:
                # forward: xhat = (x - mean(x)) / s, s = sqrt(mean((x - mean(x))^2) + eps)
                # so:
                mean_dxhat = self.batch_mean(dxhat)
                mean_dxhat_xhat = self.batch_mean(dxhat * xhat)
                dx = (dxhat - mean_dxhat - xhat * mean_dxhat_xhat) / s  # (N, n)  eq. batch_norm.dx
        return dx, dparams
