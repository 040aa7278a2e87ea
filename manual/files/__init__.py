"""What is kept on disk: weights, architectures and checkpoints, written atomically; never a pickle."""
