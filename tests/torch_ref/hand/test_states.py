"""HandModule's `states`: a mask or running statistics per layer, as the twin's Chain takes them."""

from typing import Any

import pytest
import torch

import manual
from torch_ref import HandModule, twin

NETWORK = manual.Network(
    (manual.Linear(6, 5), manual.BatchNorm1d(5), manual.Dropout(0.4), manual.Linear(5, 4), manual.BatchNorm1d(4))
)


def pair() -> tuple[Any, Any]:
    hand, auto = HandModule(NETWORK).double(), twin(NETWORK).double()
    auto.load_state_dict(hand.state_dict())
    return hand, auto


def states(*which: int) -> list[Any]:
    torch.manual_seed(1)
    mask = torch.rand(7, 5, dtype=torch.float64).gt(0.4).double()
    given = {2: mask}
    for i, n in ((1, 5), (4, 4)):
        given[i] = manual.Running(torch.randn(n).double(), torch.rand(n).double() + 0.5)  # type: ignore[assignment]
    return [given[i] if i in which else None for i in range(5)]


@pytest.mark.parametrize("which", [(2,), (1, 2), (2, 4), (1, 2, 4)])
def test_states_do_what_they_do_for_the_twin(which: tuple[int, ...]) -> None:
    """Outputs, gradients, and running statistics of those batch norms, and only those, that saw the batch."""
    hand, auto = pair()
    x, dy = torch.randn(7, 6, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    for module in (hand, auto):
        module(x, states=states(*which)).backward(dy)
    assert torch.allclose(hand(x, states=states(*which)), auto(x, states(*which)), rtol=0, atol=1e-12)
    for (name, p), q in zip(hand.named_parameters(), auto.parameters(), strict=True):
        assert torch.allclose(p.grad, q.grad, rtol=0, atol=1e-12), name
    for (name, a), b in zip(hand.named_buffers(), auto.buffers(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12), name
    still = [i for i in (1, 4) if i in which]
    assert all(hand.get_buffer(f"{i}.num_batches_tracked") == 0 for i in still)
    assert all(hand.get_buffer(f"{i}.num_batches_tracked") == 2 for i in (1, 4) if i not in which)


def test_states_reach_a_loss_and_a_network_without_any() -> None:
    loss = manual.MeanSquaredError()
    net = manual.mlp([3, 2], "tanh")
    module, x = HandModule(net, loss), torch.randn(4, 3)
    assert torch.equal(module(x, torch.zeros(4, 2), [None]), module(x, torch.zeros(4, 2)))
    single, mask = HandModule(manual.Dropout(0.5)), torch.tensor([[1.0, 0.0, 1.0]])
    assert torch.equal(single(torch.ones(1, 3), states=[mask]), 2 * mask)
    assert torch.equal(single.eval()(torch.ones(1, 3), states=[mask]), 2 * mask)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([None] * 4, "states: 4 entries, expected 5, one per layer"),
        ([None, None, torch.ones(7, 4), None, None], r"states\[2\]: got \[\(7, 4\)\], expected .*\[\(7, 5\)\]"),
        ([torch.ones(7, 6), None, None, None, None], r"states\[0\]: got \[\(7, 6\)\], expected tensors of shapes \[\]"),
        ([None, torch.ones(5), None, None, None], r"states\[1\]: got \[\(5,\)\], expected .*\[\(5,\), \(5,\)\]"),
        ([None, None, 3, None, None], r"states\[2\]: got \['int'\]"),
    ],
)
def test_states_that_do_not_fit(given: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pair()[0](torch.zeros(7, 6, dtype=torch.float64), states=given)
