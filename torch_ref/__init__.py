"""The PyTorch side: the same modules, differentiated by autograd."""

from manual.lent import LENT
from manual.namespace import know_torch
from torch_ref import layers, losses
from torch_ref.gradients import gradients
from torch_ref.hand.module import HandModule
from torch_ref.layers import *  # noqa: F403
from torch_ref.losses import *  # noqa: F403
from torch_ref.sync_batch_norm import SyncBatchNorm1d
from torch_ref.training.fit import fit
from torch_ref.twin import Chain, twin
from torch_ref.weights import from_torch, running_from_torch, to_module, to_torch

LENT["to_module"] = to_module
know_torch()

__all__ = [
    "Chain",
    "HandModule",
    "SyncBatchNorm1d",
    "fit",
    "from_torch",
    "gradients",
    "running_from_torch",
    "to_module",
    "to_torch",
    "twin",
]
__all__ += layers.__all__
__all__ += losses.__all__
