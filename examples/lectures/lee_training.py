"""Lee's 3-2-1 regression and its training: his listing, runs by hand and by torch, curvature and learning rates.

All 11 parameters of the network also stand in one vector v = (W1, b1, W2, b2), row by row: a training run is then a
path of such vectors, and the second derivatives of the loss are an 11 x 11 matrix.
"""

import sys
from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.func import functional_call

from handgrad.course.lecture import Number, System
from handgrad.course.text import main
from manual import HalfSquaredError, Params, mlp, sgd
from torch_ref import to_torch, twin

Float = NDArray[np.float64]

X = np.array([[4.0, 9.0, 1.0], [2.0, 5.0, 6.0], [1.0, 8.0, 3.0]])
COEFFICIENTS = np.array([[2.0, -1.0, 5.0]])  # the hidden function, t = 2 x1 - x2 + 5 x3
T = np.array([[4.0], [29.0], [9.0]])
NET, LOSS = mlp([3, 2, 1], "tanh"), HalfSquaredError()  # "error = predicted - t" is the gradient of 1/2 sum
PARAMS: tuple[Params, ...] = (
    {"W": np.array([[0.5, 0.5, 0.5], [0.1, 0.1, 0.1]]), "b": np.array([1.0, 1.0])},
    {},
    {"W": np.array([[1.0, 1.0]]), "b": np.array([1.0])},
)


def listing(W1: Any, b1: Any, W2: Any, b2: Any, lr: Any, x: Any, t: Any, tanh: Any = np.tanh) -> tuple[Any, ...]:
    """In[13]-In[15], one iteration: delta_output, delta_hidden, predicted, and the new W1, b1, W2, b2."""
    hidden = tanh(x @ W1.T + b1)
    predicted = hidden @ W2.T + b2
    delta_output = predicted - t
    delta_hidden = delta_output * W2 * (1 - hidden**2)  # * is right for one output unit only: U-E4
    return (
        delta_output,
        delta_hidden,
        predicted,
        W1 - lr * (delta_hidden.T @ x),
        b1 - lr * delta_hidden.sum(axis=0),
        W2 - lr * (delta_output.T @ hidden),
        b2 - lr * delta_output.sum(axis=0),
    )


@cache
def exact_listing(iterations: int, lr: str, digits: int = 60) -> Float:
    """Every prediction (iterations, 3) of the listing in decimals of so many digits, where rounding plays no part."""
    decimals = np.vectorize(lambda value: Decimal(str(value)), otypes=[object])

    def tanh(z: Decimal) -> Decimal:
        e = (2 * z).exp()
        return (e - 1) / (e + 1)

    with localcontext() as context:
        context.prec = digits
        weights = [decimals(p) for layer in PARAMS for p in layer.values()]
        x, t, ys = decimals(X), decimals(T), []
        for _ in range(iterations):
            *_, predicted, W1, b1, W2, b2 = listing(*weights, Decimal(lr), x, t, np.vectorize(tanh, otypes=[object]))
            weights = [W1, b1, W2, b2]
            ys.append(predicted[:, 0].astype(float))
    return np.array(ys)


def flat(params: Sequence[Any]) -> Any:
    """All parameters, or all gradients, as one vector."""
    return np.concatenate([p.ravel() for layer in params for p in layer.values()])


def unflat(v: Any) -> tuple[Params, ...]:
    """The parameters that stand in v (11,)."""
    return {"W": v[:6].reshape(2, 3), "b": v[6:8]}, {}, {"W": v[8:10].reshape(1, 2), "b": v[10:]}


START = flat(PARAMS)


class Run(NamedTuple):
    """A training run: what every forward pass saw and predicted."""

    v: Float  # (iterations + 1, 11), the parameters before each update and after the last
    y: Float  # (iterations, 3), the predictions before each update

    @property
    def mse(self) -> Float:
        """The mean squared error before each update, which is what the lecture prints."""
        with np.errstate(all="ignore"):
            return np.asarray(np.mean((self.y - T[:, 0]) ** 2, axis=1))


def by_hand(params: Sequence[Params]) -> tuple[Any, Any]:
    """Predictions and the gradients of 1/2 sum of all parameters, without the checks of `manual.gradients`."""
    y, trace = NET.forward(params, X)
    _, cache = LOSS.forward(y, T)
    return y, NET.backward(params, trace, LOSS.backward(cache, 1.0))[1]


@cache
def train(lr: float, iterations: int, nudge: int | None = None) -> Run:
    """Full-batch gradient descent by hand; parameter number `nudge` of v starts one unit in its last place higher."""
    start = START.copy()
    if nudge is not None:
        start[nudge] = np.nextafter(start[nudge], np.inf)
    params, v, ys = unflat(start), [start], list[Float]()
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            y, grads = by_hand(params)
            params = sgd(params, grads, lr)
            v.append(flat(params))
            ys.append(y[:, 0])
    return Run(np.array(v), np.array(ys))


def hessian(v: Float) -> Float:
    """The second derivatives (11, 11) of 1/2 sum: the gradient by hand at v + i h e_k, its imaginary part over h."""
    steps = v + 1e-30j * np.eye(len(v))
    return np.array([flat(by_hand(unflat(step))[1]).imag / 1e-30 for step in steps])


def largest(hessians: Float) -> Any:
    """The largest eigenvalue of each."""
    return np.linalg.eigvalsh((hessians + np.swapaxes(hessians, -1, -2)) / 2)[..., -1]


# Autograd's side: the twin, its weights taken from v, for many v at once.

MODULE, CRITERION = twin(NET).double(), twin(LOSS)


def by_twin(v: torch.Tensor) -> torch.Tensor:
    """1/2 sum of the twin with the parameters v (11,)."""
    named = dict(MODULE.named_parameters())
    parts = v.split([p.numel() for p in named.values()])
    state = {name: part.reshape(p.shape) for (name, p), part in zip(named.items(), parts, strict=True)}
    E: torch.Tensor = CRITERION(functional_call(MODULE, state, (torch.from_numpy(X),)), torch.from_numpy(T))
    return E


def along(f: Callable[[Any], Any], path: Float) -> Float:
    """f, a transform of the twin's loss such as torch.func.grad, at every v of the path."""
    values = torch.vmap(f(by_twin))(torch.from_numpy(path))
    return np.asarray(values.detach().numpy())


def hessian_by_torch(f: Any) -> Any:
    """The second derivatives by reverse mode, twice."""
    return torch.func.jacrev(torch.func.grad(f))


@cache
def train_by_torch(rates: tuple[float, ...], iterations: int) -> list[Run]:
    """torch's autograd and torch.optim.SGD, the runs side by side: the twin's formulas, with an axis for the runs.

    Each has its own parameters, so a step of 1 against the gradient of sum_r lr_r E_r is each run's own step.
    """
    runs = len(rates)
    weights = [torch.tensor(np.stack([p] * runs), requires_grad=True) for layer in PARAMS for p in layer.values()]
    optimizer, lr = torch.optim.SGD(weights, 1.0), torch.tensor(rates, dtype=torch.float64)
    x, t = torch.from_numpy(X).expand(runs, -1, -1), torch.from_numpy(T)
    W1, b1, W2, b2 = weights
    v, ys = [], []
    for _ in range(iterations):
        v.append(np.concatenate([w.detach().numpy().reshape(runs, -1) for w in weights], axis=1))
        h = torch.tanh(torch.baddbmm(b1[:, None], x, W1.mT))
        y = torch.baddbmm(b2[:, None], h, W2.mT)
        E = (y - t).square().sum((1, 2)) / 2
        optimizer.zero_grad()
        (lr * E).sum().backward()
        optimizer.step()
        ys.append(y.detach().numpy()[..., 0])
    v.append(np.concatenate([w.detach().numpy().reshape(runs, -1) for w in weights], axis=1))
    return [Run(*both) for both in zip(np.stack(v, 1), np.stack(ys, 1), strict=True)]


# The numbers of the 1,000 iterations.

CHECKPOINTS = [0, 1, 2, 5, 10, 50, *range(100, 801, 100)]
SLOW, STUCK, LOST = (1e-5, 1e-4), (0.0028, 0.003, 0.01, 0.03, 0.1, 0.2, 0.22), (0.3, 0.5, 1.0, 10.0)
RATES = (0.001, 0.0005, *SLOW, *STUCK, 0.25, *LOST)
ELSEWHERE = np.array([[3.0, 7.0, 2.0], [1.0, 3.0, 6.0], [2.0, 2.0, 2.0]])  # no training inputs
NUDGED = (7, 8)  # b1[1] and W2[0, 0]; most others are rounded away in the first pass


def printed(by_torch: dict[float, Run]) -> list[Number]:
    """The run of the lecture, and one that can be repeated: half the rate, twice as long."""
    run, auto = train(0.001, 1000), by_torch[0.001]
    half, half_auto = train(0.0005, 2000), by_torch[0.0005]
    # 0.09 of 26.6: legal orders of evaluation alone spread the third prediction over 7.6 to 9.9
    return [
        Number("predicted in iteration 1,000", run.y[999], auto.y[999], ("5.54772718", "26.56860045", "9.73852491"),
               "U-E0", within=0.09),
        Number("in exact arithmetic (60 digits), by his listing", exact_listing(1000, "0.001")[-1]),
        *(Number(f"predicted in iteration {i}", run.y[i], auto.y[i], within=1e-9) for i in CHECKPOINTS),
        Number("mse in iterations 0, 1, 2, 5 .. 800", run.mse[CHECKPOINTS], auto.mse[CHECKPOINTS],
               within=1e-9, separate=True),
        Number("predicted in iteration 900", run.y[900], auto.y[900], within=4e-8),
        Number("lr 0.0005, 2,000 iterations: predicted", half.y[-1], half_auto.y[-1], within=1e-9),
        Number("lr 0.0005, 2,000 iterations: W1, b1, W2, b2", half.v[-1], half_auto.v[-1], within=1e-9),
        Number("lr 0.0005, in iteration 1,000: predicted", half.y[999], half_auto.y[999], within=1e-9),
    ]  # fmt: skip


def edge(auto: Run) -> list[Number]:
    """lr times the largest curvature, which must stay below 2; the gradient is right on both sides of it."""
    run = train(0.001, 1000)
    grads, by_twin = np.array([flat(by_hand(unflat(v))[1]) for v in run.v]), along(torch.func.grad, run.v)
    size = np.abs(by_twin).max(axis=1, keepdims=True)
    half, sharp = train(0.0005, 2000).v[-1:], 0.001 * largest(along(hessian_by_torch, auto.v[:1000]))
    return [
        Number("lr x curvature in iterations 0, 1, 2, 5 .. 800", curvature(run.v[CHECKPOINTS]),
               sharp[CHECKPOINTS], within=1e-9, separate=True),
        Number("above 2 from iteration", *(2 * crossing(p) for p in (every_second(), sharp[::2]))),
        Number("lr 0.0005: lr x curvature at the end", curvature(half, 0.0005),
               0.0005 * largest(along(hessian_by_torch, half)), within=1e-9),
        Number("every gradient of the 1,001, over its largest entry", grads / size, by_twin / size),
    ]  # fmt: skip


def curvature(path: Any, lr: float = 0.001) -> Any:
    """lr times the largest eigenvalue of the Hessian at every v of the path."""
    return lr * largest(np.array([hessian(v) for v in path]))


@cache
def every_second() -> Float:
    """lr times the largest eigenvalue before updates 0, 2 .. 998 of the lecture."""
    return np.asarray(curvature(train(0.001, 1000).v[:1000:2]))


def crossing(products: Any) -> int:
    """Where the longest stay above 2 begins."""
    ends = np.flatnonzero(np.diff(np.concatenate([[0], products > 2, [0]])))
    begins, lengths = ends[::2], ends[1::2] - ends[::2]
    return int(begins[lengths.argmax()])


def claims(by_torch: dict[float, Run]) -> list[Number]:
    """What the lecture says of the learning rate, and of recovering the function."""
    runs = {lr: train(lr, 1000) for lr in (*SLOW, 0.0005, *STUCK, *LOST)} | {0.25: train(0.25, 1600)}

    def mse(title: str, *rates: float) -> Number:
        ours, auto = ([run[lr].mse[999] for lr in rates] for run in (runs, by_torch))
        return Number(f"mse after 1,000 iterations, lr {title}", ours, auto, within=1e-9, separate=True)

    dead = runs[0.2].v[-1:]
    lost = [[not_finite(run[lr]) for lr in (0.25, *LOST)] for run in (runs, by_torch)]
    fit = [unflat(run.v[-1]) for run in (train(0.0005, 2000), by_torch[0.0005])]
    return [
        mse("1e-5, 1e-4, 0.0005", *SLOW, 0.0005),
        mse("0.0028, 0.003, 0.01 .. 0.22", *STUCK),
        mse("0.25", 0.25),
        mse("0.3, 0.5, 1, 10", *LOST),
        Number("first loss that is not finite: lr 0.25, 0.3 .. 10", *lost, separate=True),
        Number("lr 0.2: predicted, for ever", runs[0.2].y[-1], by_torch[0.2].y[999], within=1e-9),
        Number("lr 0.2: the largest curvature there", largest(np.array([hessian(v) for v in dead])),
               largest(along(hessian_by_torch, dead))),
        Number("predicted for inputs not trained on", NET.forward(fit[0], ELSEWHERE)[0],
               functional_call(MODULE, to_torch(NET, fit[1]), (torch.from_numpy(ELSEWHERE),)), within=1e-9),
    ]  # fmt: skip


def not_finite(run: Run) -> int:
    """The first iteration whose loss is infinite or nan."""
    return int(np.flatnonzero(~np.isfinite(run.mse))[0])


def moved(lr: float, iterations: int) -> Float:
    """How far each prediction of each iteration moves if one parameter starts one unit in its last place higher."""
    y = train(lr, iterations).y
    return np.asarray(np.max([np.abs(train(lr, iterations, nudge).y - y) for nudge in NUDGED], axis=0))


def notes() -> list[str]:
    """What follows from the numbers, in words."""
    above = 2 * crossing(every_second())
    early = " and ".join(str(2 * i) for i in np.flatnonzero(every_second() > 2) if 2 * i < above)
    apart = {lr: moved(lr, n).max(axis=1) for lr, n in ((0.001, 1000), (0.0005, 2000))}
    steps = ", ".join(f"{apart[0.001][i]:.0e} at {i}" for i in (100, 500, 800, 850, 900, 950, 999))
    sharpest = float(largest(hessian(train(0.2, 1000).v[-1])))
    true = (ELSEWHERE @ COEFFICIENTS.T)[:, 0]
    return [
        f"lr x curvature is above 2 at {early}, and from {above} on: there a rounding error grows at every step, its "
        "sign alternating, though every gradient is right",
        f"a start one unit in the last place higher moves the predictions by {steps}; at lr 0.0005 by "
        f"{apart[0.0005][-1]:.0e} after 2,000 iterations",
        f"too large a rate gives nan, but only above 2 / {sharpest:.6g} = {2 / sharpest:.4f}; below, down to "
        f"{STUCK[0]}, both hidden units saturate and the net predicts the mean of t for ever",
        f"the function is not recovered: elsewhere it is {true[0]:g}, {true[1]:g}, {true[2]:g}; "
        f"{START.size} parameters were fitted to {len(T)} samples",
    ]


def hundred() -> System:
    """The first hundred iterations, by hand and by torch."""
    runs, at = (train(0.001, 100), train_by_torch((0.001,), 100)[0]), [0, 1, 9, 99]
    numbers = (
        Number("mse in iterations 0, 1, 9, 99", *(run.mse[at] for run in runs), within=1e-9, separate=True),
        Number("predicted in iteration 99", *(run.y[99] for run in runs), within=1e-9),
        Number("W1, b1, W2, b2 after it", *(run.v[-1] for run in runs), within=1e-9),
    )
    return System("3-2-1", "100 iterations, lr 0.001, by hand and by torch", numbers)


if __name__ == "__main__":
    sys.exit(main((hundred,)))
