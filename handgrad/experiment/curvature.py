"""The largest eigenvalue of the loss's second derivatives, from Hessian-vector products of the twin in float64.

Along an eigenvector of curvature c a step of gradient descent multiplies a small change by 1 - lr c: above lr c = 2 the
change grows, rounding errors too.
"""

from collections.abc import Callable, Sequence
from math import nan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.precision import plain, to64
from handgrad.subjects.network.stages import layer_twin
from manual import Loss, Network, Params
from torch_ref import Chain, to_torch, twin

Float = NDArray[np.float64]

PRODUCTS = 12  # Hessian-vector products for one eigenvalue; as many as there are parameters give it exactly


def largest_curvature(
    network: Network,
    loss: Loss,
    params: Sequence[Params],
    x: Any,
    target: Any,
    guess: Float,
    rng: np.random.Generator,
) -> tuple[float, Float]:
    """The largest eigenvalue of d2E/dp2 and its eigenvector; the guess, an entry for each parameter, need not be near.

    By Lanczos' method, so never above the true value; nan where second derivatives overflow.
    Source: Golub, Van Loan, Matrix Computations, 4th ed., 10.1.
    """
    product = hessian_product(network, loss, params, x, target)
    start = guess / np.linalg.norm(guess) + 0.1 / np.sqrt(guess.size) * rng.normal(size=guess.size)  # no eigenvector
    basis, alphas, betas = [start / np.linalg.norm(start)], list[float](), list[float]()
    while True:
        Hv = product(basis[-1])
        alphas.append(float(basis[-1] @ Hv))
        Q = np.array(basis)
        rest = Hv - Q.T @ (Q @ Hv)
        rest -= Q.T @ (Q @ rest)  # once more: the first pass leaves a rounding error that is not orthogonal
        size = float(np.linalg.norm(rest))
        if len(basis) == min(PRODUCTS, start.size) or not size > 1e-10 * float(np.linalg.norm(Hv)):
            break
        betas.append(size)
        basis.append(rest / size)
    if not np.isfinite(alphas).all():
        return nan, guess
    values, vectors = np.linalg.eigh(np.diag(alphas) + np.diag(betas, 1) + np.diag(betas, -1))
    return float(values[-1]), vectors[:, -1] @ Q


def hessian_product(
    network: Network, loss: Loss, params: Sequence[Params], x: Any, target: Any
) -> Callable[[Float], Float]:
    """v -> (d2E/dp2) v, all parameters in one vector: the gradient of v . dE/dp."""
    module = Chain(*(layer_twin(layer) for layer in network.layers)).double()
    module.load_state_dict(to_torch(network, [{k: to64(p) for k, p in layer.items()} for layer in params]))
    leaves = list(module.parameters())
    E = twin(loss)(module(torch.as_tensor(to64(x))), torch.as_tensor(plain(target)))
    gradient = torch.cat([g.reshape(-1) for g in torch.autograd.grad(E, leaves, create_graph=True)])

    def product(v: Float) -> Float:
        along = torch.autograd.grad(
            gradient, leaves, torch.from_numpy(v), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        return np.concatenate([a.reshape(-1).numpy() for a in along])

    return product
