"""The lectures' name of every quantity in a pass: x, W1, b1, z1, h1, ..., dz1, dh1, dW1, db1.

l counts the linear layers. What follows linear layer l carries its number: z is the linear layer's output, h an
activation's, p a softmax's, n a normalised one, d a thinned (dropout) one.
"""

from collections.abc import Sequence

from manual.layers.linear import Linear
from manual.types import Layer, facts_of


def output_names(layers: Sequence[Layer]) -> tuple[str, ...]:
    """The name of each layer's output. A second output of one name gets _2, and so on.

    >>> from manual.network import mlp
    >>> output_names(mlp([3, 2, 1], "tanh").layers)
    ('z1', 'h1', 'z2')
    """
    names: list[str] = []
    l = 0  # noqa: E741  the lectures' letter
    for layer in layers:
        l += isinstance(layer, Linear)  # noqa: E741
        facts = facts_of(layer)
        base = name = f"{facts.letter if facts else 'h'}{l}"
        count = 1
        while name in names:
            count += 1
            name = f"{base}_{count}"
        names.append(name)
    return tuple(names)


def param_names(layers: Sequence[Layer]) -> tuple[dict[str, str], ...]:
    """Per layer, the full name of each parameter: {"W": "W1", "b": "b1"}.

    >>> from manual.network import mlp
    >>> param_names(mlp([3, 2, 1], "tanh").layers)
    ({'W': 'W1', 'b': 'b1'}, {}, {'W': 'W2', 'b': 'b2'})
    """
    outputs = output_names(layers)
    return tuple(
        {name: name + output[1:] for name in layer.param_shapes} for layer, output in zip(layers, outputs, strict=True)
    )
