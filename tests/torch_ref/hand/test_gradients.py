"""HandModule gives autograd's values and gradients: every layer, every loss, whole networks; no needless work."""

import dataclasses
from typing import Any

import pytest
import torch
from torch.testing import assert_close

import manual
from manual.layers.activations import DIFFERENTIABLE
from tests.torch_ref.hand.networks import EVERY_KIND, LOSS, batch, gradients, pair
from torch_ref import HandModule, to_torch, twin

ELEMENTWISE = [*map(manual.activation, DIFFERENTIABLE), manual.LeakyReLU(0.2)]
LAYERS = [
    manual.Linear(6, 4), manual.Linear(6, 4, bias=False), manual.LayerNorm(6), manual.BatchNorm1d(6), manual.Softmax(),
    *ELEMENTWISE,
]  # fmt: skip
LOSSES = [
    manual.SquaredError("batch mean"), manual.HalfSquaredError(), manual.MeanSquaredError(),
    manual.BinaryCrossEntropy(), manual.SoftmaxCrossEntropy(), LOSS,
    manual.SoftmaxCrossEntropy(class_weights=(1.0, 2.0, 0.5)), manual.SoftmaxCrossEntropy("sum"),
]  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: repr(layer)[:30])
def test_a_layer(layer: manual.Layer) -> None:
    torch.manual_seed(0)
    hand = HandModule(layer).double()
    auto = twin(layer).double()
    auto.load_state_dict(hand.state_dict())
    x = torch.randn(5, 6, dtype=torch.float64)
    dy = torch.randn_like(hand(x).detach())
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    outputs = [module(x) for module, x in zip((hand, auto), inputs, strict=True)]
    assert_close(outputs[0], outputs[1])
    for y in outputs:
        y.backward(dy)
    assert_close([inputs[0].grad, *gradients(hand)], [inputs[1].grad, *gradients(auto)], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: repr(loss)[:40])
def test_a_network_with_its_loss(loss: manual.Loss) -> None:
    hand, auto = pair(loss=loss)
    x, labels = batch()
    target = labels if isinstance(loss, manual.SoftmaxCrossEntropy) else torch.rand(7, 3, dtype=torch.float64)
    inputs = [x.clone().requires_grad_() for _ in range(2)]
    upstream = torch.tensor(-1.7, dtype=torch.float64)
    values = [hand(inputs[0], target), twin(loss)(auto(inputs[1]), target)]
    assert_close(values[0], values[1])
    for value in values:
        value.backward(upstream)
    assert_close([inputs[0].grad, *gradients(hand)], [inputs[1].grad, *gradients(auto)], rtol=1e-12, atol=1e-14)


def test_every_kind_of_layer_in_training_and_in_evaluation() -> None:
    """Dropout draws the mask that nn.Dropout draws, batch norm moves the statistics that nn.BatchNorm1d moves."""
    hand, auto = pair(EVERY_KIND, LOSS, torch.float32)
    x, labels = batch(dtype=torch.float32)
    for _ in range(3):
        for module, value in ((hand, lambda: hand(x, labels)), (auto, lambda: twin(LOSS)(auto(x), labels))):
            module.zero_grad()
            torch.manual_seed(5)
            value().backward()
        assert_close(gradients(hand), gradients(auto))
        assert_close(dict(hand.state_dict()), dict(auto.state_dict()))
    hand.eval(), auto.eval()
    before = {name: value.clone() for name, value in hand.state_dict().items()}
    assert_close(hand(x), auto(x))
    assert_close(dict(hand.state_dict()), before, rtol=0, atol=0)


def test_frozen_parameters_and_inputs_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no gradient gets none, and stages below the lowest that needs one are not even entered."""
    hand, _ = pair(loss=LOSS)
    asked: list[tuple[int, Any]] = []
    backward = manual.Linear.backward

    def watched(self: Any, params: Any, cache: Any, dz: Any, **needs: Any) -> Any:
        found = backward(self, params, cache, dz, **needs)
        asked.append((self.n_in, (found[0] is not None, sorted(found[1]))))
        return found

    monkeypatch.setattr(manual.Linear, "backward", watched)
    hand = HandModule(manual.Network(hand.layers), LOSS).double()
    x, labels = batch()
    states = [None] * len(hand.layers)  # so that the program runs, not a straight line
    hand(x, labels, states).backward()
    assert asked == [(4, (True, ["dW", "db"])), (5, (True, ["dW", "db"])), (6, (False, ["dW", "db"]))]
    asked.clear()
    hand.zero_grad()
    hand.get_parameter("0.weight").requires_grad_(False)
    hand.get_parameter("0.bias").requires_grad_(False)
    hand.get_parameter("2.weight").requires_grad_(False)
    hand(x, labels, states).backward()
    assert asked == [(4, (True, ["dW", "db"])), (5, (False, ["db"]))]
    assert [name for name, p in hand.named_parameters() if p.grad is not None] == ["2.bias", "4.weight", "4.bias"]
    asked.clear()
    for p in hand.parameters():
        p.requires_grad_(False)
    assert not hand(x, labels, states).requires_grad
    hand(x.requires_grad_(), labels, states).backward()
    assert asked == [(4, (True, [])), (5, (True, [])), (6, (True, []))]


def test_inputs_of_any_layout_and_with_leading_dimensions() -> None:
    torch.manual_seed(0)
    hand = HandModule(manual.mlp([4, 3, 2], "relu")).double()
    plain = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2)).double()
    plain.load_state_dict(hand.state_dict())
    for x in (torch.randn(2, 5, 4), torch.randn(4), torch.randn(4, 6).T, torch.randn(6, 8)[:, ::2], torch.randn(0, 4)):
        inputs = [x.double().requires_grad_() for _ in range(2)]
        dy = torch.randn_like(plain(inputs[1]))
        for module, given in ((hand, inputs[0]), (plain, inputs[1])):
            module.zero_grad()
            y = module(given)
            assert y.shape == dy.shape
            y.backward(dy)
        assert_close([inputs[0].grad, *gradients(hand)], [inputs[1].grad, *gradients(plain)], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("loss", [manual.MeanSquaredError(), manual.BinaryCrossEntropy(), manual.SoftmaxCrossEntropy()])
@pytest.mark.parametrize("apart", [False, True])
def test_a_target_of_a_higher_precision(loss: manual.Loss, apart: bool) -> None:
    """The loss takes the target's precision, the gradients keep the parameters', as with torch's own modules."""
    hand, auto = pair(loss=None if apart else loss, dtype=torch.float32)
    x, _ = batch(dtype=torch.float32)
    target = torch.softmax(torch.randn(7, 3, dtype=torch.float64), 1)
    E = HandModule(loss)(hand(x), target) if apart else hand(x, target)
    expected = twin(loss)(auto(x), target)
    assert E.dtype == expected.dtype
    assert_close(E, expected)
    E.backward(), expected.backward()
    assert_close(gradients(hand), gradients(auto))


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), (0, 3)])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_losses_of_all_elements_alike_take_any_rank(shape: tuple[int, ...], reduction: Any) -> None:
    y, target = torch.randn(shape, dtype=torch.float64), torch.rand(shape, dtype=torch.float64)
    for loss, plain in (
        (manual.MeanSquaredError(reduction), torch.nn.MSELoss(reduction=reduction)),
        (manual.BinaryCrossEntropy(reduction), torch.nn.BCEWithLogitsLoss(reduction=reduction)),
    ):
        given = [y.clone().requires_grad_() for _ in range(2)]
        values = [module(a, target) for module, a in zip((HandModule(loss), plain), given, strict=True)]
        assert_close(*values, equal_nan=True)
        for value in values:
            value.backward()
        assert_close(given[0].grad, given[1].grad)


def test_a_network_with_its_loss_and_leading_dimensions() -> None:
    hand, auto = pair(loss=manual.MeanSquaredError())
    x, target = torch.randn(2, 4, 6, dtype=torch.float64), torch.randn(2, 4, 3, dtype=torch.float64)
    hand(x, target).backward()
    torch.nn.functional.mse_loss(auto(x), target).backward()
    assert_close(gradients(hand), gradients(auto))
    with pytest.raises(ValueError, match=r"target: shape is \(8, 3\), expected \(2, 4, 3\)"):
        hand(x, target.reshape(8, 3))
    with pytest.raises(ValueError, match=r"expected \(N, 6\) with a loss; reshape"):
        HandModule(manual.mlp([6, 3]), manual.MeanSquaredError("batch mean")).double()(x, target)


def test_softmax_over_the_last_dimension() -> None:
    x = torch.randn(2, 3, 6)
    assert_close(HandModule(manual.Softmax())(x), twin(manual.Softmax())(x))


def test_what_changes_nothing_still_gives_a_tensor_of_its_own() -> None:
    x = torch.randn(3, 4, requires_grad=True)
    for module in (HandModule(manual.Identity()), HandModule(manual.Dropout()).eval()):
        y = module(x)
        before = x.detach().clone()
        y.mul_(2)
        assert_close(x.detach(), before, rtol=0, atol=0)
        assert_close(torch.autograd.grad(y.sum(), x)[0], torch.full_like(x, 2))


@pytest.mark.parametrize("kind", [manual.BinaryStep, manual.Sign])
def test_what_has_no_derivative_says_so(kind: type[manual.BinaryStep]) -> None:
    y = HandModule(kind())(torch.randn(3, 4, requires_grad=True))
    with pytest.raises(manual.NotDifferentiableError):
        y.sum().backward()


def test_nothing_passed_in_is_changed() -> None:
    hand, _ = pair(loss=LOSS)
    x, labels = batch()
    before = [t.clone() for t in (x, labels, *hand.parameters())]
    hand(x, labels).backward()
    assert_close([x, labels, *hand.parameters()], before, rtol=0, atol=0, check_stride=False)


def test_the_weights_of_a_manual_network_load_as_they_are() -> None:
    network = manual.mlp([4, 3, 2], "sigmoid")
    hand = HandModule(network).double()
    hand.load_state_dict(to_torch(network, network.init(7)))
    x = torch.randn(5, 4, dtype=torch.float64)
    assert_close(hand(x).detach().numpy(), network.forward(network.init(7), x.numpy())[0])


@dataclasses.dataclass(frozen=True)
class WrongTanh(manual.Tanh):
    """The square is missing."""

    def backward(self, params: Any, cache: Any, dh: Any) -> Any:
        return dh * (1 - cache.h), {}


def test_the_gradient_is_the_one_written_by_hand() -> None:
    """A wrong backward pass gives wrong gradients: autograd has no hand in it."""
    right, wrong = (HandModule(manual.Network((manual.Linear(3, 2), tanh))) for tanh in (manual.Tanh(), WrongTanh()))
    wrong.load_state_dict(right.state_dict())
    x = torch.randn(4, 3)
    for module in (right, wrong):
        module(x).sum().backward()
    assert not torch.allclose(gradients(right)[0], gradients(wrong)[0])
