"""The linear layer, z = x W^T + b.

Layout: one sample per row; W is (n_out, n_in), row k holds the weights into unit k (torch's layout).
A connection mask M of zeros and ones leaves connections out: W is replaced by W o M.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from array_api_compat import device

from manual.arguments import check_sizes
from manual.namespace import array_namespace
from manual.types import Array, Facts, Grads, Params


class LinearCache(NamedTuple):
    x: Array  # (N, n_in)


@dataclass(frozen=True, eq=False)
class Linear:
    """Every output is a weighted sum of all inputs plus a bias.

    Shapes: x (N, n_in), W (n_out, n_in), b (n_out,), z (N, n_out); mask (n_out, n_in) or None.
    Raises ValueError for sizes below 1 and for a mask of another shape or with entries besides 0 and 1.

    >>> z, _ = Linear(2, 1).forward({"W": np.array([[3.0, 4.0]]), "b": np.array([0.5])}, np.array([[1.0, 2.0]]))
    >>> z
    array([[11.5]])
    """

    facts: ClassVar[Facts] = Facts("linear", "z", "x", letter="z", autocast="lower")

    n_in: int
    n_out: int
    bias: bool = True
    mask: Any = None

    def __post_init__(self) -> None:
        check_sizes(self, "n_in", "n_out")
        if self.mask is not None:
            try:
                mask = np.array(self.mask)  # its own: the user's may change
            except ValueError:
                raise ValueError("Linear: mask has rows of different lengths, expected (n_out, n_in)") from None
            if mask.shape != (self.n_out, self.n_in):
                raise ValueError(
                    f"Linear: mask has shape {mask.shape}, expected (n_out, n_in) = {(self.n_out, self.n_in)}; "
                    "entry [k, j] says whether input j is connected to unit k"
                )
            if not np.isin(mask, (0, 1)).all():
                raise ValueError("Linear: mask has entries other than 0 and 1; 1 keeps a connection, 0 leaves it out")
            object.__setattr__(self, "mask", mask)

    def __eq__(self, other: object) -> bool:
        """The same sizes, with a bias or without, and the same connections."""
        if not isinstance(other, Linear):
            return NotImplemented
        same = (self.n_in, self.n_out, self.bias) == (other.n_in, other.n_out, other.bias)
        return same and type(self) is type(other) and np.array_equal(self.mask, other.mask)

    def __hash__(self) -> int:
        return hash((self.n_in, self.n_out, self.bias))

    @property
    def param_shapes(self) -> dict[str, tuple[int, ...]]:
        bias = {"b": (self.n_out,)} if self.bias else {}
        return {"W": (self.n_out, self.n_in), **bias}

    def forward(self, params: Params, x: Array) -> tuple[Array, LinearCache]:
        W = self._connected(params["W"])
        z = x @ W.T  # (N, n_out)  eq. linear.z
        if self.bias:
            z = z + params["b"]
        return z, LinearCache(x)

    def backward(
        self, params: Params, cache: LinearCache, dz: Array, *, needs: Collection[str] = ("x", "W", "b")
    ) -> tuple[Array, Grads]:
        """dx and dW, db, of these what `needs` names: no work is done for the others, and dx is None."""
        xp = array_namespace(dz)
        dx: Array = None
        dparams: Grads = {}
        # forward: z = x (W o M)^T + b
        # so:
        if "x" in needs:
            W = self._connected(params["W"])
            dx = dz @ W  # (N, n_in)  eq. linear.dx
        if "W" in needs:
            dW = self._connected(dz.T @ cache.x)  # (n_out, n_in)  eq. linear.dW
            dparams["dW"] = dW
        if "b" in needs and self.bias:
            db = xp.sum(dz, axis=0)  # (n_out,)  eq. linear.db
            dparams["db"] = db
        return dx, dparams

    def _connected(self, W: Array) -> Array:
        """W o M, the weights (or their gradient) of the connections that exist."""
        if self.mask is None:
            return W
        return W * array_namespace(W).asarray(self.mask, dtype=W.dtype, device=device(W))
