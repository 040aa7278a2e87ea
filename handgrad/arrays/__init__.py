"""The judge's own arrays: balls carry a bound on rounding, duals a directional derivative, through anyone's code."""
