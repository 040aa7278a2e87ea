"""Several results of one forward pass, put one after the other to one flat y, and what comes from above taken apart.

The judge knows one y and one dy. A loss and its statistics, values and their indices, a dict of results become that.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from array_api_compat import array_namespace

from handgrad.arrays.base import JudgedArray
from handgrad.arrays.precision import dtype_name, like, to64
from handgrad.judge.isolation import contents, contiguous, duplicate
from handgrad.subjects.function.nests import rebuild


class Output(NamedTuple):
    """One result that has an upstream gradient: its name, its shape, and where it begins in the flat y.

    fixed: its author says that it has none after all (torch: it requires no gradient)
    """

    name: str
    shape: tuple[int, ...]
    start: int
    dtype: Any
    fixed: bool

    @property
    def part(self) -> slice:
        """Where it stands in the flat y."""
        return slice(self.start, self.start + int(np.prod(self.shape)))


@dataclass(frozen=True, eq=False)
class Outputs:
    """All results of one run. nest: their names in the tuple, list or dict that came; "y" for a single array.

    left_out: the names of whole numbers, None and other things that have no gradient
    layout: how what comes from above lies in memory, for each result
    """

    nest: Any
    parts: tuple[Output, ...]
    left_out: tuple[str, ...] = ()
    layout: Callable[[Any], Any] = duplicate

    @property
    def names(self) -> tuple[str, ...]:
        """Of all results, those without an upstream gradient too."""
        return tuple(leaves_of(self.nest))

    @property
    def several(self) -> bool:
        """Whether y is put together from more than one."""
        return len(self.parts) > 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of y."""
        return (self.parts[-1].part.stop,) if self.several else self.parts[0].shape

    def split(self, y: Any) -> dict[str, Any]:
        """y, or what comes from above, for each result in its own shape."""
        if not self.several:
            return {self.parts[0].name: y}
        return {p.name: in_precision(in_shape(y[p.part], p.shape), p.dtype) for p in self.parts}

    def take(self, dy: Any, y: Any, *, mixed: bool) -> Any:
        """dy as it can be given: zeros for fixed results, each part in the precision of its result.

        mixed: whether the inputs have several precisions, so that only y tells its own.
        """
        if self.several and np.shape(dy) == self.shape:  # else the reference's y has another length, which is told
            parts = self.split(dy)
            return join([0 * parts[p.name] if p.fixed else parts[p.name] for p in self.parts])
        return like(to64(dy), y) if mixed else dy

    def upstream(self, dy: Any) -> dict[str, Any]:
        """What comes from above for each result, in memory of its own as in a network; a single one in dy's."""
        if not self.several and self.layout is duplicate:
            return self.split(dy)
        return {name: self.layout(part) for name, part in self.split(dy).items()}

    def laid_out(self, dy: Any) -> Any:
        """The numbers of dy in that layout, one after the other: one that spreads a number changes the others."""
        parts = self.upstream(dy)
        return join([contiguous(parts[p.name]) for p in self.parts])

    def write_back(self, dy: Any, parts: Mapping[str, Any]) -> None:
        """What somebody wrote into one of `upstream`, into dy as well, where it is seen."""
        if self.several and isinstance(dy, np.ndarray | torch.Tensor):
            before = self.split(dy)
            for p in self.parts:
                if contents(parts[p.name]) != contents(before[p.name]):
                    dy[p.part] = parts[p.name].reshape(-1)


def find_outputs(results: Any) -> tuple[Any, Outputs]:
    """The flat y of what forward returned, and what it is put together from. Raises TypeError for no result at all."""
    if not is_nest(results):
        return results, single(np.shape(results))
    named = dict(list_results("y", results))
    found = {name: value for name, value in named.items() if is_result(value)}
    if not found:
        raise TypeError(f"no floating-point array among the results {', '.join(named)}")
    parts, start = [], 0
    for name, value in found.items():
        fixed = isinstance(value, torch.Tensor) and not value.requires_grad
        parts.append(Output(name, tuple(np.shape(value)), start, getattr(value, "dtype", None), fixed))
        start = parts[-1].part.stop
    left_out = tuple(name for name in named if name not in found)
    return join(list(found.values())), Outputs(name_nest("y", results), tuple(parts), left_out)


def single(shape: tuple[int, ...]) -> Outputs:
    """One array y."""
    return Outputs("y", (Output("y", shape, 0, None, False),))


def join(arrays: list[Any]) -> Any:
    """Arrays of one library one after the other; a single one as it is."""
    if len(arrays) == 1:
        return arrays[0]
    if all(isinstance(a, torch.Tensor) for a in arrays):
        return torch.cat([a.reshape(-1) for a in arrays])
    if any(isinstance(a, JudgedArray) or hasattr(a, "__array_function__") for a in arrays):
        return np.concatenate([np.reshape(a, -1) for a in arrays])
    if any(hasattr(a, "dtype") for a in arrays):
        xp = array_namespace(next(a for a in arrays if hasattr(a, "dtype")))
        return xp.concat([xp.reshape(xp.asarray(a), (-1,)) for a in arrays])
    return np.asarray(arrays, float)


def in_shape(array: Any, shape: tuple[int, ...]) -> Any:
    """An array of any library in another shape."""
    return array.reshape(shape) if hasattr(array, "reshape") else array_namespace(array).reshape(array, shape)


def in_precision(array: Any, dtype: Any) -> Any:
    """An array of NumPy or torch in the precision that its result has; of any other library as it is."""
    if isinstance(array, torch.Tensor):
        return array.to(dtype)
    return array.astype(dtype) if type(array) is np.ndarray and dtype is not None else array


def is_nest(value: Any) -> bool:
    """Whether these are several results; a list of plain numbers is one array."""
    return isinstance(value, Mapping | tuple) or (isinstance(value, list) and not is_numbers(value))


def is_numbers(value: Any) -> bool:
    """Whether a nest of lists holds plain numbers only: an array written as lists."""
    return all(is_numbers(v) for v in value) if isinstance(value, list) else isinstance(value, int | float | np.number)


def is_result(value: Any) -> bool:
    """Whether it has an upstream gradient: floating-point numbers, of any library."""
    return isinstance(value, float) or (hasattr(value, "dtype") and "float" in dtype_name(value))


def list_results(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Every result by name: y0, y1 of a tuple, their own in a dict or named tuple; dicts in alphabetical order."""
    if not is_nest(value):
        yield name, value
        return
    for key, part in items(name, value):
        yield from list_results(key, part)


def name_nest(name: str, value: Any) -> Any:
    """The names of `list_results` in the places of the results."""
    if not is_nest(value):
        return name
    named = {key: name_nest(key, part) for key, part in items(name, value)}
    if isinstance(value, Mapping):
        return dict(zip(sorted(value, key=str), named.values(), strict=True))
    return rebuild(value, list(named.values()))


def items(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The results of one tuple, list or dict, each with its name."""
    if isinstance(value, Mapping):
        yield from ((str(key), value[key]) for key in sorted(value, key=str))
    elif hasattr(value, "_fields"):
        yield from zip(value._fields, value, strict=True)
    else:
        yield from ((f"{name}{i}" if name == "y" else f"{name}[{i}]", part) for i, part in enumerate(value))


def leaves_of(value: Any) -> Iterator[Any]:
    """Every result, in the order of their names."""
    return (part for _, part in list_results("y", value))


def put(nest: Any, values: Mapping[str, Any]) -> Any:
    """The nest with each value in its place; None where there is none."""
    if isinstance(nest, str):
        return values.get(nest)
    if isinstance(nest, Mapping):
        return {key: put(part, values) for key, part in nest.items()}
    return rebuild(nest, [put(part, values) for part in nest])
