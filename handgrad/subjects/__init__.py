"""What can be judged, turned into trials: networks, functions, training steps, neurons; never a bound of its own.

verify_update.py judges the parameters after a step, given those before; training_step.py one step of a run in full, its
pass and its update; neurons.py the scalar reference; retained_gradient.py compares one gradient
with what autograd left on a tensor, without a verdict.
"""
