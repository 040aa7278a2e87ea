"""The source of somebody's functions: read, edited, run with notes taken; never a verdict, and never a file written.

read.py finds a function's syntax tree in its file, program.py all functions that a pair of passes is made of, and makes
them anew with other trees. tree.py edits trees, taps.py runs them with every value noted or one value changed.
steps.py notes what every statement sets, writes.py finds the statements that write into what is not theirs.
held.py finds the layers that a network keeps. safely.py keeps files, network and terminal shut while they run.
"""
