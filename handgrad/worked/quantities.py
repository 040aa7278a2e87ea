"""The formula of every number of one pass, and the steps in which they are computed: forward, the loss, backward.

W1_21 is the weight of layer 1 to unit 2 from unit 1, row 2 and column 1 of W1. A d before a name is the gradient of E.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from handgrad.worked.example import Example
from handgrad.worked.formula import (
    Call,
    Difference,
    Formula,
    Minus,
    Name,
    Quotient,
    Square,
    Sum,
    Whole,
    add,
    divide,
    multiply,
)


class Step(NamedTuple):
    """What is computed at once. why: the sentence that a teacher says."""

    title: str
    why: str
    formulas: dict[str, Formula]


class Rule(NamedTuple):
    """An activation: h from z, and dz from dh, z and h."""

    forward: Callable[[Formula], Formula]
    backward: Callable[[Formula, Formula, Formula], Formula]


ONE = Whole(1)

RULES = {
    "sigmoid": Rule(lambda z: Call("sigmoid", z), lambda dh, z, h: multiply(dh, h, Difference(ONE, h))),
    "tanh": Rule(lambda z: Call("tanh", z), lambda dh, z, h: multiply(dh, Difference(ONE, multiply(h, h)))),
    "relu": Rule(lambda z: Call("relu", z), lambda dh, z, h: multiply(dh, Call("positive", z))),
    "softplus": Rule(
        lambda z: Call("log", Sum((ONE, Call("exp", z)))), lambda dh, z, h: multiply(dh, Call("sigmoid", z))
    ),
    "silu": Rule(
        lambda z: multiply(z, Call("sigmoid", z)),
        lambda dh, z, h: multiply(dh, Sum((Call("sigmoid", z), multiply(h, Difference(ONE, Call("sigmoid", z)))))),
    ),
}


def given_names(example: Example) -> list[str]:
    """The numbers that are no result: x, every W and b, t."""
    bias = "b" in example.params[0]
    names = numbered("x", example.sizes[0])
    for layer, n_in, n_out in layers_of(example):
        names += [weight(layer, k, j) for k in units(n_out) for j in units(n_in)]
        names += numbered(f"b{layer}", n_out) if bias else []
    return names + numbered("t", example.sizes[-1])


def work_out(example: Example) -> list[Step]:
    """Every step, in the order of computation."""
    return [*forward_steps(example), *loss_steps(example), *backward_steps(example)]


def forward_steps(example: Example) -> Iterator[Step]:
    """One step a unit: z = sum_j W_kj h_j + b_k, then h."""
    bias = "b" in example.params[0]
    for layer, n_in, n_out in layers_of(example):
        before = incoming(example, layer)
        activated = output_letter(example, layer) == "h"
        for k in units(n_out):
            z = f"z{layer}_{k}"
            terms = [multiply(Name(weight(layer, k, j)), Name(f"{before}_{j}")) for j in units(n_in)]
            formulas: dict[str, Formula] = {z: add(*terms, *([Name(f"b{layer}_{k}")] if bias else []))}
            if activated:
                formulas[f"h{layer}_{k}"] = RULES[example.activation].forward(Name(z))
            why = "Every number that comes in, times its weight, added up" + (", and the bias." if bias else ".")
            why += f" Then the activation, {example.activation}." if activated else ""
            yield Step(f"Forward: unit {k} of layer {layer}", why, formulas)


def loss_steps(example: Example) -> Iterator[Step]:
    """The loss, and before it what it makes of logits."""
    y, ks = output(example), units(example.sizes[-1])
    t, n = [float(v) for v in example.t[0]], example.sizes[-1]
    if example.loss == "cross_entropy":
        e: list[Formula] = [Call("exp", Name(f"{y}_{k}")) for k in ks]
        p: dict[str, Formula] = {f"p_{k}": Quotient(e[k - 1], add(*e)) for k in ks}
        yield Step("Forward: the softmax", "Every output becomes positive, and all together are 1.", p)
        terms = [multiply(Name(f"t_{k}"), Call("log", Name(f"p_{k}"))) for k in ks if t[k - 1]]
        E: Formula = Minus(add(*terms))
    elif example.loss == "binary_cross_entropy":
        s: dict[str, Formula] = {f"s_{k}": Call("sigmoid", Name(f"{y}_{k}")) for k in ks}
        yield Step("Forward: the sigmoid of the loss", "Every output becomes a probability.", s)
        logs = [term for k in ks for term in log_terms(k, t[k - 1])]
        E = Minus(divide(add(*logs), n))
    else:
        squares = [Square(Difference(Name(f"{y}_{k}"), Name(f"t_{k}"))) for k in ks]
        E = divide(add(*squares), {"half": 2, "mse": n}.get(example.loss, 1))
    yield Step("Forward: the loss", "How far the output is from its target.", {"E": E})


def log_terms(k: int, t: float) -> Iterator[Formula]:
    """t log s + (1 - t) log(1 - s), without what is 0."""
    s = Name(f"s_{k}")
    if t:
        yield multiply(Name(f"t_{k}"), Call("log", s))
    if t != 1:
        yield multiply(Difference(ONE, Name(f"t_{k}")), Call("log", Difference(ONE, s)))


def backward_steps(example: Example) -> Iterator[Step]:
    """One step a unit, from the last layer back: dh, dz, then the weights into it and its bias; at last the inputs."""
    bias = "b" in example.params[0]
    for layer, n_in, n_out in reversed(layers_of(example)):
        last, before = layer == len(example.sizes) - 1, incoming(example, layer)
        letter = output_letter(example, layer)
        for k in units(n_out):
            out, dz = f"{letter}{layer}_{k}", Name(f"dz{layer}_{k}")
            formulas = {f"d{out}": loss_slope(example, k) if last else arriving(example, layer, k)}
            if letter == "h":
                z, h = Name(f"z{layer}_{k}"), Name(out)
                formulas[dz.name] = RULES[example.activation].backward(Name(f"dh{layer}_{k}"), z, h)
            formulas |= {f"d{weight(layer, k, j)}": multiply(dz, Name(f"{before}_{j}")) for j in units(n_in)}
            formulas |= {f"db{layer}_{k}": dz} if bias else {}
            yield Step(f"Backward: unit {k} of layer {layer}", why_backward(example, layer, k, last), formulas)
    formulas = {f"dx_{j}": arriving(example, 0, j) for j in units(example.sizes[0])}
    yield Step("Backward: the inputs", "The same sum once more: how E moves with each input.", formulas)


def arriving(example: Example, layer: int, j: int) -> Formula:
    """dh_j of a layer: what every unit of the next one passes back, added up."""
    return add(
        *(multiply(Name(f"dz{layer + 1}_{k}"), Name(weight(layer + 1, k, j))) for k in units(example.sizes[layer + 1]))
    )


def loss_slope(example: Example, k: int) -> Formula:
    """How the loss moves with output k."""
    n, t = example.sizes[-1], Name(f"t_{k}")
    if example.loss == "cross_entropy":
        return Difference(Name(f"p_{k}"), t)
    if example.loss == "binary_cross_entropy":
        return divide(Difference(Name(f"s_{k}"), t), n)
    e = Difference(Name(f"{output(example)}_{k}"), t)
    return e if example.loss == "half" else divide(multiply(Whole(2), e), n if example.loss == "mse" else 1)


def why_backward(example: Example, layer: int, k: int, last: bool) -> str:
    """The sentence of a unit's backward step."""
    onward, letter = example.sizes[layer + 1] if not last else 0, output_letter(example, layer)
    if last:
        first = "The loss says how it moves with this output."
    elif onward == 1:
        first = f"{letter}{layer}_{k} goes into one unit, which passes back its own dz, times the weight between them."
    else:
        first = f"{letter}{layer}_{k} goes into {onward} units: what each passes back is added up."
    slope = " The slope of the activation takes it from h to z." if letter == "h" else ""
    bias = "; the bias gets dz itself" if "b" in example.params[0] else ""
    return f"{first}{slope} Each weight gets dz times what came in through it{bias}."


# Names.


def units(n: int) -> range:
    """They are counted from 1."""
    return range(1, n + 1)


def numbered(name: str, n: int) -> list[str]:
    return [f"{name}_{i}" for i in units(n)]


def weight(layer: int, to: int, source: int) -> str:
    return f"W{layer}_{to}{source}"


def layers_of(example: Example) -> Sequence[tuple[int, int, int]]:
    """(layer, n_in, n_out) of each."""
    return [(i, n_in, n_out) for i, (n_in, n_out) in enumerate(pairwise(example.sizes), 1)]


def output_letter(example: Example, layer: int) -> str:
    """z where no activation follows the layer, else h."""
    kinds = [bool(p) for p in example.params]
    last = layer == len(example.sizes) - 1
    return "z" if example.activation == "identity" or (last and kinds[-1]) else "h"


def incoming(example: Example, layer: int) -> str:
    """The name of what comes into a layer."""
    return "x" if layer == 1 else f"{output_letter(example, layer - 1)}{layer - 1}"


def output(example: Example) -> str:
    """The name of the network's output."""
    last = len(example.sizes) - 1
    return f"{output_letter(example, last)}{last}"
