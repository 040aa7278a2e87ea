"""Exercises, one file each: the text, the skeleton, how inputs are drawn, the forward pass, points, names, hints."""
