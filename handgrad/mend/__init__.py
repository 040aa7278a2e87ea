"""From wrong gradients to the line and the change that makes them right; never a verdict.

draw.py is what a candidate is tried on. required.py finds which value, if it were another, would make everything right;
material.py what is at hand at a line. lookup.py tries the edits of one expression by value: local_edits.py,
expressions.py, cumulated.py, pairs.py and projections.py make them, from the tables in templates.py. statements.py
edits whole statements, masks.py and indices.py what has no value: masks, indices, bounds of loops, counts; counts.py
finds which number a count should be. raised.py finds the line at which code raises, counted.py whether an index is one
that forward has. search.py goes through all, the smallest first; candidates.py has those that no value tells. change.py
is a change as text, diff.py as a diff. words.py tells it in words: a slip.py is one place of it, expression_words.py
has the rules, members.py compares sums and products. needed.py is what one line gives, and what it should give.
memory.py edits what is right, and writes or reads memory as it must not.
"""
