"""Ando Ki's derivation slides: one neuron, two neurons in a chain, L layers, all with L = 1/2 (y - e)^2.

He writes z for the pre-activation and y for the output here; a of the last layer is ours h, delta is dz.
"""

import sys
from collections.abc import Sequence

import numpy as np

from handgrad import verify
from handgrad.course.lecture import Number, System, autograd
from handgrad.course.text import main
from handgrad.lectures.ando_ki_train import Float
from manual import HalfSquaredError, Neuron, Params, SquaredError, backprop, evaluate, gradients, mlp

HALF, SSE = HalfSquaredError(), SquaredError()
NEURON: tuple[Params, ...] = ({"W": np.array([[0.3, 0.7, -0.2]]), "b": np.array([0.1])}, {})
CHAIN: tuple[Params, ...] = (
    {"W": np.array([[0.3, 0.7]]), "b": np.array([0.1])},
    {},
    {"W": np.array([[-0.6]]), "b": np.array([0.2])},
    {},
)
VECTORS: tuple[Params, ...] = (
    {"W": np.array([[-0.85, 0.56, -0.12], [0.45, 0.96, 0.08], [0, -0.86, -0.46], [0, 0.36, 0.61],
                    [-0.24, -0.87, -0.42]]),
     "b": np.array([0.82, -0.57, -0.1, 0.86, -0.95])},
    {},
    {"W": np.array([[0.2, 0.9, -0.54, 0.1, 0.82], [-0.73, 0.05, 0.5, 0.34, -0.06], [-0.59, -0.02, -0.26, -0.05, -0.27],
                    [0.68, 0.54, -0.37, 0.15, -0.45]]),
     "b": np.array([-0.09, -0.29, 0.31, -0.26])},
    {},
    {"W": np.array([[-0.08, 0.44, -0.17, 0.81], [-0.64, 0.48, -0.16, -0.15]]), "b": np.array([0.27, 0.05])},
    {},
)  # fmt: skip
VECTORS_X = np.array([[-0.17, -1, -0.82], [0.42, 0.05, 0.39], [0.91, 0.37, -0.89], [-0.38, 0.19, -0.53],
                      [0.93, 0.89, 0.7], [-0.06, 0.68, -0.74]])  # fmt: skip
VECTORS_T = np.array([[0.31, 0.46], [0.74, 0.49], [0.14, 0.34], [0.32, 0.3], [0.17, 0.41], [0.45, 0.77]])
LAYERS = (1, 2, 3, 4)
CHAIN_X, TARGET = np.array([[0.5, -1.0]]), np.array([[0.8]])


def logistic(o: Float, derivative: bool = False) -> Float:
    """His activation(z), and activation(o, True), which takes the output o."""
    return o * (1 - o) if derivative else 1 / (1 + np.exp(-o))


def single_neuron() -> System:
    """z = sum x_j W_j + b, y = g(z), L = 1/2 (y - e)^2: dL/dW_i = (y - e) g'(z) x_i, dL/db = (y - e) g'(z)."""
    x = np.array([[0.5, -1.0, 2.0]])
    numbers, reports = [], []
    for g in ("sigmoid", "tanh"):
        net = mlp([3, 1], output=g)
        p, auto = gradients(net, NEURON, x, TARGET, HALF), autograd(net, NEURON, x, TARGET, HALF)
        alone = Neuron((0, 1, 2), (0.3, 0.7, -0.2), 0.1, g)
        blame = backprop([alone], evaluate([alone], x[0].tolist()), [p["dh1"].item()])
        named = {"dL/dW": "dW1", "dL/db": "db1", "z": "z1", "y": "h1", "L": "loss", "dL/dy": "dh1"}
        numbers += [Number(f"{g}: {his}", p[n], auto[n]) for his, n in named.items()]
        numbers += [Number(f"{g}: g'(z)", p["dz1"] / p["dh1"], auto["dz1"] / auto["dh1"])]
        numbers += [Number(f"{g}: dL/dW by one neuron, no matrices", [blame.dw[alone]], auto["dW1"])]
        reports += [verify(net, NEURON, x, TARGET, HALF, seed=1)]
    double = gradients(net, NEURON, x, TARGET, SSE)["dW1"] / p["dW1"]
    note = f"under the listing's SSE dL/dW is {', '.join(f'{v:g}' for v in double.ravel())} times that (A-E11)"
    return System("A-S6", "single neuron", numbers, reports, (note,))


def two_neurons() -> System:
    """delta3 = (a3 - y) g3'(z3), dL/dv = delta3 a2, delta2 = delta3 v g2'(z2), dL/dw_i = delta2 x_i."""
    net = mlp([2, 1, 1], "sigmoid", "sigmoid")
    p, auto = gradients(net, CHAIN, CHAIN_X, TARGET, HALF), autograd(net, CHAIN, CHAIN_X, TARGET, HALF)
    second = Neuron((0, 1), (0.3, 0.7), 0.1, "sigmoid")
    third = Neuron((second,), (-0.6,), 0.2, "sigmoid")
    blame = backprop([third], evaluate([third], CHAIN_X[0].tolist()), [p["dh2"].item()])
    named = {"dL/dw": "dW1", "dL/dv": "dW2", "delta3": "dz2", "delta2": "dz1", "dL/db2": "db1", "dL/db3": "db2",
             "z2": "z1", "a2": "h1", "z3": "z2", "a3": "h2", "L": "loss", "dL/dx": "dx"}  # fmt: skip
    return System(
        "A-S7",
        "two neurons in a chain",
        (
            *(Number(his, p[n], auto[n]) for his, n in named.items()),
            Number("dL/dw by two neurons, no matrices", [blame.dw[second]], auto["dW1"]),
        ),
        (verify(net, CHAIN, CHAIN_X, TARGET, HALF, seed=1),),
    )


def sequence_of_layers() -> System:
    """delta^L = (a^L - y) g'(z^L), delta^l = delta^(l+1) w^(l+1) g'(z^l), dL/dw^l = delta^l a^(l-1)."""
    net, x = mlp([1, 1, 1, 1, 1], "sigmoid", "sigmoid"), np.array([[0.7]])
    w, b = (0.8, -1.2, 0.5, 1.5), (0.1, 0.3, -0.2, 0.05)
    params = tuple(q for v, c in zip(w, b, strict=True) for q in ({"W": np.array([[v]]), "b": np.array([c])}, {}))
    p, auto = gradients(net, params, x, TARGET, HALF), autograd(net, params, x, TARGET, HALF)
    deltas = recursion(w, [p[f"h{k}"].item() for k in LAYERS], TARGET.item())
    vectors = mlp([3, 5, 4, 2], "tanh", "tanh")
    q = gradients(vectors, VECTORS, VECTORS_X, VECTORS_T, HALF)
    by_torch = autograd(vectors, VECTORS, VECTORS_X, VECTORS_T, HALF)
    names = ("loss", *(f"{n}{k}" for n in ("dz", "dW", "db") for k in LAYERS[:3]), "dx")
    return System(
        "A-S8",
        "L layers: a chain of 4 neurons, vectors 3-5-4-2",
        (
            Number("delta 1 to 4 by the recursion", deltas, [auto[f"dz{k}"].item() for k in LAYERS], separate=True),
            *(Number(f"dL/d{n} {k}", p[f"d{m}{k}"], auto[f"d{m}{k}"]) for n, m in ("wW", "bb") for k in LAYERS),
            *(Number(f"vectors: {n}", q[n], by_torch[n]) for n in names),
        ),
        (
            verify(net, params, x, TARGET, HALF, seed=1, name="the chain"),
            verify(vectors, VECTORS, VECTORS_X, VECTORS_T, HALF, seed=1, name="the vectors"),
        ),
        ("for vectors w^(l+1) is transposed and the product with g' is entry by entry (A-E6)",),
    )


def recursion(w: Sequence[float], a: Sequence[float], y: float) -> list[float]:
    """delta^1 .. delta^L of a chain of sigmoid neurons with outputs a, the slide's two lines."""
    deltas = [(a[-1] - y) * logistic(a[-1], True)]
    for weight, h in zip(w[:0:-1], a[-2::-1], strict=True):
        deltas.append(deltas[-1] * weight * logistic(h, True))
    return deltas[::-1]


if __name__ == "__main__":
    sys.exit(main((single_neuron, two_neurons, sequence_of_layers)))
