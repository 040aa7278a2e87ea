"""What Triton's interpreter lacks on a machine without a card, supplied before the kernels are imported.

Functions of libdevice give None there: NumPy's stand in for them. Nothing can be timed: an autotuned kernel takes the
first of its configurations.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch.distributed.tensor  # noqa: F401  the kernels take it for imported
import triton.language as tl
from triton.language.extra import libdevice
from triton.runtime import autotuner
from triton.runtime.interpreter import TensorHandle


def elementwise(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function of a block, in the block's own precision."""

    def run(x: Any) -> Any:
        numbers = x.handle.data
        return tl.core.tensor(TensorHandle(f(numbers).astype(numbers.dtype), x.handle.dtype), x.type)

    return run


class Untimed(autotuner.Autotuner):
    """An autotuner with one configuration."""

    def __init__(self, fn: Any, arg_names: Any, configs: Any, *rest: Any, **more: Any) -> None:
        super().__init__(fn, arg_names, configs[:1], *rest, **more)


libdevice.tanh = elementwise(np.tanh)
libdevice.rsqrt = elementwise(lambda x: 1 / np.sqrt(x))
autotuner.Autotuner = Untimed
