"""The PyTorch side: the same modules, differentiated by autograd."""

from torch_ref.twin import Chain, twin

__all__ = ["Chain", "twin"]
