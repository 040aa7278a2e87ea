"""Where users enter: one checked forward and backward pass, every quantity of it by its name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manual.checks import check_batch, check_differentiable, check_params, check_target
from manual.names import output_names, param_names
from manual.network import Network, Stage, StageGrads
from manual.types import Array, Grads, Loss, Params


@dataclass(frozen=True, eq=False)
class Pass(Mapping[str, Array]):
    """One forward and backward pass, a mapping from names ("z1", "h1", "W1", "dz1", "dW1", "dx", "loss") to arrays."""

    network: Network
    params: Sequence[Params]
    loss: Array
    trace: Sequence[Stage]
    stages: Sequence[StageGrads]

    @property
    def y(self) -> Array:
        """The network's output (N, n_out)."""
        return self.trace[-1].y

    @property
    def dx(self) -> Array:
        """The gradient with respect to the input (N, n_in)."""
        return self.stages[0].dx

    @property
    def dparams(self) -> tuple[Grads, ...]:
        """Per layer, the gradients of its parameters."""
        return tuple(stage.dparams for stage in self.stages)

    def _quantities(self) -> dict[str, Array]:
        found = {"x": self.trace[0].x, "dx": self.dx, "loss": self.loss}
        outputs, params = output_names(self.network.layers), param_names(self.network.layers)
        for i, (stage, back) in enumerate(zip(self.trace, self.stages, strict=True)):
            found |= {outputs[i]: stage.y, "d" + outputs[i]: back.dy}
            for short, name in params[i].items():
                found |= {name: self.params[i][short], "d" + name: back.dparams["d" + short]}
        return found

    def __getitem__(self, name: str) -> Array:
        found = self._quantities()
        if name not in found:
            raise KeyError(f"no quantity {name!r} in this pass; there are: {', '.join(found)}")
        return found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._quantities())

    def __len__(self) -> int:
        return len(self._quantities())


def gradients(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    *,
    states: Sequence[Any] | None = None,
) -> Pass:
    """The loss and its gradient with respect to every parameter, the input, and everything between.

    Shapes: x (N, n_in), target (N, n_out) or class indices (N,). Raises ValueError or TypeError, before anything is
    computed, for shapes, dtypes, devices or array libraries that do not fit, an empty batch, values that are not
    finite, labels out of range; NotDifferentiableError for a network with a step in it.

    >>> import numpy as np
    >>> from manual import HalfSquaredError, mlp
    >>> net = mlp([2, 1])
    >>> params = ({"W": np.array([[3.0, 4.0]]), "b": np.array([0.5])},)
    >>> p = gradients(net, params, np.array([[1.0, 2.0]]), np.array([[10.0]]), HalfSquaredError())
    >>> float(p["loss"]), p["dW1"].tolist()
    (1.125, [[1.5, 3.0]])
    """
    check_differentiable(network)
    check_params(network, params)
    check_batch(network, params, x, states)
    check_target(network, params, x, target, loss)
    y, trace = network.forward(params, x, states)
    value, cache = loss.forward(y, target)
    dy = loss.backward(cache, 1.0)
    return Pass(network, params, value, trace, network.backward_trace(params, trace, dy))


def loss_and_gradients(
    network: Network,
    params: Sequence[Params],
    x: Array,
    target: Array,
    loss: Loss,
    *,
    states: Sequence[Any] | None = None,
) -> tuple[Array, tuple[Grads, ...]]:
    """What a step of training needs and no more: the loss and, per layer, the gradients of its parameters.

    Shapes: x (N, n_in), target as the loss takes it. Nothing is checked, so that it costs nothing and compiles (under
    torch.compile, jax.jit and jax.lax.scan), and the gradient of x is left out: `gradients` does both.

    >>> import numpy as np
    >>> from manual import HalfSquaredError, mlp
    >>> params = ({"W": np.array([[3.0, 4.0]]), "b": np.array([0.5])},)
    >>> x, t = np.array([[1.0, 2.0]]), np.array([[10.0]])
    >>> E, dparams = loss_and_gradients(mlp([2, 1]), params, x, t, HalfSquaredError())
    >>> float(E), dparams[0]["dW"].tolist()
    (1.125, [[1.5, 3.0]])
    """
    y, trace = network.forward(params, x, states)
    E, cache = loss.forward(y, target)
    _, dparams = network.backward(params, trace, loss.backward(cache, 1.0), need_dx=False)
    return E, dparams
