"""Every layer, every loss and whole networks against autograd of plain torch functions, with random upstream gradients.

How a result is judged stands in conftest.py under THE RULE.
"""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import manual
from manual.layers.activations import DIFFERENTIABLE


def test_layer(layer_case: Any, dtype: str, tools: Any) -> None:
    for example in tools.examples(layer_case, dtype):
        tools.compare(tools.hand(*example), tools.auto(layer_case, example), *example[1:], dtype=dtype)


def test_loss(loss_case: Any, dtype: str, tools: Any) -> None:
    for example in tools.examples(loss_case, dtype):
        tools.compare(tools.hand(*example), tools.auto(loss_case, example), *example[1:], dtype=dtype)


def case_of(name: str, cases: Any) -> Any:
    return next(case for case in cases if case.name == name)


def by_hand(layers: Any, params: Any, x: Any, target: Any, loss: Any, states: Any) -> dict[str, Any]:
    p = manual.gradients(manual.Network(layers), params, x, target, loss, states=states)
    return {"loss": p["loss"], "dx": p["dx"], **{f"{i} {k}": g for i, d in enumerate(p.dparams) for k, g in d.items()}}


def by_autograd(cases: Any, layers: Any, params: Any, x: Any, target: Any, loss: Any, states: Any, tools: Any) -> Any:
    """Gradients, and every quantity between: what passes through a network counts among its magnitudes."""
    params, x, target, states = tools.each(torch.tensor, tools.cast((params, x, target, tuple(states)), "float64"))
    leaves = {"dx": x} | {f"{i} d{name}": p for i, d in enumerate(params) for name, p in d.items()}
    for leaf in leaves.values():
        leaf.requires_grad_()
    between = [x]
    for case, layer, p, state in zip(cases, layers, params, states, strict=False):
        between.append(case.reference(layer, p, between[-1], *(() if state is None else (state,))))
    E = cases[-1].reference(loss, between[-1], target)
    gradients = torch.autograd.grad(E, [*leaves.values(), *between], retain_graph=True)
    arrays = tools.each(lambda a: a.detach().numpy(), (E, *gradients, *between))
    return dict(zip(["loss", *leaves], arrays, strict=False)), arrays


def check_network(cases: Any, N: int, widths: Any, dtype: str, tools: Any, seed: int = 0, scale: float = 1.0) -> float:
    """A chain of layer cases that ends with a loss case; widths has n_in and n_out of each."""
    rng = np.random.default_rng(seed)
    layers = tuple(case.make(*width) for case, width in zip(cases[:-1], widths, strict=True))
    params = tuple({k: scale * rng.normal(size=s) for k, s in layer.param_shapes.items()} for layer in layers)
    states = [next(iter(case.state(rng, N, n_in)), None) for case, (n_in, _) in zip(cases[:-1], widths, strict=True)]
    n_out = widths[-1][1]
    x, target = rng.normal(size=(N, widths[0][0])), cases[-1].target(rng, N, n_out)
    params, x, target, states = tools.cast((params, x, target, tuple(states)), dtype)
    arguments = (layers, params, x, target, cases[-1].make(n_out), states)
    truth, between = by_autograd(cases, *arguments, tools)
    return tools.compare(by_hand(*arguments), truth, params, between, dtype=dtype)


@pytest.mark.parametrize("activation", DIFFERENTIABLE)
def test_network_of_every_activation_and_loss(activation: str, loss_case: Any, dtype: str, tools: Any) -> None:
    linear, hidden = case_of("linear", tools.LAYERS), case_of(activation, tools.LAYERS)
    for N, n_in, n_out in tools.SIZES:
        widths = ((n_in, n_out), (n_out, n_out), (n_out, n_in))
        check_network((linear, hidden, linear, loss_case), N, widths, dtype, tools)


@given(data=st.data(), N=st.integers(2, 6), seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([0.1, 0.5, 1.0]))
def test_random_networks(data: Any, N: int, seed: int, scale: float, tools: Any) -> None:
    cases = data.draw(st.lists(st.sampled_from(tools.LAYERS), min_size=1, max_size=5))
    # The condition of a norm grows without limit where what it divides by the spread of is close together.
    cases = [case for case in cases if case.name not in ("batch_norm", "layer_norm")]
    cases = [case_of("linear", tools.LAYERS), *cases, data.draw(st.sampled_from(tools.LOSSES))]
    width, widths = data.draw(st.integers(1, 5)), []
    for case in cases[:-1]:
        n_out = data.draw(st.integers(1, 5)) if case.name.startswith("linear") else width
        widths.append((width, n_out))
        width = n_out
    check_network(cases, N, widths, "float64", tools, seed, scale)
