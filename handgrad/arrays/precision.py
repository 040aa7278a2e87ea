"""Between a run's own arrays (any library, device, precision) and the judge's NumPy float64, without losing a bit."""

from typing import Any

import numpy as np
import torch
from array_api_compat import array_namespace, device
from numpy.typing import NDArray


def to64(array: Any) -> NDArray[np.float64]:
    """The same numbers in float64; every smaller float format is a subset of it.

    Raises TypeError for complex numbers, which would lose their imaginary part.
    """
    if "complex" in dtype_name(array):
        raise TypeError(f"got {dtype_name(array)} numbers, expected real ones: take the real part where that is meant")
    if isinstance(array, torch.Tensor):
        return array.detach().cpu().double().numpy()
    return np.asarray(array, dtype=np.float64, order="C")  # torch takes no negative strides


def like(array: NDArray[np.float64], model: Any) -> Any:
    """`array` rounded to the dtype of `model`, in its library and on its device."""
    if isinstance(model, torch.Tensor):
        return torch.as_tensor(array).to(model.device, model.dtype)
    if isinstance(model, np.ndarray | np.generic | float | int):
        return np.asarray(array, dtype=getattr(model, "dtype", np.float64))
    return array_namespace(model).asarray(array, dtype=model.dtype, device=device(model))


def plain(array: Any) -> Any:
    """A target or mask as NumPy: class indices stay integers, everything else becomes float64."""
    kind = str(getattr(array, "dtype", ""))
    return np.asarray(array.cpu() if isinstance(array, torch.Tensor) else array) if "int" in kind else to64(array)


def dtype_name(array: Any) -> str:
    """'float64', 'float32', 'bfloat16' or 'float16', whatever the library.

    >>> dtype_name(np.zeros(2, np.float32)), dtype_name(torch.zeros(2))
    ('float32', 'float32')
    """
    return str(getattr(array, "dtype", np.float64().dtype)).rpartition(".")[2]
