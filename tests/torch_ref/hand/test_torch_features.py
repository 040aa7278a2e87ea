"""HandModule under what torch does to modules: higher derivatives, transforms, autocast, compile, hooks, copies."""

import copy
import io
import pickle
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call, grad, jacrev, vmap
from torch.testing import assert_close

import manual
from tests.torch_ref.hand.networks import EVERY_KIND, LOSS, batch, gradients, pair
from torch_ref import HandModule, twin
from torch_ref.hand.program import Program

TORCHS_OWN = (  # what torch warns of inside itself
    "ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning",
    "ignore:<class 'torch.autograd.function.Function'> should not be instantiated:DeprecationWarning",
    "ignore:.torch.jit.script:DeprecationWarning",
)
pytestmark = [pytest.mark.filterwarnings(warning) for warning in TORCHS_OWN]


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "softplus", "silu", "gelu", "gelu_tanh"])
def test_double_backward(hidden: str) -> None:
    hand = HandModule(manual.mlp([3, 4, 2], hidden), manual.SoftmaxCrossEntropy()).double()
    names, values = zip(*hand.named_parameters(), strict=True)
    x, labels = torch.randn(5, 3, dtype=torch.float64, requires_grad=True), torch.tensor([0, 1, 1, 0, 1])

    def E(x: torch.Tensor, *values: torch.Tensor) -> Any:
        return functional_call(hand, dict(zip(names, values, strict=True)), (x, labels))

    assert gradcheck(E, (x, *values))
    assert gradgradcheck(E, (x, *values))


def test_double_backward_through_norms() -> None:
    network = manual.Network((manual.Linear(3, 4), manual.BatchNorm1d(4), manual.LayerNorm(4), manual.Softmax()))
    hand = HandModule(network).double()
    assert gradgradcheck(hand, (torch.randn(5, 3, dtype=torch.float64, requires_grad=True),))


def test_hessian_vector_product() -> None:
    hand, auto = pair(loss=LOSS)
    x, labels = batch()
    products = []
    for module, value in ((hand, hand(x, labels)), (auto, twin(LOSS)(auto(x), labels))):
        torch.manual_seed(1)
        params = list(module.parameters())
        first = torch.autograd.grad(value, params, create_graph=True)
        directions = [torch.randn_like(p) for p in params]
        products.append(torch.autograd.grad(first, params, directions))
    assert_close(*products, rtol=1e-11, atol=1e-13)


def test_functional_transforms() -> None:
    """The gradient, one per sample, and the Hessian of the first bias."""
    hand, auto = pair(loss=LOSS)
    x, labels = batch()
    found = []
    for value in (
        lambda p, x, t: functional_call(hand, p, (x, t)),
        lambda p, x, t: twin(LOSS)(functional_call(auto, p, (x,)), t),
    ):
        params = {name: p.detach() for name, p in auto.named_parameters()}
        each = vmap(lambda x, t: grad(value)(params, x[None], t[None]))(x, labels)  # noqa: B023
        curvature = jacrev(grad(lambda b: value({**params, "0.bias": b}, x, labels)))(params["0.bias"])  # noqa: B023
        found.append((grad(value)(params, x, labels), each, curvature))
    assert found[0][1]["0.weight"].shape == (7, 5, 6)
    assert_close(*found, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype: torch.dtype) -> None:
    """As far from the float32 gradient as the twin under the same autocast; gradients in the parameters' precision."""
    hand, auto = pair(EVERY_KIND, LOSS, torch.float32)
    exact = copy.deepcopy(auto)
    x, labels = batch(64, torch.float32)
    found = {}
    for name, module in {"hand": hand, "auto": auto, "exact": exact}.items():
        torch.manual_seed(5)
        with torch.autocast("cpu", dtype, enabled=name != "exact"):
            E = module(x, labels) if name == "hand" else twin(LOSS)(module(x), labels)
        E.backward()
        found[name] = torch.cat([g.ravel() for g in gradients(module)])
    assert {g.dtype for g in gradients(hand)} == {torch.float32}
    error = {name: float((found[name] - found["exact"]).norm() / found["exact"].norm()) for name in ("hand", "auto")}
    assert 0 < error["hand"] <= 1.5 * error["auto"] < 0.3


def test_linear_runs_in_the_lower_precision_under_autocast() -> None:
    x = torch.randn(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert HandModule(manual.Linear(4, 2))(x).dtype == torch.bfloat16
        y = HandModule(manual.mlp([4, 3, 2]))(x)
    y.sum().backward()  # outside, as torch recommends


def test_precision_handed_on_is_that_of_torchs_lists_for_the_device() -> None:
    """On the CPU an idiom compares them; of a card the lists can be asked without one."""
    stages = Program.of((manual.Linear(4, 4), manual.LayerNorm(4), manual.BatchNorm1d(4), manual.Tanh()), None).stages
    low = torch.bfloat16
    found = {device: [stage.gives(low, low, device) for stage in stages] for device in ("cpu", "cuda")}
    assert found == {"cpu": [low] * 4, "cuda": [low, torch.float32, low, low]}
    assert [stage.gives(torch.float32, low, "cuda") for stage in stages] == [low, *[torch.float32] * 3]


def test_autocast_leaves_float64_alone() -> None:
    hand, auto = pair(EVERY_KIND, LOSS)
    x, labels = batch()
    hand.eval(), auto.eval()
    expected = twin(LOSS)(auto(x), labels)
    with torch.autocast("cpu", torch.bfloat16):
        E = hand(x, labels)
        with pytest.raises(ValueError, match=r"x: is torch.float64, but the parameters are torch.float32; convert"):
            HandModule(manual.Linear(6, 2))(x)
    assert E.dtype == torch.float64
    E.backward(), expected.backward()
    assert_close([E, *gradients(hand)], [expected, *gradients(auto)])


def test_gradient_scaler() -> None:
    """float16 with scaled losses takes the steps that float32 takes, to float16's precision."""
    hand, auto = pair(loss=LOSS, dtype=torch.float32)
    x, labels = batch(dtype=torch.float32)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    optimizers = [torch.optim.SGD(module.parameters(), lr=0.5) for module in (hand, auto)]
    for _ in range(5):
        for optimizer in optimizers:
            optimizer.zero_grad()
        with torch.autocast("cpu", torch.float16):
            E = hand(x, labels)
        scaler.scale(E).backward()
        scaler.step(optimizers[0])
        scaler.update()
        twin(LOSS)(auto(x), labels).backward()
        optimizers[1].step()
    assert scaler.get_scale() == 1024.0
    assert_close(list(hand.parameters()), list(auto.parameters()), rtol=2e-2, atol=2e-3)


@pytest.mark.parametrize("training", [True, False])
def test_compile_without_graph_breaks(training: bool) -> None:
    torch._dynamo.reset()
    hand, auto = pair(EVERY_KIND, LOSS, torch.float32)
    hand.train(training), auto.train(training)
    x, labels = batch(dtype=torch.float32)
    compiled = torch.compile(hand, fullgraph=True, backend="aot_eager")
    values = []
    for E in (lambda: compiled(x, labels), lambda: twin(LOSS)(auto(x), labels)):
        torch.manual_seed(5)
        values.append(E())
        values[-1].backward()
    assert_close(values[0], values[1])
    assert_close(gradients(hand), gradients(auto))
    assert_close(dict(hand.state_dict()), dict(auto.state_dict()))


def test_compiled_code_runs() -> None:
    torch._dynamo.reset()
    hand, auto = pair(loss=LOSS, dtype=torch.float32)
    x, labels = batch(dtype=torch.float32)
    torch.compile(hand, fullgraph=True)(x, labels).backward()
    twin(LOSS)(auto(x), labels).backward()
    assert_close(gradients(hand), gradients(auto))


def test_a_transform_under_compile_is_refused_by_torch() -> None:
    """docs/drop_in.md says so: Dynamo has no vmap rule for custom functions. Once it has, say the contrary."""
    torch._dynamo.reset()
    hand, _ = pair(dtype=torch.float32)
    x = torch.randn(4, 7, 6)
    with pytest.raises(Exception, match="vmap"):
        torch.compile(vmap(hand), fullgraph=True, backend="aot_eager")(x)
    assert vmap(hand)(x).shape == (4, 7, 3)


def test_hooks() -> None:
    hand, _ = pair(loss=LOSS)
    x, labels = batch()
    seen: list[str] = []
    hand.register_forward_pre_hook(lambda *_: seen.append("before"))
    hand.register_forward_hook(lambda *_: seen.append("after"))
    hand.register_full_backward_hook(lambda *_: seen.append("backward"))
    weight = hand.get_parameter("0.weight")
    weight.register_hook(lambda g: seen.append("gradient") or 2 * g)
    weight.register_post_accumulate_grad_hook(lambda _: seen.append("kept"))
    hand(x.requires_grad_(), labels).backward()
    assert seen[:2] == ["before", "after"]
    assert sorted(seen[2:]) == ["backward", "gradient", "kept"]
    plain, _ = pair(loss=LOSS)
    plain(x, labels).backward()
    assert_close(weight.grad, 2 * plain.get_parameter("0.weight").grad)


def test_a_child_set_to_evaluation_alone() -> None:
    """Batch norm frozen, dropout left on or off one by one: the idioms of fine-tuning."""
    hand, auto = pair(EVERY_KIND)
    x, _ = batch()
    for still in (["1"], ["3"], ["1", "3"]):
        for module in (hand, auto):
            module.train()
            for name in still:
                module.get_submodule(name).eval()
        found = []
        for module in (hand, auto):
            torch.manual_seed(5)
            found.append(module(x))
        assert_close(*found)
        assert_close(dict(hand.state_dict()), dict(auto.state_dict()))


def test_statistics_taken_anew() -> None:
    """update_bn of torch's weight averaging: the mean over all batches, in place of the moving one."""
    hand, auto = pair(EVERY_KIND, dtype=torch.float32)
    batches = [batch(dtype=torch.float32)[0] + k for k in range(3)]
    for module in (hand, auto):
        torch.optim.swa_utils.update_bn(batches, module)
    assert_close(dict(hand.state_dict()), dict(auto.state_dict()))
    assert_close(hand.get_buffer("1.running_mean"), torch.stack([auto[0](x).mean(0) for x in batches]).mean(0).detach())


def test_a_checkpoint_of_before_batches_were_counted() -> None:
    hand, _ = pair(EVERY_KIND)
    hand.load_state_dict({name: t for name, t in hand.state_dict().items() if "num_batches" not in name})


@pytest.mark.parametrize("subject", [manual.Linear(6, 3), manual.mlp([6, 5, 3])])
def test_parametrized_weights(subject: manual.Linear | manual.Network) -> None:
    hand, plain = HandModule(subject).double(), twin(subject).double()
    plain.load_state_dict(hand.state_dict())
    x, _ = batch()
    for module in (hand, plain):
        parametrize = torch.nn.utils.parametrizations.weight_norm
        parametrize(module if isinstance(subject, manual.Linear) else module.get_submodule("0"))
        module(x).sum().backward()
    assert sorted(hand.state_dict()) == sorted(plain.state_dict())
    found = [{name: p.grad for name, p in module.named_parameters()} for module in (hand, plain)]
    assert_close(*found)


def test_shapes_on_the_meta_device() -> None:
    hand = HandModule(manual.mlp([6, 5, 3]), LOSS).to("meta")
    assert hand(torch.empty(7, 6, device="meta")).shape == (7, 3)
    hand(torch.empty(7, 6, device="meta"), torch.empty(7, dtype=torch.int64, device="meta")).backward()


def test_copies_and_files() -> None:
    """deepcopy, pickle and torch.save give modules that compute the same and share nothing."""
    hand, auto = pair(EVERY_KIND, LOSS, torch.float32)
    hand.eval(), auto.eval()
    x, labels = batch(dtype=torch.float32)
    copies = [copy.deepcopy(hand), pickle.loads(pickle.dumps(hand))]
    for other in copies:
        assert_close(other(x, labels), hand(x, labels), rtol=0, atol=0)
        assert all(a.data_ptr() != b.data_ptr() for a, b in zip(other.parameters(), hand.parameters(), strict=True))
    file = io.BytesIO()
    torch.save(auto.state_dict(), file)
    file.seek(0)
    fresh = HandModule(EVERY_KIND, LOSS).eval()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert_close(fresh(x), auto(x))


def test_a_checkpoint_goes_both_ways_between_plain_torch_and_ours() -> None:
    plain = torch.nn.Sequential(
        torch.nn.Linear(6, 5), torch.nn.BatchNorm1d(5), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(5, 3)
    )
    layers = (manual.Linear(6, 5), manual.BatchNorm1d(5), manual.ReLU(), manual.Dropout(), manual.Linear(5, 3))
    hand = HandModule(manual.Network(layers))
    assert list(hand.state_dict()) == list(plain.state_dict())
    x, _ = batch(dtype=torch.float32)
    for _ in range(2):
        hand(x)  # moves its running statistics
    plain.load_state_dict(hand.state_dict())
    plain.eval(), hand.eval()
    assert_close(plain(x), hand(x))
    plain.load_state_dict({name: value + 1 for name, value in plain.state_dict().items()})
    hand.load_state_dict(plain.state_dict())
    assert_close(plain(x), hand(x))


def test_the_random_start_is_torchs_own() -> None:
    """The same seed gives the weights that an ordinary nn.Sequential starts from: the curves are the same."""
    torch.manual_seed(4)
    plain = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))
    torch.manual_seed(4)
    hand = HandModule(manual.mlp([6, 5, 3], "tanh"))
    assert_close(dict(hand.state_dict()), dict(plain.state_dict()), rtol=0, atol=0)
