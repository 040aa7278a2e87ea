"""What known sources do where others do otherwise: initial values, loss scale, order, batches, penalty. One table.

    torch        nn.Linear, nn.CrossEntropyLoss and nn.MSELoss, optim.SGD and DataLoader as they are by default
    sklearn      MLPClassifier and MLPRegressor as they are by default
    nielsen      network.py of M. Nielsen's book, "Neural Networks and Deep Learning", with its chapter's settings
    mazur        M. Mazur's "A Step by Step Backpropagation Example"
    playground   the TensorFlow playground, playground.tensorflow.org

At a kink all five have our value, ReLU'(0) = 0. Of two classes scikit-learn makes one logit, as `manual.sklearn` does;
a preset has an output for each class.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from manual.initial import generator
from manual.layers.activations import activation
from manual.layers.sigmoid import Sigmoid
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.losses.squared_error import HalfSquaredError, MeanSquaredError
from manual.network import Network, mlp
from manual.optimizers.adam import Adam
from manual.optimizers.sgd import SGD
from manual.types import Layer, Loss, Params

Rng: TypeAlias = np.random.Generator
Values: TypeAlias = NDArray[np.float64]
Start: TypeAlias = Callable[[Sequence[int], Rng, Layer], Iterator[tuple[Values, Values]]]  # sizes and hidden activation


class Head(NamedTuple):
    """The end of a network: the activation after its last linear layer, and the loss."""

    output: str | None
    loss: Loss
    words: str  # the loss as a formula, of N samples with n outputs


@dataclass(frozen=True)
class Preset:
    """The conventions of one source. Its text is one line for each."""

    name: str
    start: Start  # (W, b) of each linear layer, W (n_out, n_in)
    weights: str  # start in words
    biases: str
    hidden: str
    classes: Head
    numbers: Head
    targets: tuple[float, float]  # of a wrong class and of the right one, where the loss is a squared error
    optimizer: Any
    batch_size: int
    shuffle: bool
    alpha: float
    train_biases: bool
    layout: str

    def build(
        self,
        sizes: Sequence[int],
        seed: int | Rng = 0,
        *,
        hidden: str | Layer | None = None,
        classes: bool = True,
        dtype: str = "float64",
    ) -> tuple[Network, tuple[Params, ...]]:
        """A multilayer perceptron of these sizes, and its initial parameters. hidden: another activation.

        Raises what `mlp` raises, and ValueError for a seed that is none.
        """
        between = activation(self.hidden if hidden is None else hidden)
        network = mlp(sizes, between, self.head(classes=classes).output)
        values = self.start(sizes, generator("build", seed), between)
        params: list[Params] = [{} for _ in network.layers]
        for i, (W, b) in zip(range(0, len(params), 2), values, strict=False):
            params[i] = {"W": W.astype(dtype), "b": b.astype(dtype)}
        return network, tuple(params)

    def head(self, *, classes: bool) -> Head:
        """What the network ends with: for classes, or for numbers to be fitted."""
        return self.classes if classes else self.numbers

    @property
    def settings(self) -> dict[str, Any]:
        """The keyword arguments of `fit` that it stands for."""
        names = ("batch_size", "shuffle", "alpha", "train_biases")
        return {name: getattr(self, name) for name in names}

    def lines(self, *, classes: bool = True) -> tuple[str, ...]:
        """Each convention, in words."""
        output, loss, formula = self.head(classes=classes)
        low, high = self.targets
        one_hot = classes and not isinstance(loss, SoftmaxCrossEntropy)
        target = f", of a class t = {high:g}, of the others {low:g}" if one_hot else ""
        alpha = f"{self.alpha:g} / (2 N) sum W^2 added to the loss, no penalty of b" if self.alpha else "none"
        return (
            f"weights: {self.weights}",
            f"biases: {self.biases}, {'trained' if self.train_biases else 'never changed'}",
            f"activation: {self.hidden}, at the end {output or 'none'}",
            f"loss: {formula}{target}",
            f"step: {type(self.optimizer).__name__.lower()}, learning rate {self.optimizer.lr:g}",
            f"batch: {self.batch_size}, in {'a new' if self.shuffle else 'the same'} order every epoch",
            f"penalty: {alpha}",
            f"layout: {self.layout}",
        )

    def __str__(self) -> str:
        return "\n".join((self.name, *(f"  {line}" for line in self.lines())))


def drawn(bound: Callable[[int, int, Layer], float]) -> Start:
    """W and b uniform within +- a bound, which follows from n_in, n_out and the hidden activation."""

    def start(sizes: Sequence[int], rng: Rng, hidden: Layer) -> Iterator[tuple[Values, Values]]:
        for n_in, n_out in pairwise(sizes):
            a = bound(n_in, n_out, hidden)
            yield rng.uniform(-a, a, (n_out, n_in)), rng.uniform(-a, a, n_out)

    return start


def of_torch(n_in: int, n_out: int, hidden: Layer) -> float:
    """nn.Linear's bound."""
    return 1 / sqrt(n_in)


def of_sklearn(n_in: int, n_out: int, hidden: Layer) -> float:
    """Glorot's bound; with sigmoid units a smaller one."""
    return sqrt((2 if isinstance(hidden, Sigmoid) else 6) / (n_in + n_out))


def normal(sizes: Sequence[int], rng: Rng, hidden: Layer) -> Iterator[tuple[Values, Values]]:
    """Every W and b normal with mean 0 and variance 1."""
    for n_in, n_out in pairwise(sizes):
        yield rng.normal(size=(n_out, n_in)), rng.normal(size=n_out)


def counted(sizes: Sequence[int], rng: Rng, hidden: Layer) -> Iterator[tuple[Values, Values]]:
    """0.15, 0.20, ... through the rows of W1, the next one for all of b1, and on with W2: 0.60 is his b2."""
    k = 3
    for n_in, n_out in pairwise(sizes):
        count = n_in * n_out
        yield np.arange(k, k + count).reshape(n_out, n_in) / 20, np.full(n_out, (k + count) / 20)
        k += count + 1


def within_half(sizes: Sequence[int], rng: Rng, hidden: Layer) -> Iterator[tuple[Values, Values]]:
    """W uniform in [-0.5, 0.5), b 0.1."""
    for n_in, n_out in pairwise(sizes):
        yield rng.uniform(-0.5, 0.5, (n_out, n_in)), np.full(n_out, 0.1)


CROSS_ENTROPY = Head(None, SoftmaxCrossEntropy(), "-log softmax(z) of the class, mean over N")
HALF = "1/2 sum (y - t)^2"
HALF_MEAN = HalfSquaredError("batch mean")  # over N samples, not over their n outputs

_TORCH = Preset(
    name="torch",
    start=drawn(of_torch),
    weights="uniform in +-1 / sqrt(n_in)",
    biases="the same",
    hidden="relu",
    classes=CROSS_ENTROPY,
    numbers=Head(None, MeanSquaredError(), "sum (y - t)^2 / (N n)"),
    targets=(0, 1),
    optimizer=SGD(1e-3),
    batch_size=1,
    shuffle=False,
    alpha=0.0,
    train_biases=True,
    layout="weight is our W, (n_out, n_in)",
)
_SKLEARN = replace(
    _TORCH,
    name="sklearn",
    start=drawn(of_sklearn),
    weights="uniform in +-sqrt(6 / (n_in + n_out)), with sigmoid units 2 for 6",
    numbers=Head(None, HALF_MEAN, f"{HALF} / N"),
    optimizer=Adam(1e-3),
    batch_size=200,
    shuffle=True,
    alpha=1e-4,
    layout="coefs_ are our W transposed, (n_in, n_out)",
)
_NIELSEN_HEAD = Head("sigmoid", HALF_MEAN, f"{HALF} / N")
_NIELSEN = replace(
    _TORCH,
    name="nielsen",
    start=normal,
    weights="normal, mean 0, variance 1",
    hidden="sigmoid",
    classes=_NIELSEN_HEAD,
    numbers=_NIELSEN_HEAD,
    optimizer=SGD(3.0),
    batch_size=10,
    shuffle=True,
    layout="weights are our W, (n_out, n_in); a sample is a column there, a row here",
)
_MAZUR_HEAD = Head("sigmoid", HalfSquaredError(), HALF)
_MAZUR = replace(
    _TORCH,
    name="mazur",
    start=counted,
    weights="0.15, 0.20, 0.25, ... row by row and layer by layer",
    biases="the next number of the same count, one for each layer",
    hidden="sigmoid",
    classes=_MAZUR_HEAD,
    numbers=_MAZUR_HEAD,
    optimizer=SGD(0.5),
    train_biases=False,
    layout="w1, w2 are row 1 of our W, w3, w4 row 2: (n_out, n_in)",
)
_PLAYGROUND = replace(
    _TORCH,
    name="playground",
    start=within_half,
    weights="uniform in [-0.5, 0.5)",
    biases="0.1",
    hidden="tanh",
    classes=Head("tanh", HALF_MEAN, f"{HALF} / N"),
    numbers=Head(None, HALF_MEAN, f"{HALF} / N"),
    targets=(-1, 1),
    optimizer=SGD(0.03),
    batch_size=10,
    layout="a link for each weight; our W is (n_out, n_in)",
)

# Each source by its name, as `preset` and `handgrad train --preset` take it.
PRESETS: dict[str, Preset] = {own.name: own for own in (_TORCH, _SKLEARN, _NIELSEN, _MAZUR, _PLAYGROUND)}


def preset(name: str) -> Preset:
    """The conventions of that source: network, loss, optimizer and the arguments of `fit`. ValueError names the known.

    >>> mazur = preset("mazur")
    >>> net, params = mazur.build([2, 2, 2])
    >>> params[0]["W"].tolist(), params[2]["b"].tolist()
    ([[0.15, 0.2], [0.25, 0.3]], [0.6, 0.6])
    >>> print(mazur)
    mazur
      weights: 0.15, 0.20, 0.25, ... row by row and layer by layer
      biases: the next number of the same count, one for each layer, never changed
      activation: sigmoid, at the end sigmoid
      loss: 1/2 sum (y - t)^2, of a class t = 1, of the others 0
      step: sgd, learning rate 0.5
      batch: 1, in the same order every epoch
      penalty: none
      layout: w1, w2 are row 1 of our W, w3, w4 row 2: (n_out, n_in)
    """
    if name not in PRESETS:
        raise ValueError(f"preset: unknown source {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]
