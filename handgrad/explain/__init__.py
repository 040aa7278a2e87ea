"""A failing judgement in, the mistake's name and hints out; never a verdict.

diagnosis.py gives the name: match.py says whether a mistake of catalogue/ fits, on fresh_draws.py too, and describe.py
describes what has no name. line.py does both for the value of one line; change.py is the
change that makes the code right, in words, or the line that is wrong. notes.py has what else is said of a refuted
trial.
"""
