"""Anyone's forward and backward pass: how it is called, which inputs it gets, what it must keep; never a bound.

verify.py judges a function; prepare.py reads what the user hands in (torch's autograd.Function and modules too),
inputs.py draws, calling.py calls, case.py is one set of inputs, side_effects.py what must not change.
"""
