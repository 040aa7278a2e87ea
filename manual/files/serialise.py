"""A Training as named arrays and plain numbers, which files can hold, and back.

    params.0.W, params.0.b                 the parameters of layer 0
    running.1.mean, running.1.var          batch norm's running statistics of layer 1
    optimizer.m.0.W, optimizer.v.0.W       the optimizer's arrays, under its state's own names
    best.params.0.W, ...                   the same of the best epoch, where one is kept

Arrays come back as NumPy's, bit for bit; those of other libraries are brought to the CPU first.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from manual.files.architecture import number_from_plain, number_to_plain
from manual.layers.batch_norm import BatchNorm1d, Running
from manual.network import Network
from manual.training.state import Training
from manual.types import Array, Params

Shapes: TypeAlias = dict[str, tuple[int, ...]]
Named: TypeAlias = dict[str, NDArray[Any]]

FLOATS = ("float16", "float32", "float64")


def weight_shapes(network: Network) -> Shapes:
    """Every parameter and running statistic of the network: name to shape."""
    shapes = {f"params.{i}.{name}": s for i, layer in enumerate(network.param_shapes) for name, s in layer.items()}
    for i, layer in enumerate(network.layers):
        if isinstance(layer, BatchNorm1d):
            shapes |= {f"running.{i}.{name}": (layer.n,) for name in Running._fields}
    return shapes


def flatten_weights(network: Network, params: Sequence[Params], running: Sequence[Running | None] | None) -> Named:
    """Parameters and running statistics by name. running may be None where there is no batch norm.

    Raises ValueError for missing, unexpected or misshapen arrays, TypeError for what is no floating-point array
    (bfloat16 is none of NumPy's).
    """
    arrays = _named("params", params) | _named("running", [r._asdict() if r else {} for r in running or ()])
    check_shapes(arrays, weight_shapes(network), "the training")
    return arrays


def unflatten_weights(network: Network, arrays: Named) -> tuple[tuple[Params, ...], tuple[Running | None, ...]]:
    """Parameters and running statistics, of arrays that have all their names."""
    norms = [Running._fields if isinstance(layer, BatchNorm1d) else () for layer in network.layers]
    running = tuple(Running(**found) if found else None for found in _layers("running", norms, arrays))
    return _layers("params", network.param_shapes, arrays), running


def flatten(network: Network, optimizer: Any, training: Training) -> tuple[Named, dict[str, Any]]:
    """The arrays by name, and the numbers: seed, epoch, step, history, the optimizer's counts, best.

    Raises what flatten_weights raises, for the optimizer's arrays too, and TypeError for a history of anything but
    numbers and for a state of another optimizer.
    """
    state, empty = training.optimizer_state, _empty_state(network, optimizer)
    if type(state) is not type(empty):
        raise TypeError(
            f"training.optimizer_state: is {type(state).__name__}, expected {type(empty).__name__} for {optimizer}"
        )
    fields = _array_fields(empty)
    arrays = flatten_weights(network, training.params, training.running)
    kept: Named = {}
    for field in fields:
        kept |= _named(f"optimizer.{field}", getattr(state, field))
    check_shapes(kept, _state_shapes(network, fields), "the training")
    numbers = {
        "seed": int(training.seed),
        "epoch": int(training.epoch),
        "step": int(training.step),
        "history": [{k: number_to_plain(f"history, {k}", v) for k, v in record.items()} for record in training.history],
        "optimizer": {field: int(count) for field, count in state._asdict().items() if field not in fields},
        "best": None,
    }
    arrays |= kept
    if training.best is not None:
        best, numbers["best"] = flatten(network, optimizer, training.best)
        arrays |= {f"best.{name}": array for name, array in best.items()}
    return arrays, numbers


def unflatten(network: Network, optimizer: Any, arrays: Named, numbers: Mapping[str, Any]) -> Training:
    """The Training of `flatten`. ValueError for missing, unexpected or misshapen arrays, KeyError for numbers."""
    best = {name.removeprefix("best."): array for name, array in arrays.items() if name.startswith("best.")}
    own = {name: array for name, array in arrays.items() if not name.startswith("best.")}
    empty = _empty_state(network, optimizer)
    fields = _array_fields(empty)
    check_shapes(own, weight_shapes(network) | _state_shapes(network, fields), "the file")
    params, running = unflatten_weights(network, own)
    state = {field: _layers(f"optimizer.{field}", layers, own) for field, layers in fields.items()}
    return Training(
        params=params,
        running=running,
        optimizer_state=empty._replace(**state, **numbers["optimizer"]),
        history=tuple({k: number_from_plain(v) for k, v in record.items()} for record in numbers["history"]),
        epoch=numbers["epoch"],
        step=numbers["step"],
        seed=numbers["seed"],
        best=None if numbers["best"] is None else unflatten(network, optimizer, best, numbers["best"]),
    )


def check_shapes(found: Mapping[str, NDArray[Any]], expected: Shapes, where: str) -> None:
    """ValueError unless the arrays have exactly these names and shapes."""
    if wrong := differences({name: array.shape for name, array in found.items()}, expected, where):
        raise ValueError(wrong)


def differences(found: Mapping[str, tuple[int, ...]], expected: Shapes, where: str, most: int = 6) -> str:
    """Which names and shapes differ, the first few of them; empty where none does.

    >>> differences({"params.0.W": (4, 3)}, {"params.0.W": (5, 3), "params.0.b": (5,)}, "the file")
    'params.0.W is (4, 3) in the file, expected (5, 3); params.0.b (5,) is missing in the file'
    """
    wrong = [
        f"{name} is {found[name]} in {where}, expected {shape}"
        if name in found
        else f"{name} {shape} is missing in {where}"
        for name, shape in expected.items()
        if found.get(name) != shape
    ]
    wrong += [f"{name} {shape} in {where} is not expected" for name, shape in found.items() if name not in expected]
    return "; ".join(wrong[:most]) + (f"; and {len(wrong) - most} more" if len(wrong) > most else "")


def to_numpy(name: str, array: Array) -> NDArray[Any]:
    """The same numbers as a contiguous NumPy array. TypeError unless it is float16, float32 or float64."""
    if not hasattr(array, "dtype"):
        raise TypeError(f"{name}: got {type(array).__name__}, expected an array")
    dtype = getattr(array.dtype, "name", str(array.dtype)).rpartition(".")[2]  # torch's have no name
    if dtype not in FLOATS:
        raise TypeError(f"{name}: dtype is {array.dtype}, expected {', '.join(FLOATS)}; convert it before saving")
    if is_torch_array(array):
        array = array.detach().cpu()
    return np.asarray(array, dtype=dtype, order="C")  # contiguous: safetensors writes the memory as it lies


def _named(group: str, layers: Iterable[Mapping[str, Array]]) -> Named:
    names = ((f"{group}.{i}.{name}", array) for i, layer in enumerate(layers) for name, array in layer.items())
    return {name: to_numpy(name, array) for name, array in names}


def _layers(group: str, layers: Iterable[Iterable[str]], arrays: Named) -> tuple[Params, ...]:
    """Per layer a dictionary of its arrays, of the names in `layers`."""
    return tuple({name: arrays[f"{group}.{i}.{name}"] for name in names} for i, names in enumerate(layers))


def _empty_state(network: Network, optimizer: Any) -> Any:
    """The optimizer's first state for parameters without extent: it tells which fields there are, of which names."""
    return optimizer.initial(tuple({name: np.zeros(()) for name in shapes} for shapes in network.param_shapes))


def _array_fields(state: Any) -> dict[str, tuple[Params, ...]]:
    """The fields of an optimizer's state that hold arrays, per layer; the others are counts."""
    return {field: value for field, value in state._asdict().items() if isinstance(value, tuple)}


def _state_shapes(network: Network, fields: Mapping[str, tuple[Params, ...]]) -> Shapes:
    return {
        f"optimizer.{field}.{i}.{name}": network.param_shapes[i][name]
        for field, layers in fields.items()
        for i, layer in enumerate(layers)
        for name in layer
    }
