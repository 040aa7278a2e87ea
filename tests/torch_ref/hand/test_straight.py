"""The straight line of a HandModule: each fused entry is its formula, the line gives what the program gives."""

import copy
import pickle
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import forward_ad
from torch.testing import assert_close

import manual
from manual.layers.activations import DIFFERENTIABLE
from tests.torch_ref.idioms.setting import hand as of_the_idioms
from torch_ref import HandModule
from torch_ref.hand.function import apply
from torch_ref.hand.fused import LAYERS, FusedLayer, as_written, fused_layer, fused_loss

ACTIVATIONS = [manual.activation(name) for name in DIFFERENTIABLE if name != "identity"]
LOSSES = {manual.MeanSquaredError: (7, 3), manual.SoftmaxCrossEntropy: (7,)}
SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-300, 30.0, -30.0, 1e4, -1e4]


def fused(layer: manual.Layer) -> FusedLayer:
    found = fused_layer(layer)
    assert found is not None
    return found


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_an_activation_is_its_formula(layer: Any) -> None:
    entry = fused(layer)
    z = torch.cat([torch.tensor(SPECIAL), torch.randn(91)]).double().reshape(10, 10)
    dh = torch.randn_like(z)
    h, cache = layer.forward({}, z)
    dz, _ = layer.backward({}, cache, dh)
    got = entry.forward(z)
    assert_close(got, h, rtol=1e-14, atol=0)
    assert_close(entry.backward(dh, z if entry.caches == "x" else got), dz, rtol=1e-13, atol=1e-300)  # type: ignore[misc]
    if entry.in_place is not None:
        own = z.clone()
        assert entry.in_place(own) is own
        assert_close(own, got, rtol=0, atol=0)


def test_the_linear_layer_is_its_formula() -> None:
    x, W, b = torch.randn(5, 4).double(), torch.randn(3, 4).double(), torch.randn(3).double()
    z, _ = manual.Linear(4, 3).forward({"W": W, "b": b}, x)
    assert_close(fused(manual.Linear(4, 3)).forward(x, W, b), z, rtol=1e-14, atol=1e-15)
    assert fused_layer(manual.Linear(2, 1, mask=[[1, 0]])) is None


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_is_its_formula(kind: Any) -> None:
    y, dE = 3 * torch.randn(7, 3).double(), torch.tensor(-1.7).double()
    target = torch.randint(3, (7,)) if LOSSES[kind] == (7,) else torch.randn(7, 3).double()
    entry = fused_loss(kind(), target)
    assert entry is not None
    E, cache = kind().forward(y, target)
    got, kept = entry.forward(y, target)
    assert_close(got, E, rtol=1e-14, atol=0)
    dy = kind().backward(cache, dE)
    assert_close(entry.backward(dE, kept, target), dy, rtol=1e-13, atol=1e-16)
    HandModule(kind())(y.requires_grad_(), target).backward(dE)
    assert_close(y.grad, dy, rtol=1e-13, atol=1e-16)


def test_every_entry_is_tested_above() -> None:
    assert set(LAYERS) - {manual.Linear} <= {type(layer) for layer in ACTIVATIONS}
    assert fused_loss(manual.MeanSquaredError("sum"), torch.zeros(7, 3)) is None
    assert fused_loss(manual.HalfSquaredError("mean"), torch.zeros(7, 3)) is None
    assert fused_loss(manual.SoftmaxCrossEntropy(), torch.zeros(7, 3)) is None  # probabilities


class KeepsBoth(manual.Tanh):
    """What it keeps is more than its input or its output."""

    def forward(self, params: Any, z: Any) -> Any:
        return torch.tanh(z), (z, torch.tanh(z))


class HandsOn(manual.Tanh):
    """Its output is its input, which nobody may write into."""

    def forward(self, params: Any, z: Any) -> Any:
        return z, (z,)


def test_what_the_line_cannot_keep_has_no_entry() -> None:
    assert as_written(KeepsBoth()) is None
    assert as_written(HandsOn()) is None


def lines(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For every call from now on, whether it took a straight line."""
    taken: list[bool] = []
    found = HandModule._line

    def noted(*args: Any) -> Any:
        line = found(*args)
        taken.append(line is not None)
        return line

    monkeypatch.setattr(HandModule, "_line", noted)
    return taken


@st.composite
def networks(draw: st.DrawFn) -> tuple[manual.Network, manual.Loss | None]:
    """Linear layers with or without a bias, with none, one or two activations after each; with a loss or without."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=2, max_size=4))
    layers: list[Any] = []
    for n_in, n_out in pairwise(sizes):
        layers.append(manual.Linear(n_in, n_out, draw(st.booleans())))
        layers += draw(st.lists(st.sampled_from([*ACTIVATIONS, manual.Identity()]), max_size=2))
    return manual.Network(layers), draw(st.sampled_from([None, *(kind() for kind in LOSSES)]))


@given(networks(), st.integers(0, 2**16), st.booleans(), st.data())
@settings(max_examples=60)
def test_a_line_gives_what_the_program_gives(subject: Any, seed: int, need_x: bool, data: Any) -> None:
    """The value, every gradient, and None for the same frozen ones; the caller's tensors as they were."""
    torch.manual_seed(seed)
    module = HandModule(*subject).double()
    for p in module.parameters():
        p.requires_grad_(data.draw(st.booleans()))
    tensors = [p.detach().requires_grad_(p.requires_grad) for p in module.parameters()]
    n_in, n_out = (module.expected.n_in, module.expected.n_out)
    x = torch.randn(4, n_in, dtype=torch.float64, requires_grad=need_x)  # type: ignore[arg-type]
    target = {
        manual.MeanSquaredError: torch.randn(4, n_out, dtype=torch.float64),  # type: ignore[arg-type]
        manual.SoftmaxCrossEntropy: torch.randint(n_out, (4,)),  # type: ignore[arg-type]
    }.get(type(subject[1]))
    before = [a.detach().clone() for a in (x, *tensors)]
    own = x.detach().requires_grad_(need_x)
    got, (expected,) = module(x, target), apply(module.program, own, target, tensors)
    assert_close(got, expected, rtol=1e-12, atol=1e-14)
    assert got.requires_grad == expected.requires_grad
    if got.requires_grad:
        dy = torch.randn_like(got)
        got.backward(dy, retain_graph=True), expected.backward(dy, retain_graph=True)
        grads = [p.grad for p in (x, *module.parameters())]
        for g, e in zip(grads, [p.grad for p in (own, *tensors)], strict=True):
            assert (g is None) == (e is None)
            assert_close(g, e, rtol=1e-11, atol=1e-13) if g is not None else None
        again = torch.autograd.grad(got, [p for p in (x, *module.parameters()) if p.requires_grad], dy)
        assert_close(
            list(again), [g for g in grads if g is not None], rtol=0, atol=0
        )  # what is kept is not written into
    assert_close([x, *module.parameters()], before, rtol=0, atol=0)


def test_who_takes_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = lines(monkeypatch)
    x, labels = torch.randn(4, 6), torch.randint(3, (4,))
    network, loss = manual.mlp([6, 5, 3], "gelu"), manual.SoftmaxCrossEntropy()
    module = HandModule(network, loss)
    module(x), module(x, labels), HandModule(loss)(module(x), labels), of_the_idioms(False).E()
    assert taken == [True] * 6
    taken.clear()
    module(x.reshape(2, 2, 6)), module(x, torch.softmax(torch.randn(4, 3), 1))
    HandModule(manual.Network((manual.Dropout(), manual.Linear(6, 3))))(x)
    HandModule(network).bfloat16()(x.bfloat16())
    HandModule(manual.Tanh())(x.requires_grad_())  # x would be kept for higher derivatives alone
    with torch.autocast("cpu", torch.bfloat16):
        module(x)
    with forward_ad.dual_level():
        module(x)
    torch.func.grad(lambda x: module(x, labels))(x)
    assert taken == [False] * 8


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Converting a tensor to a Python boolean:torch.jit.TracerWarning")
def test_a_trace_and_a_copy_of_a_module_that_was_called(monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = HandModule(manual.mlp([6, 5, 3], "gelu")), torch.randn(4, 6)
    y = module(x)
    assert_close(pickle.loads(pickle.dumps(module))(x), y, rtol=0, atol=0)
    assert_close(copy.deepcopy(module)(x), y, rtol=0, atol=0)
    taken = lines(monkeypatch)
    torch.jit.trace(module, x, check_trace=False)
    assert not any(taken)


def test_what_changes_between_calls_is_seen() -> None:
    x, labels = torch.randn(4, 6), torch.randint(3, (4,))
    module = HandModule(manual.mlp([6, 5, 3], "tanh"), manual.SoftmaxCrossEntropy())
    module(x, labels)
    with pytest.raises(ValueError, match=r"x: shape is \(4, 5\), expected \(N, 6\)"):
        module(x[:, :5], labels)
    with pytest.raises(ValueError, match=r"target: shape is \(3,\), expected \(4,\)"):
        module(x, labels[:3])
    with pytest.raises(TypeError, match="target: is a list"):
        module(x, [0, 1, 2, 0])
    with pytest.raises(TypeError, match="x: is a list"):
        module([[0.0] * 6], labels)
    for label in (3, -1, -100):
        with pytest.raises(RuntimeError, match="target: has labels outside 0 to 2"):
            module(x, labels.where(labels != labels[0], torch.tensor(label)))
    module.double()
    with pytest.raises(ValueError, match=r"x: is torch.float32, but the parameters are torch.float64"):
        module(x, labels)
    assert module(x.double(), labels).dtype == torch.float64
    module[0].weight.requires_grad_(False)
    module(x.double(), labels).backward()
    assert module[0].weight.grad is None
    assert module[0].bias.grad is not None
    seen: list[Any] = []
    handle = module[1].register_forward_hook(lambda *of: seen.append(of))
    module(x.double(), labels), handle.remove(), module(x.double(), labels)
    assert len(seen) == 1
    module[1] = HandModule(manual.ReLU())
    relu = HandModule(manual.mlp([6, 5, 3], "relu")).double()
    relu.load_state_dict(module.state_dict())
    assert_close(module(x.double()), relu(x.double()), rtol=0, atol=0)


def test_higher_derivatives_and_many_at_once() -> None:
    torch.manual_seed(0)
    module = HandModule(manual.mlp([4, 3, 3], "tanh"), manual.SoftmaxCrossEntropy()).double()
    x, labels = torch.randn(5, 4, dtype=torch.float64, requires_grad=True), torch.randint(3, (5,))
    assert torch.autograd.gradgradcheck(lambda x: module(x, labels), x)
    loss, z = HandModule(manual.SoftmaxCrossEntropy()), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda z: loss(z, labels), z)
    y = module(x)
    dy = torch.randn(3, *y.shape, dtype=torch.float64)
    inputs = [x, *module.parameters()]
    batched = torch.autograd.grad(y, inputs, dy, is_grads_batched=True, retain_graph=True)
    single = [torch.autograd.grad(y, inputs, one, retain_graph=True) for one in dy]
    assert_close(list(batched), [torch.stack(each) for each in zip(*single, strict=True)])
