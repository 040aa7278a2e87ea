"""Who compiles the hand-derived side: the library whose arrays the parameters are."""

from typing import Any

from array_api_compat import is_jax_array, is_torch_array

from manual.network import Network
from manual.training.by_jax import JaxSteps
from manual.training.by_torch import TorchSteps
from manual.training.compiled import Compiled
from manual.training.state import Training
from manual.types import Loss


def compiled_side(
    network: Network, loss: Loss, optimizer: Any, start: Training, *, alpha: float, train_biases: bool
) -> Compiled:
    """A Compiled of these arrays. Raises ValueError for NumPy's arrays, which nothing compiles."""
    like = next(a for layer in start.params for a in layer.values())
    if is_jax_array(like):
        return JaxSteps(network, loss, optimizer, start, alpha=alpha, train_biases=train_biases)
    if is_torch_array(like):
        return TorchSteps(network, loss, optimizer, start, alpha=alpha, train_biases=train_biases)
    raise ValueError("compile: the parameters are NumPy's arrays, which nothing compiles; use JAX or torch")
