"""Every twin against torch's own module, values and gradients, on ordinary numbers in float64 with random upstream."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import manual
import torch_ref

REDUCTIONS = ("sum", "mean", "batch mean")
WEIGHTS = [0.5, 2.0, 1.0, 0.1, 1.7]

ACTIVATIONS = [
    (torch_ref.Identity(), nn.Identity()),
    (torch_ref.Sigmoid(), nn.Sigmoid()),
    (torch_ref.Tanh(), nn.Tanh()),
    (torch_ref.ReLU(), nn.ReLU()),
    (torch_ref.LeakyReLU(), nn.LeakyReLU()),
    (torch_ref.LeakyReLU(0.3), nn.LeakyReLU(0.3)),
    (torch_ref.Softplus(), nn.Softplus(threshold=40)),
    (torch_ref.SiLU(), nn.SiLU()),
    (torch_ref.GELU(), nn.GELU()),
    (torch_ref.GELUTanh(), nn.GELU(approximate="tanh")),
    (torch_ref.Softmax(), nn.Softmax(dim=1)),
]


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def results(f: Callable[[Tensor], Tensor], x: Tensor, params: Any = ()) -> tuple[Tensor, ...]:
    """The value and, for a random upstream gradient, the gradients with respect to x and the parameters."""
    x = x.clone().requires_grad_()
    y = f(x)
    return y.detach(), *torch.autograd.grad(y, [x, *params], draw(99, *y.shape))


def same(found: tuple[Tensor, ...], expected: tuple[Tensor, ...]) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("ours", "theirs"), ACTIVATIONS, ids=lambda module: type(module).__name__)
def test_activations(ours: nn.Module, theirs: nn.Module) -> None:
    z = 2 * draw(0, 7, 5)
    z[0] = 0.0  # the kink, where there is one
    same(results(ours, z), results(theirs, z))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (torch_ref.Linear(4, 3), nn.Linear(4, 3)),
        (torch_ref.Linear(4, 3, bias=False), nn.Linear(4, 3, bias=False)),
        (torch_ref.LayerNorm(4, eps=1e-3), nn.LayerNorm(4, eps=1e-3)),
    ],
    ids=("linear", "linear without bias", "layer norm"),
)
def test_layers_with_parameters(ours: nn.Module, theirs: nn.Module) -> None:
    for i, p in enumerate(theirs.double().parameters()):
        p.data = draw(i, *p.shape)
    ours.double().load_state_dict(theirs.state_dict(), strict=True)
    x = draw(9, 6, 4)
    same(results(ours, x, ours.parameters()), results(theirs, x, theirs.parameters()))


def test_masked_linear_is_linear_with_the_masked_weight() -> None:
    mask = np.array([[1, 0, 1], [0, 1, 1]])
    ours, theirs = torch_ref.Linear(3, 2, mask=mask).double(), nn.Linear(3, 2).double()
    M = torch.tensor(mask)
    theirs.weight.data, theirs.bias.data = ours.weight.detach() * M, ours.bias.detach()
    y, dx, dW, db = results(theirs, draw(1, 5, 3), theirs.parameters())
    same(results(ours, draw(1, 5, 3), ours.parameters()), (y, dx, dW * M, db))
    assert list(ours.state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize("momentum", [0.1, 0.7])
def test_batch_norm_in_training_and_evaluation(momentum: float) -> None:
    ours, theirs = torch_ref.BatchNorm1d(4, 1e-3, momentum).double(), nn.BatchNorm1d(4, 1e-3, momentum).double()
    for i, p in enumerate(theirs.parameters()):
        p.data = draw(i, 4)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for seed in range(3):
        x = 3 * draw(seed, 6, 4) + 1
        same(results(ours, x, ours.parameters()), results(theirs, x, theirs.parameters()))
    same(tuple(ours.buffers()), tuple(theirs.buffers()))
    ours.eval(), theirs.eval()
    same(results(ours, x, ours.parameters()), results(theirs, x, theirs.parameters()))
    assert int(ours.num_batches_tracked) == 3


def test_batch_norm_with_given_statistics_leaves_its_own_alone() -> None:
    ours, theirs = torch_ref.BatchNorm1d(4).double(), nn.BatchNorm1d(4).double().eval()
    theirs.running_mean, theirs.running_var = draw(1, 4), draw(2, 4) ** 2
    x, before = draw(3, 5, 4), {k: v.clone() for k, v in ours.state_dict().items()}
    running = manual.Running(theirs.running_mean, theirs.running_var)
    same(results(lambda x: ours(x, running), x), results(theirs, x))
    assert all(torch.equal(before[key], value) for key, value in ours.state_dict().items())


def test_batch_norm_refuses_to_train_on_one_sample() -> None:
    with pytest.raises(ValueError, match="1 sample"):
        torch_ref.BatchNorm1d(3)(torch.randn(1, 3))


def test_dropout() -> None:
    x, mask = draw(0, 6, 5), (draw(1, 6, 5) > 0).double()
    ours, theirs = torch_ref.Dropout(0.2), nn.Dropout(0.2)
    same(results(lambda x: ours(x, mask), x), results(lambda x: x * mask / 0.8, x))
    drawn = []
    for module in (ours, theirs):
        torch.manual_seed(5)
        drawn.append(results(module, x))
    same(*drawn)
    assert torch.equal(ours.eval()(x), x)


def reduced(reduction: str, total: Callable[[str], Tensor], N: int) -> Tensor:
    """torch knows "sum" and "mean"; the mean over the batch is the sum divided by N."""
    return total("sum") / N if reduction == "batch mean" else total(reduction)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_squared_errors(reduction: Any) -> None:
    y, t = draw(0, 6, 3), draw(1, 6, 3)
    for cls, factor in (
        (torch_ref.SquaredError, 1.0),
        (torch_ref.HalfSquaredError, 0.5),
        (torch_ref.MeanSquaredError, 1.0),
    ):
        theirs = lambda y, c=factor: c * reduced(reduction, lambda r: nn.MSELoss(reduction=r)(y, t), 6)  # noqa: E731
        same(results(lambda y, cls=cls: cls(reduction)(y, t), y), results(theirs, y))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy(reduction: Any) -> None:
    z, t = 3 * draw(0, 6, 3), torch.sigmoid(draw(1, 6, 3))
    theirs = lambda z: reduced(reduction, lambda r: nn.BCEWithLogitsLoss(reduction=r)(z, t), 6)  # noqa: E731
    same(results(lambda z: torch_ref.BinaryCrossEntropy(reduction)(z, t), z), results(theirs, z))


def cross_entropies() -> Iterator[Any]:
    for reduction in REDUCTIONS:
        for smoothing in (0.0, 0.1):
            for weights in (None, WEIGHTS):
                for kind in ("indices", "probabilities"):
                    yield pytest.param(reduction, smoothing, weights, kind)


@pytest.mark.parametrize(("reduction", "smoothing", "weights", "kind"), list(cross_entropies()))
def test_softmax_cross_entropy(reduction: Any, smoothing: float, weights: list[float] | None, kind: str) -> None:
    z = 3 * draw(0, 6, 5)
    t = torch.tensor([0, 4, 2, 1, 1, 3]) if kind == "indices" else torch.softmax(draw(1, 6, 5), 1)
    w = None if weights is None else torch.tensor(weights, dtype=torch.float64)

    def theirs(z: Tensor) -> Tensor:
        return reduced(reduction, lambda r: nn.CrossEntropyLoss(w, reduction=r, label_smoothing=smoothing)(z, t), 6)

    ours = torch_ref.SoftmaxCrossEntropy(reduction, smoothing, weights)
    same(results(lambda z: ours(z, t), z), results(theirs, z))


@pytest.mark.parametrize(
    ("ours", "f"), [(torch_ref.BinaryStep(), lambda z: (z > 0) * 1.0), (torch_ref.Sign(), torch.sign)]
)
def test_steps_can_be_evaluated_but_refuse_a_gradient(ours: nn.Module, f: Callable[[Tensor], Tensor]) -> None:
    z = torch.tensor([[-2.0, 0.0, 3.0]], requires_grad=True)
    h = ours(z)
    assert torch.equal(h.detach(), f(z.detach()))
    assert torch.equal(ours(z.detach()), h.detach())
    with pytest.raises(manual.NotDifferentiableError, match=f"{type(ours).__name__} is not differentiable"):
        h.sum().backward()


@pytest.mark.parametrize("loss", [torch_ref.SquaredError(), torch_ref.BinaryCrossEntropy()])
def test_losses_refuse_to_broadcast(loss: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"target: shape is \(6,\), expected \(6, 1\)"):
        loss(torch.zeros(6, 1), torch.zeros(6))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torch_ref.Linear(0, 3), "Linear: n_in is 0, expected a whole number, 1 or more"),
        (lambda: torch_ref.Linear(2, 3, mask=[[1, 0]]), r"mask has shape \(1, 2\), expected"),
        (lambda: torch_ref.Dropout(1.0), "Dropout: p is 1.0, expected a number"),
        (lambda: torch_ref.SquaredError("average"), "unknown reduction 'average'"),  # type: ignore[arg-type]
        (lambda: torch_ref.BinaryCrossEntropy("average"), "unknown reduction 'average'"),  # type: ignore[arg-type]
        (lambda: torch_ref.SoftmaxCrossEntropy(label_smoothing=2.0), "label_smoothing is 2.0, expected a number"),
    ],
)
def test_constructors_refuse_what_manual_refuses(make: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_sigmoids_gradient_is_torchs_to_the_last_bit(dtype: torch.dtype) -> None:
    h, dh = torch.rand(1000, 37, dtype=dtype), torch.randn(1000, 37, dtype=dtype)
    ours = manual.Sigmoid().backward({}, manual.Sigmoid().forward({}, h)[1]._replace(h=h), dh)[0]
    assert torch.equal(ours, torch.ops.aten.sigmoid_backward(dh, h))
