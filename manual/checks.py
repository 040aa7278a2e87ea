"""What users hand in, checked before anything is computed. The formulas themselves stay free of checks."""

from collections.abc import Sequence
from typing import Any

from array_api_compat import array_namespace, device

from manual.layers.activations import NOT_DIFFERENTIABLE
from manual.layers.batch_norm import BatchNorm1d, Running
from manual.layers.dropout import Dropout
from manual.losses.binary_cross_entropy import BinaryCrossEntropy
from manual.losses.softmax_cross_entropy import SoftmaxCrossEntropy
from manual.losses.squared_error import SquaredError
from manual.names import param_names
from manual.namespace import at_hand
from manual.network import Network, widths
from manual.types import Array, Layer, Loss, NotDifferentiableError, Params


def check_differentiable(network: Network) -> None:
    """TypeError for what is no network, NotDifferentiableError where the chain holds a step."""
    if not isinstance(network, Network):
        raise TypeError(f"network: got {type(network).__name__}, expected a Network; wrap layers in Network((...))")
    for i, layer in enumerate(network.layers):
        if isinstance(layer, NOT_DIFFERENTIABLE):
            raise NotDifferentiableError(
                f"layer {i} ({layer}) is not differentiable: the network can be evaluated but has no gradient; "
                "use sigmoid or tanh in its place"
            )


def check_array(name: str, array: Array, like: Array | None = None, like_name: str = "") -> None:
    """A finite floating-point array, of the dtype, device and library of `like` where one is given."""
    xp = _namespace(name, array)
    if not xp.isdtype(array.dtype, "real floating"):
        raise TypeError(f"{name}: dtype is {array.dtype}, expected floating point; use astype(float)")
    if like is not None:
        check_alike(name, array, like, like_name)
        if array.dtype != like.dtype:
            raise TypeError(f"{name}: dtype is {array.dtype}, but {like_name} has {like.dtype}; convert one of them")
    array = at_hand(array)
    xp = array_namespace(array)
    if not bool(xp.all(xp.isfinite(array))):
        count = int(xp.sum(xp.astype(~xp.isfinite(array), xp.int64)))
        raise ValueError(f"{name}: {count} of its {_size(array)} values are nan or infinite, expected finite values")


def check_alike(name: str, array: Array, like: Array, like_name: str) -> None:
    """Of the library and on the device of `like`."""
    if array_namespace(like) is not array_namespace(array):
        raise TypeError(
            f"{name}: is a {type(array).__module__} array, but {like_name} is a {type(like).__module__} array; "
            "use one array library for both"
        )
    if device(array) != device(like):
        raise ValueError(f"{name}: is on {device(array)}, but {like_name} on {device(like)}; move one of them")


def check_params(network: Network, params: Sequence[Params]) -> None:
    """One dictionary per layer with exactly its parameters, in their shapes, of one dtype, device and library."""
    if not isinstance(params, list | tuple) or len(params) != len(network.layers):
        length = f" of length {len(params)}" if hasattr(params, "__len__") else ""
        raise ValueError(
            f"params: expected a sequence of {len(network.layers)} dictionaries, one per layer (empty where it has no "
            f"parameters), got {type(params).__name__}{length}"
        )
    first: tuple[str, Array] | None = None
    for i, (layer, given, names) in enumerate(zip(network.layers, params, param_names(network.layers), strict=True)):
        shapes = layer.param_shapes
        if not isinstance(given, dict):
            raise TypeError(f"params[{i}]: got {type(given).__name__}, expected a dictionary with {sorted(shapes)}")
        if set(given) != set(shapes):
            raise ValueError(f"params[{i}]: keys are {sorted(given)}, expected {sorted(shapes)} for {layer}")
        for key, shape in shapes.items():
            array, name = given[key], names[key]
            check_array(name, array, *((first[1], first[0]) if first else ()))
            if tuple(array.shape) != shape:
                raise ValueError(f"{name}: shape is {tuple(array.shape)}, expected {shape} for layer {i} ({layer})")
            first = first or (name, array)


def check_batch(network: Network, params: Sequence[Params], x: Array, states: Sequence[Any] | None = None) -> None:
    """x is a non-empty (N, n_in) array that fits the first layer and the parameters; states fit their layers."""
    first = _first(network, params)
    check_array("x", x, *((first[1], first[0]) if first else ()))
    width = next((w for w in (widths(layer)[0] for layer in network.layers) if w), None)
    if x.ndim != 2 or (width is not None and x.shape[1] != width):
        raise ValueError(
            f"x: shape is {tuple(x.shape)}, expected (N, {width or 'n'}): one sample per row"
            + ("; for one sample use x[None, :]" if x.ndim == 1 else "")
        )
    if x.shape[0] == 0:
        raise ValueError("x: the batch is empty (N = 0), expected at least one sample")
    if states is not None and (not hasattr(states, "__len__") or len(states) != len(network.layers)):
        got = f"{len(states)} entries" if hasattr(states, "__len__") else type(states).__name__
        raise ValueError(f"states: got {got}, expected {len(network.layers)}, one per layer (None for most)")
    n: int = x.shape[1]
    for i, layer in enumerate(network.layers):
        state = None if states is None else states[i]
        n = widths(layer)[1] or n
        if isinstance(layer, BatchNorm1d) and state is None and x.shape[0] < 2:
            raise ValueError(
                "x: batch normalisation over one sample is undefined; give 2 or more, or running statistics"
            )
        if state is not None:
            _check_state(f"states[{i}]", layer, state, x, n)


def check_target(network: Network, params: Sequence[Params], x: Array, target: Array, loss: Loss) -> None:
    """The target fits the network's output and the loss: labels in range, probabilities in [0, 1], shapes equal."""
    if isinstance(loss, type) or not (hasattr(loss, "forward") and hasattr(loss, "backward")):
        got = loss.__name__ + " (the class)" if isinstance(loss, type) else type(loss).__name__
        raise TypeError(f"loss: got {got}, expected a loss such as HalfSquaredError()")
    N = x.shape[0]
    C: int = next((w for w in (widths(layer)[1] for layer in reversed(network.layers)) if w), x.shape[1])
    xp = _namespace("target", target)
    if isinstance(loss, SoftmaxCrossEntropy):
        weights = loss.class_weights
        if weights is not None and len(weights) != C:
            raise ValueError(f"class_weights: {len(weights)} weights for {C} classes, expected one per class")
        if xp.isdtype(target.dtype, "integral"):
            check_alike("target", target, x, "x")
            if tuple(target.shape) != (N,):
                raise ValueError(f"target: class indices have shape {tuple(target.shape)}, expected ({N},)")
            target = at_hand(target)
            xp = array_namespace(target)
            low, high = int(xp.min(target)), int(xp.max(target))
            if low < 0 or high >= C:
                raise ValueError(f"target: labels run from {low} to {high}, expected 0 to {C - 1} for {C} classes")
            if weights is not None and loss.reduction == "mean" and not any(weights[int(label)] for label in target):
                raise ValueError("target: every label's class weight is 0, so their weighted mean is 0 / 0; use 'sum'")
            return
    elif not isinstance(loss, SquaredError | BinaryCrossEntropy):
        return  # a loss of the user's own knows what it takes
    classes = isinstance(loss, SoftmaxCrossEntropy)
    or_labels = f", or whole-number class indices of shape ({N},)" if classes else ""
    if classes and not xp.isdtype(target.dtype, "real floating"):
        raise TypeError(f"target: dtype is {target.dtype}, expected floating-point probabilities{or_labels}")
    check_array("target", target, x, "x")
    if tuple(target.shape) != (N, C):
        raise ValueError(
            f"target: shape is {tuple(target.shape)}, expected {(N, C)}, the shape of the network's output{or_labels}"
        )
    target = at_hand(target)
    xp = array_namespace(target)
    if isinstance(loss, BinaryCrossEntropy | SoftmaxCrossEntropy) and not bool(xp.all((target >= 0) & (target <= 1))):
        raise ValueError(f"target: has values outside [0, 1], expected probabilities for {type(loss).__name__}")


def _check_state(name: str, layer: Layer, state: Any, x: Array, n: int) -> None:
    """A mask (N, n) for dropout, running statistics (n,) for batch norm, nothing for any other layer."""
    expected: dict[str, tuple[Array, tuple[int, ...]]]
    if isinstance(layer, Dropout):
        expected = {name: (state, (x.shape[0], n))}
    elif isinstance(layer, BatchNorm1d):
        if not isinstance(state, Running):
            raise TypeError(f"{name}: expected Running(mean, var) for {layer}, got {type(state).__name__}")
        expected = {f"{name}.mean": (state.mean, (n,)), f"{name}.var": (state.var, (n,))}
    else:
        raise ValueError(f"{name}: {layer} takes no state, expected None")
    for key, (array, shape) in expected.items():
        check_array(key, array, x, "x")
        if tuple(array.shape) != shape:
            raise ValueError(f"{key}: shape is {tuple(array.shape)}, expected {shape} for {layer}")
    if isinstance(layer, Dropout) and not bool(array_namespace(state).all((state == 0) | (state == 1))):
        raise ValueError(f"{name}: has entries other than 0 and 1; 1 keeps a unit, 0 drops it")
    if isinstance(state, Running) and bool(array_namespace(state.var).any(state.var < 0)):
        raise ValueError(f"{name}.var: has negative values, expected variances")


def _first(network: Network, params: Sequence[Params]) -> tuple[str, Array] | None:
    """Name and array of the first parameter, whose dtype, device and library all others share."""
    for given, names in zip(params, param_names(network.layers), strict=True):
        for key, array in given.items():
            return names[key], array
    return None


def _namespace(name: str, array: Array) -> Any:
    try:
        return array_namespace(array)
    except TypeError:
        raise TypeError(f"{name}: expected an array, got {type(array).__name__}; use e.g. np.asarray") from None


def _size(array: Array) -> int:
    size = 1
    for n in array.shape:
        size *= n
    return size
