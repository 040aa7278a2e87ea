"""The worked example of each lecture: where its numbers stand in the lecture's own script."""

from importlib import import_module
from typing import Any, NamedTuple

from handgrad.worked.example import Example, make_example


class Source(NamedTuple):
    """Names of the numbers in a script of `handgrad.lectures`; params is one dictionary a layer, or one W a layer."""

    title: str
    script: str
    params: str
    x: str
    t: str
    activation: str
    loss: str
    note: str


SOURCES = {
    "lee": Source(
        "Lee's sigmoid rules, 3-2-2", "lee", "RULES_PARAMS", "RULES_X", "RULES_T", "sigmoid", "half",
        "His delta is dz, his theta is b; the slides give the rules without numbers, and these are chosen.",
    ),
    "ando_ki": Source(
        "Ando Ki's two neurons, 2-1-1", "ando_ki_neurons", "CHAIN", "CHAIN_X", "TARGET", "sigmoid", "half",
        "His a is h, his delta is dz; the slides give the rules without numbers, and these are chosen.",
    ),
    "banerjee": Source(
        "Banerjee's network, 2-5-1", "banerjee_network", "PARAMS", "X", "Y", "sigmoid", "half",
        "He has samples as columns and leaves his biases as they are; the slides give no weights, and these are "
        "chosen.",
    ),
    "eum": Source(
        "Eum's worked example, 2-2-2", "eum_worked", "PARAMS", "X", "TARGET", "sigmoid", "half",
        "His a is z and his z is h. The numbers on his slides belong to the network with its two hidden units "
        "exchanged; here are those of the network as he draws it.",
    ),
    "selker": Source(
        "Selker's Figure 4, 2-2-1", "selker", "FIGURE_4", "FIGURE_4_INPUT", "ZERO", "tanh", "half",
        "He has no biases. The text names no target for it; 0 is chosen.",
    ),
    "selker_12": Source(
        "Selker's Problem 12, the diamond, 1-2-1", "selker", "DIAMOND", "DIAMOND_INPUT", "ZERO", "tanh", "half",
        "He has no biases. Two paths lead from the input to the output, and their gradients are added.",
    ),
    "mazur": Source(
        "Mazur's example, 2-2-2", "mazur", "PARAMS", "X", "TARGET", "sigmoid", "half",
        "His w1 to w8 are W1_11, W1_12, W1_21, W1_22, W2_11, W2_12, W2_21, W2_22; his net is z, his out is h. He "
        "keeps the biases as they are; their gradients stand here all the same.",
    ),
    "scikit_learn": Source(
        "scikit-learn's test_fit, 3-2-1", "scikit_learn", "PARAMS", "X", "TARGET", "sigmoid", "binary_cross_entropy",
        "Its coefs_ are W transposed. The gradients are those of the log loss; scikit-learn adds alpha W to dW.",
    ),
}  # fmt: skip


def load_lecture(name: str) -> Example:
    """The worked example of that name of SOURCES."""
    source = SOURCES[name]
    script: Any = import_module(f"handgrad.lectures.{source.script}")
    params, x, t = (getattr(script, part) for part in (source.params, source.x, source.t))
    layers = [p for p in params if isinstance(p, dict) and p] or [{"W": W} for W in params]
    weights = [(p["W"], p.get("b")) for p in layers]
    return make_example(source.title, weights, x, t, source.activation, source.loss, source.note)
