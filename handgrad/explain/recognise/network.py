"""Is this function a whole network, ours or somebody else's, and which? Its values and gradients say so.

h_l = f_l(h_{l-1} W_l^T + b_l), h_0 = x, samples in rows or in columns, W kept as [to][from] or [from][to], with or
without biases; the function's result is h_L, or a loss of it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise, product
from typing import NamedTuple, TypeAlias

import numpy as np

from handgrad.explain.recognise.elementwise import F, run_backward
from handgrad.explain.recognise.equal import close
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.judge.compare import Float
from handgrad.judge.constants import TRIED_NUMBERS

Lines: TypeAlias = Mapping[int, Callable[[Float], Float]]
NONE: Lines = {}


class Link(NamedTuple):
    """One layer of the right pass. f is None at the output of a network that ends in a loss."""

    W: str
    b: str | None
    f: str | None
    V: Float  # (n_out, n_in), the weights as [to][from]
    a: Float  # (N, n_in), what comes in
    z: Float
    h: Float
    dh: Float
    dz: Float
    last: bool

    @property
    def slope(self) -> Float:
        """f'(z)."""
        return slope(self.f, self.z)

    @property
    def square(self) -> bool:
        return bool(self.V.shape[0] == self.V.shape[1])


@dataclass(frozen=True, eq=False)
class Net:
    """A network as read off a stage. x is None where the data are no input of the function."""

    x: str | None
    links: tuple[Link, ...]
    shapes: dict[str, tuple[int, ...]]
    turned: bool
    columns: bool

    def kept(self, W: Float) -> Float:
        """A matrix [to][from] as the function keeps it."""
        return W.T if self.turned else W

    def backward(self, *, through: Lines = NONE, slopes: Lines = NONE) -> dict[str, Float]:
        """Every tensor's gradient, where dh_{l-1} = through[l](dz_l) and dz_l = slopes[l](dh_l) stand in single layers.

        In all others dh_{l-1} = dz_l W_l and dz_l = dh_l f_l'(z_l).
        """
        dh, found = self.links[-1].dh, {}
        for i, link in reversed(list(enumerate(self.links))):
            dz = slopes[i](dh) if i in slopes else link.dz if link.f is None else dh * link.slope
            dh = through[i](dz) if i in through else dz @ link.V
            found[f"d{link.W}"] = self.kept(dz.T @ link.a)
            if link.b is not None:
                found[f"d{link.b}"] = dz.sum(axis=0).reshape(self.shapes[link.b])
        if self.x is not None:
            found[f"d{self.x}"] = dh.T if self.columns else dh
        return found

    def value(self, layer: int, change: Callable[[Float, Float], Float], *, active: bool = True) -> Float:
        """y with change(z, a) for z in one layer, whose activation is left out unless active."""
        a = self.links[0].a
        for i, link in enumerate(self.links):
            z = link.z + (a - link.a) @ link.V.T
            z = change(z, a) if i == layer else z
            a = z if link.f is None or (i == layer and not active) else activate(link.f, z)
        return a.T if self.columns else a


def slope(name: str | None, z: Float) -> Float:
    """f'(z) of a known activation."""
    assert name is not None
    return run_backward(F[name], z, np.ones_like(z))


def activate(name: str, z: Float) -> Float:
    """f(z) of a known activation."""
    return np.asarray(F[name].forward({}, z)[0])


def recognise_network(trial: FailedTrial) -> Net | None:
    """The stage as a network of linear layers and known activations, if values and gradients say that it is one."""
    if trial.y.ndim not in (0, 2) or sum(v.size for v in trial.inputs.values()) > TRIED_NUMBERS:
        return None
    names = list(trial.inputs)
    for data, (turned, columns) in product((True, False), ((False, False), (True, False), (False, True))):
        own = names[1:] if data else names
        for weights, biases in patterns(own):
            read = Reading(trial, names[0] if data else None, weights, biases, turned, columns)
            if read.fits and (found := read.network()) is not None:
                return found
    return None


def patterns(names: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """Which parameters may be weights, which biases: W1 b1 W2 b2, W1 W2 b1 b2, or W1 W2."""
    half = len(names) // 2
    if names and len(names) % 2 == 0:
        yield names[::2], names[1::2]
        if half > 1:
            yield names[:half], names[half:]
    if names:
        yield names, []


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read the inputs of a function as a network's."""

    trial: FailedTrial
    x: str | None
    weights: list[str]
    biases: list[str]
    turned: bool
    columns: bool

    def W(self, name: str) -> Float:
        return self.trial.inputs[name].T if self.turned else self.trial.inputs[name]

    def rows(self, a: Float) -> Float:
        return a.T if self.columns else a

    @property
    def fits(self) -> bool:
        """Whether the shapes follow on each other."""
        inputs = self.trial.inputs
        if any(inputs[k].ndim != 2 for k in (*self.weights, *([self.x] if self.x else []))):
            return False
        V = [self.W(k) for k in self.weights]
        if any(below.shape[0] != above.shape[1] for below, above in pairwise(V)):
            return False
        if any(inputs[b].size != v.shape[0] for b, v in zip(self.biases, V, strict=False)):
            return False
        if self.x is None:
            return bool(self.biases) and self.trial.y.ndim == 0
        data = self.rows(inputs[self.x])
        y = self.trial.y
        return data.shape[1] == V[0].shape[1] and (y.ndim == 0 or self.rows(y).shape == (len(data), V[-1].shape[0]))

    def data(self) -> Float:
        """x; of a single sample that is no input, from dW1 = dz1^T x and db1 = dz1."""
        if self.x is not None:
            return self.rows(self.trial.inputs[self.x])
        right = self.trial.right
        dz = right[f"d{self.biases[0]}"].reshape(1, -1)
        dW = right[f"d{self.weights[0]}"]
        return np.asarray(dz @ (dW.T if self.turned else dW) / np.sum(dz * dz))

    def network(self) -> Net | None:
        """The network whose values and gradients are those of the stage, over all activations known."""
        deep = len(self.weights) > 1
        with np.errstate(all="ignore"):
            for hidden in F if deep else ["identity"]:
                for output in F if self.trial.y.ndim else [None]:
                    found = self.forward(hidden, output)
                    if found is not None and self.agrees(found):
                        return found
        return None

    def forward(self, hidden: str, output: str | None) -> Net | None:
        """The network with these activations; None where its value is not the stage's."""
        parts, a = [], self.data()
        for i, name in enumerate(self.weights):
            last = i + 1 == len(self.weights)
            f, b = output if last else hidden, self.biases[i] if self.biases else None
            z = a @ self.W(name).T + (self.trial.inputs[b].reshape(-1) if b else 0.0)
            h = z if f is None else activate(f, z)
            parts.append((name, b, f, self.W(name), a, z, h))
            a = h
        if output is not None and not close(a, self.rows(self.trial.y)):
            return None
        top = self.output_error(parts[-1][4]) if output is None else self.rows(self.trial.dy)
        if top is None:
            return None
        links, dh = [], top
        for part in reversed(parts):
            f, z = part[2], part[5]
            dz = dh if f is None else dh * slope(f, z)
            links.append(Link(*part, dh, dz, part is parts[-1]))
            dh = dz @ part[3]
        shapes = {k: v.shape for k, v in self.trial.inputs.items()}
        return Net(self.x, tuple(reversed(links)), shapes, self.turned, self.columns)

    def output_error(self, a: Float) -> Float | None:
        """dE/dz_L from dW_L = dz_L^T a and db_L = sum dz_L, where these are enough to tell the samples apart."""
        if len(self.weights) < 2:
            return None  # nothing below would bear it out
        right, name = self.trial.right, f"d{self.weights[-1]}"
        known, G = a, right[name].T if self.turned else right[name]
        if self.biases:
            known = np.concatenate([a, np.ones((len(a), 1))], axis=1)
            G = np.concatenate([G, right[f"d{self.biases[-1]}"].reshape(-1, 1)], axis=1)
        if np.linalg.matrix_rank(known) < len(a):
            return None
        return np.asarray((G @ np.linalg.pinv(known)).T)

    def agrees(self, net: Net) -> bool:
        """Whether the network's gradients are the right ones."""
        mine = net.backward()
        return all(close(mine[k], self.trial.right[k]) for k in mine if k in self.trial.right)
