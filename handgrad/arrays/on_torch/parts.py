"""Entries put together in another way: shapes, indices, pieces joined. A view is one where NumPy gives one."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch

from handgrad.arrays.on_torch.elementwise import as_float, broadcast, where

Tensor = torch.Tensor
Rule = Callable[..., Any]


def to_numpy(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().numpy()
    if isinstance(value, dict):
        return {key: to_numpy(part) for key, part in value.items()}
    return type(value)(map(to_numpy, value)) if type(value) in (list, tuple) else value


def rearranged(name: str) -> Rule:
    """A function that only moves entries: NumPy moves their numbers, and the entries follow."""
    function = getattr(np, name)

    def rule(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        args, kwargs = to_numpy(args), to_numpy(kwargs)
        places = function(np.arange(x.numel()).reshape(x.shape), *args, **kwargs)
        return x.reshape(-1)[torch.as_tensor(np.ascontiguousarray(places))]

    return rule


def compress(condition: Any, x: Tensor, axis: Any = None) -> Tensor:
    places = np.compress(to_numpy(condition), np.arange(x.numel()).reshape(x.shape), axis=axis)
    return x.reshape(-1)[torch.as_tensor(places)]


def reshape(x: Tensor, shape: Any, order: str = "C") -> Tensor:
    shape = tuple(int(n) for n in shape) if isinstance(shape, list | tuple) else (int(shape),)
    return transpose(transpose(x).reshape(shape[::-1])) if order == "F" else x.reshape(shape)


def transpose(x: Tensor, axes: Any = None) -> Tensor:
    return x.permute(tuple(range(x.ndim))[::-1] if axes is None else tuple(int(a) for a in axes))


def rollaxis(x: Tensor, axis: int, start: int = 0) -> Tensor:
    return x.permute(
        tuple(np.rollaxis(np.empty([i + 1 for i in range(x.ndim)]), axis, start).shape[i] - 1 for i in range(x.ndim))
    )


def pad(x: Tensor, pad_width: Any, mode: str = "constant", constant_values: Any = 0, **more: Any) -> Tensor:
    mode_of: Any = mode
    if mode not in ("constant", "edge", "reflect", "symmetric", "wrap"):
        raise NotImplementedError(f"mode {mode!r}")
    numbers = np.arange(x.numel()).reshape(x.shape)
    if mode != "constant":
        return x.reshape(-1)[torch.as_tensor(np.pad(numbers, to_numpy(pad_width), mode_of, **more))]
    if isinstance(constant_values, Tensor):
        raise NotImplementedError("constant_values with a gradient")
    places = np.pad(numbers, to_numpy(pad_width), constant_values=-1)
    filled = np.pad(np.zeros(x.shape), to_numpy(pad_width), constant_values=constant_values)
    entries = x.reshape(-1)[torch.as_tensor(np.maximum(places, 0))] if x.numel() else torch.zeros(places.shape)
    return torch.where(torch.as_tensor(places >= 0), entries, torch.as_tensor(filled))


def split(x: Tensor, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    parts = np.array_split(np.arange(x.shape[axis]), to_numpy(indices_or_sections))
    return [x.narrow(axis, int(part[0]) if len(part) else 0, len(part)) for part in parts]


def insert(x: Tensor, obj: Any, values: Any, axis: Any = None) -> Tensor:
    x, axis = (x.reshape(-1), 0) if axis is None else (x, axis)
    if not isinstance(obj, int):
        raise NotImplementedError("several places")
    at = obj + x.shape[axis] if obj < 0 else obj
    one = as_float(values).broadcast_to(x.narrow(axis, 0, 1).shape)
    return torch.cat([x.narrow(axis, 0, at), one, x.narrow(axis, at, x.shape[axis] - at)], axis)


def append(x: Any, values: Any, axis: Any = None) -> Tensor:
    x, values = as_float(x), as_float(values)
    return torch.cat([x.reshape(-1), values.reshape(-1)]) if axis is None else torch.cat([x, values], axis)


def select_cases(conditions: Sequence[Any], choices: Sequence[Any], default: Any = 0) -> Any:
    pairs = list(zip(conditions, choices, strict=True))
    return reduce(lambda rest, pair: where(pair[0], pair[1], rest), reversed(pairs), as_float(default))


def choose(a: Any, choices: Sequence[Any], mode: str = "raise") -> Tensor:
    stacked = torch.stack(broadcast(*map(as_float, choices)))
    return torch.take_along_dim(stacked, torch.as_tensor(a).broadcast_to(stacked.shape[1:])[None].long(), 0)[0]


def sliding_window_view(x: Tensor, window_shape: Any, axis: Any = None, **more: Any) -> Tensor:
    sizes = window_shape if isinstance(window_shape, list | tuple) else (window_shape,)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
    for size, one in zip(sizes, axes, strict=True):
        x = x.unfold(one if one >= 0 else one + x.ndim, size, 1)
    return x


def block(arrays: Any) -> Tensor:
    """np.block of lists of lists."""
    depth = 0
    probe = arrays
    while isinstance(probe, list):
        depth, probe = depth + 1, probe[0]

    def join(part: Any, axis: int) -> Tensor:
        if not isinstance(part, list):
            whole = as_float(part)
            return whole.reshape(*[1] * (depth - whole.ndim), *whole.shape)
        return torch.cat([join(p, axis + 1) for p in part], axis)

    return join(arrays, -depth)


def take_along_axis(x: Tensor, indices: Any, axis: Any = -1) -> Tensor:
    x = x.reshape(-1) if axis is None else x
    return torch.take_along_dim(x, torch.where(indices < 0, indices + x.shape[axis or 0], indices), axis or 0)


def get(x: Tensor, index: Any) -> Tensor:
    """x[index], a view where NumPy gives one; a step that goes backwards gives a copy."""
    if not any(isinstance(i, slice) and (i.step or 1) < 0 for i in (index if isinstance(index, tuple) else (index,))):
        found = x[index]
        return found
    places = np.arange(x.numel()).reshape(x.shape)[to_numpy(index)]
    return x.reshape(-1)[torch.as_tensor(np.ascontiguousarray(places))]


PARTS: dict[str, Rule] = {
    **{name: rearranged(name) for name in ("roll", "tile", "repeat", "delete", "take", "resize", "rot90", "flip")},
    "compress": compress,
    "extract": lambda condition, x: x.reshape(-1)[torch.as_tensor(condition).reshape(-1).bool()],
    "partition": lambda x, kth, axis=-1: torch.sort(x, axis)[0],
    "pad": pad,
    "split": split,
    "array_split": split,
    "hsplit": lambda x, sections: split(x, sections, min(1, x.ndim - 1)),
    "vsplit": lambda x, sections: split(x, sections, 0),
    "unstack": lambda x, axis=0: [x.select(axis, i) for i in range(x.shape[axis])],
    "insert": insert,
    "append": append,
    "select": select_cases,
    "choose": choose,
    "sliding_window_view": sliding_window_view,
    "block": block,
    "rollaxis": rollaxis,
    "reshape": reshape,
    "ravel": lambda x, order="C": reshape(x, -1, order),
    "transpose": transpose,
    "matrix_transpose": lambda x: x.mT,
    "take_along_axis": take_along_axis,
    "copy": torch.clone,
    "astype": lambda x, dtype: x.clone(),
}
