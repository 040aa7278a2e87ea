"""Mistakes inside a whole network that is given as one function: in one of its layers, or in every one of them.

h_{l-1} = a, z = a W^T + b, h = f(z)    so      dz = dh f'(z),  dh_{l-1} = dz W,  dW = dz^T a,  db = sum dz

A mistake in one line spoils all that the error passes through afterwards; a name is given only where all of it fits.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple, TypeAlias

import numpy as np

from handgrad.explain.catalogue.linear import ENTRYWISE, orders
from handgrad.explain.catalogue.mistake import Fitted, Mistake, Rounding
from handgrad.explain.catalogue.typed_number import typed_multiple
from handgrad.explain.recognise.elementwise import F
from handgrad.explain.recognise.failed_trial import FailedTrial
from handgrad.explain.recognise.network import Link, Net, activate, recognise_network, slope
from handgrad.judge.compare import Float
from handgrad.judge.constants import NETWORK_GAIN, TRIED_INPUTS

Wrong: TypeAlias = tuple[str, str, dict[str, Float]]  # name, why, and what it makes of each tensor
Change: TypeAlias = Callable[[Float], Float]


class Line(NamedTuple):
    """One wrong line of a layer's backward pass: line(layer, d), or None where it cannot be written there."""

    name: str
    why: str
    line: Callable[[Link, Float], Float | None]


class Path(NamedTuple):
    """The same for one unit k of the sum dh_{l-1} = sum_k dz_k W_k."""

    name: str
    why: str
    line: Callable[[Link, Float, int], Float | None]


class Parameter(NamedTuple):
    """One wrong parameter gradient of a layer, "dW" as [to][from]."""

    name: str
    why: str
    tensor: str
    formula: Callable[[Link], Float | None]


class Factor(NamedTuple):
    """What multiplies the output's dz where its f is inside the loss: of f'(z) and of f'(h)."""

    name: str
    formula: Callable[[Float, Float], Float]


DZ = (
    Line("the factor f'(z) is missing", "dz = dh where dh f'(z) belongs.",
         lambda c, dh: dh),
    Line("the derivative is taken at the output", "f' is taken at the output h = f(z); it belongs at the input z.",
         lambda c, dh: dh * slope(c.f, c.h)),
    Line("the factor f'(z) is squared", "dz = dh f'(z)^2.",
         lambda c, dh: dh * c.slope**2),
    Line("the activation stands where its derivative belongs", "dz = dh f(z) where dh f'(z) belongs.",
         lambda c, dh: dh * c.h),
)  # fmt: skip

DH = (
    Line("d{W} stands where {W} belongs", "dh is dz times d{W}; it should be dz times {W}.",
         lambda c, dz: dz @ (dz.T @ c.a)),
    Line("the factor {W} is missing", "dh sums dz over the units above, and no dz is multiplied by its weight.",
         lambda c, dz: np.repeat(dz.sum(axis=1, keepdims=True), c.V.shape[1], axis=1)),
    Line("{mistaken} stands where {right} belongs", "{W} is square, so no shape tells.",
         lambda c, dz: dz @ c.V.T if c.square else None),
    Line(ENTRYWISE, "dz and {W} are multiplied entry by entry, which broadcasting lets pass.",
         lambda c, dz: dz * c.V if c.square and len(dz) == len(c.V) else None),
)  # fmt: skip

PATHS = (
    Path("only the path through unit {k} of layer {layer} is used", "dh is the sum of the paths through all {n} units.",
         lambda c, dz, k: dz[:, [k]] @ c.V[[k]]),
    Path("the factor {W} is missing, and only the path through unit {k} of layer {layer} is used",
         "dh is the sum of the paths through all {n} units, each dz times its weight in {W}.",
         lambda c, dz, k: np.repeat(dz[:, [k]], c.V.shape[1], axis=1)),
    Path("the path through unit {k} of layer {layer} is not summed",
         "dh is the sum of the paths through all {n} units.",
         lambda c, dz, k: dz @ c.V - dz[:, [k]] @ c.V[[k]] if len(c.V) > 2 else None),
)  # fmt: skip

PARAMETERS = (
    Parameter("the layer's input is missing in d{W}",
              "All inputs of a unit have the same gradient, the sum of its dz: no input was multiplied in.",
              "dW", lambda c: np.repeat(c.dz.sum(axis=0)[:, None], c.V.shape[1], axis=1)),
    Parameter("the output stands where the input belongs in d{W}",
              "d{W} is made of dz and the layer's own output h; it should be made of dz and the layer's input.",
              "dW", lambda c: c.dz.T @ c.h if c.square else None),
    Parameter("f'(z) is missing in d{b}", "d{b} is the sum of dh; it should be the sum of dz = dh f'(z).",
              "db", lambda c: None if c.last else c.dh.sum(axis=0)),
    Parameter("d{b} is added up over the inputs",
              "The bias was put inside the sum over the inputs, so its gradient is added up once per input.",
              "db", lambda c: c.V.shape[1] * c.dz.sum(axis=0) if c.V.shape[1] > 1 else None),
)  # fmt: skip

OUTPUT = (
    Factor("the factor f'(z) of the output ({f}) is missing", lambda D, D_at_h: 1 / D),
    Factor("the factor f'(z) of the output ({f}) is squared", lambda D, D_at_h: D),
    Factor("the derivative is taken at the output ({f})", lambda D, D_at_h: D_at_h / D),
)
IN_A_LOSS = "Every sample has its own factor, which no scale of a loss has; it may be the gradient of another loss."


def network(trial: FailedTrial) -> Iterator[Mistake]:
    """Every mistake in every layer."""
    net = recognise_network(trial)
    if net is None or (len(net.links) == 1 and net.links[0].f == "identity"):  # a linear layer alone has its own
        return
    usual = NETWORK_GAIN * max(trial.relative.values(), default=0.0)
    for source in (wrong_dz, wrong_dh, wrong_between, wrong_parameters, wrong_output):
        for name, why, tensors in source(net):
            if explains(trial, tensors):
                odd = {k: usual * np.abs(v) for k, v in tensors.items() if v.shape != trial.right[k].shape}
                yield Mistake(name, why, tensors, rounding=Rounding(NETWORK_GAIN, odd))
    yield from updated_too_early(trial, net)
    if "y" in trial.same_shape and net.links[-1].f is not None:
        for name, why, tensors in wrong_values(trial, net):
            yield Mistake(name, why, tensors, rounding=Rounding(NETWORK_GAIN))


def explains(trial: FailedTrial, tensors: dict[str, Float]) -> bool:
    """Whether every tensor that the mistake would have made wrong is wrong: dz1 with a mistake spoils dW1 and db1."""
    return all(
        k not in trial.right or k in trial.failing or not replace(trial.evidence[k], hand=v).outside.any()
        for k, v in tensors.items()
    )


def place(net: Net, i: int) -> str:
    return f" in layer {i + 1}" if len(net.links) > 1 else ""


def write(row: Line, link: Link) -> Change:
    """The wrong line in this layer."""
    return lambda d: np.asarray(row.line(link, d))


def wrong_dz(net: Net) -> Iterator[Wrong]:
    """What goes wrong with f', in one layer or in all."""
    known = {i: link for i, link in enumerate(net.links) if link.f not in (None, "identity")}
    for row in DZ:
        lines = {i: write(row, link) for i, link in known.items()}
        for i, line in lines.items():
            yield row.name + place(net, i), row.why, net.backward(slopes={i: line})
        if len(lines) > 1:
            yield row.name + " in every layer", row.why, net.backward(slopes=lines)


def wrong_dh(net: Net) -> Iterator[Wrong]:
    """What goes wrong with W, alone or together with the f' that comes next."""
    for i, link in enumerate(net.links):
        if i == 0 and net.x is None:
            continue
        lost = f"the factor {link.W} is missing"
        for row in lines_of(net, i):
            if row.line(link, link.dz) is None:
                continue
            yield row.name, row.why, net.backward(through={i: write(row, link)})
            if i > 0 and lost in row.name and net.links[i - 1].f != "identity":
                both = row.name.replace(lost, f"the factors {link.W} and f'(z) of layer {i} are missing")
                without_slope = net.backward(through={i: write(row, link)}, slopes={i - 1: lambda dh: dh})
                yield both, f"{row.why} Nor is f'(z) multiplied in.", without_slope


def lines_of(net: Net, i: int) -> Iterator[Line]:
    """The tables DH and PATHS, with the names of this layer."""
    link, n = net.links[i], len(net.links[i].V)
    own = link.W if len(net.links) > 1 else "W"
    pair = (own, f"{own}^T") if net.turned or net.columns else (f"{own}^T", own)
    words = {"W": link.W, "layer": i + 1, "n": n, "mistaken": pair[0], "right": pair[1]}
    for row in DH:
        yield Line(row.name.format(**words), row.why.format(**words), row.line)
    for k in range(min(n, TRIED_INPUTS)) if n > 1 else ():
        for path in PATHS:
            yield Line(path.name.format(k=k, **words), path.why.format(**words), through_unit(path, k))


def through_unit(path: Path, k: int) -> Callable[[Link, Float], Float | None]:
    return lambda link, dz: path.line(link, dz, k)


def wrong_between(net: Net) -> Iterator[Wrong]:
    """dW1 of a network without the layers above: dz_L^T x, of a wrong shape unless broadcasting spreads it."""
    first, top = net.links[0], net.links[-1]
    if len(net.links) == 1:
        return
    name = "the error of the output stands where that of layer 1 belongs"
    why = f"d{first.W} is made of x and the output's dz: every factor between the two layers is left out."
    dW = top.dz.T @ first.a
    for G in (dW, np.repeat(dW, len(first.V), axis=0)) if len(dW) == 1 else (dW,):
        yield name, why, {f"d{first.W}": net.kept(G)}


def wrong_parameters(net: Net) -> Iterator[Wrong]:
    """What goes wrong in dW and db themselves, with the right dz."""
    for link in net.links:
        for row in PARAMETERS:
            value = row.formula(link)
            if value is None or (row.tensor == "db" and link.b is None):
                continue
            W, b = link.W, link.b or ""
            named = {f"d{W}": net.kept(value)} if row.tensor == "dW" else {f"d{b}": value.reshape(net.shapes[b])}
            yield row.name.format(W=W, b=b), row.why.format(W=W, b=b), named


def wrong_output(net: Net) -> Iterator[Wrong]:
    """A loss of h_L: f_L is not seen in it, but what its derivative would be is."""
    last, z = len(net.links) - 1, net.links[-1].z
    if net.links[-1].f is not None:
        return
    for f in F:
        D, D_at_h = slope(f, z), slope(f, activate(f, z))
        for row in OUTPUT:
            factor = row.formula(D, D_at_h)
            if f != "identity" and np.isfinite(factor).all():
                yield row.name.format(f=f), IN_A_LOSS, net.backward(slopes={last: multiply(factor)})


def multiply(factor: Float) -> Change:
    return lambda d: d * factor


def updated_too_early(trial: FailedTrial, net: Net) -> Iterator[Mistake]:
    """dh = dz (W - c dW) for a number c read off the given result."""
    right = net.backward()
    for i, link in enumerate(net.links):
        if i == 0 and net.x is None:
            continue
        late = net.backward(through={i: updated(link)})
        term = {k: late[k] - right[k] for k in right}  # of c = 1; everything below is linear in c
        read = (typed_multiple(trial.evidence[k], term[k]) for k in trial.same_shape if k in term)
        c = next((c for c in read if c is not None), None)
        if c is not None:
            name = f"{link.W} was updated before the gradient was passed back (by {c:.6g} d{link.W})"
            why = "The gradient must go back through the weights that the forward pass used."
            tensors = {k: right[k] + c * v for k, v in term.items()}
            yield Mistake(name, why, tensors, fitted=Fitted(numbers=1), rounding=Rounding(NETWORK_GAIN))


def updated(link: Link) -> Change:
    """dz (W - dW)."""
    return lambda dz: dz @ (link.V - link.dz.T @ link.a)


def wrong_values(trial: FailedTrial, net: Net) -> Iterator[Wrong]:
    """Mistakes of the forward pass: units exchanged, a bias or an activation forgotten."""
    for i, link in enumerate(net.links):
        what = "units" if i else "inputs"
        for words, order in orders(link.V.shape[1]):
            y = net.value(i, exchange(link, order))
            why = f"Every weight of layer {i + 1} meets another of its {what} than its own."
            yield f"the {words.replace('inputs', what)} on their way into layer {i + 1}", why, {"y": y}
        if link.b is not None:
            b = trial.inputs[link.b].reshape(-1)
            yield f"{link.b} is forgotten", f"{link.b} is not added to z.", {"y": net.value(i, subtract(b))}
        if link.f != "identity":
            y = net.value(i, lambda z, a: z, active=False)
            yield f"the activation is missing{place(net, i)}", "The layer gives z; it should give h = f(z).", {"y": y}


def exchange(link: Link, order: list[int]) -> Callable[[Float, Float], Float]:
    return lambda z, a: z + (a[:, order] - a) @ link.V.T


def subtract(b: Float) -> Callable[[Float, Float], Float]:
    return lambda z, a: z - b


NETWORK = (network,)
