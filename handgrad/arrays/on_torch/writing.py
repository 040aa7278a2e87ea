"""Writing into an array: the tensor itself is changed, and every view of it; autograd follows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from handgrad.arrays.on_torch.elementwise import as_float
from handgrad.arrays.on_torch.parts import to_numpy

Tensor = torch.Tensor
Rule = Callable[..., Any]


def put(x: Tensor, index: Any, value: Any) -> None:
    """x[index] = value; where torch knows no such index, entry by entry."""
    backwards = any(
        isinstance(i, slice) and (i.step or 1) < 0 for i in (index if isinstance(index, tuple) else (index,))
    )
    value = as_float(value)
    if not backwards:
        while value.ndim and value.ndim > x[index].ndim and value.shape[0] == 1:
            value = value[0]  # as NumPy allows
        x[index] = value
        return
    places = np.arange(x.numel()).reshape(x.shape)[to_numpy(index)]
    where = np.unravel_index(places, x.shape)
    x[tuple(torch.as_tensor(np.ascontiguousarray(i)) for i in where)] = value.broadcast_to(places.shape)


def at(combine: Rule) -> Rule:
    """ufunc.at, entry by entry where two meet."""

    def rule(x: Tensor, index: Any, value: Any) -> None:
        places = np.arange(x.numel()).reshape(x.shape)[to_numpy(index)]
        flat = [torch.as_tensor(np.ascontiguousarray(i)) for i in np.unravel_index(np.ravel(places), x.shape)]
        combine(x, tuple(flat), as_float(value).broadcast_to(places.shape).reshape(-1))

    return rule


def one_by_one(function: Rule) -> Rule:
    """What ufunc.at does where no kernel does it at once."""

    def combine(x: Tensor, index: tuple[Tensor, ...], values: Tensor) -> None:
        for i, value in enumerate(values):
            one = tuple(part[i] for part in index)
            x[one] = function(x[one].clone(), value)

    return combine


def into(x: Tensor, index: Any, values: Tensor) -> None:
    x.index_put_(index, values, accumulate=True)


def put_along_axis(x: Tensor, indices: Tensor, values: Any, axis: int) -> None:
    places = np.take_along_axis(np.arange(x.numel()).reshape(x.shape), to_numpy(indices), axis)
    where_to = tuple(torch.as_tensor(i) for i in np.unravel_index(places, x.shape))
    x[where_to] = as_float(values).broadcast_to(places.shape)


def copyto(x: Tensor, source: Any, where: Any = True) -> None:
    x.copy_(torch.where(torch.as_tensor(where), as_float(source), x.clone()))


def fill_diagonal(x: Tensor, value: Any) -> None:
    n = min(x.shape)
    index = torch.arange(n)
    x[tuple([index] * x.ndim)] = as_float(value).broadcast_to(n)


def put_flat(x: Tensor, indices: Any, values: Any, mode: str = "raise") -> None:
    flat = np.unravel_index(np.ravel(to_numpy(indices)), x.shape)
    values = as_float(values).reshape(-1)
    x[tuple(torch.as_tensor(i) for i in flat)] = values.repeat(-(-len(flat[0]) // len(values)))[: len(flat[0])]


def putmask(x: Tensor, mask: Any, values: Any) -> None:
    copyto(x, as_float(values), torch.as_tensor(mask))


WRITING: dict[str, Rule] = {
    "put_along_axis": put_along_axis,
    "copyto": copyto,
    "fill_diagonal": lambda a, val, wrap=False: fill_diagonal(a, val),
    "put": put_flat,
    "putmask": putmask,
    "place": lambda arr, mask, vals: put_flat(arr, np.flatnonzero(to_numpy(mask)), vals),
    "add.at": at(into),
    "subtract.at": at(lambda x, index, values: into(x, index, -values)),
    "multiply.at": at(one_by_one(torch.mul)),
    "divide.at": at(one_by_one(torch.div)),
    "maximum.at": at(one_by_one(torch.maximum)),
    "minimum.at": at(one_by_one(torch.minimum)),
}
