"""Eum's mistakes in print, each as the judge sees it: the formula as printed is refuted, the right one certified."""

import sys
from itertools import permutations
from typing import Any

import numpy as np
import torch

from handgrad import verify, verify_function, verify_update
from handgrad.course.lecture import Erratum, place_and_name
from handgrad.course.text import errata_main
from handgrad.lectures.eum import POINTS, judged, layer_of, quotients
from handgrad.lectures.eum_signal import HALF
from handgrad.lectures.eum_worked import (
    ETA,
    NET,
    PARAMS,
    START,
    TARGET,
    THREE,
    TOY,
    X5,
    X,
    downhill,
    f_of,
    uphill,
)
from manual import Linear, Network, gradients, sgd


def kink() -> Erratum:
    """ReLU: f'(x) = 1 for x >= 0. The judge holds the convention of torch, 0 at 0."""
    return at_zero("relu", torch.relu, 0.0)


def leaky_kink() -> Erratum:
    """Leaky ReLU: the same, where torch's convention is 0.01."""
    return at_zero("leaky_relu", lambda x: torch.nn.functional.leaky_relu(x, 0.01), 0.01)


def at_zero(name: str, reference: Any, slope: float) -> Erratum:
    """f'(x) = 1 for x >= 0, slope for x < 0, as printed; and what the values of f say of its slopes at 0."""
    layer = layer_of(name)
    finding = verify_function(
        lambda x: (layer.forward({}, x)[0], x), lambda dy, x: np.where(x >= 0, dy, slope * dy), reference,
        [POINTS[None]], seed=1, name=f"{name} as printed",
    )  # fmt: skip
    left, right = (float(v[0]) for v in quotients(name, np.zeros(1))[:2])
    return Erratum(
        "E-E1",
        f"{name}: f'(x) = 1 for x >= 0",
        f"no value at 0 is the derivative: it is a convention, torch's is {slope:g}",
        finding,
        judged(layer, reference, name),
        f"{place_and_name(finding)}. Slopes left and right of 0: {left:.6g} and {right:.6g}; any value between is a "
        "subgradient, none the derivative",
    )


def no_loss() -> Erratum:
    """w + eta df/dw climbs f. Towards f = 3 that helps while f < 3; past it every step makes the loss worse."""
    params = START
    while f_of(params) <= 3:
        params = uphill(params)
    finding = verify_update(
        TOY, params, X5, THREE, HALF, uphill(params), name=f"w + eta df/dw at f = {f_of(params):.2g}"
    )
    first = verify_update(TOY, START, X5, THREE, HALF, uphill(START))
    right = verify_update(TOY, params, X5, THREE, HALF, downhill(params, 1 / 26), name="w - eta dL/dw, eta = 1/26")
    factor = -first.rate  # the printed step is -rate dL/dw, and eta df/dw
    return Erratum(
        "E-E3",
        "'the value of f should be 3': w + eta df/dw = -1.5, b + eta df/db = 3.1",
        "L = 1/2 (f - 3)^2, w - eta dL/dw with dL/dw = (f - 3) x",
        finding,
        right,
        f"{finding.words}. At f = {f_of(START):g} it descends by luck: printed over right is {factor / 0.1:.6g}, "
        f"1/(f - 3) = {1 / (f_of(START) - 3):.6g}: the factor f - 3 is missing, and with it the sign",
    )


def uphill_update() -> Erratum:
    """w* = w + eta dE/dw, with right gradients."""
    d = gradients(NET, PARAMS, X, TARGET, HALF).dparams
    printed, right = (
        verify_update(NET, PARAMS, X, TARGET, HALF, sgd(PARAMS, d, lr), name=f"2-2-2, {rule}")
        for lr, rule in ((-ETA, "w + eta dE/dw"), (ETA, "w - eta dE/dw"))
    )
    return Erratum(
        "E-E4",
        "w11(2)* = w11(2) + eta dE/dw11(2) = 0.436, w11(1)* = 0.1504",
        "w* = w - eta dE/dw",
        printed,
        right,
        f"the gradient is right, {printed.words}: E rises from {printed.before:.4f} to {printed.after:.4f}",
    )


class Exchanged(Linear):
    """a1 = w11 z2 + w21 z1 + w01 and so on: each weight meets the other hidden unit, as the slide's numbers have it."""

    def forward(self, params: Any, x: Any) -> Any:
        return super().forward(params, x[:, ::-1])


def exchanged_units() -> Erratum:
    """0.40 x 0.578 + 0.5 x 0.544 + 0.2 = 0.703, where z1 = 0.544 and z2 = 0.578."""
    printed = Network((*NET.layers[:2], Exchanged(2, 2), NET.layers[3]))
    finding = verify(printed, PARAMS, X, TARGET, HALF, seed=1, name="2-2-2 as printed")
    y, _ = printed.forward(PARAMS, X)
    orders = [
        order
        for order in permutations(range(2))
        if np.allclose(y, NET.forward((*PARAMS[:2], {**PARAMS[2], "W": PARAMS[2]["W"][:, order]}, {}), X)[0], 1e-14, 0)
    ]
    found = "; ".join(f"hidden units in the order {', '.join(str(i + 1) for i in order)}" for order in orders)
    return Erratum(
        "E-E5",
        "a1 = 0.40 x 0.578 + 0.5 x 0.544 + 0.2 = 0.703, a2 = 0.659",
        "z1 = 0.544, z2 = 0.578: a1 = 0.7067, a2 = 0.6628",
        finding,
        verify(NET, PARAMS, X, TARGET, HALF, seed=1, name="2-2-2"),
        f"{place_and_name(finding)}; y is that of the network with its {found}",
    )


class FactorLost(Linear):
    """dE/dz1 = dy1out/dy1in . dE/dy1out: the factor dy1in/dz1 = w11 is not there, nor the path through y2."""

    def backward(self, params: Any, cache: Any, dz: Any) -> Any:
        _, dparams = super().backward(params, cache, dz)
        return dz[:, :1] @ np.ones((1, self.n_in)), dparams


class OnePath(Linear):
    """The same with w11 and w21 put in: dE/dz through y1 alone."""

    def backward(self, params: Any, cache: Any, dz: Any) -> Any:
        _, dparams = super().backward(params, cache, dz)
        return dz[:, :1] @ params["W"][:1], dparams


def chain_cut_short() -> Erratum:
    """dz1in/dw11(1) . dz1out/dz1in . dy1out/dy1in . dE/dy1out = dE/dw11(1)."""
    literal, one_path = (
        verify(Network((*NET.layers[:2], layer, NET.layers[3])), PARAMS, X, TARGET, HALF, seed=1, name=name)
        for layer, name in ((FactorLost(2, 2), "as printed"), (OnePath(2, 2), "with w11(2) put in"))
    )
    return Erratum(
        "E-E6",
        "dE/dw11(1) = dz1in/dw11(1) . dz1out/dz1in . dy1out/dy1in . dE/dy1out",
        "dE/dw11(1) = x1 z1 (1 - z1) sum_k w1k(2) y_k (1 - y_k) (y_k - t_k)",
        literal,
        verify(NET, PARAMS, X, TARGET, HALF, seed=1, name="2-2-2"),
        f"{place_and_name(literal)}. With w11(2) put in: {place_and_name(one_path)}",
    )


ERRATA = (kink, leaky_kink, no_loss, uphill_update, exchanged_units, chain_cut_short)

if __name__ == "__main__":
    sys.exit(errata_main(ERRATA))
