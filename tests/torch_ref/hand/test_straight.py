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
from torch_ref.hand.fused_layers import LAYERS, MADE, FusedLayer, as_written, fused_layer
from torch_ref.hand.fused_losses import LOSSES, NO_LABEL, fused_loss

ACTIVATIONS = [manual.activation(name) for name in DIFFERENTIABLE if name != "identity"]
REDUCTIONS: tuple[Any, ...] = ("sum", "mean", "batch mean")
BY_VALUES = [kind(reduction) for kind in LOSSES for reduction in REDUCTIONS]
BY_LABELS = [
    *(manual.SoftmaxCrossEntropy(reduction) for reduction in REDUCTIONS),
    manual.SoftmaxCrossEntropy(label_smoothing=0.1),
    manual.SoftmaxCrossEntropy(class_weights=(0.5, 1.0, 2.0)),
]
SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e-300, 30.0, -30.0, 1e4, -1e4]


def fused(layer: manual.Layer) -> FusedLayer:
    found = fused_layer(layer)
    assert found is not None
    return found


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_an_activation_is_its_formula(layer: Any) -> None:
    entry = fused(layer)
    torch.manual_seed(0)
    z = torch.cat([torch.tensor(SPECIAL), torch.randn(91)]).double().reshape(10, 10)
    dh = torch.randn_like(z)
    h, cache = layer.forward({}, z)
    dz, _ = layer.backward({}, cache, dh)
    got = entry.forward(z)
    assert_close(got, h, rtol=1e-14, atol=0)
    assert_close(entry.backward(dh, z if entry.caches == "x" else got), dz, rtol=1e-13, atol=1e-300)  # type: ignore[misc]
    kept = z if entry.caches == "x" else got
    if entry.in_place is not None:
        own = z.clone()
        assert entry.in_place(own) is own
        assert_close(own, got, rtol=0, atol=0)
    if entry.backward_in_place is not None:
        own = dh.clone()
        assert entry.backward_in_place(own, kept) is own
        assert_close(own, entry.backward(dh, kept), rtol=0, atol=0)


def test_the_linear_layer_is_its_formula() -> None:
    x, W, b = torch.randn(5, 4).double(), torch.randn(3, 4).double(), torch.randn(3).double()
    dz, entry, layer = torch.randn(5, 3).double(), fused(manual.Linear(4, 3)), manual.Linear(4, 3)
    z, cache = layer.forward({"W": W, "b": b}, x)
    assert_close(entry.forward(x, W, b), z, rtol=1e-14, atol=1e-15)
    dx, dparams = layer.backward({"W": W, "b": b}, cache, dz)
    assert_close(entry.backward(dz, x, (), [W, b], (True,) * 3), (dx, *dparams.values()), rtol=1e-13, atol=1e-15)
    assert entry.backward(dz, x, (), [W, b], (False,) * 3) == (None,) * 3
    assert fused_layer(manual.Linear(2, 1, mask=[[1, 0]])) is None


@pytest.mark.parametrize("mean", [0.0, 1e6])  # where squares about zero, and products with x, cancel
@pytest.mark.parametrize(
    ("layer", "running"), [(manual.LayerNorm(5, 0.1), 0), (manual.BatchNorm1d(5), 0), (manual.BatchNorm1d(5), 2)]
)
def test_a_norm_is_its_formula(layer: Any, running: int, mean: float) -> None:
    x, dy = mean + torch.randn(7, 5).double(), torch.randn(7, 5).double()
    params = {"gamma": torch.randn(5).double(), "beta": torch.randn(5).double()}
    state = [mean + torch.randn(5).double(), torch.rand(5).double()][:running]
    y, cache = layer.forward(params, x, *([manual.Running(*state)] if state else []))
    dx, dparams = layer.backward(params, cache, dy)
    entry = fused_layer(layer, bool(state))
    assert entry is not None
    got = entry.forward(x, *params.values(), *state)
    got, *extras = got if entry.extras else (got,)
    assert len(extras) == entry.extras
    rounding = 1e-13 + 1e-15 * mean
    assert_close(got, y, rtol=rounding, atol=rounding)
    if isinstance(layer, manual.BatchNorm1d) and not state:
        assert_close(extras, [cache.mean, cache.var], rtol=rounding, atol=0)
    own = [*params.values(), *state]
    found = entry.backward(dy, x, extras, own, (True,) * 3)
    assert_close(tuple(found), (dx, dparams["dgamma"], dparams["dbeta"]), rtol=10 * rounding, atol=10 * rounding)
    assert entry.backward(dy, x, extras, own, (True, False, False))[1:] == (None, None)


def test_dropout_is_its_formula() -> None:
    x, dy, mask = torch.randn(7, 5), torch.randn(7, 5), torch.randint(2, (7, 5)).float()
    y, cache = manual.Dropout(0.3).forward({}, x, mask)
    entry = fused_layer(manual.Dropout(0.3), True)
    assert entry is not None
    assert_close(entry.forward(x, mask), y, rtol=0, atol=0)
    (dx,) = entry.backward(dy, None, (), [mask], (True,))
    assert_close(dx, manual.Dropout(0.3).backward({}, cache, dy)[0], rtol=0, atol=0)


@pytest.mark.parametrize("loss", [*BY_VALUES, *BY_LABELS, manual.SoftmaxCrossEntropy()], ids=repr)
def test_a_loss_is_its_formula(loss: Any) -> None:
    y, dE = 3 * torch.randn(7, 3).double(), torch.tensor(-1.7).double()
    y[0] = torch.tensor([-40.0, 40.0, 0.0])
    target = torch.randint(3, (7,)) if loss in BY_LABELS else torch.rand(7, 3).double()
    target[0] = 0  # of z = -40: softplus(z) - 0 z is 4e-18, where z - log s of it is 0
    entry = fused_loss(loss, target)
    assert entry is not None
    E, cache = loss.forward(y, target)
    got, kept = entry.forward(y, target)
    assert_close(got, E, rtol=1e-14, atol=0)
    assert_close(
        entry.forward(y[:1, :1], target[:1, :1])[0], loss.forward(y[:1, :1], target[:1, :1])[0], rtol=1e-14, atol=0
    ) if target.ndim > 1 else None
    dy = loss.backward(cache, dE)
    assert_close(entry.backward(dE, kept, target), dy, rtol=1e-13, atol=1e-16)
    HandModule(loss)(y.requires_grad_(), target).backward(dE)
    assert_close(y.grad, dy, rtol=1e-13, atol=1e-16)


def test_every_entry_is_tested_above() -> None:
    assert set(LAYERS) - {manual.Linear} <= {type(layer) for layer in ACTIVATIONS}
    assert set(MADE) == {manual.LayerNorm, manual.BatchNorm1d, manual.Dropout}
    assert fused_layer(manual.Dropout()) is None  # without a mask it hands on


class KeepsBoth(manual.Tanh):
    """What it keeps is more than its input or its output."""

    def forward(self, params: Any, z: Any) -> Any:
        return torch.tanh(z), (z, torch.tanh(z))


class HandsBack(manual.Tanh):
    """Its dz is its dh, into which the next step down may write."""

    def backward(self, params: Any, cache: Any, dh: Any) -> Any:
        return dh, {}


class HandsOn(manual.Tanh):
    """Its output is its input, which nobody may write into."""

    def forward(self, params: Any, z: Any) -> Any:
        return z, (z,)


def test_what_the_line_cannot_keep_has_no_entry() -> None:
    assert as_written(KeepsBoth()) is None
    assert as_written(HandsOn()) is None
    assert as_written(HandsBack()) is None


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
    """Linear layers with or without a bias, with up to two other layers after each; with a loss or without."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    layers: list[Any] = []
    for n_in, n_out in pairwise([*sizes, 3]):
        layers.append(manual.Linear(n_in, n_out, draw(st.booleans())))
        norms = manual.LayerNorm(n_out), manual.BatchNorm1d(n_out), manual.Dropout(0.3), manual.Identity()
        layers += draw(st.lists(st.sampled_from([*ACTIVATIONS, *norms]), max_size=2))
    return manual.Network(layers), draw(st.sampled_from([None, *BY_VALUES, *BY_LABELS]))


@given(networks(), st.integers(0, 2**16), st.booleans(), st.booleans(), st.data())
@settings(max_examples=60)
def test_a_line_gives_what_the_program_gives(subject: Any, seed: int, need_x: bool, training: bool, data: Any) -> None:
    """The value, every gradient, None for the same frozen ones, statistics; the caller's tensors as they were."""
    torch.manual_seed(seed)
    module = HandModule(*subject).double().train(training)
    for p in module.parameters():
        p.requires_grad_(data.draw(st.booleans()))
    x = torch.randn(4, module.expected.n_in, dtype=torch.float64, requires_grad=need_x)  # type: ignore[arg-type]
    by_values = torch.rand(4, 3, dtype=torch.float64) if subject[1] else None
    target = torch.randint(3, (4,)) if subject[1] in BY_LABELS else by_values
    if module.expected.alike and not module.expected.normed and data.draw(st.booleans()):
        x = x.detach().reshape(2, 2, -1).requires_grad_(need_x)
        target = None if target is None else target.reshape(2, 2, 3)
    other, own = copy.deepcopy(module), x.detach().requires_grad_(need_x)
    other._line = lambda *_: None  # type: ignore[method-assign]
    before = [a.detach().clone() for a in (x, *module.parameters())]
    torch.manual_seed(seed)
    got = module(x, target)
    torch.manual_seed(seed)
    expected = other(own, target)
    assert_close(got, expected, rtol=1e-12, atol=1e-12)
    assert_close(list(module.buffers()), list(other.buffers()), rtol=1e-12, atol=1e-14)
    assert got.requires_grad == expected.requires_grad
    if got.requires_grad:
        dy = torch.randn_like(got)
        got.backward(dy, retain_graph=True), expected.backward(dy, retain_graph=True)
        grads = [p.grad for p in (x, *module.parameters())]
        for g, e in zip(grads, [p.grad for p in (own, *other.parameters())], strict=True):
            assert (g is None) == (e is None)
            assert_close(g, e, rtol=1e-9, atol=1e-9) if g is not None else None
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
    module(x, torch.softmax(torch.randn(4, 3), 1))
    HandModule(manual.Network((manual.Dropout(), manual.Linear(6, 3), manual.BatchNorm1d(3))))(x)
    module(x.reshape(2, 2, 6)), HandModule(loss)(torch.randn(2, 3, 4), torch.randint(3, (2, 4)))
    assert taken == [True] * 10
    taken.clear()
    HandModule(manual.BatchNorm1d(6)).eval()(x[:0])
    HandModule(manual.Network((manual.Linear(6, 3, mask=[[1] * 6] * 3),)))(x)
    HandModule(network).bfloat16()(x.bfloat16())
    HandModule(manual.Tanh())(x.requires_grad_())  # x would be kept for higher derivatives alone
    with torch.autocast("cpu", torch.bfloat16):
        module(x)
    with forward_ad.dual_level():
        module(x)
    torch.func.grad(lambda x: module(x, labels))(x)
    assert taken == [False] * 7


def test_no_function_of_autograd_where_no_gradient_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = manual.Linear(6, 3), manual.BatchNorm1d(3), manual.Tanh()
    x, module = torch.randn(4, 6), HandModule(manual.Network(layers))
    other = copy.deepcopy(module)
    expected = other(x)
    monkeypatch.setattr("torch_ref.hand.module.run_straight", None)
    with torch.no_grad():
        assert_close(module(x), expected, rtol=0, atol=0)
    assert_close(module.state_dict(), other.state_dict(), rtol=0, atol=0)
    assert not module.requires_grad_(False)(x).requires_grad


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
    for label in (3, -1, -100, NO_LABEL):
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


def test_train_and_eval_between_calls() -> None:
    """Each takes its own line: dropout ends, the running statistics are taken and no longer moved."""
    torch.manual_seed(0)
    module = HandModule(manual.Network((manual.Linear(6, 3), manual.BatchNorm1d(3), manual.Dropout(0.5))))
    x, statistics = torch.randn(8, 6), lambda: [a.clone() for a in module.buffers()]
    first, start, second = module(x), statistics(), module(x)
    assert not torch.equal(first, second)
    assert int(statistics()[2]) == int(start[2]) + 1 == 2
    module.eval()
    kept = statistics()
    assert_close(module(x), module(x), rtol=0, atol=0)
    assert_close(statistics(), kept, rtol=0, atol=0)
    module[1].train()
    module(x)
    assert int(statistics()[2]) == 3


def test_higher_derivatives_and_many_at_once() -> None:
    torch.manual_seed(0)
    module = HandModule(manual.mlp([4, 3, 3], "tanh"), manual.SoftmaxCrossEntropy()).double()
    x, labels = torch.randn(5, 4, dtype=torch.float64, requires_grad=True), torch.randint(3, (5,))
    assert torch.autograd.gradgradcheck(lambda x: module(x, labels), x)
    loss, z = HandModule(manual.SoftmaxCrossEntropy()), torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(lambda z: loss(z, labels), z)
    norms = manual.Network((manual.Linear(4, 3), manual.LayerNorm(3), manual.Dropout(0.4), manual.BatchNorm1d(3)))
    for training in (True, False):
        normed = HandModule(norms, manual.BinaryCrossEntropy()).double().train(training)

        def seeded(x: torch.Tensor, W: torch.Tensor, module: HandModule = normed) -> torch.Tensor:
            torch.manual_seed(1)
            E: torch.Tensor = torch.func.functional_call(module, {"0.weight": W}, (x, torch.ones(5, 3).double()))
            return E

        W = normed[0].weight.detach().clone().requires_grad_()
        assert torch.autograd.gradcheck(seeded, (x, W))
        assert torch.autograd.gradgradcheck(seeded, (x.detach(), W))
    y = module(x)
    dy = torch.randn(3, *y.shape, dtype=torch.float64)
    inputs = [x, *module.parameters()]
    batched = torch.autograd.grad(y, inputs, dy, is_grads_batched=True, retain_graph=True)
    single = [torch.autograd.grad(y, inputs, one, retain_graph=True) for one in dy]
    stacked = [torch.stack(each) for each in zip(*single, strict=True)]
    assert_close(list(batched), stacked)
    mapped = torch.func.vmap(lambda dy: torch.autograd.grad(y, inputs, dy, retain_graph=True))(dy)  # type: ignore[misc]
    assert_close(list(mapped), stacked)
