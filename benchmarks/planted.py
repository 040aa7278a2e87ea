"""Mistakes planted into the layers of `manual`, written here once more and not taken from the catalogue of the judge.

Each changes the gradients that the right backward pass gives, by what such a pass has at hand. Beside it stands what
its name must contain.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from array_api_compat import array_namespace

import manual
from manual.layers.activations import DIFFERENTIABLE
from manual.losses.reduction import divisor

Gradients: TypeAlias = dict[str, Any]  # "dx" and the parameters'


class At(NamedTuple):
    """What a backward pass sees, and the right gradients."""

    layer: Any
    params: Mapping[str, Any]
    cache: Any
    x: Any
    y: Any
    dy: Any
    right: Gradients

    @property
    def xp(self) -> Any:
        return array_namespace(self.x)

    @property
    def N(self) -> int:
        return int(self.x.shape[0])

    @property
    def h(self) -> Any:
        """The derivative of an elementwise layer."""
        return self.with_upstream(self.xp.ones_like(self.dy) * 1.0)["dx"]

    def with_upstream(self, dy: Any) -> Gradients:
        original: Any = type(self.layer).__mro__[1]
        dx, grads = original.backward(self.layer, self.params, self.cache, dy)
        return {"dx": dx, **grads}


class Mistake(NamedTuple):
    kinds: tuple[type, ...]
    name: str  # a regular expression
    plant: Callable[[At], Gradients]


def times(factor: Callable[[At], float], *names: str) -> Callable[[At], Gradients]:
    return lambda c: {k: g * factor(c) for k, g in c.right.items() if not names or k in names}


SLOPES = ("identity", "relu", "leaky_relu")  # f' is one number or two
SMOOTH = tuple(type(manual.activation(f)) for f in DIFFERENTIABLE if f not in SLOPES)
ELEMENTWISE = (*SMOOTH, manual.LeakyReLU)
NORMS = (manual.LayerNorm, manual.BatchNorm1d)
LAYERS = (manual.Linear, *ELEMENTWISE, manual.ReLU, *NORMS, manual.Softmax)
LOSSES = (manual.SoftmaxCrossEntropy, manual.MeanSquaredError, manual.BinaryCrossEntropy)
PRODUCTS = (manual.SiLU, manual.GELU, manual.GELUTanh)


def sigmoid(c: At) -> Any:
    return 1 / (1 + c.xp.exp(-c.x))


def rows(c: At, keep: Any) -> Gradients:
    """The gradients from some samples only."""
    m = np.zeros((c.N, 1), dtype=c.dy.dtype)
    m[keep] = 1
    return {k: g for k, g in c.with_upstream(c.dy * m).items() if k != "dx"}


def norm(
    c: At, mean: float = 1.0, var: float = 1.0, power: int = 1, gamma: bool = True, center: bool = True
) -> Gradients:
    axis = 1 if isinstance(c.layer, manual.LayerNorm) else 0
    xhat, s = c.cache.xhat, c.cache.s
    d = c.dy * c.params["gamma"] if gamma else +c.dy
    m, v = (c.xp.mean(a, axis=axis, keepdims=True) for a in (d, d * xhat))
    dx = d - mean * m - var * (xhat * v if center else v)
    return {"dx": dx / (s * s) if power == 2 else dx / s if power else dx}


def D(c: At) -> int:
    """What a loss divides by."""
    found: int = divisor(c.layer.reduction, c.x)
    return found


def softmax_parts(c: At) -> tuple[Any, Any, Any]:
    """p, q and dE / D of the cross-entropy."""
    q, D = c.layer.weighted(*c.cache)
    return c.cache.p, q, c.dy / D


L, S, T, CE, MSE, BCE = (
    (kind,) for kind in (manual.Linear, manual.Sigmoid, manual.Tanh, *LOSSES)
)  # fmt: skip
SM, LEAKY = (manual.Softmax,), (manual.LeakyReLU,)

MISTAKES = (
    Mistake((*LAYERS, *LOSSES), r"2 times the right one", times(lambda c: 2.0)),
    Mistake((*LAYERS, *LOSSES), r"0\.5 times the right one", times(lambda c: 0.5)),
    Mistake((*LAYERS, *LOSSES), r"-1 times the right one", times(lambda c: -1.0)),
    Mistake((*LAYERS, *LOSSES), r"0\.01 times the right one", times(lambda c: 0.01)),
    Mistake((*LAYERS, *LOSSES), r"N, the batch size", times(lambda c: float(c.N))),
    Mistake((*LAYERS, *LOSSES), r"1/N", times(lambda c: 1 / c.N)),
    Mistake((*LAYERS, *LOSSES), r"N/\(N-1\)", times(lambda c: c.N / (c.N - 1))),
    Mistake((*LAYERS, *LOSSES), r"the gradient is zero", times(lambda c: 0.0, "dx")),
    Mistake((*LAYERS, *LOSSES), r"upstream gradient is ignored", lambda c: c.with_upstream(c.dy * 0 + 1.0)),
    Mistake((*LAYERS, *LOSSES), r"upstream gradient is used twice", lambda c: c.with_upstream(c.dy * c.dy)),
    Mistake(LAYERS, r"first entry of the upstream gradient", lambda c: c.with_upstream(c.dy * 0 + c.dy[0, 0])),
    Mistake(LAYERS, r"slice of the upstream gradient along axis 0", lambda c: c.with_upstream(c.dy * 0 + c.dy[:1, :])),
    Mistake(LAYERS, r"columns are permuted", lambda c: {"dx": c.right["dx"][:, ::-1]}),
    Mistake((*LAYERS, *LOSSES), r"row 2 of the gradient is left out",
            lambda c: {"dx": c.right["dx"] * (np.arange(c.N) != 2)[:, None].astype(c.dy.dtype)}),
    Mistake((*LAYERS, *LOSSES), r"the sign is lost", lambda c: {"dx": c.xp.abs(c.right["dx"])}),
    Mistake((*LAYERS, *LOSSES), r"right values in another shape", lambda c: {"dx": c.right["dx"][None]}),
    Mistake((*LAYERS, *LOSSES), r"mean over the batch where none belongs",
            lambda c: {"dx": c.xp.mean(c.right["dx"], axis=0)}),
    Mistake(L, r"W\^T stands where W belongs", lambda c: {"dx": c.dy @ c.params["W"].T}),
    Mistake(L, r"the gradient is transposed", lambda c: {"dW": c.right["dW"].T}),
    Mistake(L, r"output stands where the input belongs", lambda c: {"dW": c.dy.T @ c.y}),
    Mistake(L, r"1/N", lambda c: {"db": c.xp.mean(c.dy, axis=0)}),
    Mistake(L, r"1/N", times(lambda c: 1 / c.N, "dW", "db")),
    Mistake(L, r"not reduced over the batch", lambda c: {"db": +c.dy}),
    Mistake(L, r"right values in another shape", lambda c: {"db": c.right["db"][None, :]}),
    Mistake(L, r"summed over the units as well", lambda c: {"db": c.right["db"] * 0 + c.xp.sum(c.dy)}),
    Mistake(L, r"sample 3.* left out", lambda c: rows(c, np.arange(c.N) != 3)),
    Mistake(L, r"only sample", lambda c: rows(c, -1)),
    Mistake(L, r"only sample", lambda c: rows(c, 0)),
    Mistake(L, r"the path through unit 1 is not summed",
            lambda c: {"dx": c.right["dx"] - c.dy[:, 1:2] @ c.params["W"][1:2, :]}),
    Mistake(L, r"dW stands where W belongs", lambda c: {"dx": c.dy @ c.right["dW"]}),
    Mistake(L, r"weights were updated before", lambda c: {"dx": c.dy @ (c.params["W"] - 0.05 * c.right["dW"])}),
    Mistake(L, r"W is added to dW", lambda c: {"dW": c.right["dW"] + 0.003 * c.params["W"]}),
    Mistake(L, r"factor x is missing", lambda c: {"dW": c.right["db"][:, None] + 0 * c.params["W"]}),
    Mistake(L, r"the gradient is zero", times(lambda c: 0.0, "dW")),
    Mistake(L, r"the gradient is zero", times(lambda c: 0.0, "db")),
    Mistake(L, r"rows are permuted", lambda c: {"dW": c.right["dW"][::-1, :], "db": c.right["db"][::-1]}),
    Mistake(ELEMENTWISE, r"factor f'\(z\) is missing", lambda c: {"dx": +c.dy}),
    Mistake(ELEMENTWISE, r"factor f'\(z\) is squared", lambda c: {"dx": c.right["dx"] * c.h}),
    Mistake(SMOOTH, r"divided by f'\(z\)", lambda c: {"dx": c.dy / c.h}),
    Mistake((*ELEMENTWISE, manual.ReLU), r"f'\(z\) is added", lambda c: {"dx": c.dy + c.h}),
    Mistake((*ELEMENTWISE, manual.ReLU), r"activation stands where its derivative", lambda c: {"dx": c.dy * c.y}),
    Mistake(T, r"the square is missing", lambda c: {"dx": c.dy * (1 - c.y)}),
    Mistake(T, r"sign of h\^2 is turned", lambda c: {"dx": c.dy * (1 + c.y * c.y)}),
    Mistake(T, r"given z, not h", lambda c: {"dx": c.dy * (1 - c.x * c.x)}),
    Mistake(T, r"sigmoid", lambda c: {"dx": c.dy * c.y * (1 - c.y)}),
    Mistake(T, r"taken at the output", lambda c: {"dx": c.dy * (1 - c.xp.tanh(c.y) * c.xp.tanh(c.y))}),
    Mistake(S, r"factor h is missing", lambda c: {"dx": c.dy * (1 - c.y)}),
    Mistake(S, r"sign of h is turned", lambda c: {"dx": c.dy * c.y * (1 + c.y)}),
    Mistake(S, r"a square too many", lambda c: {"dx": c.dy * c.y * (1 - c.y * c.y)}),
    Mistake(S, r"given z, not h", lambda c: {"dx": c.dy * c.x * (1 - c.x)}),
    Mistake(S, r"tanh", lambda c: {"dx": c.dy * (1 - c.y * c.y)}),
    Mistake(PRODUCTS, r"a term of the product rule is missing", lambda c: {"dx": c.dy * c.y / c.x}),
    Mistake(PRODUCTS, r"a term of the product rule is missing", lambda c: {"dx": c.dy * (c.h - c.y / c.x)}),
    Mistake((manual.GELU,), r"backward pass is that of gelu_tanh",
            lambda c: {"dx": manual.GELUTanh().backward({}, manual.GELUTanh().forward({}, c.x)[1], c.dy)[0]}),
    Mistake((manual.Softplus,), r"backward pass is that of relu",
            lambda c: {"dx": c.xp.where(c.x > 0, c.dy, c.dy * 0)}),
    Mistake(LEAKY, r"slope below zero is 0\.2", lambda c: {"dx": c.xp.where(c.x > 0, c.dy, 0.2 * c.dy)}),
    Mistake(LEAKY, r"backward pass is that of relu", lambda c: {"dx": c.xp.where(c.x > 0, c.dy, 0 * c.dy)}),
    Mistake((manual.ReLU,), r"backward pass is that of leaky_relu|slope below zero is 0\.01",
            lambda c: {"dx": c.xp.where(c.x > 0, c.dy, 0.01 * c.dy)}),
    Mistake(NORMS, r"mean and variance are treated as constants", lambda c: norm(c, mean=0, var=0)),
    Mistake(NORMS, r"path through the mean is missing", lambda c: norm(c, mean=0)),
    Mistake(NORMS, r"path through the variance is missing", lambda c: norm(c, var=0)),
    Mistake(NORMS, r"gamma is forgotten in dx", lambda c: norm(c, gamma=False)),
    Mistake(NORMS, r"division by s is missing", lambda c: norm(c, power=0)),
    Mistake(NORMS, r"divided by the variance", lambda c: norm(c, power=2)),
    Mistake(NORMS, r"xhat is missing before", lambda c: norm(c, center=False)),
    Mistake(NORMS, r"sign in dx is turned", lambda c: norm(c, mean=-1)),
    Mistake(NORMS, r"sign in dx is turned", lambda c: norm(c, var=-1)),
    Mistake(NORMS, r"xhat is missing in dgamma", lambda c: {"dgamma": c.xp.sum(c.dy, axis=0)}),
    Mistake(NORMS, r"x stands where xhat belongs in dgamma", lambda c: {"dgamma": c.xp.sum(c.dy * c.x, axis=0)}),
    Mistake(NORMS, r"gamma is multiplied into dbeta", lambda c: {"dbeta": c.xp.sum(c.dy * c.params["gamma"], axis=0)}),
    Mistake(NORMS, r"1/N", times(lambda c: 1 / c.N, "dgamma", "dbeta")),
    Mistake(SM, r"only the diagonal of the Jacobian", lambda c: {"dx": c.dy * c.y * (1 - c.y)}),
    Mistake(SM, r"sum over the classes is missing", lambda c: {"dx": c.dy * c.y}),
    Mistake(SM, r"Jacobian is missing", lambda c: {"dx": +c.dy}),
    Mistake(SM, r"Jacobian is applied twice", lambda c: c.with_upstream(c.right["dx"])),
    Mistake(CE, r"target is not subtracted", lambda c: {"dx": (f := softmax_parts(c))[0] * f[2]}),
    Mistake(CE, r"softmax is missing", lambda c: {"dx": -(f := softmax_parts(c))[1] * f[2]}),
    Mistake(CE, r"not of the logits", lambda c: {"dx": -(f := softmax_parts(c))[1] / f[0] * f[2]}),
    Mistake(CE, r"logits stand where", lambda c: {"dx": (c.x - (f := softmax_parts(c))[1]) * f[2]}),
    Mistake(CE, r"factor p \(1 - p\) too many",
            lambda c: {"dx": (f := softmax_parts(c))[0] * (1 - f[0]) * c.right["dx"]}),
    Mistake(MSE, r"target is not subtracted", lambda c: {"dx": 2 * c.dy * c.x / D(c)}),
    Mistake(MSE, r"the error is squared", lambda c: {"dx": 2 * c.dy * c.cache.e * c.cache.e / D(c)}),
    Mistake(MSE, r"absolute error", lambda c: {"dx": 2 * c.dy * c.xp.sign(c.cache.e) / D(c)}),
    Mistake(BCE, r"sigmoid is missing", lambda c: {"dx": c.dy * (c.x - c.cache.t) / D(c)}),
    Mistake(BCE, r"target is not subtracted", lambda c: {"dx": c.dy * sigmoid(c) / D(c)}),
    Mistake(BCE, r"factor s \(1 - s\) too many", lambda c: {"dx": c.right["dx"] * sigmoid(c) * (1 - sigmoid(c))}),
)  # fmt: skip


def corrupted(rng: np.random.Generator, which: str) -> Callable[[At], Gradients]:
    """What no mistake explains: noise, an entry, a row or a column that is off, numbers of something else."""
    seed = int(rng.integers(2**31))

    def plant(c: At) -> Gradients:
        r = np.random.default_rng(seed)
        k = sorted(c.right)[r.integers(len(c.right))]
        g = c.right[k]
        noise, shape = r.normal(size=g.shape).astype(g.dtype), g.shape
        at = tuple(int(r.integers(n)) for n in shape)
        one = np.zeros(shape, dtype=g.dtype)
        if which == "one entry":
            one[at] = 1.7
        if which in ("one row", "one column"):
            one[
                (slice(None),) * (which == "one column" and len(shape) > 1) + (at[-1 if which == "one column" else 0],)
            ] = 0.37
        changed = {
            "noise": lambda: g * (1 + 0.01 * noise),
            "other numbers": lambda: g * 0 + noise,
            "one entry": lambda: g * (1 + one),
            "one row": lambda: g * (1 + one),
            "one column": lambda: g * (1 + one),
            "an offset": lambda: g + 0.013 * (1 + noise * noise),
            "a power": lambda: g * g * g,
            "some entries": lambda: g * (1 + 0.3 * np.round(noise) * (np.arange(g.size) > 0).reshape(shape)),
            "negative entries zero": lambda: g * (g > 0),
            "the largest of each row": lambda: g * (g == np.max(g, axis=-1, keepdims=True)),
        }
        return {k: changed[which]()}

    return plant


MASKS = ("negative entries zero", "the largest of each row")
CORRUPTIONS = (
    "noise", "other numbers", "one entry", "one row", "one column", "an offset", "a power", "some entries", *MASKS,
)  # fmt: skip


def broken(layer: Any, *plants: Callable[[At], Gradients]) -> Any:
    """The layer or loss with these mistakes in its backward pass, the later ones on top of the earlier."""
    kind = type(layer)
    is_loss = not hasattr(layer, "param_shapes")

    def planted(c: At) -> Gradients:
        for plant in plants:
            c = c._replace(right={**c.right, **plant(c)})
        return c.right

    class Wrong(kind):  # type: ignore[misc,valid-type]
        def forward(self, *args: Any) -> Any:
            y, cache = super().forward(*args)
            return y, (cache, args[0] if is_loss else args[1], y)

        def backward(self, *args: Any) -> Any:
            params, (cache, x, y), dy = ({}, *args) if is_loss else args
            if is_loss:
                return planted(LossAt(self, {}, cache, x, y, dy, {"dx": super().backward(cache, dy)}))["dx"]
            dx, grads = super().backward(params, cache, dy)
            all_of = planted(At(self, params, cache, x, y, dy, {"dx": dx, **grads}))
            return all_of.pop("dx"), all_of

    Wrong.__name__ = kind.__name__
    made = object.__new__(Wrong)
    made.__dict__.update(vars(layer))
    return made


class LossAt(At):
    def with_upstream(self, dy: Any) -> Gradients:
        original: Any = type(self.layer).__mro__[1]
        return {"dx": original.backward(self.layer, self.cache, dy)}
