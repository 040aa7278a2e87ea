"""One small network with one sample: what a worked example is made from, and what is too big to be one."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manual import (
    BinaryCrossEntropy,
    HalfSquaredError,
    Layer,
    Loss,
    MeanSquaredError,
    Network,
    Params,
    Sigmoid,
    Softmax,
    SoftmaxCrossEntropy,
    SquaredError,
    mlp,
)

Float = NDArray[np.float64]

MOST_LAYERS = 4  # linear layers: columns of units in the picture
MOST_UNITS = 6  # units, or inputs, in one column

LOSSES: dict[str, Loss] = {
    "half": HalfSquaredError(),
    "squared": SquaredError(),
    "mse": MeanSquaredError(),
    "cross_entropy": SoftmaxCrossEntropy(),
    "binary_cross_entropy": BinaryCrossEntropy(),
}
LOGITS: dict[str, tuple[str, Layer]] = {  # losses with an activation of their own, and the name of what it gives
    "cross_entropy": ("p", Softmax()),
    "binary_cross_entropy": ("s", Sigmoid()),
}
ACTIVATIONS = ("sigmoid", "tanh", "relu", "softplus", "silu", "identity")  # those whose formulas are in quantities.py


@dataclass(frozen=True, eq=False)
class Example:
    """x (1, n_in), t (1, n_out); the last activation stands before every loss but those from logits.

    note: what a reader of its source must know. activation and loss: names of ACTIVATIONS and LOSSES.
    """

    title: str
    network: Network
    params: Sequence[Params]
    x: Float
    t: Float
    activation: str
    loss: str
    note: str = ""

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many inputs, then how many units in each layer."""
        return sizes_of([p["W"] for p in self.params if p])


def make_example(
    title: str,
    weights: Sequence[tuple[Any, Any]],
    x: Any,
    t: Any,
    activation: str,
    loss: str,
    note: str = "",
) -> Example:
    """The example with these (W, b) of each layer; b is None where a layer has no biases.

    Shapes: W (n_out, n_in), b (n_out,), x (n_in,) or (1, n_in), t likewise; with cross_entropy t may be one class.
    Raises ValueError where they do not fit each other, and where the network is too big to draw.
    """
    Ws = [as_numbers(f"W{i}", W) for i, (W, _) in enumerate(weights, 1)]
    for i, W in enumerate(Ws, 1):
        if W.ndim != 2:
            raise ValueError(f"W{i}: shape is {W.shape}, expected (n_out, n_in): a row of weights for each unit")
        if i > 1 and W.shape[1] != len(Ws[i - 2]):
            raise ValueError(f"W{i}: its rows have {W.shape[1]} weights, but {len(Ws[i - 2])} units come before it")
    check_size(sizes_of(Ws))
    bs = [None if b is None else as_numbers(f"b{i}", b) for i, (_, b) in enumerate(weights, 1)]
    for i, (W, b) in enumerate(zip(Ws, bs, strict=True), 1):
        if b is not None and b.shape != W.shape[:1]:
            raise ValueError(f"b{i}: shape is {b.shape}, expected {W.shape[:1]}: a bias for each row of W{i}")
    if len({b is None for b in bs}) > 1:
        raise ValueError("biases: some layers have them and some have none; give all or none (0 is a bias too)")
    network = make_network(sizes_of(Ws), activation, loss, bias=bs[0] is not None)
    layers = iter({"W": W, "b": b} if b is not None else {"W": W} for W, b in zip(Ws, bs, strict=True))
    params = tuple(next(layers) if layer.param_shapes else {} for layer in network.layers)
    sample = one_row("x", x, Ws[0].shape[1])
    return Example(title, network, params, sample, make_target(t, len(Ws[-1]), loss), activation, loss, note)


def make_network(sizes: Sequence[int], activation: str, loss: str, *, bias: bool) -> Network:
    """The network of these sizes: the activation after every layer, but after the last not before a loss from logits.

    Raises ValueError for names that have no formulas here.
    """
    for what, name, known in (("activation", activation, ACTIVATIONS), ("loss", loss, tuple(LOSSES))):
        if name not in known:
            raise ValueError(f"{what}: got {name!r}, expected one of {', '.join(known)}")
    if activation == "identity":
        return Network(mlp(sizes, "identity", bias=bias).layers[::2])  # h = z needs no line of its own
    return mlp(sizes, activation, None if loss in LOGITS else activation, bias=bias)


def check_size(sizes: Sequence[int]) -> None:
    """ValueError, with the limit, for a network that no page can hold."""
    shape = "-".join(map(str, sizes))
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"layers: got {shape}, expected the number of inputs, then of units in each layer: 2,2,1")
    if len(sizes) - 1 > MOST_LAYERS or max(sizes) > MOST_UNITS:
        raise ValueError(
            f"layers: {shape} is too big to draw with every number on it; at most {MOST_LAYERS} layers of at most "
            f"{MOST_UNITS} units, and at most {MOST_UNITS} inputs"
        )


def make_target(t: Any, n: int, loss: str) -> Float:
    """t (1, n), checked for its loss; one class becomes a 1 among zeros. Raises ValueError."""
    found = as_numbers("t", t)
    if loss == "cross_entropy":
        if n == 1:
            raise ValueError(
                "loss: cross_entropy chooses among classes, but there is one output; use binary_cross_entropy"
            )
        if found.size == 1:
            c = float(found.ravel()[0])
            if c != int(c) or not 0 <= c < n:
                raise ValueError(f"t: class {c:g} for {n} outputs, expected a whole number from 0 to {n - 1}")
            found = np.eye(n)[int(c)]
        if (found < 0).any() or abs(found.sum() - 1) > 1e-9:
            raise ValueError(f"t: {found.tolist()}, expected probabilities that sum to 1, or one class")
    if loss == "binary_cross_entropy" and ((found < 0) | (found > 1)).any():
        raise ValueError(f"t: {found.tolist()}, expected numbers from 0 to 1")
    return one_row("t", found, n)


def one_row(name: str, values: Any, n: int) -> Float:
    """One sample as a row (1, n). ValueError for several rows and for another length."""
    found = as_numbers(name, values)
    if found.ndim == 2 and len(found) > 1:
        raise ValueError(f"{name}: {len(found)} samples; a worked example shows one, give one row")
    if found.ndim > 2 or found.size != n:
        raise ValueError(f"{name}: shape is {found.shape}, expected {n} numbers, one for each unit of its layer")
    return found.reshape(1, n)


def as_numbers(name: str, values: Any) -> Float:
    """An array of finite numbers in float64. ValueError for anything else."""
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: got {values!r}, expected numbers, in rows of equal length") from None
    if not np.isfinite(found).all():
        raise ValueError(f"{name}: has values that are nan or infinite, expected finite numbers")
    return found


def sizes_of(Ws: Sequence[Float]) -> tuple[int, ...]:
    """(2, 3, 1) of weights (3, 2) and (1, 3)."""
    return (Ws[0].shape[1], *(len(W) for W in Ws))


def draw_example(sizes: Sequence[int], activation: str, loss: str, seed: int) -> Example:
    """An example with weights and a sample of its own, in two decimals, so that it can be computed by hand."""
    check_size(sizes)
    rng = np.random.default_rng(seed)

    def draw(low: float, high: float, *shape: int) -> Float:
        return np.round(rng.uniform(low, high, shape), 2)

    weights = [(draw(-1, 1, n_out, n_in), draw(-0.5, 0.5, n_out)) for n_in, n_out in pairwise(sizes)]
    t: Any = int(rng.integers(sizes[-1])) if loss == "cross_entropy" else draw(0, 1, sizes[-1])
    title = f"A {'-'.join(map(str, sizes))} network"
    return make_example(title, weights, draw(0, 1, sizes[0]), t, activation, loss, f"Numbers drawn with seed {seed}.")
