"""What is kept on disk: weights, architectures and checkpoints, written atomically; never a pickle.

checkpoint.py writes a training, serialise.py and architecture.py say how it becomes plain data; weight_files.py writes
weights alone; atomic_write.py replaces a file as a whole.
"""
