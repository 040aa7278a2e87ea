"""The judge's own arrays: balls carry a bound on rounding, duals a directional derivative, through anyone's code.

ball.py with rounding.py, its rules; dual.py; both stand on base.py and operations.py. imitated.py and
imitated_torch.py round at random, in NumPy and in torch; seen.py tells what torch's own operations have made.
arithmetic.py knows each precision's unit roundoff, precision.py takes anyone's arrays to float64 and back.
"""
