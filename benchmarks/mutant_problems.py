"""The small networks that every mutant is put into: sizes all different and all equal, batch 1, kinks, saturation, all
variants of a layer or loss, both precisions."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

import manual

SIZES = ((5, 4, 3, 2), (3, 3, 3, 3), (1, 3, 4, 2))  # N, inputs, width of the subject, outputs
SPECIAL = (0.0, -0.0, 1e-3, -1e-3, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 30.0, -30.0, 800.0, -800.0, 0.25, -2.0)
LOSSES = (manual.SquaredError, manual.BinaryCrossEntropy, manual.SoftmaxCrossEntropy)

Make = Callable[[type], type]  # a class of `manual`, mutated or as it is


class Problem(NamedTuple):
    """What `handgrad.verify` takes, and which stage the mutated code is in (-1 the loss, None the network)."""

    name: str
    network: manual.Network
    params: Sequence[manual.Params]
    x: Any
    target: Any
    loss: manual.Loss
    states: Sequence[Any]
    at: int | None


def problems(kind: type, make: Make) -> Iterator[Problem]:
    """Every problem for one class of `manual`, its place taken by what `make` makes of it."""
    rng = np.random.default_rng(20)
    cases = [(sizes, "float64", False) for sizes in SIZES] + [(sizes, "float32", False) for sizes in SIZES[:2]]
    if kind not in (manual.Linear, manual.Network):
        cases += [((4, 4, 4, 4), dtype, True) for dtype in ("float64", "float32")]
    of = network_problems if kind is manual.Network else loss_problems if kind in LOSSES else layer_problems
    yield from chain.from_iterable(of(kind, make, rng, *case) for case in cases)


def layer_problems(
    kind: type, make: Make, rng: np.random.Generator, sizes: Sequence[int], dtype: str, special: bool
) -> Iterator[Problem]:
    N, n_in, n, n_out = sizes
    for words, layer, state in layers(kind, make(kind), rng, N, n, n_out, dtype):
        before, after = (manual.Linear(n_in, n),), (manual.Linear(n_out if kind is manual.Linear else n, n_out),)
        chain_of = (layer,) if special else (*before, layer, *after)
        at = chain_of.index(layer)
        states = [state if f is layer else None for f in chain_of]
        yield problem(
            f"{words}", manual.Network(chain_of), manual.MeanSquaredError(), states, at, rng, sizes, dtype, special
        )


def layers(
    kind: type, cls: type, rng: np.random.Generator, N: int, n: int, n_out: int, dtype: str
) -> Iterator[tuple[str, Any, Any]]:
    """The variants of one layer, each with what its forward takes besides x."""
    if kind is manual.Linear:
        mask = np.arange(n_out * n).reshape(n_out, n) % 3 != 1
        yield from (("", cls(n, n_out), None), ("no bias", cls(n, n_out, bias=False), None))
        yield "mask", cls(n, n_out, mask=mask.astype(int)), None
    elif kind is manual.LeakyReLU:
        yield from (("", cls(), None), ("slope 0.25", cls(0.25), None))
    elif kind is manual.Dropout:
        yield from (("mask", cls(0.25), (rng.random((N, n)) < 0.6).astype(dtype)), ("no mask", cls(0.25), None))
    elif kind is manual.LayerNorm:
        yield from (("", cls(n), None), ("eps 0.5", cls(n, 0.5), None))
    elif kind is manual.BatchNorm1d:
        running = manual.Running(rng.normal(size=n).astype(dtype), rng.uniform(0.5, 2, n).astype(dtype))
        yield "running, eps 0.5", cls(n, 0.5), running
        if N > 1:
            yield from (("", cls(n), None), ("eps 0.5", cls(n, 0.5), None))
    else:
        yield "", cls(), None


def loss_problems(
    kind: type, make: Make, rng: np.random.Generator, sizes: Sequence[int], dtype: str, special: bool
) -> Iterator[Problem]:
    N, n_in, n, _ = sizes
    for words, loss, labels in losses(kind, make, n):
        first = manual.Identity() if special else manual.Linear(n_in, n)
        made = problem(words, manual.Network((first,)), loss, [None], -1, rng, (N, n_in, n, n), dtype, special)
        p = rng.dirichlet(np.ones(n), N) if kind is manual.SoftmaxCrossEntropy else rng.uniform(size=(N, n))
        yield made._replace(target=rng.integers(0, n, N) if labels else p.astype(dtype))


def losses(kind: type, make: Make, n: int) -> Iterator[tuple[str, Any, bool]]:
    """The variants of one loss, and whether its target is class indices."""
    if kind is not manual.SoftmaxCrossEntropy:
        names = (
            ("SquaredError", "HalfSquaredError", "MeanSquaredError")
            if kind is manual.SquaredError
            else (kind.__name__,)
        )
        for name in names:
            for reduction in ("sum", "mean", "batch mean"):
                yield f"{name}, {reduction}", make(getattr(manual, name))(reduction), False
        return
    cls, w = make(kind), (0.5, 2.0, 1.25, 0.75)[:n]
    for reduction, smoothing, weights, labels in (
        ("mean", 0.0, None, True), ("sum", 0.0, None, False), ("batch mean", 0.25, None, True), ("mean", 0.0, w, False),
        ("mean", 0.25, w, True), ("batch mean", 0.25, w, False),
    ):  # fmt: skip
        words = f"{reduction}{', smoothing' * bool(smoothing)}{', weights' * bool(weights)}{', labels' * labels}"
        yield words, cls(reduction, smoothing, weights), labels


def network_problems(
    kind: type, make: Make, rng: np.random.Generator, sizes: Sequence[int], dtype: str, special: bool
) -> Iterator[Problem]:
    N, n_in, n, n_out = sizes
    mask = (rng.random((N, n)) < 0.6).astype(dtype)
    plain = (manual.Linear(n_in, n), manual.Tanh(), manual.Linear(n, n_out))
    thinned = (
        manual.Linear(n_in, n),
        manual.Sigmoid(),
        manual.Dropout(0.25),
        manual.LayerNorm(n),
        manual.Linear(n, n_out),
    )
    for words, chain_of, states in (("", plain, [None] * 3), ("dropout", thinned, [None, None, mask, None, None])):
        yield problem(words, make(kind)(chain_of), manual.MeanSquaredError(), states, None, rng, sizes, dtype, special)
    alone = (manual.Tanh(), manual.Sigmoid())  # of one shape and one cache, so that a wrong order still runs
    yield problem("two layers", make(kind)(alone), manual.MeanSquaredError(), [None] * 2, None, rng,
                  (N, n, n, n), dtype, special)  # fmt: skip


def problem(
    words: str, network: manual.Network, loss: manual.Loss, states: Sequence[Any], at: int | None,
    rng: np.random.Generator, sizes: Sequence[int], dtype: str, special: bool,
) -> Problem:  # fmt: skip
    """Random numbers around a network. special: values at kinks, tied, and far into saturation."""
    N, n_in, _, n_out = sizes
    params = tuple(
        {key: rng.normal(size=shape).astype(dtype) for key, shape in shapes.items()} for shapes in network.param_shapes
    )
    x = rng.permutation(SPECIAL).reshape(4, 4) if special else rng.normal(size=(N, n_in))
    name = ", ".join([*filter(None, [words]), "special values" if special else f"{N} samples", dtype])
    return Problem(name, network, params, x.astype(dtype), rng.normal(size=(N, n_out)).astype(dtype), loss, states, at)
