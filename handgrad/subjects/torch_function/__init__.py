"""What torch code with a backward pass of its own promises autograd's engine; never how a function is called, or drawn.

call.py has the code at the inputs of one judgement. One promise a file: engine_errors.py (one gradient for every
argument), in_place.py (mark_dirty), not_differentiable.py (mark_non_differentiable), kept_alive.py (no leak),
second_backward.py (what is saved stays as it is), twice.py (second derivatives), under_autocast.py, compiled.py
(torch.compile), registration.py (torch.library.custom_op).
"""
