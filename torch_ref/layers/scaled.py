"""What the normalisations end with."""

import torch


def scaled(xhat: torch.Tensor, gamma: torch.Tensor | None, beta: torch.Tensor | None) -> torch.Tensor:
    """gamma o xhat + beta, without what is None: a script may set weight or bias so, as in torch's own modules."""
    y = xhat if gamma is None else gamma * xhat
    return y if beta is None else y + beta
