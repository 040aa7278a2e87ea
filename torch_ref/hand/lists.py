"""The layers that torch's autocast has on a list of its own for float32, asked of torch for each kind of device.

There their output is float32. Elsewhere they give the precision that came, and compute in float32 inside, as torch's
kernels do: so on the CPU, where none of them is on a list.
"""

import torch

DEVICES = ("cpu", "cuda", "mps", "xpu")
KERNELS = {"batch_norm": "batch_norm", "layer_norm": "layer_norm", "softmax": "softmax.int", "softplus": "softplus"}


def on_a_list(kernel: str, device: str) -> bool:
    """Whether autocast does anything to this kernel on a device."""
    return torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{kernel}", f"Autocast{device.upper()}")


LISTED = {tag: tuple(device for device in DEVICES if on_a_list(kernel, device)) for tag, kernel in KERNELS.items()}
