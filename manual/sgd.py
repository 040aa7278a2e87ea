"""Gradient descent, W <- W - lr dW: the update of all five lectures."""

from collections.abc import Sequence

from manual.types import Grads, Params


def sgd(params: Sequence[Params], dparams: Sequence[Grads], lr: float) -> tuple[Params, ...]:
    """New parameters, one step of length lr against the gradient. The old ones stay as they are.

    >>> sgd(({"W": 1.0},), ({"dW": 10.0},), 0.01)
    ({'W': 0.9},)
    """
    return tuple(
        {name: p - lr * d["d" + name] for name, p in layer.items()} for layer, d in zip(params, dparams, strict=True)
    )
