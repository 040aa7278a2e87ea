"""Mistakes inside a whole network that is given as one function: in one of its layers, or in every one of them.

A mistake in one line spoils all that the error passes through afterwards; a name is given only where all of it fits.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from handgrad.explain.catalogue.linear import fitted, orders, short
from handgrad.explain.failed_trial import Case, Mistake, outside
from handgrad.explain.recognise.network import F, Link, Net, f_of, network_stage, slope
from handgrad.judge.compare import Float

MOST_UNITS = 16
GAIN = 4.0  # the whole pass is computed here along another way than in the code judged
Wrong: TypeAlias = tuple[str, str, dict[str, Float]]  # name, why, and what it makes of each tensor
Line: TypeAlias = Callable[[Float], Float]  # one line of the backward pass: dz_l of dh_l, or dh_{l-1} of dz_l


def network(case: Case) -> Iterator[Mistake]:
    """Every mistake in every layer."""
    net = network_stage(case)
    if net is None or (len(net.links) == 1 and net.links[0].f == "identity"):  # a linear layer alone has its own
        return
    usual = GAIN * max(case.relative.values(), default=0.0)
    for source in (activations, products, one_layer, parameters, output):
        for name, why, tensors in source(net):
            if explains(case, tensors):
                odd = {k: usual * np.abs(v) for k, v in tensors.items() if v.shape != case.right[k].shape}
                yield Mistake(name, why, tensors, gain=GAIN, bound=odd)
    yield from updated(case, net)
    if "y" in case.same_shape and net.links[-1].f is not None:
        yield from (Mistake(name, why, tensors, gain=GAIN) for name, why, tensors in values(case, net))


def explains(case: Case, tensors: dict[str, Float]) -> bool:
    """Whether every tensor that the mistake would have made wrong is wrong: dz1 with a mistake spoils dW1 and db1."""
    return all(
        k not in case.right or k in case.failing or not outside(replace(case.evidence[k], hand=v)).any()
        for k, v in tensors.items()
    )


def place(net: Net, i: int) -> str:
    return f" in layer {i + 1}" if len(net.links) > 1 else ""


def activations(net: Net) -> Iterator[Wrong]:
    """dz = dh f'(z): what goes wrong with f', in one layer or in all."""
    known = {i: link for i, link in enumerate(net.links) if link.f not in (None, "identity")}
    lines: dict[tuple[str, str], Callable[[Link], Line]] = {
        ("the factor f'(z) is missing", "dz = dh where dh f'(z) belongs."): lambda link: lambda dh: dh,
        ("the derivative is taken at the output", "f' is taken at the output h = f(z); it belongs at the input z."):
            lambda link: lambda dh: dh * slope(link.f, link.h),
        ("the factor f'(z) is squared", "dz = dh f'(z)^2."): lambda link: lambda dh: dh * link.slope**2,
        ("the activation stands where its derivative belongs", "dz = dh f(z) where dh f'(z) belongs."):
            lambda link: lambda dh: dh * link.h,
    }  # fmt: skip
    for (name, why), line in lines.items():
        wrong = {i: line(link) for i, link in known.items()}
        for i in known:
            yield name + place(net, i), why, net.backward(slopes={i: wrong[i]})
        if len(known) > 1:
            yield name + " in every layer", why, net.backward(slopes=wrong)


def products(net: Net) -> Iterator[Wrong]:
    """dh_{l-1} = dz_l W_l: what goes wrong with W, alone or together with the f' that comes next."""
    for i, link in enumerate(net.links):
        if i == 0 and net.x is None:
            continue
        for name, why, line in wrong_products(link, i + 1, alone=len(net.links) == 1):
            yield name, why, net.backward(through={i: line})
            factor = f"the factor {link.W} is missing"
            if i > 0 and factor in name and net.links[i - 1].f != "identity":
                both = name.replace(factor, f"the factors {link.W} and f'(z) of layer {i} are missing")
                yield both, f"{why} Nor is f'.", net.backward(through={i: line}, slopes={i - 1: lambda dh: dh})


def wrong_products(link: Link, layer: int, *, alone: bool) -> Iterator[tuple[str, str, Line]]:
    """The lines that stand where dz W belongs."""
    W, V, (n_out, n_in) = link.W, link.V, link.V.shape
    yield f"d{W} stands where {W} belongs", f"dh = dz d{W}.", lambda dz: dz @ (dz.T @ link.a)
    lost = f"the factor {W} is missing"
    yield lost, f"dh sums dz; {W} is not multiplied in.", lambda dz: np.repeat(dz.sum(axis=1, keepdims=True), n_in, 1)
    if n_out == n_in:
        name = "W^T stands where W belongs" if alone else f"{W}^T stands where {W} belongs"
        yield name, "The matrix is square, so no shape tells.", lambda dz: dz @ V.T
    if n_out == n_in == len(link.dz):
        name = "the elementwise product stands where the matrix product belongs"
        yield name, f"dh = dz * {W}, which broadcasting lets pass.", lambda dz: dz * V
    why = f"dh sums over all {n_out} units."
    for k in range(min(n_out, MOST_UNITS)) if n_out > 1 else ():
        unit = f"the path through unit {k} of layer {layer}"
        one, bare, others = paths(V, k)
        yield f"only {unit} is used", why, one
        yield f"{lost}, and only {unit} is used", f"{why} {W} is not multiplied in.", bare
        if n_out > 2:
            yield f"{unit} is not summed", why, others


def paths(V: Float, k: int) -> tuple[Line, Line, Line]:
    """dz W through unit k alone, the same without W, and through all units but k."""
    return (
        lambda dz: dz[:, [k]] @ V[[k]],
        lambda dz: np.repeat(dz[:, [k]], V.shape[1], axis=1),
        lambda dz: dz @ V - dz[:, [k]] @ V[[k]],
    )


def times(factor: Float) -> Line:
    return lambda d: d * factor


def after_update(link: Link) -> Line:
    return lambda dz: dz @ (link.V - link.dz.T @ link.a)


def one_layer(net: Net) -> Iterator[Wrong]:
    """dW1 of a network without the layers above: dz_L^T x, of a wrong shape unless broadcasting spreads it."""
    first, top = net.links[0], net.links[-1]
    if len(net.links) == 1:
        return
    name = "the error of the output stands where that of layer 1 belongs"
    why = f"d{first.W} = dz^T x with the output's dz: every factor between the two is left out."
    dW = top.dz.T @ first.a
    for G in (dW, np.repeat(dW, len(first.V), axis=0)) if len(dW) == 1 else (dW,):
        yield name, why, {f"d{first.W}": net.kept(G)}


def parameters(net: Net) -> Iterator[Wrong]:
    """dW = dz^T h_{l-1}, db = sum dz."""
    for i, link in enumerate(net.links):
        W, (n_out, n_in) = f"d{link.W}", link.V.shape
        sums = np.repeat(link.dz.sum(axis=0)[:, None], n_in, axis=1)
        yield f"the layer's input is missing in {W}", f"{W} = sum dz in every column.", {W: net.kept(sums)}
        if n_out == n_in:
            name = f"the output stands where the input belongs in {W}"
            yield name, f"{W} = dz^T h with the layer's own h.", {W: net.kept(link.dz.T @ link.h)}
        if link.b is None:
            continue
        b, shape = f"d{link.b}", net.shapes[link.b]
        if i + 1 < len(net.links):
            why = "The bias gradient is the sum of dz = dh f'(z), not of dh."
            yield f"f'(z) is missing in {b}", why, {b: link.dh.sum(axis=0).reshape(shape)}
        if n_in > 1:
            why = "The bias was put inside the sum over the inputs, so its gradient is added up once per input."
            yield f"{b} is added up over the inputs", why, {b: n_in * link.dz.sum(axis=0).reshape(shape)}


def output(net: Net) -> Iterator[Wrong]:
    """A loss of h_L: f_L is not seen in it, but what its derivative would be is."""
    last, z = len(net.links) - 1, net.links[-1].z
    if net.links[-1].f is not None:
        return
    why = "Every sample has its own factor, which no scale of a loss has; it may be the gradient of another loss."
    for name in F:
        D = slope(name, z)
        factors = {
            f"the factor f'(z) of the output ({name}) is missing": 1 / D,
            f"the factor f'(z) of the output ({name}) is squared": D,
            f"the derivative is taken at the output ({name})": slope(name, f_of(name, z)) / D,
        }
        for what, factor in factors.items():
            if name != "identity" and np.isfinite(factor).all():
                yield what, why, net.backward(slopes={last: times(factor)})


def updated(case: Case, net: Net) -> Iterator[Mistake]:
    """dh = dz (W - c dW) for a number c read off the given result."""
    right = net.backward()
    for i, link in enumerate(net.links):
        if i == 0 and net.x is None:
            continue
        late = net.backward(through={i: after_update(link)})
        term = {k: late[k] - right[k] for k in right}  # of c = 1; everything below is linear in c
        found = [fit for k in case.same_shape if k in term and (fit := fitted(case, k, term[k])) is not None]
        if found:
            c = short(*found[0])
            name = f"{link.W} was updated before the gradient was passed back (by {c:.6g} d{link.W})"
            why = "The gradient must go back through the weights that the forward pass used."
            yield Mistake(name, why, {k: right[k] + c * v for k, v in term.items()}, freedom=1, gain=GAIN)


def values(case: Case, net: Net) -> Iterator[Wrong]:
    """Mistakes of the forward pass: units exchanged, a bias or an activation forgotten."""
    for i, link in enumerate(net.links):
        what = "units" if i else "inputs"
        for words, order in orders(link.V.shape[1]):
            y = net.value(i, exchanged(link, order))
            why = f"Every weight of layer {i + 1} meets another of its {what} than its own."
            yield f"the {words.replace('inputs', what)} on their way into layer {i + 1}", why, {"y": y}
        if link.b is not None:
            b = case.inputs[link.b].reshape(-1)
            yield f"{link.b} is forgotten", "z = h W^T without b.", {"y": net.value(i, without(b))}
        if link.f != "identity":
            y = net.value(i, lambda z, a: z, active=False)
            yield f"the activation is missing{place(net, i)}", "h = z where h = f(z) belongs.", {"y": y}


def exchanged(link: Link, order: list[int]) -> Callable[[Float, Float], Float]:
    return lambda z, a: z + (a[:, order] - a) @ link.V.T


def without(b: Float) -> Callable[[Float, Float], Float]:
    return lambda z, a: z - b


NETWORK = (network,)
