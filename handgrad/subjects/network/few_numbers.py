"""A layer or a loss made small, with a few numbers at which it is wrong: what its mended code is tried on."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from types import FunctionType
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from handgrad.arrays.on_torch.methods import CannotFollow
from handgrad.arrays.precision import plain, to64
from handgrad.judge.isolation import attempt, duplicate
from handgrad.judge.stage import Halves, Stage
from handgrad.mend.constants import RIGHT
from handgrad.mend.draw import Draw
from handgrad.source.program import Passes
from handgrad.subjects.network.special_values import SPECIAL, OwnNumbers
from handgrad.subjects.network.stages import convert, layer_halves, layer_stage, loss_halves, loss_stage
from manual import BatchNorm1d, Dropout, Params, Running, SoftmaxCrossEntropy
from manual.layers import LAYERS
from manual.losses import LOSSES
from manual.losses.reduction import Reduction

SAMPLES, WIDTH, N_OUT = 4, 3, 2  # every axis of another length

Float = NDArray[np.float64]


def is_ours(thing: type | FunctionType) -> bool:
    """Whether a class or a function is of manual."""
    return thing.__module__.startswith("manual.")


class Few(NamedTuple):
    """A layer or a loss, its mask, running statistics or target, and its inputs, all small and in float64."""

    subject: Any
    constants: Any
    x: Float
    params: Params

    @property
    def is_layer(self) -> bool:
        return hasattr(self.subject, "param_shapes")

    @property
    def stage(self) -> Stage:
        """Beside its twin."""
        return (layer_stage if self.is_layer else loss_stage)("", self.subject, self.constants)

    @property
    def y_shape(self) -> tuple[int, ...]:
        n = getattr(self.subject, "n_out", None) or self.x.shape[1]
        return (len(self.x), n) if self.is_layer else ()

    def halves(self, passes: Passes) -> Halves:
        """Its passes, by the class that these belong to; on copies of its mask or target."""
        subject = of_kind(self.subject, type(getattr(passes.forward, "__self__", self.subject)))
        constants = None if self.constants is None else convert(self.constants, np.copy)
        return layer_halves(subject, constants) if self.is_layer else loss_halves(subject, constants)


def of_kind(subject: Any, kind: type) -> Any:
    """The layer or loss with the methods of a class that is made anew."""
    new, own = copy.copy(subject), {n: f for n, f in vars(kind).items() if callable(f)}
    object.__setattr__(new, "__class__", type(kind.__name__, (type(subject),), own))  # a frozen dataclass refuses
    return new


def few_of(subject: Any, constants: Any, rng: np.random.Generator) -> Few:
    """constants: of the run: a mask, running statistics, a target."""
    is_layer = hasattr(subject, "param_shapes")
    return few_of_layer(subject, constants, rng) if is_layer else few_of_loss(subject, constants, rng)


def few_of_layer(layer: Any, state: Any, rng: np.random.Generator) -> Few:
    """The layer with fewer units, where its fields say how many it has."""
    sizes: dict[str, Any] = {"n_in": WIDTH, "n_out": N_OUT, "n": WIDTH}
    own = {f.name: sizes[f.name] for f in fields(layer) if f.name in sizes} if is_dataclass(layer) else {}
    if getattr(layer, "mask", None) is not None:
        own["mask"] = layer.mask[:N_OUT, :WIDTH]
    small: Any = attempt(replace, layer, **own).value or layer
    shape = (SAMPLES, WIDTH) if getattr(layer, "state_per_sample", False) else (WIDTH,)
    few_states = None if state is None else convert(state, lambda a: np.resize(to64(a), shape))
    return Few(small, few_states, rng.normal(size=(SAMPLES, WIDTH)), draw_params(small, rng))


def few_of_loss(loss: Any, target: Any, rng: np.random.Generator) -> Few:
    """The loss on fewer samples, and on fewer classes unless it has weights for them."""
    weights, given = getattr(loss, "class_weights", None), plain(target)
    n = WIDTH if weights is None else len(weights)
    few = np.resize(given, (SAMPLES, *given.shape[1:]))
    few = few % n if few.ndim == 1 else fold(to64(few), n)
    return Few(loss, few, rng.normal(size=(SAMPLES, few.shape[1] if few.ndim == 2 else n)), {})


def fold(target: Float, n: int) -> Float:
    """The first n columns; of shares the others are added to them, so that a row still has 1 in all."""
    n, shares = min(n, target.shape[1]), np.allclose(target.sum(axis=1), 1)
    return np.array([target[:, k::n].sum(axis=1) if shares else target[:, k] for k in range(n)]).T


def draw_params(layer: Any, rng: np.random.Generator) -> Params:
    """Parameters of both signs, none of them small."""
    return {name: away_from_zero(rng, shape) for name, shape in layer.param_shapes.items()}


def away_from_zero(rng: np.random.Generator, shape: tuple[int, ...]) -> Float:
    """Numbers of both signs between 1/2 and 2."""
    return np.asarray(rng.choice((-1, 1), size=shape) * rng.uniform(0.5, 2, size=shape))


def wrong_draws(few: Few, passes: Passes, rng: np.random.Generator) -> list[Draw]:
    """Draws on the first of which the passes are wrong: of ordinary numbers, else of special ones and then ordinary.

    After them those at which a change that fits these numbers alone would be wrong.
    """
    ordinary = [few, few._replace(x=rng.normal(size=few.x.shape)), *list_variants(few, rng)]
    for numbers in (ordinary, *([special, *ordinary] for special in list_specials(few, rng))):
        draws = [draw for one in numbers if (draw := draw_at(one, rng)) is not None]
        if draws and draws[0].wrong(draws[0].outputs(passes)):
            return draws
    return []


def list_variants(few: Few, rng: np.random.Generator) -> Iterator[Few]:
    """The same of manual's own classes with every option in turn at another value.

    A class of the reader's need not have the options of ours that it derives from.
    """
    subject, classes = few.subject, few.x.shape[1]
    if not is_ours(type(subject)):
        return
    options: dict[str, Sequence[Any]] = {
        "reduction": get_args(Reduction),
        "bias": (True, False),
        "mask": (rng.permutation(np.resize([0, 1, 1], (N_OUT, WIDTH)), axis=1),),
        "class_weights": (None, tuple(0.3 + 0.1 * k for k in range(classes))),
    }
    for field in fields(subject):
        value = getattr(subject, field.name)
        default = (0.1 + value / 2,) if isinstance(value, float) else ()  # slopes, shares and what is added to a sum
        for other in options.get(field.name, default):
            if other is not value:
                made: Any = replace(subject, **{field.name: other})
                params = draw_params(made, rng) if few.is_layer else {}
                yield few._replace(subject=made, params=params)
    for kind in (*LAYERS, *LOSSES):  # with the same passes, and other constants of its class
        if kind is not type(subject) and kind.backward is type(subject).backward:
            yield few._replace(subject=replace(kind(), **vars(subject)))
    if isinstance(subject, SoftmaxCrossEntropy):
        as_classes = few.constants.ndim == 2
        shares = rng.dirichlet(np.ones(classes), SAMPLES)
        yield few._replace(constants=shares.argmax(axis=1) if as_classes else shares)
    if isinstance(subject, Dropout | BatchNorm1d):
        n = few.x.shape[1]
        mask, running = rng.integers(0, 2, few.x.shape), Running(rng.normal(size=n), rng.uniform(0.5, 2, size=n))
        drawn = mask.astype(np.float64) if isinstance(subject, Dropout) else running
        yield few._replace(constants=drawn if few.constants is None else None)


def list_specials(few: Few, rng: np.random.Generator) -> Iterator[Few]:
    """The same at the special values that a right stage is judged at."""
    own = OwnNumbers(few.subject, few.x, None if few.is_layer else few.constants, "float64", rng)
    for special in SPECIAL:
        if isinstance(few.subject, special.stages) and (numbers := special.put(own)) is not None:
            x, target = numbers
            yield few._replace(x=x, constants=few.constants if few.is_layer else target)


def draw_at(few: Few, rng: np.random.Generator) -> Draw | None:
    """None where the twin refuses these numbers, or its gradients are not finite."""
    inputs, dy = {"x": few.x, **few.params}, away_from_zero(rng, few.y_shape)
    right = attempt(few.stage.reference, inputs, dy).value
    if right is None or not all(np.isfinite(v).all() for v in right.values()):
        return None
    bound = {n: np.full(v.shape, RIGHT * np.max(np.abs(v), initial=0.0)) for n, v in right.items()}

    def run(passes: Passes) -> dict[str, Any]:
        halves, own = few.halves(passes), duplicate(inputs)
        y, cache = halves.forward(own)
        found = {"y": duplicate(y)}
        found |= halves.backward(cache, own, duplicate(dy))
        return {n: v for n, v in found.items() if v is not None}

    return Draw(run, cannot_follow, to64(dy), right, bound, in_float64=True)


def cannot_follow(passes: Passes) -> dict[str, torch.Tensor]:
    """The passes of a layer are methods that autograd is not led through; how they move is tried."""
    raise CannotFollow("a layer")
