"""The optimizers, learning-rate schedules and gradient clipping; nothing that knows a network or a loss."""
