"""From wrong gradients to the line and the change that makes them right; never a verdict.

draw.py is what a candidate is tried on. required.py finds which value, if it were another, would make everything
right; material.py what is at hand at a line; expressions.py and statements.py the edits that undo what people do;
search.py tries them in order, smallest first. change.py is a change as text, as a diff and in words.
"""
