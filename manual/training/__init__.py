"""Training: batches, the loop, metrics and the state of a run; nothing that reads or writes a file."""
