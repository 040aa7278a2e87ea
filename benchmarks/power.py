"""Which planted mistakes does each checker see? In how many of 8 seeds, correct code first.

    python benchmarks/power.py

The network is 12-16-16-5 with cross entropy on 16 samples, at the start and trained until the median |gradient| is
1e-5. Every checker gets the same hand-derived gradients, of all parameters and the input, and has its own default
tolerances.
"""

import argparse
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from record import markdown, save

from handgrad import Verdict, verify
from manual import Network, Params, SoftmaxCrossEntropy, gradients, mlp, sgd
from torch_ref import twin

SIZES, BATCH, SEEDS, TRAINED = (12, 16, 16, 5), 16, 8, 1e-5
LOSS = SoftmaxCrossEntropy()
Change = Callable[..., Any]  # of (layer, params, cache, dy, dx, dparams), what the backward pass returns instead


def wrong_dW(f: Callable[..., Any]) -> Change:
    """f(dW, W) in place of dW."""
    return lambda layer, params, cache, dz, dx, d: (dx, {**d, "dW": f(d["dW"], params["W"])})


def scaled(error: float) -> Change:
    return wrong_dW(lambda dW, W: dW * (1 + error))


def one_entry(part: float) -> Change:
    at = np.zeros((SIZES[2], SIZES[1]))
    at[3, 5] = part
    return wrong_dW(lambda dW, W: dW + at.astype(str(dW.dtype)) * np.max(np.abs(dW)))


def permuted(dW: Any, W: Any) -> Any:
    return dW[[*range(1, SIZES[2]), 0]]


def dropped_row(layer: Any, params: Any, cache: Any, dz: Any, dx: Any, d: Any) -> Any:
    return dx, {**d, "dW": dz[1:].T @ cache.x[1:]}


def softmax_again(loss: Any, cache: Any, dE: Any, dz: Any) -> Any:
    return cache.p * (dz - np.sum(dz * cache.p, axis=1, keepdims=True))


def smoothed(loss: Any, cache: Any, dE: Any, dz: Any) -> Any:
    return dE * (cache.p - (0.999 * loss.weighted(*cache)[0] + 0.001 / SIZES[-1])) / BATCH


MIDDLE, ACTIVATION, LAST = 2, 3, 5  # the second linear layer (square), its activation, the loss
MISTAKES: dict[str, tuple[int, Change]] = {
    "sign of one delta": (ACTIVATION, lambda f, p, c, dh, dx, d: (-dx, d)),
    "W instead of W^T": (MIDDLE, lambda f, p, c, dz, dx, d: (dz @ p["W"].T, d)),
    "missing activation derivative": (ACTIVATION, lambda f, p, c, dh, dx, d: (dh, d)),
    "gradient all zero": (LAST, lambda loss, c, dE, dz: 0 * dz),
    "dW all zero": (MIDDLE, wrong_dW(lambda dW, W: 0 * dW)),
    "dW transposed": (MIDDLE, wrong_dW(lambda dW, W: dW.T)),
    "units of dW permuted": (MIDDLE, wrong_dW(permuted)),
    "factor 2": (LAST, lambda loss, c, dE, dz: 2 * dz),
    "N/(N-1) instead of 1": (LAST, lambda loss, c, dE, dz: dz * (BATCH / (BATCH - 1))),
    "bias mean for sum": (MIDDLE, lambda f, p, c, dz, dx, d: (dx, {**d, "db": d["db"] / BATCH})),
    "one sample missing in dW": (MIDDLE, dropped_row),
    "softmax Jacobian twice": (LAST, softmax_again),
    "learning rate 0.01 passed back": (MIDDLE, lambda f, p, c, dz, dx, d: (0.01 * dx, d)),
    "label smoothing 1e-3 on one side": (LAST, smoothed),
    "weight decay 1e-4 on one side": (MIDDLE, wrong_dW(lambda dW, W: dW + 1e-4 * W)),
    "one dW entry off by 10 % of max": (MIDDLE, one_entry(0.1)),
    "one dW entry off by 1e-3 of max": (MIDDLE, one_entry(1e-3)),
    **{f"dW scaled by 1 + 1e-{k}": (MIDDLE, scaled(10.0**-k)) for k in (1, 2, 3, 4, 5, 6, 8, 10, 12, 13)},
}


class Point(NamedTuple):
    """Where gradients are compared; float64."""

    network: Network
    params: tuple[Params, ...]
    x: Any
    target: Any

    def cast(self, dtype: str) -> "Point":
        params = tuple({k: v.astype(dtype) for k, v in own.items()} for own in self.params)
        return self._replace(params=params, x=self.x.astype(dtype))


def start(hidden: str, seed: int) -> Point:
    rng = np.random.default_rng([7, seed])
    network = mlp(SIZES, hidden)
    params = network.init(rng, "he_normal" if hidden == "relu" else "xavier_normal")
    return Point(network, params, rng.normal(size=(BATCH, SIZES[0])), rng.integers(SIZES[-1], size=BATCH))


def train(point: Point) -> Point:
    """Downhill until the median |gradient|, of those that are not zero, is 1e-5."""
    for _ in range(200_000):
        dparams = gradients(*point, LOSS).dparams
        flat = np.abs(np.concatenate([d.ravel() for own in dparams for d in own.values()]))
        if np.median(flat[flat > 0]) <= TRAINED:
            return point
        point = point._replace(params=sgd(point.params, dparams, 1.0 if flat.max() < 0.1 else 0.1))
    raise RuntimeError(f"the network did not train to a median |gradient| of {TRAINED}")


def planted(network: Network, mistake: str | None) -> tuple[Network, Any]:
    """Network and loss with that mistake in a backward pass."""
    if mistake is None:
        return network, LOSS
    at, change = MISTAKES[mistake]
    if at == LAST:
        return network, wrong(LOSS, change, lambda cache, dE: (cache, dE, LOSS.backward(cache, dE)))
    right = network.layers[at]
    layer = wrong(right, change, lambda p, cache, dy: (p, cache, dy, *right.backward(p, cache, dy)))
    return Network((*network.layers[:at], layer, *network.layers[at + 1 :])), LOSS


def wrong(subject: Any, change: Change, arguments: Callable[..., Any]) -> Any:
    """The same layer or loss, whose backward pass returns `change` of what the right one was given and returns."""
    kind = type(
        type(subject).__name__, (type(subject),), {"backward": lambda self, *args: change(self, *arguments(*args))}
    )
    return kind(**{f.name: getattr(subject, f.name) for f in fields(subject)})


def hand(point: Point, mistake: str | None) -> list[Any]:
    """dx and all dW, db by the (mistaken) hand-derived code."""
    network, loss = planted(point.network, mistake)
    found = gradients(network, *point[1:], loss)
    return [found.dx, *(d for own in found.dparams for d in own.values())]


def auto(point: Point) -> list[Any]:
    """The same by autograd, in the point's dtype."""
    leaves = [torch.tensor(a, requires_grad=True) for a in flat(point)]
    module = twin(point.network).to(leaves[0].dtype)
    named = dict(zip([name for name, _ in module.named_parameters()], leaves[1:], strict=True))
    E = torch.nn.functional.cross_entropy(
        torch.func.functional_call(module, named, (leaves[0],)), torch.tensor(point.target)
    )
    return [g.numpy() for g in torch.autograd.grad(E, leaves)]


def flat(point: Point) -> list[Any]:
    return [point.x, *(a for own in point.params for a in own.values())]


class HandLoss(torch.autograd.Function):
    """The loss of the network as torch sees a hand-written backward pass."""

    @staticmethod
    def forward(ctx: Any, point: Point, mistake: str | None, *leaves: torch.Tensor) -> torch.Tensor:
        arrays = iter([leaf.detach().numpy() for leaf in leaves])
        x = next(arrays)
        ctx.at = point._replace(params=tuple({k: next(arrays) for k in own} for own in point.params), x=x)
        ctx.mistake = mistake
        return torch.tensor(gradients(*ctx.at, LOSS)["loss"])

    @staticmethod
    def backward(ctx: Any, dE: torch.Tensor) -> Any:
        return None, None, *(dE * torch.tensor(g) for g in hand(ctx.at, ctx.mistake))


def by_numpy(dtype: str, rtol: float, atol: float, point: Point, mistake: str | None) -> bool:
    point = point.cast(dtype)
    return not all(np.allclose(a, b, rtol, atol) for a, b in zip(hand(point, mistake), auto(point), strict=True))


def by_assert_close(point: Point, mistake: str | None) -> bool:
    point = point.cast("float32")
    try:
        torch.testing.assert_close(list(map(torch.tensor, hand(point, mistake))), list(map(torch.tensor, auto(point))))
    except AssertionError:
        return True
    return False


def by_gradcheck(fast_mode: bool, point: Point, mistake: str | None) -> bool:
    leaves = [torch.tensor(a, requires_grad=True) for a in flat(point)]
    f = partial(HandLoss.apply, point, mistake)
    return not torch.autograd.gradcheck(f, leaves, fast_mode=fast_mode, raise_exception=False)


def by_handgrad(dtype: str, point: Point, mistake: str | None) -> bool:
    point = point.cast(dtype)
    network, loss = planted(point.network, mistake)
    return verify(network, *point[1:], loss, seed=0, mend=0).verdict is Verdict.REFUTED


CHECKERS: dict[str, Callable[[Point, str | None], bool]] = {
    "np.allclose f32": partial(by_numpy, "float32", 1e-5, 1e-8),
    "assert_close f32": by_assert_close,
    "gradcheck slow": partial(by_gradcheck, False),
    "gradcheck fast": partial(by_gradcheck, True),
    "float64 rtol 1e-9": partial(by_numpy, "float64", 1e-9, 0),
    "handgrad f32": partial(by_handgrad, "float32"),
    "handgrad f64": partial(by_handgrad, "float64"),
}


def measure(hidden: str, when: str, seeds: int, mistakes: list[str | None]) -> dict[str, dict[str, int]]:
    """Detections per mistake and checker."""
    points = [start(hidden, seed) for seed in range(seeds)]
    points = points if when == "start" else list(map(train, points))
    return {
        mistake or "correct code": {
            name: sum(detects(point, mistake) for point in points) for name, detects in CHECKERS.items()
        }
        for mistake in mistakes
    }


def table(found: dict[str, Any]) -> str:
    """One table per network, detections of `seeds`."""
    parts = []
    for title, rows in found["networks"].items():
        cells = [[mistake, *(counts[name] for name in CHECKERS)] for mistake, counts in rows.items()]
        parts.append(f"{title}, detected in so many of {found['seeds']} seeds:\n\n" + markdown(["", *CHECKERS], cells))
    return "\n\n".join(parts)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found: dict[str, Any] = {"sizes": SIZES, "batch": BATCH, "seeds": SEEDS, "networks": {}}
    for hidden in ("tanh", "relu"):
        for when in ("start", "trained"):
            found["networks"][f"{hidden}, {when}"] = measure(hidden, when, SEEDS, [None, *MISTAKES])
            save("power", found, table(found))
            print(f"{hidden}, {when}: done", flush=True)


if __name__ == "__main__":
    main()
