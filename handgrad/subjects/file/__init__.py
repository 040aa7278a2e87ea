"""A Python file of anyone's: its pairs of forward and backward passes found, given inputs, judged; never a rule.

load.py imports it, pairs.py finds what belongs together by instances.py, pullbacks.py and the names that people use.
shapes.py has the words for an input, by hints.py from the type hints, by asked.py from the command line, both by
read_shape.py, and by described.py from the docstrings and comments that words.py collects. inputs.py makes inputs of
them, with sizes by sizes.py and whole numbers and masks by draws.py, other_sizes.py where forward raises at the usual
sizes, and guess.py what to ask for where nothing is known. judge.py judges one pair, zeros.py tells what was at 0
alone, patch.py makes one patch of the changes found, text.py words what came out, side_by_side.py shows it value by
value.
"""
