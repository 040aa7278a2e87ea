"""verify_function on torch's own ways to write a backward pass: autograd.Function, modules, graphs that are cut."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from handgrad.judge.verdict import Verdict
from handgrad.subjects.function.verify import verify_function
from tests.handgrad.subjects.functions import AFFINE, RIGHT, affine, judged, refuted


class Forgets(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W, b):
        ctx.save_for_backward(x)
        return x @ W.T + b

    @staticmethod
    def backward(ctx, dy):
        return None, dy.T @ ctx.saved_tensors[0], None


class Detached(nn.Linear):
    def forward(self, x):
        return F.linear(x, self.weight.detach(), self.bias)


def test_torch_code_that_forgets_a_gradient():
    report = refuted(Forgets, None, F.linear, "the gradient is absent (None), and it is", [(5, 3), (4, 3), (4,)])
    wrong = {t.name for t in report.stages[0].isolated.tensors if t.verdict is Verdict.REFUTED}
    assert len(wrong) == 2
    report = refuted(Detached(3, 4), None, nn.Linear(3, 4), "dweight: the gradient is absent", [torch.randn(5, 3)])
    assert report.culprit.diagnosis.name == "the gradient is absent"


def test_a_wrong_gradient_beside_an_absent_one():
    report = judged(affine, lambda dy, c: (None, 2 * c[0].T @ dy, dy.sum(0)), RIGHT["affine"][2], AFFINE)
    wrong = {t.name for t in report.stages[0].isolated.tensors if t.verdict is Verdict.REFUTED}
    assert wrong == {"dx", "dw"}
    assert "dx: the gradient is absent" in report.stages[0].diagnosis.name


class Right(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W):
        y = torch.tanh(x @ W.T)
        ctx.save_for_backward(x, W, y)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, W, y = ctx.saved_tensors
        dz = dy * (1 - y * y)
        return dz @ W, dz.T @ x


class Wrong(Right):
    @staticmethod
    def backward(ctx, dy):
        x, W, y = ctx.saved_tensors
        dz = dy * (1 - y)
        return dz @ W, dz.T @ x


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_torch_function(dtype):
    generator = torch.Generator().manual_seed(0)
    x, W = (torch.randn(shape, generator=generator).to(dtype) for shape in ((5, 3), (4, 3)))
    reference = lambda x, W: torch.tanh(x @ W.T)  # noqa: E731
    right, wrong = (verify_function(f, reference=reference, inputs=[x, W], seed=0) for f in (Right, Wrong.apply))
    assert right.verdict is Verdict.CERTIFIED, right.text()
    assert wrong.verdict is Verdict.REFUTED, wrong.text()
    assert right.dtype == str(dtype).removeprefix("torch.")


def test_torch_function_from_shapes():
    reference = lambda x, W: torch.tanh(x @ W.T)  # noqa: E731
    report = verify_function(Right, reference=reference, inputs={"x": (5, 3), "W": (4, 3)}, seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert report.library == "torch"
    assert len(report.stages) > 8


def test_torch_code_given_as_two_functions():
    report = judged(
        lambda x: (torch.tanh(x), torch.tanh(x)),
        lambda dy, h: dy * (1 - h * h),
        torch.tanh,
        [torch.randn(3, 4).double()],
    )
    assert report.verdict is Verdict.CERTIFIED, report.text()
    drawn = judged(lambda x: (torch.tanh(x), torch.tanh(x)), lambda dy, h: dy * (1 - h * h), torch.tanh)
    assert (drawn.verdict, drawn.library) == (Verdict.CERTIFIED, "torch")


class Block(nn.Module):
    def __init__(self, tanh):
        super().__init__()
        self.linear, self.norm, self.tanh = nn.Linear(3, 4), nn.BatchNorm1d(4), tanh

    def forward(self, x):
        return self.tanh(self.norm(self.linear(x)))


class Tanh(torch.autograd.Function):
    slope = staticmethod(lambda y: 1 - y * y)

    @staticmethod
    def forward(ctx, x):
        y = torch.tanh(x)
        ctx.save_for_backward(y)
        return y

    @classmethod
    def backward(cls, ctx, dy):
        return dy * cls.slope(ctx.saved_tensors[0])


class BadTanh(Tanh):
    slope = staticmethod(lambda y: 1 - y)


def test_modules():
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(1))
    right, wrong, reference = Block(Tanh.apply), Block(BadTanh.apply), Block(torch.tanh)
    before = {k: v.clone() for k, v in right.state_dict().items()}
    report = verify_function(right, reference=reference, inputs=[x], seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert {t.name for t in report.stages[0].isolated.tensors} == {
        "y", "dx", "dlinear.weight", "dlinear.bias", "dnorm.weight", "dnorm.bias"
    }  # fmt: skip
    assert all(torch.equal(v, before[k]) for k, v in right.state_dict().items()), "the module judged was changed"
    assert verify_function(wrong, reference=reference, inputs=[x], seed=0).verdict is Verdict.REFUTED


def test_a_graph_that_is_cut():
    report = verify_function(lambda x: torch.tanh(x.detach()), reference=torch.tanh, inputs=[torch.randn(3)])
    assert report.verdict is Verdict.REFUTED
    assert "graph is cut" in report.text(width=10_000)


class Halves(torch.autograd.Function):
    @staticmethod
    def forward(x, weight):
        return x * weight / 2

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, dy):
        x, weight = ctx.saved_tensors
        return dy * weight / 2, dy * x / 2


@pytest.mark.parametrize(
    ("function", "reference", "names"),
    [
        (Right, lambda x, W: torch.tanh(x @ W.T), ["y", "dx", "dW"]),
        (Right.apply, lambda x, W: torch.tanh(x @ W.T), ["y", "dx", "dW"]),
        (Halves, lambda x, weight: x * weight / 2, ["y", "dx", "dweight"]),
    ],
)
def test_gradients_are_named_after_the_arguments_of_the_functions_forward(function, reference, names):
    report = verify_function(function, reference=reference, inputs=[(4, 4), (4, 4)], seed=0)
    assert report.verdict is Verdict.CERTIFIED, report.text()
    assert [t.name for t in report.stages[0].isolated.tensors] == names
    with pytest.raises(TypeError, match=r"inputs: got 1 \(x\), but forward takes \(x, (W|weight)\)"):
        verify_function(function, reference=lambda x: x, inputs=[(4, 4)])


def test_a_module_with_integer_inputs_alone_has_parameters_to_judge():
    class Table(nn.Embedding):
        def forward(self, ids):
            return self.weight[ids]

    class Forgetful(nn.Embedding):
        def forward(self, ids):
            return self.weight[ids] * 2 - self.weight[ids].detach()

    ids, reference = torch.tensor([2, 0, 2, 4]), nn.Embedding(5, 3)
    assert judged(Table(5, 3), None, reference, [ids]).verdict is Verdict.CERTIFIED
    refuted(Forgetful(5, 3), None, reference, "dweight", [ids])
