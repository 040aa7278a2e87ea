"""The losses: one file a loss, value and gradient under each other; nothing that knows a network."""
