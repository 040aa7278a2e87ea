"""Seen: which tensors torch's own operations have made, of which each is seen; a kernel writes behind their back.

It writes into memory that torch has given it, and so leaves there what no operation has put there.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from handgrad.arrays.imitated_torch import float_tensors
from handgrad.arrays.precision import to64


class Seen(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps what each operation leaves in memory, if all that goes into it was seen as well.

    given: the arrays that are there before, and count as seen.
    """

    def __init__(self, given: Iterable[Any] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.given = {to64(a).tobytes() for a in given}
        self.left: dict[int, tuple[Any, torch.Tensor]] = {}  # by address: the memory, held, and what is in it

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled in here

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        known = all(map(self.has, float_tensors([*args, *(kwargs or {}).values()])))
        before = {address_of(t) for t in float_tensors(args)}
        out = func(*args, **(kwargs or {}))
        if func.namespace == "aten" and known and "empty" not in func._schema.name:
            for t in float_tensors(out):
                if func._schema.is_mutable or address_of(t) not in before:  # a view puts nothing there
                    self.left[address_of(t)] = (t.untyped_storage(), whole(t).clone())
        return out

    def has(self, tensor: torch.Tensor) -> bool:
        """Whether it was given, or holds what operations have put there."""
        if to64(tensor).tobytes() in self.given:
            return True
        _, left = self.left.get(address_of(tensor), (None, None))
        return left is not None and left.dtype == tensor.dtype and same_bits(left, whole(tensor))


def address_of(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All the memory that it is a view of."""
    return tensor.detach().as_strided((tensor.untyped_storage().nbytes() // tensor.element_size(),), (1,), 0)


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two have the same entries, nan as well."""
    return a.shape == b.shape and bool(((a == b) | (a.isnan() & b.isnan())).all())
