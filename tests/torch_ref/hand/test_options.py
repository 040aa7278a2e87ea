"""Whatever torch's modules look up at a call may be set later: ours have torch's numbers, or refuse in a sentence."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import manual
from manual.layers import LAYERS as EVERY_LAYER
from tests.torch_ref.pairs import LAYERS, LOSSES
from torch_ref import HandModule
from torch_ref.twin import TWINS

ONES = torch.ones(5, dtype=torch.float64)
TRIED: dict[str, list[Any]] = {  # a function makes one for a module
    "weight": [None, lambda m: nn.Parameter(2 * m.weight.detach())],
    "bias": [None, lambda m: nn.Parameter(m.bias.detach() + 1)],
    "training": [False],
    "p": [0.0, 0.9],
    "eps": [0.5],
    "momentum": [0.0, 0.7, None],
    "track_running_stats": [False],
    "num_batches_tracked": [None],
    "running_mean": [lambda m: m.running_mean + 1, None],
    "running_var": [lambda m: 3 * m.running_var, None],
    "normalized_shape": [(5,), (2,)],
    "inplace": [False, True],
    "negative_slope": [0.3],
    "approximate": ["tanh", "none", "other"],
    "beta": [1, 2.0],
    "threshold": [40, 5],
    "dim": [-1, 0],
    "reduction": ["sum", "none"],
    "label_smoothing": [0.3],
    "ignore_index": [-100, 1],
    "pos_weight": [None, ONES],
}


def read(module: nn.Module) -> list[str]:
    """Every self.name in the forward pass of torch's module, but for its methods."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(type(module).forward)))
    names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and getattr(n.value, "id", "") == "self"}
    return sorted(name for name in names if not callable(getattr(type(module), name, None)))


def cases(subjects: dict[Any, Callable[[], nn.Module]], tried: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(subject, name, value, id=f"{type(subject).__name__} {name} {i}")
        for subject, module in subjects.items()
        for name in read(module())
        for i, value in enumerate(tried[name])
    ]


def set_option(module: nn.Module, name: str, value: Any) -> str:
    """Nothing, or what it is refused with."""
    try:
        setattr(module, name, value(module) if callable(value) else value)
    except ValueError as error:
        return str(error)
    return ""


def runs(model: nn.Module, x: torch.Tensor, *still: bool) -> list[Any]:
    """Output, gradients and buffers of several runs, some in evaluation; nothing of what is refused."""
    found: list[Any] = []
    for each in still:
        torch.manual_seed(1)
        if each:
            model.eval()
        try:
            y = model(x)
            (y * torch.arange(5)).sum().backward()
            found.append([y.detach(), *(p.grad for p in model.parameters()), *model.buffers()])
        except (ValueError, RuntimeError, TypeError):
            found.append([])
    return found


def test_every_layer_that_torch_has_is_tried() -> None:
    torchs = {kind for kind, twin in TWINS.items() if kind in EVERY_LAYER and twin.__base__ is not nn.Module}
    assert {type(layer) for layer in LAYERS} == torchs


@pytest.mark.parametrize(("layer", "name", "value"), cases(LAYERS, TRIED))
def test_a_layers_option_set_later(layer: Any, name: str, value: Any) -> None:
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    plain = nn.Sequential(nn.Linear(4, 5), LAYERS[layer](), nn.Tanh()).double()
    hand: Any = HandModule(manual.Network((manual.Linear(4, 5), layer, manual.Tanh()))).double()
    hand.load_state_dict(plain.state_dict())
    runs(hand, x, False), runs(plain, x, False)  # a call before it: nothing of it may stay
    refused = set_option(hand[1], name, value)
    if refused:
        assert re.match(rf"{name}: got .*, expected ", refused)
    else:
        assert not set_option(plain[1], name, value)
    still = (False, False) if name == "training" else (False, True)
    assert_close(runs(hand, x, *still), runs(plain, x, *still), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("loss", "name", "value"), cases(LOSSES, {**TRIED, "weight": [None, 1 + torch.arange(5.0).double()]})
)
def test_a_losss_option_set_later(loss: Any, name: str, value: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(7, 5, generator=generator, dtype=torch.float64)
    t = torch.tensor([0, 1, 2, 3, 4, 4, 4]) if isinstance(loss, manual.SoftmaxCrossEntropy) else z.sigmoid()
    plain, hand = LOSSES[loss](), HandModule(loss)
    hand(z, t)
    refused = set_option(hand, name, value)
    if refused:
        assert re.match(rf"{name}: got .*, expected |unknown reduction 'none'; known: sum", refused)
    else:
        setattr(plain, name, value)
    assert_close(hand(z, t), plain(z, t))


def test_a_linear_layer_is_as_its_parameters() -> None:
    """A bias where there was none, as fuse_linear_bn_eval gives; fewer units, which dropout must know."""
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    hand: Any = HandModule(manual.Network((manual.Linear(4, 5, bias=False), manual.Dropout(), manual.Linear(5, 5))))
    plain = nn.Sequential(nn.Linear(4, 5, bias=False), nn.Dropout(), nn.Linear(5, 5))
    plain.load_state_dict(hand.state_dict())
    found = []
    for model in (hand.double(), plain.double()):
        runs(model, x, False)
        model[0].bias = nn.Parameter(ONES[:1].clone())
        model[0].weight, model[2].weight = (
            nn.Parameter(w.detach()) for w in (model[0].weight[:1], model[2].weight[:, :1])
        )
        found.append(runs(model, x, False, True))
    assert_close(*found)


def test_a_parameter_exchanged_for_its_like_leaves_a_layer_as_it_is() -> None:
    """Wrappers that gather parameters do so before every call."""
    hand = HandModule(manual.Linear(4, 5))
    before = hand.program
    hand.weight, hand.bias = nn.Parameter(torch.ones(5, 4)), nn.Parameter(torch.ones(5))
    assert hand.program is before


def test_buffers_taken_away_behind_its_back() -> None:
    """As torch.func has it for ensembles; a kernel that is given no statistics ends the process."""
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for modules in (False, True):
        hand: Any = HandModule(manual.Network((manual.Linear(4, 5), manual.BatchNorm1d(5)))).double().eval()
        plain = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)).double().eval()
        plain.load_state_dict(hand.state_dict())
        found = []
        for model in (hand, plain):
            model(x)
            if modules:
                torch.func.replace_all_batch_norm_modules_(model)
            else:
                model[1]._buffers.update(running_mean=None, running_var=None)
            found.append(runs(model, x, True))
            with pytest.raises(ValueError, match=r"1 sample|more than 1 value"):
                model(x[:1])
        assert_close(*found)


@pytest.mark.filterwarnings("ignore:Dynamo detected a call to a `functools.lru_cache`:UserWarning")
@pytest.mark.filterwarnings("ignore:<class 'torch.autograd.function.Function'> should not be:DeprecationWarning")
def test_an_average_of_all_batches_in_double_precision() -> None:
    hand: Any = HandModule(manual.Network((manual.Linear(4, 5), manual.BatchNorm1d(5)))).double()
    plain = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5)).double()
    plain.load_state_dict(hand.state_dict())
    hand[1].momentum = plain[1].momentum = None
    for i in range(7):
        x = torch.randn(9, 4, generator=torch.Generator().manual_seed(i), dtype=torch.float64) + i
        hand(x), plain(x)
    assert_close(list(hand.buffers()), list(plain.buffers()), rtol=1e-14, atol=0)
    compiled = torch.compile(hand, fullgraph=True, backend="eager")
    compiled(x), plain(x)
    assert_close(list(hand.buffers()), list(plain.buffers()), rtol=1e-14, atol=0)
