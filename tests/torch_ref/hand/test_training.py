"""HandModule in a training loop: every optimizer of torch, and what it says of bad input."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import manual
from tests.torch_ref.hand.networks import LOSS, batch, pair
from torch_ref import HandModule, twin

OPTIMIZERS = sorted(
    name
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer
)
OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
    "LBFGS": {"lr": 0.5, "max_iter": 5},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_of_torch(name: str) -> None:
    """The same steps as on the twin; LBFGS, which multiplies every rounding, fewer of them."""
    x, labels = batch()
    ends = []
    for module, E in (
        (hand := pair(loss=LOSS)[0], lambda: hand(x, labels)),
        (auto := pair()[1], lambda: twin(LOSS)(auto(x), labels)),
    ):
        params = [p for p in module.parameters() if p.ndim == 2 or name != "Muon"]  # which takes matrices only
        if name == "SparseAdam":
            pytest.skip("SparseAdam takes sparse gradients, which no layer here gives")
        optimizer = getattr(torch.optim, name)(params, **OPTIONS.get(name, {}))

        def closure() -> Any:
            optimizer.zero_grad()  # noqa: B023
            value = E()  # noqa: B023
            value.backward()
            return value

        for _ in range(2 if name == "LBFGS" else 10):
            optimizer.step(closure)
        ends.append([p.detach() for p in module.parameters()])
    start = list(pair()[1].parameters())
    assert not torch.equal(ends[0][0], start[0])
    assert_close(*ends, rtol=1e-7, atol=1e-9)


BAD: list[tuple[Any, str]] = [
    (lambda h, x, t: h(x[:, :5], t), r"x: shape is \(7, 5\), expected \(N, 6\) for Linear"),
    (lambda h, x, t: h(x.float(), t), r"x: is torch.float32, but the parameters are torch.float64; convert"),
    (lambda h, x, t: h(x.to("meta"), t), r"x: is on meta, but the parameters are on cpu; move one of them"),
    (lambda h, x, t: h(x[None], t), r"x: shape is \(1, 7, 6\), expected \(N, 6\) with a loss; reshape"),
    (lambda h, x, t: h(x, t.double().requires_grad_()), r"target: requires a gradient, .* detach\(\) it"),
    (
        lambda h, x, t: HandModule(manual.Network(h.layers)).double()(x, t),
        r"target: given, but this HandModule has no loss",
    ),
    (lambda h, x, t: h(x, t[:, None]), r"target: shape is \(7, 1\), expected \(7,\) for SoftmaxCrossEntropy"),
    (lambda h, x, t: h(x, t[:1]), r"target: shape is \(1,\), expected \(7,\)"),
    (lambda h, x, t: h(x, torch.rand(7, 1).double()), r"target: shape is \(7, 1\), expected \(7, 3\)"),
    (lambda h, x, t: h(x, t.to("meta")), r"target: is on meta, but x is on cpu; move one of them"),
    (lambda h, x, t: HandModule(manual.MeanSquaredError())(x[:, :1], x[:, 0]), r"shape is \(7,\), expected \(7, 1\)"),
    (
        lambda h, x, t: HandModule(manual.SoftmaxCrossEntropy(class_weights=(1.0, 2.0)))(x[:, :3], t),
        r"class_weights: 2 of them, expected 3, one per class",
    ),
    (lambda h, x, t: HandModule(manual.MeanSquaredError())(x), r"target: is missing"),
]


@pytest.mark.parametrize(("call", "message"), BAD, ids=[message[:30] for _, message in BAD])
def test_bad_input_is_named(call: Any, message: str) -> None:
    hand, _ = pair(loss=LOSS)
    with pytest.raises(ValueError, match=message):
        call(hand, *batch())


@pytest.mark.parametrize("label", [-100, 3])
def test_labels_out_of_range(label: int) -> None:
    hand, _ = pair(loss=LOSS)
    x, labels = batch()
    labels[2] = label
    with pytest.raises(RuntimeError, match="target: has labels outside 0 to 2, expected one of 3 classes"):
        hand(x, labels)


def test_a_norm_takes_rows_only_and_a_single_sample_has_no_variance() -> None:
    norm = HandModule(manual.BatchNorm1d(3))
    with pytest.raises(ValueError, match=r"expected \(N, 3\) with a batch norm"):
        norm(torch.randn(2, 4, 3))
    with pytest.raises(ValueError, match="1 sample, expected 2 or more"):
        norm(torch.randn(1, 3))


def test_only_tensors_and_losses_are_taken() -> None:
    with pytest.raises(TypeError, match=r"x: is a ndarray, expected a torch\.Tensor; torch\.as_tensor makes one"):
        HandModule(manual.Linear(2, 3))(torch.zeros(1, 2).numpy())
    with pytest.raises(TypeError, match="loss: got ReLU, expected a loss"):
        HandModule(manual.Linear(2, 3), manual.ReLU())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: HandModule(nn.Linear(2, 3)), "got torch's Linear, expected manual.Linear; its weights .* from_torch"),
        (lambda: HandModule(nn.Sequential(nn.Linear(2, 3))), "got torch's Sequential, expected manual.Network; its"),
        (lambda: HandModule(manual.Linear(2, 3), nn.MSELoss()), "got torch's MSELoss, expected manual.MeanSquaredErr"),
        (lambda: HandModule(nn.Conv1d(2, 3, 1)), "no PyTorch twin for Conv1d; there are twins for Network, BatchNorm"),
        (lambda: HandModule([manual.Linear(2, 3)]), r"got a list, expected one thing; manual\.Network\(\(first, sec"),
    ],
)
def test_only_what_has_a_twin(make: Callable[[], HandModule], words: str) -> None:
    with pytest.raises(TypeError, match=f"subject: {words}"):
        make()
