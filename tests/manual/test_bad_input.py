"""Bad input is refused before anything is computed: which argument it was, what came, what was expected."""

from importlib.util import find_spec
from typing import Any

import array_api_strict
import numpy as np
import pytest
import torch

import manual

NET = manual.mlp([3, 4, 2], "tanh")
PARAMS = NET.init(0)
X = np.random.default_rng(0).normal(size=(5, 3))
T = np.random.default_rng(1).normal(size=(5, 2))
LABELS = np.array([0, 1, 1, 0, 1])
P = np.full((5, 2), 0.5)
SQUARED, CROSS, BINARY = manual.SquaredError(), manual.SoftmaxCrossEntropy(), manual.BinaryCrossEntropy()
DEFAULT = {"network": NET, "params": PARAMS, "x": X, "target": T, "loss": SQUARED}


def params_with(layer: int, **changed: Any) -> Any:
    """PARAMS with some arrays of one layer exchanged (None: left out)."""
    new = {k: v for k, v in (PARAMS[layer] | changed).items() if v is not None}
    return (*PARAMS[:layer], new, *PARAMS[layer + 1 :])


def with_value(array: np.ndarray, value: float) -> np.ndarray:
    array = array.copy()
    array[1, 1] = value
    return array


def on_meta(array: np.ndarray) -> Any:
    return torch.tensor(array, device="meta")


def tensors(params: Any) -> Any:
    return tuple({k: torch.tensor(v) for k, v in p.items()} for p in params)


def network(*layers: Any) -> dict[str, Any]:
    net = manual.Network(layers)
    return {"network": net, "params": net.init(0)}


STEP = network(manual.Linear(3, 2), manual.BinaryStep())
SIGN = network(manual.Linear(3, 4), manual.Sign(), manual.Linear(4, 2))
NORM = network(manual.Linear(3, 2), manual.BatchNorm1d(2))
NORM_FIRST = network(manual.BatchNorm1d(3), manual.Linear(3, 2))
DROP = network(manual.Linear(3, 2), manual.Dropout())
M = np.ones((5, 2))
NO_PARAMS = {"network": manual.Network((manual.Tanh(),)), "params": ({},), "x": T}
TORCH = {"params": tensors(PARAMS), "x": torch.tensor(X), "target": torch.tensor(T)}

# what it is: (changed arguments of manual.gradients, error, words of its message)
BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "x of one sample, rank 1": ({"x": X[0]}, ValueError, r"x: shape is \(3,\), expected \(N, 3\).*x\[None, :\]"),
    "x of rank 3": ({"x": X[None]}, ValueError, r"x: shape is \(1, 5, 3\), expected \(N, 3\)"),
    "x of rank 0": ({"x": np.asarray(1.0)}, ValueError, r"x: shape is \(\), expected \(N, 3\)"),
    "x too wide": ({"x": T}, ValueError, r"x: shape is \(5, 2\), expected \(N, 3\)"),
    "x transposed": ({"x": X.T}, ValueError, r"x: shape is \(3, 5\), expected \(N, 3\)"),
    "x empty": ({"x": X[:0], "target": T[:0]}, ValueError, r"x: the batch is empty \(N = 0\), expected at least one"),
    "x of integers": ({"x": np.ones((5, 3), int)}, TypeError, r"x: dtype is int64, expected floating.*astype\(float\)"),
    "x of booleans": ({"x": X > 0}, TypeError, "x: dtype is bool, expected floating"),
    "x complex": ({"x": X + 0j}, TypeError, "x: dtype is complex128, expected floating"),
    "x a list": ({"x": X.tolist()}, TypeError, r"x: expected an array, got list; use e\.g\. np\.asarray"),
    "x None": ({"x": None}, TypeError, "x: expected an array, got NoneType"),
    "x with nan": ({"x": with_value(X, np.nan)}, ValueError, "x: 1 of its 15 values are nan or infinite"),
    "x with inf": ({"x": with_value(X, -np.inf)}, ValueError, "x: 1 of its 15 values are nan or infinite"),
    "x in float32": ({"x": X.astype("float32")}, TypeError, "x: dtype is float32, but W1 has float64; convert one"),
    "x a tensor": ({"x": torch.tensor(X)}, TypeError, "x: is a torch array, but W1 is a numpy array; use one"),
    "x on another device": (TORCH | {"x": on_meta(X)}, ValueError, "x: is on meta, but W1 on cpu; move one of them"),
    "params a dictionary": (
        {"params": PARAMS[0]},
        ValueError,
        "params: expected a sequence of 3.*got dict of length 2",
    ),
    "params too few": ({"params": PARAMS[:2]}, ValueError, "params: expected a sequence of 3.*got tuple of length 2"),
    "params without b": (
        {"params": params_with(2, b=None)},
        ValueError,
        r"params\[2\]: keys are \['W'\], expected \['W'",
    ),
    "params with c": (
        {"params": params_with(1, c=X)},
        ValueError,
        r"params\[1\]: keys are \['c'\], expected \[\] for Tanh",
    ),
    "W transposed": (
        {"params": params_with(0, W=PARAMS[0]["W"].T)},
        ValueError,
        r"W1: shape is \(3, 4\), expected \(4, 3\) for layer 0",
    ),
    "b a column": (
        {"params": params_with(2, b=np.zeros((2, 1)))},
        ValueError,
        r"b2: shape is \(2, 1\), expected \(2,\) for layer 2",
    ),
    "W of integers": (
        {"params": params_with(0, W=np.ones((4, 3), int))},
        TypeError,
        "W1: dtype is int64, expected floating",
    ),
    "W a list": ({"params": params_with(0, W=[[1.0]])}, TypeError, "W1: expected an array, got list"),
    "W with nan": (
        {"params": params_with(2, W=with_value(PARAMS[2]["W"], np.nan))},
        ValueError,
        "W2: 1 of its 8 values are nan or infinite",
    ),
    "b in float32": (
        {"params": params_with(2, b=np.zeros(2, "float32"))},
        TypeError,
        "b2: dtype is float32, but W1 has float64",
    ),
    "b a tensor": (
        {"params": params_with(2, b=torch.zeros(2))},
        TypeError,
        "b2: is a torch array, but W1 is a numpy array",
    ),
    "target too wide": ({"target": X}, ValueError, r"target: shape is \(5, 3\), expected \(5, 2\)"),
    "target of one sample": ({"target": T[:1]}, ValueError, r"target: shape is \(1, 2\), expected \(5, 2\)"),
    "target flat": ({"target": T[:, 0]}, ValueError, r"target: shape is \(5,\), expected \(5, 2\)"),
    "target of integers": ({"target": np.ones((5, 2), int)}, TypeError, "target: dtype is int64, expected floating"),
    "target with nan": (
        {"target": with_value(T, np.nan)},
        ValueError,
        "target: 1 of its 10 values are nan or infinite",
    ),
    "target in float32": ({"target": T.astype("float32")}, TypeError, "target: dtype is float32, but x has float64"),
    "target a tensor": ({"target": torch.tensor(T)}, TypeError, "target: is a torch array, but x is a numpy array"),
    "target a list": ({"target": T.tolist()}, TypeError, "target: expected an array, got list"),
    "target on another device": (TORCH | {"target": on_meta(T)}, ValueError, "target: is on meta, but x on cpu"),
    "label too large": (
        {"target": LABELS + 1, "loss": CROSS},
        ValueError,
        "target: labels run from 1 to 2, expected 0 to 1",
    ),
    "label negative": (
        {"target": LABELS - 1, "loss": CROSS},
        ValueError,
        "target: labels run from -1 to 0, expected 0 to 1",
    ),
    "labels a column": (
        {"target": LABELS[:, None], "loss": CROSS},
        ValueError,
        r"indices have shape \(5, 1\), expected \(5,\)",
    ),
    "labels too few": (
        {"target": LABELS[:4], "loss": CROSS},
        ValueError,
        r"indices have shape \(4,\), expected \(5,\)",
    ),
    "labels a tensor": (
        {"target": torch.tensor(LABELS), "loss": CROSS},
        TypeError,
        "target: is a torch array, but x is a numpy array",
    ),
    "labels on another device": (
        TORCH | {"target": torch.tensor(LABELS, device="meta"), "loss": CROSS},
        ValueError,
        "target: is on meta, but x on cpu",
    ),
    "labels as floats": (
        {"target": LABELS * 1.0, "loss": CROSS},
        ValueError,
        r"target: shape is \(5,\), expected \(5, 2\).*or whole-number class indices of shape \(5,\)",
    ),
    "labels as truth values": (
        {"target": LABELS > 0, "loss": CROSS},
        TypeError,
        "target: dtype is bool, expected floating-point probabilities, or whole-number class indices",
    ),
    "probability above 1": (
        {"target": P * 3, "loss": CROSS},
        ValueError,
        r"target: has values outside \[0, 1\].*SoftmaxCross",
    ),
    "probability below 0": (
        {"target": -P, "loss": BINARY},
        ValueError,
        r"target: has values outside \[0, 1\].*BinaryCross",
    ),
    "too many class weights": (
        {"target": LABELS, "loss": manual.SoftmaxCrossEntropy(class_weights=(1, 2, 3))},
        ValueError,
        "class_weights: 3 weights for 2 classes, expected one per class",
    ),
    "step": (
        STEP,
        manual.NotDifferentiableError,
        r"layer 1 \(BinaryStep\(\)\) is not differentiable.*use sigmoid or tanh",
    ),
    "sign": (SIGN, manual.NotDifferentiableError, r"layer 1 \(Sign\(\)\) is not differentiable"),
    "batch norm of one sample": (
        NORM | {"x": X[:1], "target": T[:1]},
        ValueError,
        "x: batch norm.*one sample is undefined",
    ),
    "batch norm first": (NORM_FIRST | {"x": T}, ValueError, r"x: shape is \(5, 2\), expected \(N, 3\)"),
    "states too few": ({"states": [None]}, ValueError, "states: got 1 entries, expected 3, one per layer"),
    "states a number": ({"states": 5}, ValueError, "states: got int, expected 3, one per layer"),
    "state for tanh": ({"states": [None, T, None]}, ValueError, r"states\[1\]: Tanh\(\) takes no state, expected None"),
    "mask of one sample": (
        DROP | {"states": [None, M[0]]},
        ValueError,
        r"states\[1\]: shape is \(2,\), expected \(5, 2\)",
    ),
    "mask a column": (
        DROP | {"states": [None, M[:, :1]]},
        ValueError,
        r"states\[1\]: shape is \(5, 1\), expected \(5, 2\)",
    ),
    "mask of booleans": (DROP | {"states": [None, M > 0]}, TypeError, r"states\[1\]: dtype is bool, expected floating"),
    "mask with nan": (DROP | {"states": [None, M * np.nan]}, ValueError, r"states\[1\]: 10 of its 10 values are nan"),
    "mask a list": (DROP | {"states": [None, M.tolist()]}, TypeError, r"states\[1\]: expected an array, got list"),
    "mask in float32": (
        DROP | {"states": [None, M.astype("float32")]},
        TypeError,
        r"states\[1\]: dtype is float32, but x",
    ),
    "running statistics a tuple": (
        NORM | {"states": [None, (M[0], M[0])]},
        TypeError,
        r"states\[1\]: expected Running\(mean, var\) for BatchNorm1d.*got tuple",
    ),
    "running mean of one unit": (
        NORM | {"states": [None, manual.Running(M[0, :1], M[0])]},
        ValueError,
        r"states\[1\]\.mean: shape is \(1,\), expected \(2,\)",
    ),
    "running variance negative": (
        NORM | {"states": [None, manual.Running(M[0], -M[0])]},
        ValueError,
        r"states\[1\]\.var: has negative values",
    ),
    "only labels of weight zero": (
        {"target": LABELS * 0, "loss": manual.SoftmaxCrossEntropy(class_weights=(0, 1))},
        ValueError,
        "target: every label's class weight is 0",
    ),
    "no parameters, x of rank 1": (NO_PARAMS | {"x": T[0]}, ValueError, r"x: shape is \(2,\), expected \(N, n\)"),
    "no parameters, wrong target": (
        NO_PARAMS | {"target": X},
        ValueError,
        r"target: shape is \(5, 3\), expected \(5, 2\)",
    ),
}


@pytest.fixture
def nothing_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forward pass, once begun, is a failure."""

    def forward(*_: Any) -> Any:
        pytest.fail("computed before the input was checked")

    for cls in (manual.Network, manual.Linear, manual.Tanh, manual.BatchNorm1d):
        monkeypatch.setattr(cls, "forward", forward)


@pytest.mark.parametrize("what", BAD)
@pytest.mark.usefixtures("nothing_computed")
def test_gradients_refuses(what: str) -> None:
    changed, error, words = BAD[what]
    with pytest.raises(error, match=words) as info:
        manual.gradients(**(DEFAULT | changed))
    assert type(info.value) is error
    assert len(str(info.value)) < 250, "an error message is no dump of arrays"


def test_gradients_takes_what_is_right() -> None:
    """The table above starts from arguments that pass."""
    for changed in ({}, TORCH, {"target": LABELS, "loss": CROSS}, {"target": P, "loss": BINARY}, NO_PARAMS, NORM):
        manual.gradients(**(DEFAULT | changed))
    running = manual.Running(np.zeros(2), np.ones(2))
    manual.gradients(**(DEFAULT | DROP | {"states": [None, M]}))
    manual.gradients(
        **(DEFAULT | {"target": LABELS * 0, "loss": manual.SoftmaxCrossEntropy("sum", class_weights=(0, 1))})
    )
    manual.gradients(**(DEFAULT | NORM | {"x": X[:1], "target": T[:1], "states": [None, running]}))


def test_another_library_of_the_standard() -> None:
    with pytest.raises(TypeError, match="x: is a array_api_strict"):
        manual.gradients(**(DEFAULT | {"x": array_api_strict.asarray(X)}))


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_jax_beside_numpy() -> None:
    import jax

    with jax.enable_x64(True), pytest.raises(TypeError, match=r"x: is a jax.* array, but W1 is a numpy array"):
        manual.gradients(**(DEFAULT | {"x": jax.numpy.asarray(X)}))


CONSTRUCTED = {
    "no layers": (lambda: manual.Network(()), "Network: layers is empty, expected at least one layer"),
    "widths do not fit": (
        lambda: manual.Network((manual.Linear(3, 4), manual.Tanh(), manual.Linear(5, 2))),
        r"Network: layer 2 \(Linear.* takes 5 inputs, but 4 come out before it",
    ),
    "norm does not fit": (
        lambda: manual.Network((manual.Linear(3, 4), manual.LayerNorm(3))),
        r"Network: layer 1 \(LayerNorm.* takes 3 inputs, but 4",
    ),
    "one size": (lambda: manual.mlp([3]), r"mlp: sizes must name at least an input and an output width, got \[3\]"),
    "a size of zero": (lambda: manual.mlp([3, 0, 2]), "Linear: n_out is 0, expected a whole number, 1 or more"),
    "a size of halves": (lambda: manual.mlp([3, 2.5, 1]), "Linear: n_out is 2.5, expected a whole number"),
    "a size of True": (lambda: manual.mlp([True, 4]), "Linear: n_in is True, expected a whole number"),
    "a width in words": (lambda: manual.Linear("2", 3), "Linear: n_in is '2', expected a whole number"),
    "one number for sizes": (lambda: manual.mlp(5), "mlp: sizes must name at least an input and .*, got 5"),
    "slope nan": (lambda: manual.LeakyReLU(float("nan")), "LeakyReLU: slope is nan, expected a finite number"),
    "eps infinite": (
        lambda: manual.LayerNorm(2, eps=float("inf")),
        "LayerNorm: eps is inf, expected a positive number",
    ),
    "ragged mask": (lambda: manual.Linear(2, 2, mask=[[1, 0], [1]]), "Linear: mask has rows of different lengths"),
    "dropout in words": (lambda: manual.Dropout("a"), "Dropout: p is 'a', expected a number"),
    "one weight for all classes": (lambda: manual.SoftmaxCrossEntropy(class_weights=3), "class_weights: got 3"),
    "a negative seed": (lambda: manual.mlp([2, 1]).init(-1), "init: seed is -1, expected a whole number, 0 or more"),
    "bfloat16 in NumPy": (
        lambda: manual.mlp([2, 1]).init(0, dtype="bfloat16"),
        "init: dtype is 'bfloat16', expected one of float64, float32, float16",
    ),
    "unknown biases": (lambda: manual.mlp([2, 1]).init(0, biases="x"), "biases: unknown initial values 'x'; known: z"),
    "unknown hidden": (
        lambda: manual.mlp([3, 2, 1], "rellu"),
        "unknown activation 'rellu'; known: identity, sigmoid, tanh",
    ),
    "unknown output": (lambda: manual.mlp([3, 2], "tanh", "x"), "unknown activation 'x'; known: identity"),
    "negative width": (lambda: manual.Linear(-1, 2), "n_in is -1, expected a whole number, 1 or more"),
    "mask transposed": (
        lambda: manual.Linear(3, 2, mask=np.ones((3, 2))),
        r"mask has shape \(3, 2\), expected \(n_out, n_in\) = \(2, 3\)",
    ),
    "mask of halves": (lambda: manual.Linear(2, 1, mask=[[0.5, 1.0]]), "mask has entries other than 0 and 1"),
    "dropout of all": (lambda: manual.Dropout(1.0), r"Dropout: p is 1.0, expected a number in \[0, 1\)"),
    "dropout of less than none": (lambda: manual.Dropout(-0.1), r"p is -0.1, expected a number in \[0, 1\)"),
    "squared error": (lambda: manual.SquaredError("avg"), "unknown reduction 'avg'; known: sum, mean, batch mean"),
    "binary cross-entropy": (lambda: manual.BinaryCrossEntropy("none"), "unknown reduction 'none'; known: sum, mean"),
    "cross-entropy": (lambda: manual.SoftmaxCrossEntropy("batchmean"), "unknown reduction 'batchmean'; known: sum"),
    "smoothing": (
        lambda: manual.SoftmaxCrossEntropy(label_smoothing=1.5),
        r"label_smoothing is 1.5, expected a number in \[0, 1\]",
    ),
    "negative weight": (
        lambda: manual.SoftmaxCrossEntropy(class_weights=(1, -1)),
        "class_weights must be finite, not negative",
    ),
    "weight nan": (lambda: manual.SoftmaxCrossEntropy(class_weights=(1, float("nan"))), "class_weights must be finite"),
    "zero weights": (
        lambda: manual.SoftmaxCrossEntropy(class_weights=(0, 0)),
        r"class_weights must be .* not all zero",
    ),
}


@pytest.mark.parametrize("what", CONSTRUCTED)
def test_constructors_refuse(what: str) -> None:
    make, words = CONSTRUCTED[what]
    with pytest.raises(ValueError, match=words):
        make()


OF_TORCH: dict[str, tuple[Any, str]] = {
    "ignore_index": (lambda: manual.SoftmaxCrossEntropy(ignore_index=0), r"got 0, but .*: keep = target != -100, then"),
    "weight": (lambda: manual.SoftmaxCrossEntropy("sum", weight=[1.0]), r"got \[1.0\], but .*; class_weights=\(1.0, 2"),
    "pos_weight": (lambda: manual.BinaryCrossEntropy(pos_weight=3), r"got 3, but .*vmap\(HandModule\(BinaryCrossEn"),
    "unknown reduction 'none'": (
        lambda: manual.MeanSquaredError("none"),
        r"known: .*; a sample's loss is that",
    ),
}


@pytest.mark.parametrize("what", OF_TORCH)
def test_torchs_options_of_a_loss_are_refused_with_what_to_write(what: str) -> None:
    make, words = OF_TORCH[what]
    with pytest.raises((TypeError, ValueError), match=f"^{what}[:;] {words}"):
        make()


@pytest.mark.parametrize("layer", [manual.BinaryStep(), manual.Sign()])
def test_steps_evaluate_but_have_no_gradient(layer: Any) -> None:
    h, cache = layer.forward({}, X)
    assert set(np.unique(h)) <= {-1.0, 0.0, 1.0}
    with pytest.raises(manual.NotDifferentiableError, match=r"not differentiable.*train with sigmoid or tanh"):
        layer.backward({}, cache, X)


def test_what_is_no_network_loss_or_layer_is_refused_by_name():
    net, n = manual.mlp([3, 2]), manual.Neuron((0,), (1.0,))
    params, x, t = net.init(0), np.ones((4, 3)), np.ones((4, 2))
    loss = manual.HalfSquaredError()
    for call, error, says in (
        (lambda: manual.gradients(net.layers, params, x, t, loss), TypeError, "network: got tuple"),
        (lambda: manual.gradients(net, None, x, t, loss), ValueError, "params: expected a sequence of 1"),
        (lambda: manual.gradients(net, (None,), x, t, loss), TypeError, r"params\[0\]: got NoneType"),
        (lambda: manual.gradients(net, params, x, t, "mse"), TypeError, "loss: got str"),
        (lambda: manual.gradients(net, params, x, t, manual.HalfSquaredError), TypeError, "the class"),
        (lambda: manual.Network((manual.Linear(3, 2), manual.ReLU)), TypeError, r"layers\[1\]"),
        (lambda: manual.Network(manual.Linear(3, 2)), TypeError, "Network: layers is Linear.*expected a sequence"),
        (lambda: manual.Network((net, manual.Linear(2, 1))), TypeError, r"layers\[0\] is a network"),
        (lambda: manual.mlp([3, 2, 1], ["tanh"]), TypeError, r"activation: got \['tanh'\], expected a layer"),
        (lambda: net.init(0, xp="torch"), TypeError, "init: xp is 'torch', expected an array library"),
        (lambda: manual.LayerNorm(0), ValueError, "LayerNorm: n is 0, expected"),
        (lambda: manual.BatchNorm1d(3, eps=-1), ValueError, "eps is -1, expected a positive"),
        (lambda: manual.Neuron((np.int64(-1),), (1.0,)), TypeError, "a source is .*expected a Neuron or the index"),
        (lambda: manual.backprop([n], manual.evaluate([n], [1.0]), []), ValueError, "dh has 0 values for 1 outputs"),
        (lambda: manual.BatchNorm1d(3, momentum=5), ValueError, "momentum"),
        (lambda: net.init(0, dtype="int64"), ValueError, "init: dtype is 'int64'"),
        (lambda: manual.evaluate([manual.Neuron((5,), (1.0,))], [1.0]), ValueError, "input 5"),
    ):
        with pytest.raises(error, match=says):
            call()


def test_a_mask_that_is_not_zeros_and_ones_is_refused():
    net = manual.Network((manual.Linear(3, 2), manual.Dropout(0.5)))
    x, t = np.ones((4, 3)), np.ones((4, 2))
    with pytest.raises(ValueError, match="other than 0 and 1"):
        manual.gradients(net, net.init(0), x, t, manual.HalfSquaredError(), states=(None, np.full((4, 2), 0.5)))
