"""Training: batches, the loop, metrics and the state of a run; nothing that reads or writes a file.

fit.py is the way in, hand.py one step by hand, compiled.py the same for a program, by_jax.py and by_torch.py who
makes one of it, compiler.py which of them. loop.py is the loop around it, plan.py and settings.py what was asked for,
batches.py which samples make a batch, state.py what a run is after a step.
"""
